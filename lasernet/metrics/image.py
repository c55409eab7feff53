"""Measures on images: how steep they are, and how alike in structure."""

from __future__ import annotations

import torch
from torch import Tensor

WINDOW, SIGMA, K1, K2 = 11, 1.5, 0.01, 0.03
TILE = 32


def mean_gradient(image: Tensor, mask: Tensor) -> Tensor:
    """Mean absolute difference between neighboring cells, over pairs of valid cells along rows and columns.

    Taken per item, then over the items; an item without a valid pair counts as 0.

    Args:
        image: (B, C, H, W), in any unit, which is the unit of the result.
        mask: bool, (B, 1, H, W).
    """
    total = image.new_zeros(len(image))
    pairs = image.new_zeros(len(image))
    for axis in (-2, -1):
        count = image.shape[axis] - 1
        both = mask.narrow(axis, 0, count) & mask.narrow(axis, 1, count)
        steps = (image.narrow(axis, 1, count) - image.narrow(axis, 0, count)).abs()
        total = total + torch.where(both, steps, 0).flatten(1).sum(1)
        pairs = pairs + both.flatten(1).sum(1)
    return (total / (pairs * image.shape[1]).clamp(min=1)).mean()


def ssim_map(prediction: Tensor, target: Tensor, data_range: float) -> Tensor:
    """Structural similarity around every cell, averaged over channels.

    Gaussian window of 11 × 11 cells with sigma 1.5, K1 = 0.01, K2 = 0.03, population variances, images mirrored
    at their borders. An image narrower than 11 cells along an axis gets the widest odd window that fits it there.

    Args:
        prediction, target: (B, C, H, W).
        data_range: the span of possible values, in the unit of the images.

    Returns:
        (B, H, W), float64, in [-1, 1].

    Wang, Bovik, Sheikh & Simoncelli (2004), IEEE Trans. Image Process. 13, 600, eq. 13.
    """
    c1, c2 = (K1 * data_range) ** 2, (K2 * data_range) ** 2
    maps = []
    for x, y in zip(prediction.double(), target.double(), strict=True):  # one by one: they fit into the cache
        mean_x, mean_y, squares, product = _blur(torch.stack([x, y, x * x + y * y, x * y]))
        luminance = mean_x * mean_y
        energy = mean_x.square() + mean_y.square()
        likeness = (2 * luminance + c1) * (2 * (product - luminance) + c2)
        maps.append((likeness / ((energy + c1) * (squares - energy + c2))).mean(0))
    return torch.stack(maps) if maps else prediction.double().sum(1)


def _blur(images: Tensor) -> Tensor:
    """Gaussian mean over the window around each cell, borders mirrored with the edge cell repeated."""
    for axis in (-1, -2):
        lines = images.transpose(axis, -1)
        size = lines.shape[-1]
        radius = min(WINDOW, size - 1 + size % 2) // 2
        taps = torch.arange(-radius, radius + 1, dtype=images.dtype, device=images.device)
        weights = torch.exp(-taps.square() / (2 * SIGMA**2))
        # Tiles of neighboring outputs, each a small matrix product with the inputs that it sees.
        kernel = images.new_zeros(TILE + 2 * radius, TILE)
        for column in range(TILE):
            kernel[column : column + 2 * radius + 1, column] = weights / weights.sum()
        tiles = -(-size // TILE)
        starts = torch.arange(tiles, device=images.device)[:, None] * TILE - radius
        seen = starts + torch.arange(TILE + 2 * radius, device=images.device)
        seen = torch.where(seen < 0, -1 - seen, seen)
        seen = torch.where(seen >= size, 2 * size - 1 - seen, seen).clamp(min=0)  # below 0: columns cropped again
        images = (lines[..., seen] @ kernel).flatten(-2)[..., :size].transpose(axis, -1)
    return images

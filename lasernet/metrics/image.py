"""Measures on images: how steep they are, and how alike in structure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import correlate1d
from torch import Tensor

WINDOW, SIGMA, K1, K2 = 11, 1.5, 0.01, 0.03


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
    pairs = zip(prediction.double().cpu().numpy(), target.double().cpu().numpy(), strict=True)
    maps = [_likeness(x, y, c1, c2) for x, y in pairs]
    if not maps:
        return prediction.double().sum(1)
    return torch.from_numpy(np.stack(maps)).to(prediction.device)


def _likeness(x: NDArray[np.float64], y: NDArray[np.float64], c1: float, c2: float) -> NDArray[np.float64]:
    """The map (H, W) of one pair of images (C, H, W): exactly 1 wherever no window reaches a difference."""
    likeness = np.ones(x.shape[1:])
    differs = ~((x == y).all(0))
    if not differs.any():
        return likeness
    radii = [min(WINDOW, size - 1 + size % 2) // 2 for size in differs.shape]
    rows, columns = (np.flatnonzero(differs.any(axis)) for axis in (1, 0))
    reached = [
        slice(max(0, where[0] - radius), where[-1] + radius + 1)
        for where, radius in zip((rows, columns), radii, strict=True)
    ]
    seen = [slice(max(0, part.start - radius), part.stop + radius) for part, radius in zip(reached, radii, strict=True)]
    x, y = x[:, seen[0], seen[1]], y[:, seen[0], seen[1]]
    mean_x, mean_y, squares, product = (_blur(image, radii) for image in (x, y, x * x + y * y, x * y))
    luminance = mean_x * mean_y
    energy = mean_x**2 + mean_y**2
    alike = (2 * luminance + c1) * (2 * (product - luminance) + c2)
    inner = tuple(slice(a.start - b.start, a.stop - b.start) for a, b in zip(reached, seen, strict=True))
    likeness[tuple(reached)] = (alike / ((energy + c1) * (squares - energy + c2))).mean(0)[inner]
    return likeness


def _blur(images: NDArray[np.float64], radii: Sequence[int]) -> NDArray[np.float64]:
    """Gaussian mean over the window around each cell of (C, H, W), borders mirrored with the edge cell repeated."""
    for axis, radius in zip((-2, -1), radii, strict=True):
        weights = np.exp(-(np.arange(-radius, radius + 1) ** 2) / (2 * SIGMA**2))
        images = correlate1d(images, weights / weights.sum(), axis=axis, mode="reflect")
    return images

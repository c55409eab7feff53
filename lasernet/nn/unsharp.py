"""Sharpening by an unsharp mask: what a Gaussian blurs away is added once more."""

from __future__ import annotations

import torch
from torch import Tensor


def unsharp(images: Tensor, keep: Tensor, *, amount: float, radius: float) -> Tensor:
    """images + amount · (images − blurred images), where ``keep`` is true; other cells stay as they are.

    The blurred value is the Gaussian mean over the kept cells of the image, without any others and without anything
    beyond its borders, so that a constant stays one beside gaps and borders too.

    Args:
        images: (B, C, H, W), floating; need not be finite in cells that are not kept.
        keep: bool, (B, 1, H, W).
        radius: standard deviation of the Gaussian in cells.
    """
    rows, columns = (_gaussian(size, radius, images) for size in images.shape[-2:])
    share = keep.to(images.dtype)
    blurred = rows @ torch.where(keep, images, 0) @ columns
    mean = blurred / torch.where(keep, rows @ share @ columns, 1)
    return torch.where(keep, images + amount * (images - mean), images)


def _gaussian(size: int, radius: float, like: Tensor) -> Tensor:
    """Weights exp(−d²/2r²) of all pairs of cells in a line at distance d, (size, size); 1 on the diagonal."""
    places = torch.arange(size, dtype=like.dtype, device=like.device)
    return torch.exp(-((places[:, None] - places) / radius).square() / 2)

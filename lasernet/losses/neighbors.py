"""Pairs of neighboring cells, and means over those of which both are there."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from lasernet.losses.base import widened


def pair_mean(image: Tensor, mask: Tensor, measure: Callable[[Tensor], Tensor]) -> Tensor:
    """Mean of a measure of the steps between neighbors, over pairs of valid cells along rows and columns.

    Taken per item and over channels, then over the items; an item without a valid pair counts as 0. Cells that
    do not count may hold anything, and get no gradient.

    Args:
        image: (B, C, H, W).
        mask: bool, (B, 1, H, W).
        measure: of steps (B, C, h, w); 0 for no step.
    """
    image = widened(torch.where(mask, image, 0))
    total, pairs = image.new_zeros(len(image)), image.new_zeros(len(image))
    for axis in (-2, -1):
        count = image.shape[axis] - 1
        both = mask.narrow(axis, 0, count) & mask.narrow(axis, 1, count)
        step = image.narrow(axis, 1, count) - image.narrow(axis, 0, count)
        total = total + measure(torch.where(both, step, 0)).flatten(1).sum(1)
        pairs = pairs + both.flatten(1).sum(1)
    return (total / (pairs * image.shape[1]).clamp(min=1)).mean()

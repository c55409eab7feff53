"""The temperature at which the melt is freezing nearby: read off the cells on either side of its border."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def border(cells: Tensor, others: Tensor) -> Tensor:
    """Those ``cells`` that have one of the ``others`` among their neighbors, corners included, (B, S, H, W) bool.

    Args:
        cells, others: bool, (B, S, H, W), with S adjacent slices.
    """
    depth = min(3, 2 * others.shape[1] - 1)  # of a single slice, only its own cells are neighbors
    grown = F.max_pool3d(others.float()[:, None], (depth, 3, 3), stride=1, padding=(depth // 2, 1, 1))[:, 0]
    return cells & (grown > 0)


def mean_nearby(values: Tensor, where: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Mean of values over the cells of a mask in a square of all slices around each place, and whether there are any.

    Args:
        values: (B, S, H, W).
        where: bool, (B, S, H, W).
        size: side of the square in cells, odd.

    Returns:
        The mean (B, 1, H, W), 0 where there is no such cell, and whether there is one, (B, 1, H, W) bool.
    """
    weight = where.to(values.dtype)
    both = torch.cat([(values * weight).sum(1, keepdim=True), weight.sum(1, keepdim=True)], dim=1)
    total, count = torch.split(F.avg_pool2d(both, size, stride=1, padding=size // 2), 1, dim=1)
    found = count > 0.5 / size**2
    return (total / count.clamp(min=0.5 / size**2)).where(found, 0), found

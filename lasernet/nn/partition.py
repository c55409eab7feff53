"""Grains as a partition of the plane: order parameters, the largest of which owns a pixel, and the walls between."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

FLAT = 1e-4  # added to squared slopes: where two fields are parallel, their wall is far away


def wall_distance(order: Tensor) -> Tensor:
    """Distance in pixels to the nearest place where another order parameter overtakes the largest.

    To first order, fields p and q are equal at the distance (p - q) / |grad p - grad q|; for paraboloids, which
    make a Voronoi tessellation, this is exact. Walls found so always close around their grains.

    Args:
        order: order parameters of a periodic image, (B, K, H, W).

    Returns:
        (B, 1, H, W), at least 0.

    The order parameters are those of multiphase field models: Chen and Yang, Phys. Rev. B 50, 15752 (1994).
    """
    down, right = ((torch.roll(order, -1, axis) - torch.roll(order, 1, axis)) / 2 for axis in (2, 3))
    largest, owner = order.max(1, keepdim=True)
    slope = (down.gather(1, owner) - down).square() + (right.gather(1, owner) - right).square()
    distance = (largest - order) / torch.sqrt(slope + FLAT)
    return distance.scatter(1, owner, float("inf")).amin(1, keepdim=True)


class Walls(nn.Module):
    """Gray value from the distance to the nearest wall: 0 on it, 1 far away, a Gaussian between of learned width.

    Args:
        width: px, where the training begins.
    """

    def __init__(self, width: float = 1.5) -> None:
        super().__init__()
        self.log_width = nn.Parameter(torch.tensor(math.log(width)))

    def forward(self, order: Tensor) -> Tensor:
        """Order parameters (B, K, H, W) → gray in [0, 1], (B, 1, H, W)."""
        return -torch.expm1(-(wall_distance(order.float()) / self.log_width.exp()).square())

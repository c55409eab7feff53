"""A U-Net of two levels and five convolutions, without normalization: the surroundings of a cell, cheaply."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class SmallUNet(nn.Module):
    """(B, inputs, H, W) → (B, outputs, H, W) for even H and W; each answer depends on the cells within 9 of it.

    Args:
        width: channels of the fine level; the coarse one has twice as many.
    """

    def __init__(self, inputs: int, width: int, outputs: int) -> None:
        super().__init__()
        self.fine = nn.ModuleList([_conv(inputs, width), _conv(width, width)])
        self.coarse = nn.ModuleList([_conv(width, 2 * width), _conv(2 * width, 2 * width)])
        self.join = _conv(3 * width, width)
        self.head = nn.Conv2d(width, outputs, 1)

    def forward(self, images: Tensor) -> Tensor:
        fine = images
        for layer in self.fine:
            fine = F.silu(layer(fine))
        coarse = F.max_pool2d(fine, 2)
        for layer in self.coarse:
            coarse = F.silu(layer(coarse))
        joined = torch.cat([fine, F.interpolate(coarse, scale_factor=2, mode="nearest")], dim=1)
        answer: Tensor = self.head(F.silu(self.join(joined)))
        return answer


def _conv(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1)

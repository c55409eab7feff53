"""Encoder and decoder of residual blocks, with skips at every resolution, around any core."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lasernet.nn.blocks import Norm, conv_block, normalization


class ResidualBlock(nn.Module):
    """Two normalized 3 × 3 convolutions, a shortcut around both, ReLU; dropout of whole channels between the two.

    The shortcut is a 1 × 1 convolution without bias where the number of channels changes.
    """

    def __init__(self, inputs: int, outputs: int, norm: Norm = "group", dropout: float = 0.0) -> None:
        super().__init__()
        self.first = conv_block(inputs, outputs, norm)
        self.dropout = nn.Dropout2d(dropout)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.norm = normalization(outputs, norm)
        self.shortcut = nn.Conv2d(inputs, outputs, 1, bias=False) if inputs != outputs else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.norm(self.second(self.dropout(self.first(x)))) + self.shortcut(x))


class ResidualEncoder(nn.Module):
    """Residual blocks, each followed by 2 × 2 max pooling."""

    def __init__(self, inputs: int, channels: Sequence[int], norm: Norm = "group", dropout: float = 0.0) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(ResidualBlock(a, b, norm, dropout) for a, b in pairwise([inputs, *channels]))

    def forward(self, x: Tensor) -> list[Tensor]:
        """Images (N, C, H, W) → each block's features before its pooling, and the last ones pooled.

        The sides are H, H/2, H/4 …; H and W must be multiples of 2 to the number of blocks.
        """
        features: list[Tensor] = []
        for block in self.blocks:
            features.append(block(x))
            x = F.max_pool2d(features[-1], 2)
        return [*features, x]


class ResidualDecoder(nn.Module):
    """Doubles the resolution as often as the encoder halved it; an :func:`output_head` gives the outputs.

    Args:
        skips: whether the encoder's features enter at the level of their size, as further channels.
    """

    def __init__(
        self,
        inputs: int,
        channels: Sequence[int],
        outputs: int,
        *,
        skips: bool = True,
        norm: Norm = "group",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.skips, self.width = skips, channels[0]
        widths = [inputs, *reversed(channels)]
        self.blocks = nn.ModuleList(
            ResidualBlock(below + width * skips, width, norm, dropout) for below, width in pairwise(widths)
        )
        self.head = output_head(self.width, outputs)

    def forward(self, x: Tensor, skips: Sequence[Tensor]) -> Tensor:
        """Coarse features and the encoder's, fine to coarse → features at full resolution, for ``head``."""
        for block, skip in zip(self.blocks, reversed(skips), strict=True):
            x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
            x = block(torch.cat([x, skip], dim=1) if self.skips else x)
        return x


def output_head(channels: int, outputs: int) -> nn.Sequential:
    """3 × 3 convolution to half the channels, ReLU, 1 × 1 convolution to the outputs."""
    half = max(1, channels // 2)
    return nn.Sequential(
        nn.Conv2d(channels, half, 3, padding=1), nn.ReLU(inplace=True), nn.Conv2d(half, outputs, 1)
    )  # fmt: skip

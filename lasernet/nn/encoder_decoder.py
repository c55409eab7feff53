"""Encoder and decoder of images around a recurrent core, exactly aligned at every size."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lasernet.errors import OptionError
from lasernet.nn.blocks import Norm, conv_block


class Encoder(nn.Module):
    """Convolution blocks, each followed by 2 × 2 max pooling."""

    def __init__(self, inputs: int, channels: Sequence[int], norm: Norm = "group") -> None:
        super().__init__()
        widths = [inputs, *channels]
        self.blocks = nn.ModuleList(conv_block(a, b, norm) for a, b in pairwise(widths))

    def forward(self, x: Tensor) -> list[Tensor]:
        """Images (N, C, H, W) → the first block's features, then each block's after its pooling.

        The sides are H, H/2, H/4 …; H and W must be multiples of 2 to the number of blocks.
        """
        features: list[Tensor] = []
        for block in self.blocks:
            x = block(x)
            if not features:
                features.append(x)
            x = F.max_pool2d(x, 2)
            features.append(x)
        return features


class Decoder(nn.Module):
    """Doubles the resolution as often as the encoder halved it; its ``head``, 1 × 1, gives the outputs.

    With ``skips`` the features of two encoders enter at the level of their size: at the coarse levels as
    further channels; at full resolution added to the last block's input, which costs no parameter (the
    second width must then be twice the first).

    Raises:
        OptionError: if the widths do not allow for skips.
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
        if skips and (len(channels) < 2 or channels[1] != 2 * channels[0]):
            raise OptionError(
                f"--channels {','.join(map(str, channels))}: skips at full resolution need a second width "
                "that is twice the first, as in 16,32,64; change the widths or give --no-skips"
            )
        self.skips, self.width = skips, channels[0]
        self.dropout = nn.Dropout2d(dropout)
        self.blocks = nn.ModuleList()
        for level in reversed(range(len(channels))):
            extra = 2 * channels[level - 1] if skips and level else 0
            self.blocks.append(conv_block(inputs + extra, channels[level], norm))
            inputs = channels[level]
        self.head = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor, skips: Sequence[Tensor]) -> Tensor:
        """Coarse features, and both encoders' joined, fine to coarse → features at full resolution, for ``head``."""
        x = self.dropout(x)
        for level, block in zip(reversed(range(len(self.blocks))), self.blocks, strict=True):
            x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
            if self.skips:
                x = torch.cat([x, skips[level]], dim=1) if level else x + skips[level]
            x = block(x)
        return x

"""SimVP: video prediction without recurrence (Gao et al. 2022; its gated attention: Tan et al. 2022)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lasernet.nn.blocks import Norm, normalization

SMALL_GAIN = 0.01  # by which a block's answer is scaled at the start
RATIO = 4  # of the mixing layer's width to the channels


class SmoothBlock(nn.Sequential):
    """3 × 3 convolution, normalization, SiLU.

    Args:
        stride: 2 halves the sides.
        grow: 2 doubles them, by sorting four times the channels into 2 × 2 cells.
    """

    def __init__(self, inputs: int, outputs: int, norm: Norm, *, stride: int = 1, grow: int = 1) -> None:
        convolution: nn.Module = nn.Conv2d(inputs, outputs * grow**2, 3, stride=stride, padding=1)
        if grow > 1:
            convolution = nn.Sequential(convolution, nn.PixelShuffle(grow))
        super().__init__(convolution, normalization(outputs, norm), nn.SiLU(inplace=True))


class LargeKernelAttention(nn.Module):
    """Gated attention of a 5 × 5 and a dilated 7 × 7 convolution per channel: 23 × 23 cells are seen."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.enter = nn.Conv2d(channels, channels, 1)
        self.near = nn.Conv2d(channels, channels, 5, padding=2, groups=channels)
        self.far = nn.Conv2d(channels, channels, 7, padding=9, dilation=3, groups=channels)
        self.split = nn.Conv2d(channels, 2 * channels, 1)
        self.leave = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        inner = nn.functional.gelu(self.enter(x))
        seen, gate = self.split(self.far(self.near(inner))).chunk(2, dim=1)
        result: Tensor = self.leave(torch.sigmoid(gate) * seen)
        return result + x


class TranslatorBlock(nn.Module):
    """Gated attention between cells, then a mixing of channels; both normalize first and add to what they got."""

    def __init__(self, channels: int, norm: Norm) -> None:
        super().__init__()
        self.norm_attention = normalization(channels, norm)
        self.attention = LargeKernelAttention(channels)
        self.gain_attention = nn.Parameter(torch.full((channels, 1, 1), SMALL_GAIN))
        self.norm_mix = normalization(channels, norm)
        wide = RATIO * channels
        self.mix = nn.Sequential(
            nn.Conv2d(channels, wide, 1),
            nn.Conv2d(wide, wide, 3, padding=1, groups=wide),
            nn.GELU(),
            nn.Conv2d(wide, channels, 1),
        )
        self.gain_mix = nn.Parameter(torch.full((channels, 1, 1), SMALL_GAIN))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.gain_attention * self.attention(self.norm_attention(x))
        mixed: Tensor = x + self.gain_mix * self.mix(self.norm_mix(x))
        return mixed


class SimVP(nn.Module):
    """Encoder of each frame, a translator over all frames stacked as channels, a decoder of one frame.

    The first features of the last frame skip to the decoder. H and W must be multiples of 2 to ``levels``.

    Args:
        frames: how many go in.
        hidden: channels of each frame's features.
        width: channels of the translator.
        blocks: of the translator.
        levels: halvings of the resolution before it.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        frames: int,
        hidden: int,
        width: int,
        blocks: int,
        levels: int,
        norm: Norm = "group",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.encoder = nn.ModuleList([SmoothBlock(inputs, hidden, norm)])
        self.decoder = nn.ModuleList()
        for _ in range(levels):
            self.encoder.append(SmoothBlock(hidden, hidden, norm, stride=2))
            self.decoder.append(SmoothBlock(hidden, hidden, norm, grow=2))
        self.decoder.append(SmoothBlock(2 * hidden, hidden, norm))
        self.enter = nn.Conv2d(frames * hidden, width, 1)
        self.translator = nn.ModuleList(TranslatorBlock(width, norm) for _ in range(blocks))
        self.dropout = nn.Dropout2d(dropout)
        self.leave = nn.Conv2d(width, hidden, 1)
        self.head = nn.Conv2d(hidden, outputs, 1)

    def forward(self, frames: Tensor) -> Tensor:
        """Frames (B, L, inputs, H, W) → (B, outputs, H, W)."""
        shape = frames.shape[:2]
        x = self.encoder[0](frames.flatten(0, 1))
        skip = x.unflatten(0, shape)[:, -1]
        for block in self.encoder[1:]:
            x = block(x)
        x = self.enter(x.unflatten(0, shape).flatten(1, 2))
        for block in self.translator:
            x = block(x)
        x = self.leave(self.dropout(x))
        for block in self.decoder[:-1]:
            x = block(x)
        result: Tensor = self.head(self.decoder[-1](torch.cat([x, skip], dim=1)))
        return result

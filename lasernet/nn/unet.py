"""The U-Net of resin flow: images to images of the same size, at any size, if need be with a time of diffusion.

Ronneberger et al. 2015, in the form of Jean, Broggi & Caglar 2025 (Composites A 200, 109337) and of the denoiser of
latent diffusion that was made of it.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lasernet.errors import OptionError
from lasernet.nn.padding import PaddedConv2d, Padding, padded
from lasernet.nn.self_attention import SelfAttention, attention_heads

Activation = Literal["silu", "relu", "leakyrelu", "softplus"]
ACTIVATIONS: dict[str, type[nn.Module]] = {
    "silu": nn.SiLU,
    "relu": nn.ReLU,
    "leakyrelu": nn.LeakyReLU,
    "softplus": nn.Softplus,
}
WAVES = 64  # sines and cosines of a time
TIME = 256  # channels of a time's embedding
LONGEST = 10_000.0  # ratio of the wavelengths of a time
DEEPEST = 10  # levels


class UNet(nn.Module):
    """Levels of two convolutions each, halved by pooling on the way down, doubled on the way up, joined by skips.

    The last convolution starts at zero, so that an untrained network answers zero everywhere. Every normalization is
    over one whole image, so an answer does not depend on what else is in the batch.

    Args:
        features: channels of each level, fine to coarse; the bottom below them has twice as many as the last.
        kernel_size: odd.
        padding: beyond the borders: the mirror image, zeros, or the opposite edge.
        final_activation: of the answer; None leaves it as it is.
        attention: at which levels cells look at each other, as ``start.end.heads`` (see :func:`attention_heads`).
        timed: whether images come with times.
        dropout: share of values set to 0 at the end of each level, in training.

    Raises:
        OptionError: if an option is impossible.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        features: tuple[int, ...] = (64, 128, 256, 512),
        kernel_size: int = 3,
        padding: Padding = "reflect",
        activation: Activation = "silu",
        final_activation: Activation | None = None,
        attention: str = "",
        timed: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if not 1 <= len(features) <= DEEPEST or min(features) < 1:
            raise OptionError(
                f"--features {','.join(map(str, features))}: expected 1 to {DEEPEST} numbers above 0, fine to coarse"
            )
        if not 0 <= dropout < 1:
            raise OptionError(f"--dropout {dropout:g}: expected a share from 0 up to 1")
        self.padding = padding
        heads = attention_heads(attention, features)

        def level(inputs: int, outputs: int, heads: int = 0) -> Level:
            return Level(inputs, outputs, kernel_size, activation, heads=heads, timed=timed, dropout=dropout)

        self.time = TimeEmbedding() if timed else None
        self.encoder = nn.ModuleList(
            level(below, width, count)
            for (below, width), count in zip(pairwise([inputs, *features]), heads, strict=True)
        )
        self.down = nn.ModuleList(Down(width, activation) for width in features)
        self.bottom = level(features[-1], 2 * features[-1])
        coarse_to_fine = list(zip(features, heads, strict=True))[::-1]
        below = [2 * features[-1], *features[:0:-1]]
        self.up = nn.ModuleList(
            Up(wide, width, activation) for wide, (width, _) in zip(below, coarse_to_fine, strict=True)
        )
        self.decoder = nn.ModuleList(level(2 * width, width, count) for width, count in coarse_to_fine)
        self.head = PaddedConv2d(features[0], outputs, kernel_size)
        nn.init.zeros_(self.head.weight)
        if self.head.bias is not None:
            nn.init.zeros_(self.head.bias)
        self.final = ACTIVATIONS[final_activation]() if final_activation else nn.Identity()

    def forward(self, images: Tensor, times: Tensor | None = None, *, padding: Padding | None = None) -> Tensor:
        """(N, inputs, H, W) → (N, outputs, H, W), for any H and W.

        Sides that cannot be halved often enough are padded here and the answer is cut back.

        Args:
            times: (N,), of images that come with times.
            padding: another one than the network's own.
        """
        padding = padding or self.padding
        embedded = None if self.time is None or times is None else self.time(times)
        size = images.shape[-2:]
        missing = [-side % 2 ** len(self.encoder) for side in size]
        before = (missing[0] // 2, missing[1] // 2)
        x = padded(images, before, (missing[0] - before[0], missing[1] - before[1]), padding)
        skips: list[Tensor] = []
        for level, down in zip(self.encoder, self.down, strict=True):
            skips.append(level(x, padding, embedded))
            x = down(skips[-1])
        x = self.bottom(x, padding, embedded)
        for level, up in zip(self.decoder, self.up, strict=True):
            x = level(torch.cat([skips.pop(), up(x)], dim=1), padding, embedded)
        answer: Tensor = self.final(self.head(x, padding))
        return answer[..., before[0] : before[0] + size[0], before[1] : before[1] + size[1]]


class Block(nn.Module):
    """Convolution without bias, normalization over the whole image, activation."""

    def __init__(self, inputs: int, outputs: int, kernel_size: int, activation: Activation) -> None:
        super().__init__()
        self.conv = PaddedConv2d(inputs, outputs, kernel_size, bias=False)
        self.norm = nn.GroupNorm(1, outputs)
        self.activation = ACTIVATIONS[activation]()

    def forward(self, x: Tensor, padding: Padding) -> Tensor:
        return self.activation(self.norm(self.conv(x, padding)))  # type: ignore[no-any-return]


class Level(nn.Module):
    """Two blocks; the embedding of a time is added between them, attention comes after them."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel_size: int,
        activation: Activation,
        *,
        heads: int = 0,
        timed: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.first = Block(inputs, outputs, kernel_size, activation)
        self.second = Block(outputs, outputs, kernel_size, activation)
        self.time = nn.Sequential(ACTIVATIONS[activation](), nn.Linear(TIME, outputs)) if timed else None
        self.dropout = nn.Dropout(dropout)
        self.attention = SelfAttention(outputs, heads) if heads else None

    def forward(self, x: Tensor, padding: Padding, embedded: Tensor | None) -> Tensor:
        x = self.first(x, padding)
        if self.time is not None and embedded is not None:
            x = x + self.time(embedded)[..., None, None]
        x = self.dropout(self.second(x, padding))
        return x if self.attention is None else self.attention(x)


class Down(nn.Module):
    """Maximum of 2 × 2 cells, normalization, activation."""

    def __init__(self, channels: int, activation: Activation) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(1, channels)
        self.activation = ACTIVATIONS[activation]()

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.norm(F.max_pool2d(x, 2)))  # type: ignore[no-any-return]


class Up(nn.Module):
    """2 × 2 cells of each cell, normalization, activation."""

    def __init__(self, inputs: int, outputs: int, activation: Activation) -> None:
        super().__init__()
        self.conv = nn.ConvTranspose2d(inputs, outputs, 2, stride=2)
        self.norm = nn.GroupNorm(1, outputs)
        self.activation = ACTIVATIONS[activation]()

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.norm(self.conv(x)))  # type: ignore[no-any-return]


class TimeEmbedding(nn.Module):
    """Sines and cosines of a time, then two linear layers with SiLU between (Ho et al. 2020)."""

    def __init__(self) -> None:
        super().__init__()
        self.widen = nn.Linear(WAVES, TIME)
        self.mix = nn.Linear(TIME, TIME)

    def forward(self, times: Tensor) -> Tensor:
        """Times (N,) → (N, 256)."""
        half = WAVES // 2
        rates = torch.exp(torch.arange(half, device=times.device) * (-math.log(LONGEST) / (half - 1)))
        angles = times.float()[:, None] * rates
        waves = torch.cat([angles.sin(), angles.cos()], dim=1)
        embedded: Tensor = self.mix(F.silu(self.widen(waves)))
        return embedded

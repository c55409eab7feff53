"""A U-Net over stacks of slices: convolutions within slices and between neighbors, halvings within slices alone."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lasernet.nn.blocks import crop


class StackUNet(nn.Module):
    """(B, inputs, Z, Y, X) → (B, outputs, Z, Y, X); the last layer starts at 0.

    No normalization: amplitudes mean something. Where a side cannot be halved often enough, it is padded and cut back.

    Args:
        channels: of each level, the finest first.
        blocks: on each level, on the way down and again on the way up.
    """

    def __init__(self, inputs: int, outputs: int, channels: Sequence[int], blocks: int = 1) -> None:
        super().__init__()
        self.stem = _Convolution(inputs, channels[0])
        self.down = nn.ModuleList(_blocks(width, blocks) for width in channels)
        self.narrow = nn.ModuleList(nn.Conv2d(fine, coarse, 1) for fine, coarse in pairwise(channels))
        self.widen = nn.ModuleList(nn.Conv2d(coarse, fine, 1) for fine, coarse in pairwise(channels))
        self.up = nn.ModuleList(_blocks(width, blocks) for width in channels[:-1])
        self.head = _Convolution(channels[0], outputs)
        nn.init.zeros_(self.head.layer.weight)
        assert self.head.layer.bias is not None
        nn.init.zeros_(self.head.layer.bias)

    def forward(self, fields: Tensor, *, periodic: bool = True) -> Tensor:
        """The answer; beyond its ends the stack goes on with its other end, or with its last cells."""
        depth = fields.shape[2]
        images = fields.transpose(1, 2).flatten(0, 1)
        images, size = _padded(images, 2 ** (len(self.down) - 1), periodic)
        x = self.stem(images.contiguous(memory_format=torch.channels_last), periodic)
        kept = []
        for level, blocks in enumerate(self.down):
            if level:
                x = self.narrow[level - 1](F.avg_pool2d(x, 2))
            for block in blocks:  # type: ignore[attr-defined]
                x = block(x, depth, periodic)
            kept.append(x)
        for level in range(len(self.up) - 1, -1, -1):
            x = kept[level] + F.interpolate(self.widen[level](x), scale_factor=2, mode="nearest")
            for block in self.up[level]:  # type: ignore[attr-defined]
                x = block(x, depth, periodic)
        answer = crop(self.head(F.silu(x), periodic), size)
        return answer.reshape(-1, depth, *answer.shape[1:]).transpose(1, 2)


class _Block(nn.Module):
    """x + between(silu(within(silu(x)))): 3 × 3 in each slice, then 1 × 1 over a slice and its two neighbors."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.within = _Convolution(width, width)
        self.between = nn.Conv2d(3 * width, width, 1)

    def forward(self, x: Tensor, depth: int, periodic: bool) -> Tensor:
        inner = F.silu(self.within(F.silu(x), periodic))
        between: Tensor = self.between(with_neighbors(inner, depth, periodic))
        return x + between


class _Convolution(nn.Module):
    """3 × 3, of an image that goes on beyond its ends."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.layer = nn.Conv2d(inputs, outputs, 3)

    def forward(self, x: Tensor, periodic: bool) -> Tensor:
        answer: Tensor = self.layer(F.pad(x, (1, 1, 1, 1), mode="circular" if periodic else "replicate"))
        return answer


def with_neighbors(images: Tensor, depth: int, periodic: bool) -> Tensor:
    """Each slice with the one before and the one after it, (B·Z, C, Y, X) → (B·Z, 3C, Y, X)."""
    stack = images.reshape(-1, depth, *images.shape[1:])
    before, after = stack.roll(1, 1), stack.roll(-1, 1)
    if not periodic:
        before = torch.cat([stack[:, :1], stack[:, :-1]], dim=1)
        after = torch.cat([stack[:, 1:], stack[:, -1:]], dim=1)
    return torch.cat([before, stack, after], dim=2).flatten(0, 1)


def _blocks(width: int, count: int) -> nn.ModuleList:
    return nn.ModuleList(_Block(width) for _ in range(count))


def _padded(images: Tensor, multiple: int, periodic: bool) -> tuple[Tensor, tuple[int, int]]:
    height, width = images.shape[-2:]
    down, right = -height % multiple, -width % multiple
    if down or right:
        images = F.pad(images, (0, right, 0, down), mode="circular" if periodic else "replicate")
    return images, (height, width)

"""Building blocks of the convolutional networks: normalized convolutions and exact padding."""

from __future__ import annotations

import math
from typing import Literal

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributed.nn.functional import all_reduce

Norm = Literal["group", "batch"]
Crop = tuple[int, int]


def conv_block(inputs: int, outputs: int, norm: Norm = "group") -> nn.Sequential:
    """3 × 3 convolution without bias, normalization, ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
        normalization(outputs, norm),
        nn.ReLU(inplace=True),
    )


def normalization(channels: int, norm: Norm) -> nn.Module:
    """Normalization of an image; both kinds have one weight and one bias per channel.

    ``group`` looks at one item only, in at most eight groups of channels, so that a prediction does not
    depend on what else is in the batch. ``batch`` uses the whole batch, over all processes.
    """
    if norm == "group":
        return nn.GroupNorm(math.gcd(8, channels), channels)
    return SynchronizedBatchNorm2d(channels)


class ChannelNorm(nn.LayerNorm):
    """Layer normalization over the channels of each cell of an image (B, C, H, W), by itself at every size."""

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class SynchronizedBatchNorm2d(nn.BatchNorm2d):
    """Batch normalization whose statistics span the batches of all processes, on any device.

    With one process it is ``nn.BatchNorm2d``. Weights and gradients of several processes equal those of
    one process with the joint batch (``nn.SyncBatchNorm`` does the same, but on GPUs only).
    """

    def forward(self, input: Tensor) -> Tensor:
        several = dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1
        if not (self.training and several):
            return super().forward(input)
        kept = input.dtype
        x = input if kept == torch.float64 else input.float()
        count = x.new_full((1,), x.numel() / x.shape[1])
        sums = _sum_over_processes(torch.cat([x.sum((0, 2, 3)), count]))
        total = sums[-1]
        mean = sums[:-1] / total
        # Two passes: a sum of squares loses the variance of channels with a large mean.
        centered = x - mean[:, None, None]
        variance = _sum_over_processes(centered.square().sum((0, 2, 3))) / total
        self._track(mean.detach(), (variance * total / (total - 1).clamp(min=1)).detach())
        scale = torch.rsqrt(variance + self.eps)
        if self.weight is not None:
            scale = scale * self.weight
        result = centered * scale[:, None, None]
        if self.bias is not None:
            result = result + self.bias[:, None, None]
        return result.to(kept)

    def _track(self, mean: Tensor, variance: Tensor) -> None:
        if not self.track_running_stats or self.running_mean is None or self.running_var is None:
            return
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        share = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), share)
        self.running_var.lerp_(variance.to(self.running_var.dtype), share)


def _sum_over_processes(x: Tensor) -> Tensor:
    total: Tensor = all_reduce(x)  # type: ignore[no-untyped-call]
    return total


def pad_to_multiple(x: Tensor, multiple: int) -> tuple[Tensor, Crop]:
    """Repeat the last row and column until both sides are multiples.

    A network that halves its input can then be inverted exactly: the answer is cut back with :func:`crop`
    and no image is ever stretched.

    Args:
        x: (N, C, H, W).
        multiple: 2 to the number of halvings.

    Returns:
        The padded image and the height and width to cut back to.
    """
    height, width = x.shape[-2:]
    down, right = -height % multiple, -width % multiple
    if down or right:
        x = F.pad(x, (0, right, 0, down), mode="replicate")
    return x, (height, width)


def crop(x: Tensor, size: Crop) -> Tensor:
    """The upper left part that :func:`pad_to_multiple` started from."""
    return x[..., : size[0], : size[1]]

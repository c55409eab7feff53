"""Convolutions that halve or double the resolution, with derivatives of any order at the cost of the first."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import Function

from lasernet.nn import columns, winograd


def halving_conv(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """4 × 4 convolution of stride 2, padded by one zero: (N, C, H, W) → (N, O, H/2, W/2), channels last.

    Args:
        weight: (O, C, 4, 4).
    """
    if _suits(x, weight, 4):
        return _halve(x, weight, bias)
    return F.conv2d(x, weight, bias, stride=2, padding=1)


def doubling_conv(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """The adjoint of :func:`halving_conv`: (N, O, H, W) → (N, C, 2H, 2W), channels last."""
    if _suits(x, weight, 2):
        return _double(x, weight, bias)
    return F.conv_transpose2d(x, weight, bias, stride=2, padding=1)


def enlarged_kernel(weight: Tensor) -> Tensor:
    """The kernel with which :func:`doubling_conv` equals nearest-neighbor doubling and a 3 × 3 convolution.

    Along one axis a pixel that is doubled and then convolved with (a, b, c) adds c, b + c, a + b, a times itself
    to four outputs: 16 products per pixel and weight where the two steps need 36.

    Args:
        weight: (O, C, 3, 3) of the convolution, which is padded by one zero.

    Returns:
        (C, O, 4, 4).
    """
    weight = weight.transpose(0, 1).flip(2, 3).contiguous(memory_format=torch.channels_last)
    weight = F.pad(weight, (0, 0, 1, 0)) + F.pad(weight, (0, 0, 0, 1))
    return F.pad(weight, (1, 0)) + F.pad(weight, (0, 1))


def _suits(x: Tensor, weight: Tensor, multiple: int) -> bool:
    """Whether matrix products are the fastest way: in single or double precision on the CPU."""
    plain = (
        x.device.type == "cpu" and x.dtype in (torch.float32, torch.float64) and not torch.is_autocast_enabled("cpu")
    )
    wide = weight.shape[1] == 1 or min(weight.shape[:2]) >= 32
    return plain and wide and x.shape[2] % multiple == 0 and x.shape[3] % multiple == 0


def _halve(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    result: Tensor = _Halve.apply(x, weight, bias)  # type: ignore[no-untyped-call]
    return result


def _double(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    result: Tensor = _Double.apply(x, weight, bias)  # type: ignore[no-untyped-call]
    return result


def _correlate(images: Tensor, outputs: Tensor) -> Tensor:
    result: Tensor = _Correlate.apply(images, outputs)  # type: ignore[no-untyped-call]
    return result


class _Halve(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        maps = columns if weight.shape[1] == 1 else winograd
        result: Tensor = maps.convolve(x, weight, bias)
        return result

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        return (
            _double(gradient, weight) if ctx.needs_input_grad[0] else None,
            _correlate(x, gradient) if ctx.needs_input_grad[1] else None,
            gradient.sum((0, 2, 3)) if ctx.needs_input_grad[2] else None,
        )


class _Double(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        maps = columns if weight.shape[1] == 1 else winograd
        result: Tensor = maps.spread(x, weight, bias)
        return result

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        return (
            _halve(gradient, weight) if ctx.needs_input_grad[0] else None,
            _correlate(gradient, x) if ctx.needs_input_grad[1] else None,
            gradient.sum((0, 2, 3)) if ctx.needs_input_grad[2] else None,
        )


class _Correlate(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor) -> Tensor:
        ctx.save_for_backward(x, y)
        maps = columns if x.shape[1] == 1 else winograd
        result: Tensor = maps.correlate(x, y)
        return result

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None]:
        x, y = ctx.saved_tensors
        return (
            _double(y, gradient) if ctx.needs_input_grad[0] else None,
            _halve(x, gradient) if ctx.needs_input_grad[1] else None,
        )

"""Leaky ReLU whose second derivative is left out instead of computed as zero."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function


def leaky_relu_(x: Tensor, slope: float = 0.2) -> Tensor:
    """x where positive, slope · x elsewhere, in place of x, with derivatives of any order.

    The slope of a leaky ReLU does not change, so the gradient of a network of convolutions, dense layers
    and leaky ReLUs depends on its weights through the weights alone. Built-in activations send zeros back
    through all of the network to find out, which costs a third of the derivative of a gradient penalty;
    here the path is absent. The result is the same wherever the derivative exists.
    """
    result: Tensor = _LeakyReLU.apply(x, slope)  # type: ignore[no-untyped-call]
    return result


def _sloped(gradient: Tensor, y: Tensor, slope: float) -> Tensor:
    result: Tensor = _Slope.apply(gradient, y, slope)  # type: ignore[no-untyped-call]
    return result


class _LeakyReLU(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, slope: float) -> Tensor:
        y = torch.nn.functional.leaky_relu_(x, slope)
        ctx.mark_dirty(x)
        ctx.save_for_backward(y)  # has the sign of x
        ctx.slope = slope
        return y

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (y,) = ctx.saved_tensors
        return _sloped(gradient, y.detach(), ctx.slope), None


class _Slope(Function):
    """Multiplication by the slope at y; linear, so it is its own derivative."""

    @staticmethod
    def forward(ctx: Any, gradient: Tensor, y: Tensor, slope: float) -> Tensor:
        ctx.save_for_backward(y)
        ctx.slope = slope
        result: Tensor = torch.ops.aten.leaky_relu_backward(gradient, y, slope, True)
        return result

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (y,) = ctx.saved_tensors
        return _sloped(gradient, y, ctx.slope), None, None

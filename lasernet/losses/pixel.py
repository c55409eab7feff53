"""Losses that compare cell by cell; masked cells do not count."""

from __future__ import annotations

from typing import Annotated

import torch
import torch.nn.functional as F
from torch import Tensor

from lasernet.errors import OptionError
from lasernet.losses.base import Batch, Loss, masked_mean
from lasernet.registry import register_loss


def _positive(name: str, value: float) -> float:
    if not 0 < value < float("inf"):
        raise OptionError(f"--{name} {value}: expected a number above 0")
    return value


def _error(prediction: Tensor, target: Tensor, batch: Batch) -> Tensor:
    """Prediction minus target, 0 in cells that do not count: their gradient is 0 whatever they hold."""
    return torch.where(batch["mask"], prediction - target, 0)


@register_loss("mse")
class MSE(Loss):
    """Mean squared error."""

    def forward(self, prediction: Tensor, target: Tensor, batch: Batch) -> Tensor:
        return masked_mean(_error(prediction, target, batch).square(), batch["mask"])


@register_loss("mae")
class MAE(Loss):
    """Mean absolute error (L1)."""

    def forward(self, prediction: Tensor, target: Tensor, batch: Batch) -> Tensor:
        return masked_mean(_error(prediction, target, batch).abs(), batch["mask"])


@register_loss("huber")
class Huber(Loss):
    """Squared below delta, linear above: e²/2 or delta·(|e| − delta/2) (Huber 1964)."""

    def __init__(self, *, delta: Annotated[float, "error at which it turns from squared to linear"] = 1.0) -> None:
        super().__init__()
        self.delta = _positive("huber-delta", delta)

    def forward(self, prediction: Tensor, target: Tensor, batch: Batch) -> Tensor:
        error = _error(prediction, target, batch)
        values = F.huber_loss(error, torch.zeros_like(error), reduction="none", delta=self.delta)
        return masked_mean(values, batch["mask"])


@register_loss("smooth-l1")
class SmoothL1(Loss):
    """Huber's loss divided by beta, so that its slope far out is 1."""

    def __init__(self, *, beta: Annotated[float, "error at which it turns from squared to linear"] = 1.0) -> None:
        super().__init__()
        self.beta = _positive("smooth-l1-beta", beta)

    def forward(self, prediction: Tensor, target: Tensor, batch: Batch) -> Tensor:
        error = _error(prediction, target, batch)
        values = F.smooth_l1_loss(error, torch.zeros_like(error), reduction="none", beta=self.beta)
        return masked_mean(values, batch["mask"])


@register_loss("charbonnier")
class Charbonnier(Loss):
    """Smooth absolute error √(e² + ε²) (Charbonnier et al. 1994)."""

    def __init__(self, *, epsilon: Annotated[float, "error below which it is smooth"] = 1e-3) -> None:
        super().__init__()
        self.epsilon = _positive("charbonnier-epsilon", epsilon)

    def forward(self, prediction: Tensor, target: Tensor, batch: Batch) -> Tensor:
        error = _error(prediction, target, batch)
        values = torch.hypot(error, torch.full_like(error, self.epsilon))  # no square that could underflow
        return masked_mean(values, batch["mask"])

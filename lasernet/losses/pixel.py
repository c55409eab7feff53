"""Losses that compare cell by cell; masked cells do not count."""

from __future__ import annotations

from typing import Annotated

import torch
import torch.nn.functional as F
from torch import Tensor

from lasernet.losses.base import Batch, Loss, difference, masked_mean, positive
from lasernet.registry import register_loss


def charbonnier(error: Tensor, epsilon: float) -> Tensor:
    """√(e² + ε²), cell by cell."""
    return torch.hypot(error, torch.full_like(error, epsilon))  # no square that could underflow


@register_loss("mse")
class MSE(Loss):
    """Mean squared error."""

    def forward(self, prediction: Tensor, target: Tensor, batch: Batch) -> Tensor:
        return masked_mean(difference(prediction, target, batch).square(), batch["mask"])


@register_loss("mae")
class MAE(Loss):
    """Mean absolute error (L1)."""

    def forward(self, prediction: Tensor, target: Tensor, batch: Batch) -> Tensor:
        return masked_mean(difference(prediction, target, batch).abs(), batch["mask"])


@register_loss("huber")
class Huber(Loss):
    """Squared below delta, linear above: e²/2 or delta·(|e| − delta/2) (Huber 1964)."""

    def __init__(self, *, delta: Annotated[float, "error at which it turns from squared to linear"] = 1.0) -> None:
        super().__init__()
        self.delta = positive("huber-delta", delta)

    def forward(self, prediction: Tensor, target: Tensor, batch: Batch) -> Tensor:
        error = difference(prediction, target, batch)
        values = F.huber_loss(error, torch.zeros_like(error), reduction="none", delta=self.delta)
        return masked_mean(values, batch["mask"])


@register_loss("smooth-l1")
class SmoothL1(Loss):
    """Huber's loss divided by beta, so that its slope far out is 1."""

    def __init__(self, *, beta: Annotated[float, "error at which it turns from squared to linear"] = 1.0) -> None:
        super().__init__()
        self.beta = positive("smooth-l1-beta", beta)

    def forward(self, prediction: Tensor, target: Tensor, batch: Batch) -> Tensor:
        error = difference(prediction, target, batch)
        values = F.smooth_l1_loss(error, torch.zeros_like(error), reduction="none", beta=self.beta)
        return masked_mean(values, batch["mask"])


@register_loss("charbonnier")
class Charbonnier(Loss):
    """Smooth absolute error √(e² + ε²) (Charbonnier et al. 1994)."""

    def __init__(self, *, epsilon: Annotated[float, "error below which it is smooth"] = 1e-3) -> None:
        super().__init__()
        self.epsilon = positive("charbonnier-epsilon", epsilon)

    def forward(self, prediction: Tensor, target: Tensor, batch: Batch) -> Tensor:
        error = difference(prediction, target, batch)
        return masked_mean(charbonnier(error, self.epsilon), batch["mask"])

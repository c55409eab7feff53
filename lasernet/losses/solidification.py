"""Losses that count most where metal freezes: cells weighted by the temperature of the frame to be predicted."""

from __future__ import annotations

import math
from typing import Annotated, Literal

import torch
from torch import Tensor

from lasernet.errors import OptionError
from lasernet.losses.base import (
    Batch,
    Loss,
    difference,
    masked_mean,
    not_negative,
    positive,
    require_field,
    weighted_mean,
)
from lasernet.losses.pixel import charbonnier
from lasernet.options import Only
from lasernet.physics.solidification import per_item
from lasernet.registry import register_loss

Falloff = Literal["band", "gaussian", "linear", "exponential"]
ErrorKind = Literal["squared", "absolute", "charbonnier"]
WITH_WIDTH = ("gaussian", "linear", "exponential")
OUTSIDE, WIDTH = 0.1, 50.0  # weight far from the range; K

Weighting = Annotated[Falloff, "weight outside the range: at once that of outside, or falling off to it"]
Solidus = Annotated[float | None, "lower end of the range, K (left out: the front band of the case)"]
Liquidus = Annotated[float | None, "upper end of the range, K"]
Outside = Annotated[float, "weight far outside the range, where it is 1 inside"]
Width = Annotated[float, "distance over which the weight falls off, K", Only("weighting", WITH_WIDTH)]


class SolidificationWeights:
    """Weights of cells: 1 from solidus to liquidus, falling to ``outside`` beyond, 0 where there is no cell.

    With d the kelvins that a cell lies outside the range and w the width, the weight is outside + (1 − outside)·f:
    f = 0 (band), exp(−d²/2w²) (gaussian), max(0, 1 − d/w) (linear) or exp(−d/w) (exponential).

    Args:
        loss: name of the loss whose options these are, for messages.
        solidus, liquidus: K, both or neither; neither: ``front_low`` and ``front_high`` of each item.

    Raises:
        OptionError: for values that make no such weight.
    """

    def __init__(
        self,
        loss: str,
        *,
        falloff: Falloff,
        solidus: float | None,
        liquidus: float | None,
        outside: float,
        width: float,
    ) -> None:
        self.loss, self.falloff, self.outside = loss, falloff, outside
        self.width = positive(f"{loss}-width", width)
        if not 0 <= outside <= 1:
            raise OptionError(f"--{loss}-outside-weight {outside}: expected a number in [0, 1]")
        self.range: tuple[float, float] | None = None
        if solidus is not None or liquidus is not None:
            if solidus is None or liquidus is None or not 0 < solidus < liquidus < math.inf:
                raise OptionError(
                    f"--{loss}-t-solidus {solidus} --{loss}-t-liquidus {liquidus}: "
                    "expected both, in K, the solidus below the liquidus"
                )
            self.range = (solidus, liquidus)

    def __call__(self, batch: Batch) -> Tensor:
        """(B, 1, H, W) in [0, 1], from ``future_temperature``."""
        temperature = require_field(self.loss, batch, "future_temperature")
        low, high = self.range or (per_item(batch["front_low"]), per_item(batch["front_high"]))
        beyond = (low - temperature).clamp(min=0) + (temperature - high).clamp(min=0)  # K
        weights = self.outside + (1 - self.outside) * self._fall(beyond / self.width)
        return torch.where(batch["mask"], weights, 0)

    def _fall(self, widths: Tensor) -> Tensor:
        if self.falloff == "gaussian":
            return torch.exp(-widths.square() / 2)
        if self.falloff == "linear":
            return (1 - widths).clamp(min=0)
        if self.falloff == "exponential":
            return torch.exp(-widths)
        return (widths == 0).to(widths.dtype)


@register_loss("solidification")
class Solidification(Loss):
    """Error weighted by nearness to the solidification range, divided by the sum of the weights.

    See :class:`SolidificationWeights`; each item is divided by its own sum.
    """

    def __init__(
        self,
        *,
        weighting: Weighting = "band",
        t_solidus: Solidus = None,
        t_liquidus: Liquidus = None,
        outside_weight: Outside = OUTSIDE,
        width: Width = WIDTH,
        error: Annotated[ErrorKind, "what is weighted: e², |e| or √(e² + ε²)"] = "squared",
        epsilon: Annotated[float, "error below which it is smooth", Only("error", ("charbonnier",))] = 1e-3,
    ) -> None:
        super().__init__()
        self.weights = SolidificationWeights(
            "solidification",
            falloff=weighting,
            solidus=t_solidus,
            liquidus=t_liquidus,
            outside=outside_weight,
            width=width,
        )
        self.error, self.epsilon = error, positive("solidification-epsilon", epsilon)

    def forward(self, prediction: Tensor, target: Tensor, batch: Batch) -> Tensor:
        values = cell_errors(self.error, difference(prediction, target, batch), self.epsilon)
        return weighted_mean(values, self.weights(batch))


@register_loss("combined")
class Combined(Loss):
    """Squared error near the solidification range and over all cells, as a weighted sum."""

    def __init__(
        self,
        *,
        solidification_weight: Annotated[float, "weight of the error near the range"] = 0.7,
        global_weight: Annotated[float, "weight of the mean squared error of all cells"] = 0.3,
        weighting: Weighting = "band",
        t_solidus: Solidus = None,
        t_liquidus: Liquidus = None,
        outside_weight: Outside = OUTSIDE,
        width: Width = WIDTH,
    ) -> None:
        super().__init__()
        self.solidification_weight = not_negative("combined-solidification-weight", solidification_weight)
        self.global_weight = not_negative("combined-global-weight", global_weight)
        self.weights = SolidificationWeights(
            "combined", falloff=weighting, solidus=t_solidus, liquidus=t_liquidus, outside=outside_weight, width=width
        )

    def forward(self, prediction: Tensor, target: Tensor, batch: Batch) -> Tensor:
        squares = difference(prediction, target, batch).square()
        near = weighted_mean(squares, self.weights(batch))
        return self.solidification_weight * near + self.global_weight * masked_mean(squares, batch["mask"])


def cell_errors(kind: ErrorKind, error: Tensor, epsilon: float) -> Tensor:
    """e², |e| or √(e² + ε²), cell by cell."""
    if kind == "charbonnier":
        return charbonnier(error, epsilon)
    return error.abs() if kind == "absolute" else error.square()

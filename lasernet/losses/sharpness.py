"""One loss for sharp predictions: errors of cells, of gradients and of features, with all of its options acting."""

from __future__ import annotations

from typing import Annotated, Literal

from torch import Tensor

from lasernet.errors import OptionError
from lasernet.losses.base import Batch, Loss, difference, masked_mean, not_negative, positive, weighted_mean
from lasernet.losses.gradient import Gradient, StepError
from lasernet.losses.perceptual import FeatureError, Perceptual
from lasernet.losses.solidification import (
    OUTSIDE,
    WIDTH,
    WITH_WIDTH,
    ErrorKind,
    SolidificationWeights,
    Width,
    cell_errors,
)
from lasernet.options import Only
from lasernet.registry import register_loss

Base = Literal["mse", "l1", "charbonnier"]
CELL_ERRORS: dict[Base, ErrorKind] = {"mse": "squared", "l1": "absolute", "charbonnier": "charbonnier"}
WEIGHTED = ("band", *WITH_WIDTH)
ONLY_WEIGHTED = Only("weighting", WEIGHTED)


@register_loss("sharpness")
class Sharpness(Loss):
    """Error of cells, plus weighted differences of gradients and of features.

    The error of cells is the mean over all of them or, with a weighting, that of the solidification loss. The terms
    are those of the losses mse, mae, charbonnier, solidification, gradient and perceptual.

    Raises:
        OptionError: also for options of a term whose weight is 0.
    """

    def __init__(
        self,
        *,
        base: Annotated[Base, "error of a cell: e², |e| or √(e² + ε²)"] = "mse",
        epsilon: Annotated[float, "error below which it is smooth", Only("base", ("charbonnier",))] = 1e-3,
        weighting: Annotated[
            Literal["uniform", "band", "gaussian", "linear", "exponential"],
            "all cells alike, or more in the solidification range: weight outside it",
        ] = "uniform",
        t_solidus: Annotated[
            float | None, "lower end of the range, K (left out: the front band)", ONLY_WEIGHTED
        ] = None,
        t_liquidus: Annotated[float | None, "upper end of the range, K", ONLY_WEIGHTED] = None,
        outside_weight: Annotated[float, "weight far outside the range", ONLY_WEIGHTED] = OUTSIDE,
        width: Width = WIDTH,
        gradient_weight: Annotated[float, "weight of the difference of gradients"] = 0.1,
        gradient_error: Annotated[
            StepError, "compare gradients by the absolute or the squared difference"
        ] = "absolute",
        perceptual_weight: Annotated[float, "weight of the difference of features; colors only"] = 0.0,
        perceptual_error: Annotated[
            FeatureError, "compare features by the absolute or the squared difference"
        ] = "absolute",
        perceptual_seed: Annotated[int, "seed of the encoder's random weights"] = 0,
        perceptual_encoder: Annotated[str | None, "safetensors file of a trained encoder"] = None,
    ) -> None:
        super().__init__()
        self.kind, self.epsilon = CELL_ERRORS[base], positive("sharpness-epsilon", epsilon)
        self.weights = None
        if weighting != "uniform":
            self.weights = SolidificationWeights(
                "sharpness",
                falloff=weighting,
                solidus=t_solidus,
                liquidus=t_liquidus,
                outside=outside_weight,
                width=width,
            )
        self.gradient_weight = not_negative("sharpness-gradient-weight", gradient_weight)
        self.perceptual_weight = not_negative("sharpness-perceptual-weight", perceptual_weight)
        if not gradient_weight:
            _refuse("gradient", error=gradient_error != "absolute")
        if not perceptual_weight:
            chosen = {"error": perceptual_error != "absolute", "seed": perceptual_seed, "encoder": perceptual_encoder}
            _refuse("perceptual", **chosen)
        self.gradient = Gradient(error=gradient_error) if gradient_weight else None
        self.perceptual = None
        if perceptual_weight:
            self.perceptual = Perceptual(error=perceptual_error, seed=perceptual_seed, encoder=perceptual_encoder)

    def forward(self, prediction: Tensor, target: Tensor, batch: Batch) -> Tensor:
        errors = cell_errors(self.kind, difference(prediction, target, batch), self.epsilon)
        total = (
            masked_mean(errors, batch["mask"]) if self.weights is None else weighted_mean(errors, self.weights(batch))
        )
        if self.gradient is not None:
            total = total + self.gradient_weight * self.gradient(prediction, target, batch)
        if self.perceptual is not None:
            total = total + self.perceptual_weight * self.perceptual(prediction, target, batch)
        return total


def _refuse(term: str, **chosen: object) -> None:
    """Refuse what was chosen for a term that does not count."""
    for name, value in chosen.items():
        if value:
            raise OptionError(
                f"--sharpness-{term}-{name} has no effect with --sharpness-{term}-weight 0; "
                "leave it out, or give the term a weight"
            )

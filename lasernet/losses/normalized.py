"""Errors over the size of the truth, item by item: a slow flow counts as much as a fast one."""

from __future__ import annotations

import math
from typing import Annotated, ClassVar

import torch
from torch import Tensor

from lasernet.errors import OptionError
from lasernet.losses.base import Batch, Loss, difference, widened
from lasernet.losses.flow import largest, relative
from lasernet.registry import register_loss

LEAST_SHARE = 1e-2  # of the mean size of all components, below which one is noise of the solver, or absent

PerComponent = Annotated[bool, "divide every component by its own size, and average"]
Weights = Annotated[tuple[float, ...] | None, "of the components (x,y,z), as 1,1,4; only their ratios count"]


class _Normalized(Loss):
    """Sum of a power of the errors over that of the truth, of every item; then the mean over items."""

    name: ClassVar[str]
    power: ClassVar[int]

    def __init__(self, *, per_component: PerComponent = False, component_weights: Weights = None) -> None:
        super().__init__()
        self.per_component, self.weights = per_component, component_weights
        if component_weights is not None:
            _check(f"--{self.name}-component-weights", component_weights)

    def forward(self, prediction: Tensor, target: Tensor, batch: Batch) -> Tensor:
        """As for every loss, for fields of any number of axes: (B, C, H, W) or (B, C, Z, Y, X)."""
        truth = widened(torch.where(batch["mask"], target, 0))
        unit = largest(truth)
        errors = self._sums(widened(difference(prediction, target, batch)) / unit)
        sizes = self._sums(truth / unit)
        if self.weights is not None:
            errors = errors * self._weights_of(errors)
        if self.per_component:
            mean = sizes.mean(1, keepdim=True)
            own = torch.where(sizes > LEAST_SHARE**self.power * mean, sizes, mean)
            errors, sizes = errors / torch.where(own > 0, own, 1), (own > 0).to(sizes)
        return relative(errors.sum(1), sizes.sum(1))

    def _sums(self, values: Tensor) -> Tensor:
        """Over the cells of every channel, (B, C)."""
        measured = values.abs() if self.power == 1 else values.square()
        return measured.flatten(2).sum(2)

    def _weights_of(self, errors: Tensor) -> Tensor:
        """One for each channel, 1 on average.

        Raises:
            OptionError: if there are not as many as channels.
        """
        assert self.weights is not None
        if len(self.weights) != errors.shape[1]:
            raise OptionError(
                f"--{self.name}-component-weights {_listed(self.weights)}: found {len(self.weights)} for an answer of "
                f"{errors.shape[1]} channels; expected one for each"
            )
        weights = errors.new_tensor(self.weights)
        return weights / weights.mean()


@register_loss("nmae")
class NMAE(_Normalized):
    """Normalized mean absolute error: Σ|e| / Σ|y| of every item.

    With ``per_component``, every channel by its own size, then their mean: a small v_z counts as much as v_x. A channel
    below a hundredth of the mean size, as v_z of a plane flow, is measured by that mean. ``component_weights``
    multiply the errors of the channels, so that equal ones change nothing. An item whose truth is 0 everywhere has no
    size, and counts as 0.
    """

    name, power = "nmae", 1


@register_loss("nmse")
class NMSE(_Normalized):
    """Normalized mean squared error: Σe² / Σy² of every item.

    Options, and what becomes of truths that are 0, as for nmae; sizes of channels are root mean squares.
    """

    name, power = "nmse", 2


def _check(flag: str, weights: tuple[float, ...]) -> None:
    """Refuse weights that are negative, or all 0.

    Raises:
        OptionError: naming the flag.
    """
    if not all(0 <= weight < math.inf for weight in weights) or not sum(weights) > 0:
        raise OptionError(f"{flag} {_listed(weights)}: expected numbers of at least 0, not all of them 0, as 1,1,4")


def _listed(weights: tuple[float, ...]) -> str:
    return ",".join(f"{weight:g}" for weight in weights)

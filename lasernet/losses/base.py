"""Losses: pluggable terms on prediction and target, and weighted sums of them.

Every loss is the mean over the items of a batch of a mean over each item's valid cells. So the mean of
two half-batches is the loss of the whole, which accumulation and several processes rely on. A model may hand over
temperatures in a unit of its own, prediction and target alike; what else is in the batch is in SI units.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lasernet.errors import OptionError
from lasernet.options import resolve
from lasernet.registry import LOSSES

Batch = dict[str, Tensor]
COLORS = 9  # channels: the colors of three sample directions
LEAST_WEIGHT = 1e-6  # of all cells of an item together, below which it counts as one without valid cells


class Loss(nn.Module):
    """A term ``(prediction, target, batch) → scalar``; options are its keyword-only parameters."""

    def forward(self, prediction: Tensor, target: Tensor, batch: Batch) -> Tensor:
        """The mean over items; prediction and target are (B, C, H, W), ``batch["mask"]`` (B, 1, H, W)."""
        raise NotImplementedError


class Criterion(nn.Module):
    """A weighted sum of losses, written ``mse+0.1*charbonnier``."""

    def __init__(self, terms: list[tuple[str, float, Loss]]) -> None:
        super().__init__()
        self.terms = terms
        self.losses = nn.ModuleList(loss for _, _, loss in terms)  # so that .to(device) reaches their tensors

    def forward(self, prediction: Tensor, target: Tensor, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """The weighted sum, and each unweighted term by name for the log."""
        values = {name: loss(prediction, target, batch) for name, _, loss in self.terms}
        total = sum((weight * values[name] for name, weight, _ in self.terms), prediction.new_zeros(()))
        return total, {name: value.detach() for name, value in values.items()}


@dataclass(frozen=True)
class Term:
    """A loss's name and its weight in a sum."""

    name: str
    weight: float


def parse_loss(expression: str) -> list[Term]:
    """``mse+0.1*charbonnier`` → its terms.

    Raises:
        OptionError: if the text has another form or names no known loss.
    """
    terms = []
    for part in expression.split("+"):
        match = re.fullmatch(r"\s*(?:([0-9.]+(?:e-?[0-9]+)?)\s*\*)?\s*([a-z][a-z0-9-]*)\s*", part)
        if match is None:
            known = ", ".join(LOSSES.names())
            raise OptionError(f"--loss '{expression}': expected NAME or NAME+0.1*NAME; known: {known}")
        LOSSES.get(match[2])
        try:
            weight = float(match[1] or 1)
        except ValueError:
            weight = math.nan
        if not math.isfinite(weight):
            raise OptionError(f"--loss '{expression}': '{match[1]}' is no weight; expected a number as in 0.1*mse")
        terms.append(Term(match[2], weight))
    if len({term.name for term in terms}) < len(terms):
        raise OptionError(f"--loss '{expression}': a loss is named twice; add the weights up instead")
    return terms


def build_criterion(expression: str, options: Mapping[str, Mapping[str, object]]) -> Criterion:
    """The criterion of an expression; ``options`` maps a loss's name to its options."""
    built = []
    for term in parse_loss(expression):
        cls = LOSSES.get(term.name)
        values = resolve(cls, options.get(term.name, {}), what=f"loss '{term.name}'")
        built.append((term.name, term.weight, cls(**values)))
    return Criterion(built)


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean over batch items of the mean over valid cells and channels; an item without any counts as 0.

    Args:
        values: (B, C, H, W), summed in float32 at least; need not be finite in cells that do not count.
        mask: (B, 1, H, W) bool.
    """
    values = widened(values)
    counted = torch.where(mask, values, 0).flatten(1).sum(1)
    cells = mask.flatten(1).sum(1) * values.shape[1]
    return (counted / cells.clamp(min=1)).mean()


def weighted_mean(values: Tensor, weights: Tensor) -> Tensor:
    """Mean over batch items of Σwv / Σw over cells and channels; an item without any weight counts as 0.

    Args:
        values: (B, C, H, W), finite, summed in float32 at least.
        weights: (B, 1, H, W), not negative; 0 in cells that do not count.
    """
    values = widened(values)
    total = weights.flatten(1).sum(1)
    counted = (values * weights).flatten(1).sum(1) / values.shape[1]
    return torch.where(total > LEAST_WEIGHT, counted / total.clamp(min=LEAST_WEIGHT), 0).mean()


def difference(prediction: Tensor, target: Tensor, batch: Batch) -> Tensor:
    """Prediction minus target, 0 in cells that do not count: their gradient is 0 whatever they hold."""
    return torch.where(batch["mask"], prediction - target, 0)


def widened(values: Tensor) -> Tensor:
    """Half precision as float32, other types unchanged."""
    return values.float() if values.dtype in (torch.bfloat16, torch.float16) else values


def full_precision(values: Tensor) -> torch.autocast:
    """A block in which mixed precision is off: convolutions and products of a loss keep all digits."""
    return torch.autocast(device_type=values.device.type, enabled=False)


def require_colors(loss: str, prediction: Tensor) -> None:
    """Refuse a loss on colors for a task that answers something else.

    Raises:
        OptionError: unless there are nine channels.
    """
    if prediction.shape[1] != COLORS:
        raise OptionError(
            f"--loss {loss} judges colors ({COLORS} channels), this task answers {prediction.shape[1]}; "
            "choose a loss for any field, as mse or gradient"
        )


def require_field(loss: str, batch: Batch, name: str) -> Tensor:
    """A field of the batch that a loss needs beside prediction and target.

    Raises:
        OptionError: if the task's batches do not have it.
    """
    if name not in batch:
        raise OptionError(
            f"--loss {loss} needs '{name}', which the batches of this task lack; choose another loss, as mse"
        )
    return batch[name]


def positive(flag: str, value: float) -> float:
    """The value, if it is a finite number above 0.

    Raises:
        OptionError: if not.
    """
    if not 0 < value < math.inf:
        raise OptionError(f"--{flag} {value}: expected a number above 0")
    return value


def not_negative(flag: str, value: float) -> float:
    """The value, if it is a finite number of at least 0.

    Raises:
        OptionError: if not.
    """
    if not 0 <= value < math.inf:
        raise OptionError(f"--{flag} {value}: expected 0 or more")
    return value

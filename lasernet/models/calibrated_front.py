"""The strongest baseline: a fitted chance of freezing, times the color of the nearest solid cell."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Annotated, ClassVar, Literal

import torch
from torch import Tensor

from lasernet.losses.base import Batch
from lasernet.models.base import Model
from lasernet.models.baselines import nearest_in_plane, require_fit
from lasernet.models.melting import FIT_ITEMS, TemperatureHistogram, best_threshold
from lasernet.physics.solidification import may_freeze, per_item
from lasernet.registry import register_model

MOST_CELLS = 2_000_000  # that the gate is fitted on; of more, every second (fourth, …) one is taken
CHUNK = 1 << 17
KELVIN = 100.0  # about liquidus, beyond which the temperature saturates
METER, NEAR, FAR = 1e-5, 1e-3, 1e3  # unit of distance, and bounds in it: solid cells are at 0, and there may be none
TERMS = 10

log = logging.getLogger(__name__)


@register_model("calibrated-front")
class CalibratedFront(Model):
    """A logistic gate on temperatures and distance to solid decides how solid; the nearest cell gives the color.

    The gate acts on cells molten at t and below liquidus + 100 K at t+1. It is quadratic in tanh((T − liquidus)/100 K)
    at t and t+1 and in the logarithm of the distance to the nearest solid cell: nothing in it depends on the grid or
    the alloy, so that it holds for another track, and the saturation keeps hot cells from steering the fit.
    Hotter molten cells stay molten. Solid cells are copied unless they are hotter than a fitted melting threshold.
    """

    fit_items: ClassVar[int | None] = FIT_ITEMS
    coefficients: Tensor
    threshold: Tensor

    def __init__(
        self,
        *,
        dimensions: Annotated[Literal["2", "3"], "look for the nearest solid cell in the slice or in the volume"] = "2",
    ) -> None:
        super().__init__()
        self.dimensions = dimensions
        self.inputs = ("nearest_ipf_3d", "solid_distance_3d") if dimensions == "3" else ()
        self.register_buffer("coefficients", torch.full((TERMS,), float("nan")))
        self.register_buffer("threshold", torch.tensor(float("nan")))  # K about liquidus

    @torch.no_grad()
    def fit(self, batches: Iterable[Batch]) -> None:
        """Maximum likelihood for the gate, least squares for the melting threshold, in one pass."""
        sample = _ThinnedRows(MOST_CELLS)
        histogram = TemperatureHistogram(2)
        for batch in batches:
            molten, mask = batch["molten"][:, -1], batch["mask"]
            undecided = self._undecided(batch) & mask
            frozen = (~batch["target_molten"])[undecided].float()
            variables = self._variables(batch, self._nearest(batch)[1]).movedim(1, -1)[undecided[:, 0]]
            sample.add(torch.cat([variables, frozen[:, None]], 1).cpu())
            solid = ~molten & mask
            target, copy = batch["target"].double(), batch["ipf"][:, -1].double()
            costs = torch.stack([target.square().sum(1), (target - copy).square().sum(1)], -1)
            excess = batch["future_temperature"] - per_item(batch["liquidus"])
            histogram.add(excess[solid], costs[solid[:, 0]])
        _, threshold = best_threshold(histogram.above()[:, 0] + histogram.below()[:, 1])
        rows = sample.rows()
        if not 0 < float(rows[:, -1].sum()) < len(rows):
            log.warning(
                "calibrated-front: of %d undecided training cells %d froze; the gate needs both kinds and will be poor",
                len(rows), int(rows[:, -1].sum()),
            )  # fmt: skip
        self.coefficients.copy_(fit_logistic(rows[:, :-1], rows[:, -1]))
        self.threshold.fill_(threshold)

    def forward(self, batch: Batch) -> Tensor:
        require_fit(self, torch.stack([*self.coefficients, self.threshold]))
        color, distance = self._nearest(batch)
        chance = torch.sigmoid(self._logit(batch, distance))
        frozen = torch.where(self._undecided(batch), chance * color, 0)
        excess = batch["future_temperature"] - per_item(batch["liquidus"])
        kept = torch.where(excess >= self.threshold, 0, batch["ipf"][:, -1])
        return torch.where(batch["molten"][:, -1], frozen, kept)

    def chance(self, batch: Batch) -> Tensor:
        """Chance of being solid at t+1 of the cells that may freeze, (B, 1, H, W); NaN in all others."""
        require_fit(self, self.coefficients)
        chance = torch.sigmoid(self._logit(batch, self._nearest(batch)[1]))
        return chance.to(torch.float32).where(self._undecided(batch), torch.nan)

    def _undecided(self, batch: Batch) -> Tensor:
        return may_freeze(batch["molten"][:, -1], batch["future_temperature"], batch["liquidus"])

    def _nearest(self, batch: Batch) -> tuple[Tensor, Tensor]:
        if self.dimensions == "3":
            return batch["nearest_ipf_3d"], batch["solid_distance_3d"]
        return nearest_in_plane(batch)

    def _variables(self, batch: Batch, distance: Tensor) -> Tensor:
        """The gate's three variables, (B, 3, H, W): saturated temperatures at t and t+1, and log distance."""
        liquidus = per_item(batch["liquidus"])
        temperatures = torch.cat([batch["temperature"][:, -1], batch["future_temperature"]], 1) - liquidus
        return torch.cat([torch.tanh(temperatures / KELVIN), (distance / METER).clamp(NEAR, FAR).log()], 1)

    def _logit(self, batch: Batch, distance: Tensor) -> Tensor:
        variables = self._variables(batch, distance).movedim(1, -1)
        return (quadratic(variables) * self.coefficients).sum(-1)[:, None]


def quadratic(variables: Tensor) -> Tensor:
    """1, a, b, c and their six products: (…, 3) → (…, 10)."""
    a, b, c = variables.unbind(-1)
    return torch.stack([torch.ones_like(a), a, b, c, a * a, a * b, a * c, b * b, b * c, c * c], -1)


def fit_logistic(variables: Tensor, outcome: Tensor, *, ridge: float = 1e-6, steps: int = 50) -> Tensor:
    """Coefficients of a logistic model on :func:`quadratic` terms, by maximum likelihood.

    Newton's method (iteratively reweighted least squares), halving steps that do not help. The mean negative
    log-likelihood carries ridge/2 times the squared coefficients, which keeps them finite on separable cells.

    Args:
        variables: (N, 3).
        outcome: 0 or 1, (N,).

    Returns:
        float64, (10,).
    """
    weights = torch.zeros(TERMS, dtype=torch.float64)
    value, gradient, curvature = _objective(variables, outcome, weights, ridge)
    for _ in range(steps):
        step = torch.linalg.solve(curvature, gradient)
        size = 1.0
        while size > 1e-6:
            trial = _objective(variables, outcome, weights - size * step, ridge)
            if trial[0] <= value:
                break
            size /= 2
        else:
            break
        weights = weights - size * step
        decrease = value - trial[0]
        value, gradient, curvature = trial
        if decrease < 1e-14 and float(gradient.abs().max()) < 1e-10:
            break
    return weights


def _objective(variables: Tensor, outcome: Tensor, weights: Tensor, ridge: float) -> tuple[float, Tensor, Tensor]:
    """Penalized mean negative log-likelihood, its gradient and its second derivatives."""
    value = weights.new_zeros(())
    gradient = weights.new_zeros(TERMS)
    curvature = weights.new_zeros(TERMS, TERMS)
    for start in range(0, len(outcome), CHUNK):
        terms = quadratic(variables[start : start + CHUNK].double())
        truth = outcome[start : start + CHUNK].double()
        logit = terms @ weights
        chance = torch.sigmoid(logit)
        value += (torch.nn.functional.softplus(logit) - truth * logit).sum()
        gradient += terms.T @ (chance - truth)
        curvature += (terms * (chance * (1 - chance))[:, None]).T @ terms
    count = max(1, len(outcome))
    value = value / count + ridge / 2 * weights.square().sum()
    return float(value), gradient / count + ridge * weights, curvature / count + ridge * torch.eye(TERMS).double()


class _ThinnedRows:
    """Every k-th of any number of rows, with k the power of two that keeps them within a limit.

    Which rows are kept depends on their order alone, not on how they were batched.
    """

    def __init__(self, limit: int) -> None:
        self._limit, self._stride, self._seen, self._kept = limit, 1, 0, 0
        self._parts: list[Tensor] = []

    def add(self, rows: Tensor) -> None:
        self._append(rows[-self._seen % self._stride :: self._stride])
        self._seen += len(rows)
        while self._kept > self._limit:
            thinned = torch.cat(self._parts)[::2].clone()
            self._parts, self._kept = [], 0
            self._append(thinned)
            self._stride *= 2

    def _append(self, rows: Tensor) -> None:
        self._parts.append(rows)
        self._kept += len(rows)

    def rows(self) -> Tensor:
        """The kept rows, float32, (N, 4)."""
        return torch.cat(self._parts) if self._parts else torch.zeros(0, 4)

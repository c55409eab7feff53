"""Errors of predicted velocities and pressures, by component, from sums over each item."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lasernet.data.base import Batch
from lasernet.metrics.regions import ratio

REGIONS = {"velocity": ("all", "x", "y", "z"), "pressure": ("all",)}
SUMS = ("squared", "absolute", "energy", "total", "squared_si", "absolute_si", "cells")

FlowMetrics = dict[str, dict[str, float | int | None]]


@dataclass(frozen=True)
class FlowSums:
    """Sums over each item's fluid cells, from which the errors of any set of items follow.

    Attributes:
        field: ``velocity`` or ``pressure``.
        items: item numbers, ascending, (N,).
        sums: float64, (N, regions, sums), in the order of ``REGIONS`` and ``SUMS``. Squared and absolute errors, the
            truth's squares (energy) and its absolute values (total), each item in units of its own size (see
            :func:`own_size`); the first two again in SI units; and how many values were added.
    """

    field: str
    items: NDArray[np.int64]
    sums: NDArray[np.float64]

    @property
    def regions(self) -> tuple[str, ...]:
        """All components together, and each by itself."""
        return REGIONS[self.field]

    def of(self, region: str, name: str) -> NDArray[np.float64]:
        """One sum of one region for every item, (N,)."""
        return self.sums[:, self.regions.index(region), SUMS.index(name)]

    def scores(self) -> FlowMetrics:
        """Errors by component, pooled over all items, each in units of its own size.

        ``nmse`` = Σe²/Σy², ``nmae`` = Σ|e|/Σ|y|, ``mae_over_rms`` = mean |e| over the root of the mean y²; ``rmse`` and
        ``mae`` in m/s or Pa. None where they are undefined.
        """
        pooled = self.sums.sum(axis=0)
        return {
            region: _scores(dict(zip(SUMS, map(float, row), strict=True)))
            for region, row in zip(self.regions, pooled, strict=True)
        }


def _scores(sums: Mapping[str, float]) -> dict[str, float | int | None]:
    values = round(sums["cells"])
    squared = ratio(sums["squared_si"], values)
    mean, size = ratio(sums["absolute"], values), ratio(sums["energy"], values)
    return {
        "nmse": ratio(sums["squared"], sums["energy"]),
        "nmae": ratio(sums["absolute"], sums["total"]),
        "mae_over_rms": None if mean is None or not size else mean / size**0.5,
        "rmse": None if squared is None else squared**0.5,
        "mae": ratio(sums["absolute_si"], values),
        "values": values,
    }


def own_size(target: Tensor, mask: Tensor) -> Tensor:
    """Of each item, (B,): the mean of |y| over its fluid cells, of a vector's length; 1 where that is 0.

    Args:
        target: (B, C, Z, Y, X).
        mask: fluid cells, (B, 1, Z, Y, X).
    """
    length = torch.linalg.vector_norm(target.double(), dim=1, keepdim=True)
    size = torch.where(mask, length, 0).flatten(1).sum(1) / mask.flatten(1).sum(1).clamp(min=1)
    return torch.where(size > 0, size, 1.0)


class FlowErrors:
    """Errors over the fluid cells of the items taken in; an item that comes twice counts once.

    Args:
        field: what is answered: ``velocity`` in m/s or ``pressure`` in Pa.
    """

    def __init__(self, field: str = "velocity") -> None:
        if field not in REGIONS:
            raise ValueError(f"no errors of '{field}'; expected one of {', '.join(REGIONS)}")
        self.field = field
        self._sums: dict[int, NDArray[np.float64]] = {}

    @torch.no_grad()
    def update(self, answer: Tensor, batch: Batch) -> None:
        """Take in answers (B, C, Z, Y, X), to be compared with ``batch["target"]``."""
        target, mask = batch["target"].double(), batch["mask"]
        if answer.shape != target.shape:
            raise ValueError(f"answer of shape {tuple(answer.shape)} to a target of shape {tuple(target.shape)}")
        size = own_size(target, mask).reshape(-1, 1, 1, 1, 1)
        error, truth = (torch.where(mask, x, 0) for x in (answer.double() - target, target))
        maps = [error / size, (error / size).abs(), truth / size, (truth / size).abs(), error, error.abs()]
        maps = [x.square() if place in (0, 2, 4) else x for place, x in enumerate(maps)]
        parts = torch.stack([x.flatten(2).sum(2) for x in maps], dim=2)  # (B, C, sums)
        count = mask.flatten(1).sum(1).double().reshape(-1, 1, 1).expand(-1, parts.shape[1], 1)
        parts = torch.cat([parts, count], dim=2)
        rows = torch.cat([parts.sum(1, keepdim=True), parts], dim=1) if self.field == "velocity" else parts
        for item, row in zip(batch["item"].tolist(), rows.cpu().numpy(), strict=True):
            self._sums[item] = row

    def items(self) -> FlowSums:
        """What was taken in, item by item."""
        order = sorted(self._sums)
        shape = (len(order), len(REGIONS[self.field]), len(SUMS))
        rows = np.array([self._sums[item] for item in order], dtype=np.float64).reshape(shape)
        return FlowSums(self.field, np.array(order, dtype=np.int64), rows)

    def compute(self) -> FlowMetrics:
        """As :meth:`FlowSums.scores`."""
        return self.items().scores()

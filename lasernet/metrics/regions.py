"""Errors of predicted frames by region: whole images, where cells may freeze, the front, what froze, the pool's rim."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from lasernet.data.base import Batch
from lasernet.metrics.image import ssim_map
from lasernet.metrics.melt_pool import pool_boundary
from lasernet.physics.solidification import REGIONS, regions

SUMS = ("squared", "absolute", "energy", "total", "similarity", "cells")
CHANNELS = {"ipf": 9, "temperature": 1}
OWN_REGIONS: dict[str, tuple[str, ...]] = {"ipf": (), "temperature": ("pool_boundary",)}  # beside those of all fields
DATA_RANGE = {"ipf": 1.0, "temperature": 3000.0}  # of SSIM: colors, and K between a cold plate and boiling metal

Scores = dict[str, dict[str, float | int | None]]


@dataclass(frozen=True)
class ItemScores:
    """Sums over each item's regions, from which the scores of any set of items follow.

    Attributes:
        field: ``ipf`` or ``temperature``.
        items: item numbers, ascending, (N,).
        sums: float64, (N, regions, sums), in the order of ``regions`` and ``SUMS``. Squared and absolute errors,
            the truth's squares (energy) and the truth (total) are added over cells and channels, SSIM over cells.
    """

    field: str
    items: NDArray[np.int64]
    sums: NDArray[np.float64]

    @property
    def regions(self) -> tuple[str, ...]:
        """The regions in which this field is judged."""
        return (*REGIONS, *OWN_REGIONS[self.field])

    def of(self, region: str, name: str) -> NDArray[np.float64]:
        """One sum of one region for every item, (N,)."""
        return self.sums[:, self.regions.index(region), SUMS.index(name)]

    def select(self, rows: NDArray[np.integer] | NDArray[np.bool_]) -> ItemScores:
        """The rows picked by an index or mask, in ascending order of items; each row counts once."""
        picked = np.unique(np.arange(len(self.items))[rows])
        return ItemScores(self.field, self.items[picked], self.sums[picked])

    def merge(self, other: ItemScores) -> ItemScores:
        """The items of both; an item that both hold is taken from ``other``."""
        if self.field != other.field:
            raise ValueError(f"scores of {self.field} and {other.field} cannot be merged")
        items = np.concatenate([other.items, self.items])
        kept, first = np.unique(items, return_index=True)
        return ItemScores(self.field, kept, np.concatenate([other.sums, self.sums])[first])

    def scores(self) -> Scores:
        """Scores by region, pooled over all items; None where a region is empty or a value is undefined."""
        pooled = self.sums.sum(axis=0)
        return {
            region: _scores(self.field, dict(zip(SUMS, map(float, row), strict=True)))
            for region, row in zip(self.regions, pooled, strict=True)
        }


def _scores(field: str, sums: Mapping[str, float]) -> dict[str, float | int | None]:
    cells = round(sums["cells"])
    values = cells * CHANNELS[field]
    answer: dict[str, float | int | None] = {
        "mse": ratio(sums["squared"], values),
        "mae": ratio(sums["absolute"], values),
    }
    if field == "ipf":
        answer["nmse"] = ratio(sums["squared"], sums["energy"])
    else:
        spread = sums["energy"] - sums["total"] ** 2 / max(values, 1)
        spread = spread if spread > 1e-12 * sums["energy"] else 0.0  # below it, only rounding is left
        relative = ratio(sums["squared"], spread)
        answer["vrmse"] = None if relative is None else relative**0.5
    answer["ssim"] = ratio(sums["similarity"], cells)
    answer["cells"] = cells
    return answer


def ratio(numerator: float, denominator: float) -> float | None:
    """The quotient as a plain number, or None where it is undefined."""
    quotient = numerator / denominator if denominator > 0 else float("nan")
    return float(quotient) if np.isfinite(quotient) else None


class RegionScores:
    """MSE, MAE, NMSE (colors) or VRMSE (temperature), and SSIM, over each region of the frames taken in.

    An item that comes twice, as the padding of a distributed sampler does, counts once.

    Args:
        field: what is answered: ``ipf`` in [0, 1] or ``temperature`` in K.
    """

    def __init__(self, field: str = "ipf") -> None:
        if field not in CHANNELS:
            raise ValueError(f"no scores for field '{field}'; expected one of {', '.join(CHANNELS)}")
        self.field = field
        self._sums: dict[int, NDArray[np.float64]] = {}

    @torch.no_grad()
    def update(self, answer: torch.Tensor, batch: Batch) -> None:
        """Take in answers (B, C, H, W), to be compared with ``batch["target"]``."""
        target = batch["target"].double()
        if answer.shape != target.shape:
            raise ValueError(f"answer of shape {tuple(answer.shape)} to a target of shape {tuple(target.shape)}")
        mask = batch["mask"]
        # Outside the mask the answer is made right, so that SSIM windows that reach there see no difference.
        target = torch.where(mask, target, 0)
        answer = torch.where(mask, answer.double(), 0)
        error = answer - target
        similarity = ssim_map(answer, target, DATA_RANGE[self.field])
        maps = [error.square().sum(1), error.abs().sum(1), target.square().sum(1), target.sum(1), similarity]
        cells = torch.stack([*maps, torch.ones_like(similarity)], dim=-1).flatten(1, 2)  # (B, HW, sums)
        known = regions(batch)
        masks = [known[name] for name in REGIONS]
        if "pool_boundary" in OWN_REGIONS[self.field]:
            masks.append(pool_boundary(batch["target_molten"], mask))
        chosen = torch.cat(masks, dim=1).flatten(2).double()  # (B, regions, HW)
        sums = (chosen @ cells).cpu().numpy()
        for item, row in zip(batch["item"].tolist(), sums, strict=True):
            self._sums[item] = row

    def items(self) -> ItemScores:
        """What was taken in, item by item."""
        order = sorted(self._sums)
        rows = [self._sums[item] for item in order]
        shape = (len(order), len(REGIONS) + len(OWN_REGIONS[self.field]), len(SUMS))
        return ItemScores(self.field, np.array(order, dtype=np.int64), np.array(rows, dtype=np.float64).reshape(shape))

    def compute(self) -> dict[str, object]:
        """Scores by region: ``mse``, ``mae``, ``nmse`` or ``vrmse``, ``ssim``, and the number of ``cells``."""
        return dict(self.items().scores())

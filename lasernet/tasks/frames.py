"""What the two frame-prediction tasks have in common: which items, and how answers are judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lasernet.data.bundled import bundled_track
from lasernet.data.sequences import FrameData, FrameSplit
from lasernet.errors import OptionError
from lasernet.metrics.regions import RegionScores
from lasernet.metrics.skill import resampling_blocks, skill
from lasernet.tasks.base import Answering

BATCH = 16


def default_track() -> list[Path]:
    """The laser track that ships in the package."""
    return [bundled_track()]


@dataclass(frozen=True)
class FrameScores:
    """One run's predictions of one split, scored, with its baselines' beside them."""

    scores: RegionScores
    baselines: dict[str, RegionScores]
    split: FrameSplit

    @property
    def items(self) -> NDArray[np.void]:
        """The items that were answered."""
        return self.split.items

    def report(self) -> dict[str, Any]:
        """Errors by region, the baselines' beside them, and the skill against each."""
        blocks, description = self._blocks()
        return {
            "items": len(self.split),
            "metrics": self.scores.compute(),
            "baselines": {label: scores.compute() for label, scores in self.baselines.items()},
            "skill": {
                label: skill(self.scores.items(), scores.items(), blocks) if len(self.split) else {}
                for label, scores in self.baselines.items()
            },
            "intervals": description if len(self.split) else None,
        }

    def improvement(self, first: FrameScores) -> dict[str, Any]:
        """By how many percent the MSE is lower than that of ``first``, by region, with 95 % intervals."""
        found = skill(self.scores.items(), first.scores.items(), self._blocks()[0])
        return {
            region: {"percent" if key == "mse" else key: None if v is None else 100 * v for key, v in values.items()}
            for region, values in found.items()
        }

    def _blocks(self) -> tuple[Any, dict[str, object]]:
        if not len(self.split):
            return None, {}
        return resampling_blocks(self.split.items, slices_per_block=self.split.data.slices_per_grain())


@torch.no_grad()
def judge(
    field: str,
    run: Answering,
    baselines: Mapping[str, Any],
    data: FrameData,
    split: str,
    *,
    t_solidus: float | None = None,
    t_liquidus: float | None = None,
    device: str = "cpu",
) -> FrameScores:
    """Predict every item of a split, with the run and with each baseline.

    Args:
        field: ``ipf`` or ``temperature``.
        t_solidus, t_liquidus: K; another band for the ``front`` region.
    """
    band, chosen = _band(t_solidus, t_liquidus), data.split(split)
    metric, others = RegionScores(field), {label: RegionScores(field) for label in baselines}
    for start in range(0, len(chosen), BATCH):
        batch = chosen.fetch(range(start, min(start + BATCH, len(chosen))))
        if band is not None:
            batch["front_low"] = torch.full_like(batch["front_low"], band[0])
            batch["front_high"] = torch.full_like(batch["front_high"], band[1])
        there = {name: value.to(device) for name, value in batch.items()}
        metric.update(run.predict(there).float().cpu(), batch)
        for label, model in baselines.items():
            others[label].update(model.predict(batch), batch)
    return FrameScores(metric, others, chosen)


def _band(low: float | None, high: float | None) -> tuple[float, float] | None:
    if low is None and high is None:
        return None
    if low is None or high is None or not low < high:
        raise OptionError(f"--t-solidus {low} --t-liquidus {high}: expected both, in K, the solidus below the liquidus")
    return low, high


def choose(split: FrameSplit, *, item: int | None, position: int | None, timestep: int | None, n: int) -> list[int]:
    """Rows of a split.

    Raises:
        OptionError: if nothing fits.
    """
    if n < 1:
        raise OptionError(f"--n {n}: expected at least 1")
    if not len(split):
        raise OptionError("the split has no items; choose another with --split")
    if item is not None:
        if not 0 <= item < len(split):
            raise OptionError(f"--item {item}: the split has items 0 to {len(split) - 1}")
        return [item]
    items = split.items
    frames = sorted(set(items["frame"].tolist()))
    wanted = frames[-1] if timestep is None else timestep
    fits = items["frame"] == wanted
    if position is not None:
        fits &= items["slice"] == position
    rows = np.flatnonzero(fits)
    if not len(rows):
        raise OptionError(
            f"no item has --timestep {wanted}{f' --slice {position}' if position is not None else ''}; "
            f"the split holds frames {frames[0]} to {frames[-1]} and slices 0 to {items['slice'].max()}"
        )
    if position is not None:
        return [int(row) for row in rows[:n]]
    batch = split.fetch(rows.tolist())
    fresh = (batch["molten"][:, -1] & ~batch["target_molten"]).flatten(1).sum(1).numpy()
    return [int(rows[place]) for place in np.argsort(-fresh, kind="stable")[:n]]

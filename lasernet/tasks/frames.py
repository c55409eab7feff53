"""What the two frame-prediction tasks have in common: which items, and how answers are judged."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lasernet.data.bundled import bundled_track
from lasernet.data.sequences import FrameData, FrameSplit
from lasernet.errors import OptionError
from lasernet.metrics.gate import GateScores
from lasernet.tasks.base import Answering
from lasernet.tasks.frame_microstructure import GrainContext, GrainJudge
from lasernet.tasks.frame_scores import Answers, Band, FrameScores, with_band
from lasernet.tasks.frame_volumes import BATCH
from lasernet.tasks.rollout import roll_out


def default_track() -> list[Path]:
    """The laser track that ships in the package."""
    return [bundled_track()]


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
    rollout: int | None = None,
    device: str = "cpu",
) -> FrameScores:
    """Predict every item of a split, with the run and with each baseline.

    Args:
        field: ``ipf`` or ``temperature``.
        t_solidus, t_liquidus: K; another band for the ``front`` region.
        rollout: also apply the run to its own predictions, over so many frames.
    """
    band, chosen = _band(t_solidus, t_liquidus), data.split(split)
    rolled = None if rollout is None else roll_out(field, run, baselines, chosen, rollout, band=band, device=device)
    context = GrainContext(chosen) if field == "ipf" else None
    own, *rest = (
        Answers(
            field,
            chosen,
            grains=None if context is None else GrainJudge(context),
            gate=None if model.chance is None else GateScores(),
        )
        for model in (run.model, *baselines.values())
    )
    others = dict(zip(baselines, rest, strict=True))
    for start in range(0, len(chosen), BATCH):
        batch = with_band(chosen.fetch(range(start, min(start + BATCH, len(chosen)))), band)
        there = {name: value.to(device) for name, value in batch.items()}
        own.update(run.predict(there).float().cpu(), batch)
        if own.gate is not None:
            own.gate.update(run.model.chance(there).float().cpu(), batch)
        for label, model in baselines.items():
            others[label].update(model.predict(batch), batch)
            if (gate := others[label].gate) is not None:
                gate.update(model.chance(batch), batch)
    return FrameScores(own, others, chosen, rolled.report() if rolled else None)


def _band(low: float | None, high: float | None) -> Band | None:
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

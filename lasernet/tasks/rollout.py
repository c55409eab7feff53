"""Rollouts: a model applied to its own predictions, frame after frame, beside baselines that do the same."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lasernet.data.base import Batch
from lasernet.data.sequences import ANSWERS, FUTURE, FrameData, FrameSplit, Track
from lasernet.errors import OptionError
from lasernet.tasks.base import Answering
from lasernet.tasks.frame_scores import Answers, Band, FrameScores, with_band
from lasernet.tasks.frame_volumes import BATCH, stack_slices

Frame = tuple[NDArray[np.float32], NDArray[np.uint8], NDArray[np.bool_], NDArray[np.bool_]]


class RolledTrack(Track):
    """A track of which the frames after ``last`` may be replaced by predictions.

    Fields derived from a predicted frame are made from the prediction.

    Args:
        last: the last known frame.
        straight: make advected fields from the last known frame in one move, however far, so that they are
            interpolated once; a baseline's way. Otherwise step by step.
    """

    def __init__(self, track: Track, last: int, *, straight: bool) -> None:
        super().__init__(track.path, track.name, track._file, preload=track.preload, top=track.top)
        self.source, self.last, self.straight = track, last, straight
        self.predicted: dict[int, Frame] = {}

    def frame(self, index: int) -> Frame:
        """The prediction of a frame where there is one, else the truth; as :meth:`Track.frame`."""
        return self.predicted[index] if index in self.predicted else self.source.frame(index)

    def derived(self, name: str, index: int, plane: str, position: int) -> NDArray[np.float32]:
        """As :meth:`Track.derived`."""
        if index <= self.last:
            return self.source.derived(name, index, plane, position)
        return super().derived(name, index, plane, position)

    def derived_volume(self, name: str, index: int, *, until: int | None = None) -> NDArray[np.generic]:
        """As :meth:`Track.derived_volume`."""
        if self.straight and name.startswith("advected_"):
            return super().derived_volume(name, self.last, until=index + 1)
        return super().derived_volume(name, index, until=until)


@dataclass(frozen=True)
class RolloutScores:
    """A run's predictions 1, 2, … frames ahead of what it knows, scored.

    Attributes:
        steps: the scores by horizon, from 1 on, with the same starts in each.
        starts: from how many frames predictions began.
        temperature: ``predicted`` where the run predicts the temperature too, ``true`` where it is given.
    """

    steps: list[FrameScores]
    starts: int
    temperature: str

    def report(self) -> dict[str, Any]:
        """The part ``rollout`` of the JSON of ``eval``."""
        parts = {str(number): step.report() for number, step in enumerate(self.steps, start=1)}
        return {"horizon": len(parts), "starts": self.starts, "temperature": self.temperature, "steps": parts}


@torch.no_grad()
def roll_out(
    field: str,
    run: Answering,
    baselines: Mapping[str, Any],
    split: FrameSplit,
    horizon: int,
    *,
    band: Band | None = None,
    device: str = "cpu",
) -> RolloutScores:
    """Predict ``horizon`` frames from every start of which all of them are targets of the split.

    Args:
        field: ``ipf`` or ``temperature``: what is scored.
        band: K; another band for the ``front`` region.

    Raises:
        OptionError: if the split holds no such start, or other answers than plain ones are asked for.
    """
    if run.asked:
        flag = next(iter(run.asked)).replace("_", "-")
        raise OptionError(f"--{flag} does not reach a rollout, which goes on from plain answers; leave one out")
    starts = find_starts(split, horizon)
    own = _scored(run.model, field, split, starts, horizon, straight=False, band=band, device=device)
    others = {
        label: _scored(model, field, split, starts, horizon, straight=True, band=band, device="cpu")
        for label, model in baselines.items()
    }
    steps = []
    for step, answers in enumerate(own):
        rows = np.sort(np.concatenate([_rows(split, case, start + step) for case, start in starts]))
        part = FrameSplit(split.data, split.items[rows])
        steps.append(FrameScores(answers, {label: found[step] for label, found in others.items()}, part))
    predicted = field == "temperature" or hasattr(run.model, "forecast")
    return RolloutScores(steps, len(starts), "predicted" if predicted else "true")


def _scored(
    model: Any,
    field: str,
    split: FrameSplit,
    starts: Sequence[tuple[int, int]],
    horizon: int,
    *,
    straight: bool,
    band: Band | None,
    device: str,
) -> list[Answers]:
    """One answerer's predictions from all starts, by step."""
    found = [Answers(field, split) for _ in range(horizon)]
    for case, start in starts:
        for step, answer, batch in roll(model, field, split, case, start, horizon, straight=straight, device=device):
            found[step].update(answer, with_band(batch, band))
    return found


def find_starts(split: FrameSplit, horizon: int) -> list[tuple[int, int]]:
    """Cases and first target frames from which ``horizon`` frames on are all targets of the split.

    Raises:
        OptionError: if there are none.
    """
    frames = {case: set(split.items["frame"][split.items["case"] == case].tolist()) for case in _cases(split)}
    starts = [
        (case, start)
        for case, known in frames.items()
        for start in sorted(known)
        if horizon > 0 and known.issuperset(range(start, start + horizon))
    ]
    if not starts:
        longest = longest_horizon(split)
        raise OptionError(
            f"--rollout {horizon}: the split has at most {longest} target frames in a row; "
            f"expected {f'1 to {longest}' if longest else 'a split with frames'}; choose another horizon or --split"
        )
    return starts


def longest_horizon(split: FrameSplit) -> int:
    """The largest number of target frames in a row, over all cases."""
    longest = 0
    for case in _cases(split):
        frames = np.unique(split.items["frame"][split.items["case"] == case])
        ends = np.flatnonzero(np.diff(frames, append=frames[-1] + 2) > 1)
        longest = max(longest, int(np.diff(ends, prepend=-1).max()))
    return longest


def _cases(split: FrameSplit) -> list[int]:
    return [int(case) for case in np.unique(split.items["case"])]


def _rows(split: FrameSplit, case: int, frame: int) -> NDArray[np.intp]:
    """The items of a frame, in the order of their slices."""
    rows = np.flatnonzero((split.items["case"] == case) & (split.items["frame"] == frame))
    return rows[np.argsort(split.items["slice"][rows])]


def roll(
    model: Any, field: str, split: FrameSplit, case: int, start: int, horizon: int, *, straight: bool, device: str
) -> Iterator[tuple[int, Tensor, Batch]]:
    """Predict frames from ``start`` on, each from those before it, and hand out the answers in batches.

    What a model does not predict is true (the temperature of colors), or stays as it was (the colors of a
    temperature). How predictions become frames again: :func:`next_frame`.

    Yields:
        The step, from 0; the answers (B, C, H, W), in physical units; and the true batch to judge them by.
    """
    track = RolledTrack(split.data.tracks[case], start - 1, straight=straight)
    seen = FrameSplit(_with_track(split.data, case, track, model.inputs), split.items)
    true = FrameSplit(_with_track(split.data, case, split.data.tracks[case], ()), split.items)
    hidden = (*ANSWERS, *FUTURE) if field == "temperature" else ANSWERS
    for step in range(horizon):
        rows = _rows(split, case, start + step)
        answers: dict[str, list[NDArray[np.float32]]] = {}
        for part in np.split(rows, range(BATCH, len(rows), BATCH)):
            batch = {name: value.to(device) for name, value in seen.fetch(part.tolist()).items() if name not in hidden}
            fields = {name: value.float().cpu() for name, value in _forecast(model, field, batch).items()}
            for name, value in fields.items():
                answers.setdefault(name, []).append(value.numpy())
            yield step, fields[field], true.fetch(part.tolist())
        volumes = {name: stack_slices(np.concatenate(parts), split.data.plane) for name, parts in answers.items()}
        track.predicted[start + step] = next_frame(track, start + step, **volumes)


def _with_track(data: FrameData, case: int, track: Track, inputs: Sequence[str]) -> FrameData:
    changed = copy.copy(data)
    changed.tracks = [track if index == case else other for index, other in enumerate(data.tracks)]
    changed.inputs = tuple(inputs)
    return changed


def _forecast(model: Any, field: str, batch: Batch) -> dict[str, Tensor]:
    """Every field of the next frame that a model predicts: its ``forecast``, where it has one, else its answer."""
    forecast = getattr(model, "forecast", None)
    found: dict[str, Tensor] = {field: model.predict(batch)} if forecast is None else forecast(batch)
    return found


def next_frame(
    track: RolledTrack,
    index: int,
    *,
    temperature: NDArray[np.float32] | None = None,
    ipf: NDArray[np.float32] | None = None,
) -> Frame:
    """A predicted frame in the form of the data, so that a model can go on from it.

    Colors are rounded to 256 levels. A cell is molten where its brightest channel is less than half of that of
    a typical solid cell (the median in the last known frame), since a prediction is a color times the chance of
    being solid; its colors then are 0, as in the data. Where no colors are predicted, a cell is molten at or above
    liquidus, and the others keep the colors of the frame before, which may be none. A temperature that is not
    predicted is the true one. Missing cells are those of the true frame.

    Args:
        temperature: K, (1, X, Y, Z), or None.
        ipf: colors in [0, 1], (9, X, Y, Z), or None.
    """
    true_temperature, _, _, valid = track.source.frame(index)
    kelvin = true_temperature if temperature is None else temperature[0]
    if ipf is None:
        colors = track.frame(index - 1)[1]
        molten = kelvin >= track.case.liquidus
    else:
        colors = np.rint(255 * ipf.clip(0, 1)).astype(np.uint8)
        molten = colors.max(axis=0) < typical_brightness(track.frame(track.last)) / 2
    kelvin = np.where(valid, kelvin, np.float32(track.case.solidus))
    return kelvin, np.where(molten | ~valid, np.uint8(0), colors), molten & valid, valid


def typical_brightness(frame: Frame) -> float:
    """The median over solid cells of the largest of their nine channels, in 255ths; 255 without solid cells."""
    _, ipf, molten, valid = frame
    solid = valid & ~molten
    return float(np.median(ipf.max(axis=0)[solid])) if solid.any() else 255.0


def rollout(run: Answering, split: FrameSplit, rows: Sequence[int], folder: Path) -> list[Path]:
    """Error against horizon beside the baselines', over half of the split's frames in a row and one more."""
    from lasernet.viz.rollout import error_against_horizon

    field = "temperature" if split.data.task == "temperature" else "ipf"
    horizon = longest_horizon(split) // 2 + 1  # about as many starts are left
    found = roll_out(field, run, run.baselines(), split, horizon).report()
    curves: dict[str, dict[str, list[float | None]]] = {}
    for step in found["steps"].values():
        for label, scores in {run.run.model_name: step["metrics"], **step["baselines"]}.items():
            for region in ("all", "active"):
                curves.setdefault(label, {}).setdefault(region, []).append(scores[region]["mse"])
    title = f"{found['starts']} starts"
    if field == "ipf":
        title += ", temperature predicted too" if found["temperature"] == "predicted" else ", true temperature given"
    unit = "K²" if field == "temperature" else ""
    return [error_against_horizon(curves, folder / "rollout.png", unit=unit, title=title)]

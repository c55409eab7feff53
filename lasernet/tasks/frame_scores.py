"""Predictions of frames, scored: errors by region, melt pools, skill against the baselines on the same items."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lasernet.data.base import Batch
from lasernet.data.sequences import FrameSplit
from lasernet.metrics.gate import GateScores
from lasernet.metrics.melt_pool import MeltPoolScores
from lasernet.metrics.regions import RegionScores, Scores
from lasernet.metrics.sharpness import SharpnessScores
from lasernet.metrics.skill import resampling_blocks, skill
from lasernet.tasks.frame_microstructure import GrainJudge
from lasernet.tasks.frame_volumes import stack_slices

Band = tuple[float, float]


class Answers:
    """What is measured of one answerer on items of a split: errors by region; sharpness of colors; melt pools.

    Args:
        field: ``ipf`` or ``temperature``.
        grains: judges the grains of colors, where that is wanted.
        gate: judges chances of freezing, where the answerer gives them.
    """

    def __init__(
        self, field: str, split: FrameSplit, *, grains: GrainJudge | None = None, gate: GateScores | None = None
    ) -> None:
        self.gate = gate
        self.scores, self.grains = RegionScores(field), grains
        self.pools = MeltPoolScores() if field == "temperature" else None
        self.sharpness = SharpnessScores() if field == "ipf" else None
        self._split = split
        self._slices: dict[tuple[int, int], dict[int, NDArray[np.float32]]] = {}

    def update(self, answer: Tensor, batch: Batch) -> None:
        """Take in answers (B, C, H, W) to a batch of the split."""
        self.scores.update(answer, batch)
        if self.sharpness is not None:
            self.sharpness.update(answer, batch)
        if self.grains is not None:
            self.grains.update(answer, batch)
        if self.pools is None:
            return
        for image, row in zip(answer.numpy(), batch["item"].tolist(), strict=True):
            case, position, frame = (int(value) for value in self._split.items[row])
            images = self._slices.setdefault((case, frame), {})
            images[position] = image
            if len(images) == self._split.data.slice_count(case):  # a pool is measured in whole volumes
                self._measure(case, frame, np.stack([image for _, image in sorted(images.items())]))
                del self._slices[case, frame]

    def _measure(self, case: int, frame: int, images: NDArray[np.float32]) -> None:
        assert self.pools is not None
        track = self._split.data.tracks[case]
        truth, _, _, valid = track.frame(frame)
        predicted = stack_slices(images, self._split.data.plane)[0]
        self.pools.update(
            (case, frame),
            np.where(valid, predicted, np.float32(track.case.solidus)),
            truth,
            spacing=[track.spacing[axis] for axis in "xyz"],
            liquidus=track.case.liquidus,
            velocity=track.case.scan_velocity,
        )


@dataclass(frozen=True)
class FrameScores:
    """One run's predictions of one split, scored, with its baselines' beside them.

    Attributes:
        rollout: the same run applied to its own predictions, where that was asked for.
    """

    answers: Answers
    baselines: dict[str, Answers]
    split: FrameSplit
    rollout: Mapping[str, Any] | None = None

    @property
    def items(self) -> NDArray[np.void]:
        """The items that were answered."""
        return self.split.items

    def report(self) -> dict[str, Any]:
        """Errors by region, the baselines' beside them, and the skill against each."""
        blocks, description = self._blocks()
        own = self.answers.scores
        found: dict[str, Any] = {
            "items": len(self.split),
            "metrics": own.compute(),
            "baselines": {label: one.scores.compute() for label, one in self.baselines.items()},
            "skill": {
                label: skill(own.items(), one.scores.items(), blocks) if len(self.split) else {}
                for label, one in self.baselines.items()
            },
            "intervals": description if len(self.split) else None,
        }
        if self.answers.pools is not None:
            pools = {label: one.pools.compute() for label, one in self.baselines.items() if one.pools is not None}
            found["melt_pool"] = {"metrics": self.answers.pools.compute(), "baselines": pools}
        if self.answers.sharpness is not None:
            others = {
                label: one.sharpness.compute() for label, one in self.baselines.items() if one.sharpness is not None
            }
            found["sharpness"] = {"metrics": self.answers.sharpness.compute(), "baselines": others}
        if self.answers.grains is not None:
            grains = {label: one.grains.compute() for label, one in self.baselines.items() if one.grains is not None}
            found["grains"] = {"metrics": self.answers.grains.compute(), "baselines": grains}
        gates = {label: one.gate.compute() for label, one in self.baselines.items() if one.gate is not None}
        if self.answers.gate is not None:
            found["gate"] = {"metrics": self.answers.gate.compute(), "baselines": gates}
        if len(cases := np.unique(self.items["case"])) > 1:
            found["cases"] = {self.split.data.case_names[case]: self._of_case(case) for case in cases.tolist()}
        if self.rollout is not None:
            found["rollout"] = self.rollout
        return found

    def _of_case(self, case: int) -> dict[str, Any]:
        """Items, cells and MSE by region of one case, and the baselines' MSE."""
        rows = self.items["case"] == case

        def part(answers: Answers) -> Scores:
            return answers.scores.items().select(rows).scores()

        def errors(answers: Answers) -> dict[str, float | int | None]:
            return {region: one["mse"] for region, one in part(answers).items()}

        return {
            "items": int(rows.sum()),
            "cells": {region: one["cells"] for region, one in part(self.answers).items()},
            "mse": errors(self.answers),
            "baselines": {label: errors(one) for label, one in self.baselines.items()},
        }

    def improvement(self, first: FrameScores) -> dict[str, Any]:
        """By how many percent the MSE is lower than that of ``first``, by region, with 95 % intervals."""
        found = skill(self.answers.scores.items(), first.answers.scores.items(), self._blocks()[0])
        return {
            region: {"percent" if key == "mse" else key: None if v is None else 100 * v for key, v in values.items()}
            for region, values in found.items()
        }

    def _blocks(self) -> tuple[Any, dict[str, object]]:
        if not len(self.split):
            return None, {}
        return resampling_blocks(self.split.items, slices_per_block=self.split.data.slices_per_grain())


def with_band(batch: Batch, band: Band | None) -> Batch:
    """A batch with another front band, in K."""
    if band is None:
        return batch
    low, high = (torch.full_like(batch["front_low"], end) for end in band)
    return {**batch, "front_low": low, "front_high": high}

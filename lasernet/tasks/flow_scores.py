"""Predictions of flows, scored: errors by component, permeability, conservation, skill against the baselines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lasernet.data.base import Batch
from lasernet.data.flows import FlowData, FlowSplit
from lasernet.metrics.flow_errors import FlowErrors
from lasernet.metrics.flow_physics import FlowPhysics
from lasernet.metrics.skill import RESAMPLES, skill
from lasernet.tasks.base import Answering

BATCH = 4


class Answers:
    """What is measured of one answerer on items of a split.

    Args:
        field: ``velocity`` or ``pressure``.
    """

    def __init__(self, field: str) -> None:
        self.errors = FlowErrors(field)
        self.physics = FlowPhysics() if field == "velocity" else None

    def update(self, answer: Tensor, batch: Batch) -> None:
        """Take in answers (B, C, Z, Y, X), m/s or Pa."""
        self.errors.update(answer, batch)
        if self.physics is not None:
            self.physics.update(answer, batch)

    def compute(self) -> dict[str, Any]:
        """Every number, by group."""
        return {**self.errors.compute(), **(self.physics.compute() if self.physics is not None else {})}


@dataclass(frozen=True)
class FlowScores:
    """One run's predictions of one split, scored, with its baselines' beside them."""

    answers: Answers
    baselines: dict[str, Answers]
    split: FlowSplit

    @property
    def items(self) -> NDArray[np.void]:
        """The items that were answered."""
        return self.split.items

    def report(self) -> dict[str, Any]:
        """Errors, the baselines' beside them, skill against each, and permeability tensors where they are known."""
        groups, own = self.items["group"].astype(np.int64), self.answers.errors.items()
        found: dict[str, Any] = {
            "items": len(self.split),
            "metrics": self.answers.compute(),
            "baselines": {label: one.compute() for label, one in self.baselines.items()},
            "skill": {
                label: skill(own, one.errors.items(), groups) if len(self.split) else {}
                for label, one in self.baselines.items()
            },
            "intervals": {
                "unit": "geometry", "count": len(np.unique(groups)), "scope": "geometries like these",
                "resamples": RESAMPLES,
            },
        }  # fmt: skip
        if self.answers.physics is not None and self.split.data.whole:
            found["metrics"]["permeability"]["tensor_error"] = self._tensor_error(self.answers.physics)
            for label, one in self.baselines.items():
                assert one.physics is not None
                found["baselines"][label]["permeability"]["tensor_error"] = self._tensor_error(one.physics)
        return found

    def improvement(self, first: FlowScores) -> dict[str, Any]:
        """By how many percent the squared error is lower than that of ``first``, by component, with 95 % intervals."""
        groups = self.items["group"].astype(np.int64)
        found = skill(self.answers.errors.items(), first.answers.errors.items(), groups)
        return {
            region: {"percent" if key == "mse" else key: None if v is None else 100 * v for key, v in values.items()}
            for region, values in found.items()
        }

    def _tensor_error(self, physics: FlowPhysics) -> float | None:
        """Mean over geometries driven along x and along y of ‖K' − K‖/‖K‖ (Frobenius) of the tensor in the plane.

        A column of the tensor is what one of the two flows carries along and across its own direction.
        """
        along, across = physics.of("predicted"), physics.of("across")
        true_along, true_across = physics.of("true"), physics.of("true_across")
        shelves = self.split.data.shelves
        errors = []
        for group in np.unique(self.items["group"]):
            rows = np.flatnonzero(self.items["group"] == group)
            if {shelves[self.items["case"][row]].turned for row in rows} != {False, True} or len(rows) != 2:
                continue
            missed = (along[rows] - true_along[rows]) ** 2 + (across[rows] - true_across[rows]) ** 2
            errors.append(float(np.sqrt(missed.sum() / (true_along[rows] ** 2 + true_across[rows] ** 2).sum())))
        return float(np.mean(errors)) if errors else None


@torch.no_grad()
def judge(
    run: Answering, baselines: Mapping[str, Any], data: FlowData, split: str, *, device: str = "cpu"
) -> FlowScores:
    """Predict every item of a split, with the run and with each baseline."""
    chosen = data.split(split)
    own, others = Answers(data.target), {label: Answers(data.target) for label in baselines}
    for start in range(0, len(chosen), BATCH):
        batch = chosen.fetch(range(start, min(start + BATCH, len(chosen))))
        there = {name: value.to(device) for name, value in batch.items()}
        own.update(run.predict(there).cpu(), batch)
        for label, model in baselines.items():
            others[label].update(model.predict(batch), batch)
    return FlowScores(own, others, chosen)

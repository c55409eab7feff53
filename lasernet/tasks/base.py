"""A task: what the problem is. Its data, metrics, baselines and figures; models only by name."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor

from lasernet.data.base import Data
from lasernet.errors import OptionError
from lasernet.metrics.base import Batch, Metric
from lasernet.registry import suggestion


@dataclass(frozen=True)
class Baseline:
    """An honest reference: a registered model without gradients, under its name in tables."""

    label: str
    model: str
    options: Mapping[str, object] = field(default_factory=dict)


class Predictive(Protocol):
    """A model that answers."""

    def predict(self, batch: Batch) -> Tensor:
        """The answer, in physical units."""


@dataclass(frozen=True)
class Task:
    """One kind of problem.

    Attributes:
        data: class of the data; its keyword-only parameters are options of ``train``.
        default_data: the files used where none are named.
        metric: makes an empty metric.
        compare: (metric of the model, metric of a reference, split) → skill with intervals.
        intervals: split → how the intervals are made, in words and counts.
        baselines: what every answer is compared with.
        figures: name of a figure → function that draws it (see tasks/frame_figures.py).
        volumes: ending of a file → function that writes it (see tasks/frame_volumes.py).
        write_samples: (run, split, rows, path) → the answers in the data layout.
    """

    name: str
    data: Callable[..., Data]
    default_data: Callable[[], list[Path]]
    metric: Callable[[], Metric]
    compare: Callable[[Any, Any, Any], dict[str, dict[str, float | None]]]  # a metric and a split of the task's own
    intervals: Callable[[Any], dict[str, object]]
    baselines: tuple[Baseline, ...]
    figures: Mapping[str, Callable[..., list[Path]]]
    volumes: Mapping[str, Callable[..., list[Path]]]
    write_samples: Callable[..., Path]

    def answer(self, model: Predictive, batch: Batch) -> Tensor:
        """A model's answer to a batch, in physical units."""
        return model.predict(batch)


TASKS = {
    "microstructure": "lasernet.tasks.microstructure",
    "temperature": "lasernet.tasks.temperature",
}


def get_task(name: str) -> Task:
    """The task of that name.

    Raises:
        OptionError: if there is none.
    """
    module = TASKS.get(name)
    if module is None:
        raise OptionError(f"no task named '{name}'; {suggestion(name, list(TASKS))}")
    task: Task = importlib.import_module(module).TASK
    return task

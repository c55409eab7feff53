"""A task: what the problem is. Its data, how answers are judged, baselines and figures; models only by name."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from lasernet.data.base import Batch, Data, Split
from lasernet.errors import OptionError
from lasernet.registry import suggestion


@dataclass(frozen=True)
class Baseline:
    """An honest reference: a registered model without gradients, under its name in tables.

    Attributes:
        needs: fields that the data must hold for it to answer; without them it is left out.
    """

    label: str
    model: str
    options: Mapping[str, object] = field(default_factory=dict)
    needs: tuple[str, ...] = ()


class PostProcessing(Protocol):
    """What is asked of a model beside plain answers; its keyword-only parameters are options of ``eval``."""

    def __call__(self, ask: Callable[[Batch], Tensor], batch: Batch) -> Tensor:
        """Another answer than ``ask(batch)``, of the same shape and unit."""

    def describe(self) -> dict[str, float]:
        """Its options by name, for results and provenance."""


class Answering(Protocol):
    """A run that can answer: its directory, its model and its trained weights, in evaluation mode.

    Attributes:
        asked: of answers that are not plain ones: by which options.
        mark: the same in the form of a file name.
    """

    run: Any
    model: Any

    @property
    def asked(self) -> dict[str, float | bool]:
        """See above."""

    @property
    def mark(self) -> str:
        """See above."""

    def predict(self, batch: Batch) -> Tensor:
        """The model's answer to a batch, in physical units, without gradients, post-processed where that was asked."""

    def baselines(self) -> dict[str, Any]:
        """The task's baselines by label, fitted on the run's training items."""


class Judged(Protocol):
    """The answers of one run to one split, scored."""

    items: NDArray[np.void]

    def report(self) -> dict[str, Any]:
        """The parts ``items``, ``metrics``, ``baselines``, ``skill`` and ``intervals`` of the JSON of ``eval``."""

    def improvement(self, first: Any) -> dict[str, Any]:
        """How much better this is than ``first``, another run's on the same items, in %, by region or descriptor."""


@dataclass(frozen=True)
class Request:
    """What a user asks ``sample`` for.

    Attributes:
        n: how many items.
        data: whether other data than the run's own were named.
        split, item: which items a predictive model answers (the test split where none is named); ``item`` is one by
            its number.
        out: where to, None for the default place in the run directory.
        seed: of the draws of a generative model.
        options: further options of a generative model's ``sample``.
    """

    n: int = 64
    data: bool = False
    split: str | None = None
    item: int | None = None
    out: Path | None = None
    seed: int | None = None
    options: Mapping[str, object] = field(default_factory=dict)


def _none(run: Answering, split: Split) -> set[str]:
    """Every figure applies."""
    return set()


@dataclass(frozen=True)
class Task:
    """One kind of problem.

    Attributes:
        name: of the task.
        data: class of the data; its keyword-only parameters are options of ``train``.
        default_data: the files used where none are named.
        judge: (run, its fitted baselines by label, data, split, **options of ``eval``) → the answers, scored.
        baselines: what every answer is compared with.
        figures: name of a figure → function that draws it: (run, split, rows, folder) → files.
        comparisons: name of a figure of several runs → function that draws it: (runs, split, rows, folder) → files.
        shown: the figures that are drawn where none are named; ``losses`` are those of every model.
        unavailable: (run, split) → the figures that do not apply, which ``all`` leaves out.
        volumes: ending of a file → function that writes it (see tasks/frame_volumes.py).
        choose: (split, item=, position=, timestep=, n=) → the rows of a split to draw.
        sample: (run, open, folder, request) → what was written; ``open()`` gives the run's data.
        post_processing: class of what may be asked beside plain answers, if anything may.
    """

    name: str
    data: Callable[..., Data]
    default_data: Callable[[], list[Path]]
    judge: Callable[..., Any]  # a Judged, whose improvement knows its own kind only
    figures: Mapping[str, Callable[..., list[Path]]]
    shown: tuple[str, ...]
    volumes: Mapping[str, Callable[..., list[Path]]]
    choose: Callable[..., list[int]]
    sample: Callable[..., Path]
    baselines: tuple[Baseline, ...] = ()
    unavailable: Callable[..., set[str]] = _none
    comparisons: Mapping[str, Callable[..., list[Path]]] = field(default_factory=dict)
    post_processing: Callable[..., PostProcessing] | None = None


TASKS = {
    "microstructure": "lasernet.tasks.microstructure",
    "temperature": "lasernet.tasks.temperature",
    "synthesis": "lasernet.tasks.synthesis",
    "flow": "lasernet.tasks.flow",
    "flow-pressure": "lasernet.tasks.flow_pressure",
}


POST_PROCESSING = ("unsharp", "unsharp_radius", "project", "window", "overlap")  # options of any task's post-processing


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

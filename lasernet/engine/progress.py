"""How far a training is: all of its state beside tensors, as plain numbers that JSON keeps exactly."""

from __future__ import annotations

import dataclasses
import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

log = logging.getLogger(__name__)


@dataclass
class Progress:
    """Counters of a training.

    Attributes:
        step: updates taken.
        judged: value of ``step`` at the last validation (-1: none yet).
        best, best_epoch: lowest validation loss so far and its epoch.
        worse_epochs: epochs since then, for early stopping.
        plateau_epochs, halvings: state of the plateau schedule.
        seconds, cpu_seconds: wall time and processor time of training in all sessions.
        sums, items: log columns of the running epoch, as sums over items.
        scaler: scale and growth counter of fp16 gradients.
    """

    step: int = 0
    judged: int = -1
    best: float | None = None
    best_epoch: int = 0
    worse_epochs: int = 0
    plateau_epochs: int = 0
    halvings: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    sums: dict[str, float] = field(default_factory=dict)
    items: dict[str, float] = field(default_factory=dict)
    scaler: dict[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """A JSON object from which :meth:`from_json` rebuilds the same state."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Progress:
        """The state stored by :meth:`to_json`.

        Raises:
            ValueError: if a counter is of another type, or two contradict each other.
            TypeError: if there are others.
        """
        found = cls(**content)
        if not all(_fits(value, like) for value, like in zip(vars(found).values(), vars(cls()).values(), strict=True)):
            raise ValueError("its counters have other types")
        if found.step < 0 or found.sums.keys() != found.items.keys():
            raise ValueError("its counters contradict each other")
        found.sums = {name: math.nan if value is None else value for name, value in found.sums.items()}
        return found

    def add(self, column: str, value: float, items: int) -> None:
        """Count a mean over some items towards the epoch's mean of a log column."""
        self.sums[column] = self.sums.get(column, 0.0) + value * items
        self.items[column] = self.items.get(column, 0.0) + items

    def judge(self, loss: float | None, epoch: int, *, patience: int) -> bool:
        """Take in a validation loss; True if the weights are the best so far."""
        better = loss is None or self.best is None or loss < self.best
        if better:
            self.best, self.best_epoch = loss, epoch
            self.worse_epochs = self.plateau_epochs = 0
        else:
            self.worse_epochs += 1
            self.plateau_epochs += 1
            if self.plateau_epochs > patience:
                self.halvings += 1
                self.plateau_epochs = 0
        return better


def _fits(value: object, like: object) -> bool:
    """Whether a JSON value is of the kind of another: a whole number, a number (or none), or an object of them."""
    if isinstance(like, dict):
        return isinstance(value, dict) and all(_fits(part, None) for part in value.values())
    if isinstance(value, float):
        return math.isfinite(value) and not isinstance(like, int)
    return (value is None and like is None) or type(value) is int


class Reporter(Protocol):
    """Who is told how a training goes."""

    def start(self, text: str, steps: int, done: int) -> None:
        """Training begins or goes on."""

    def step(self, done: int) -> None:
        """An update was taken."""

    def epoch(self, row: Mapping[str, Any], epochs: int) -> None:
        """An epoch ended; ``row`` is its line in metrics.jsonl."""

    def note(self, text: str) -> None:
        """Something the user should know."""


class LogReporter:
    """Reports through ``logging``: what the Python interface does."""

    def start(self, text: str, steps: int, done: int) -> None:
        log.info("%s", text)

    def step(self, done: int) -> None:
        return

    def epoch(self, row: Mapping[str, Any], epochs: int) -> None:
        log.info("epoch %s/%s: %s", row["epoch"], epochs, {k: v for k, v in row.items() if k.endswith("loss")})

    def note(self, text: str) -> None:
        log.warning("%s", text)

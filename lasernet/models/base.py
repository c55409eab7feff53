"""What every model is: a module that takes batches in physical units and knows how it learns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn

from lasernet.losses.base import Batch, Criterion
from lasernet.metrics.image import mean_gradient

Terms = dict[str, Tensor]


@dataclass(frozen=True)
class Phase:
    """One optimizer's turn within an update.

    Attributes:
        name: of the optimizer, the learning rate and the log columns of this turn.
        trains: exactly what may learn in this turn; everything else is frozen.
        loss: batch and criterion → what to minimise, and terms to log. ``batch["seed"]`` holds a number for each
            item, of this update and turn alone: randomness made of it does not depend on how many processes share
            the batch (see :func:`lasernet.nn.noise.normal`).
        every: take the turn on every n-th update only.
        lr: learning rate of this turn as a multiple of ``--lr``.
        schedule: share of the training done, in [0, 1) → factor of the learning rate; None follows ``--schedule``.
    """

    name: str
    trains: nn.Module
    loss: Callable[[Batch, Criterion | None], tuple[Tensor, Terms]]
    every: int = 1
    lr: float = 1.0
    schedule: Callable[[float], float] | None = None


@dataclass(frozen=True)
class Part:
    """An option that names a run, of which the constructor is given the model; without a run it is given None.

    The run's weights are in the model while a new run is being trained, and when the new run is loaded, they
    come with its own weights: whatever of them is needed must be in the state of the model that takes them.

    Attributes:
        task: which the run must answer.
        same: options of the data that must be those of the new run.
    """

    task: str
    same: tuple[str, ...] = ()


class Model(nn.Module):
    """Base of all models. A subclass needs a constructor with keyword-only options and ``forward``.

    ``forward(batch)`` answers the task's target in physical units: (B, 9, H, W) colors in [0, 1] for
    the microstructure, (B, 1, H, W) in K for the temperature.
    """

    tasks: ClassVar[tuple[str, ...]] = ("microstructure",)
    default_loss: ClassVar[str | None] = "mse"  # None: the model brings its own, and --loss is refused
    inputs: tuple[str, ...] = ()  # derived fields wanted in the batch, see data/derived.py
    defaults: ClassVar[dict[str, object]] = {}  # of shared options, where this model needs others
    presets: ClassVar[dict[str, dict[str, object]]] = {}
    fit_items: ClassVar[int | None] = None  # of many training items, ``fit`` is shown so many; None: all
    parts: ClassVar[Mapping[str, Part]] = {}  # options that name runs, annotated as str | Model | None
    only_learns: ClassVar[tuple[str, ...]] = ()  # parts that answering does not need; not in a run's weights files
    chance: Any = None  # batch → chance of being solid at t+1, (B, 1, H, W), NaN where nothing is decided
    sharp: Any = None  # a predictive model's method: batch → an answer without mixtures, such as colors that exist
    sources: Any = None  # of which cell of frame t each cell of it is a copy, see :meth:`GrainFront.sources`
    sample: ClassVar[Any] = None  # a generative model's method: (seeds, *, its options) → draws, what was asked of each

    def fit(self, batches: Iterable[Batch]) -> None:
        """Estimate what is no gradient's business (scales, thresholds) from training batches."""

    def loss(self, batch: Batch, criterion: Criterion | None) -> tuple[Tensor, Terms]:
        """The objective of the only phase: the criterion on prediction and target.

        The mean absolute gradients of both are logged beside it: a blurred prediction has the smaller one.
        """
        assert criterion is not None
        prediction = self(batch)
        total, terms = criterion(prediction, batch["target"], batch)
        terms["gradient_prediction"] = mean_gradient(prediction.detach(), batch["mask"])
        terms["gradient_target"] = mean_gradient(batch["target"], batch["mask"])
        return total, terms

    def predict(self, batch: Batch) -> Tensor:
        """The answer to the task's question, in physical units and within their range."""
        prediction: Tensor = self(batch)
        return prediction

    def validate(self, batches: Iterable[Batch]) -> dict[str, float] | None:
        """Statistics of all validation items together; the lowest ``loss`` chooses the best weights.

        None, the usual case, stands for the means of :meth:`loss` over the items. Every process computes these
        over all items, since statistics of sets cannot be averaged over parts.
        """
        return None

    def watch(self) -> Tensor | None:
        """The same few draws at every call, (N, 1, H, W) in [0, 1]: frames of a film of the training."""
        return None

    def phases(self) -> list[Phase]:
        """The optimizers' turns; without trainable parameters there are none."""
        return [Phase("model", self, self.loss)] if count_parameters(self) else []


def count_parameters(model: nn.Module) -> int:
    """Trainable parameters, each shared tensor counted once."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)

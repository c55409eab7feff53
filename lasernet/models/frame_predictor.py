"""A predictor of the next frame: a network between a question to it and the meaning of its outputs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar, Protocol

import torch
from torch import Tensor, nn

from lasernet.errors import OptionError
from lasernet.losses.base import Batch, Criterion
from lasernet.metrics.image import mean_gradient
from lasernet.models.base import Terms
from lasernet.models.frame_options import CopyFrom, TemperatureScale
from lasernet.models.next_colors import NextColors
from lasernet.models.next_temperature import NextTemperature
from lasernet.models.scaled_frames import ScaledFrames
from lasernet.nn.convlstm import at_least_float32


class Question(Protocol):
    """What a network is shown of a batch, and what its outputs mean.

    Attributes:
        channels: of each frame that it is shown.
        outputs: channels of its answer.
        further_frames: how many it is shown beside those of the context.
        inputs: derived fields that are wanted in the batch.
        starts_at_reference: whether outputs of zero are the best first answer.
        fits: names of numbers that :meth:`fit` finds; the model keeps them.
    """

    channels: int
    outputs: int
    further_frames: int
    inputs: tuple[str, ...]
    starts_at_reference: bool
    fits: tuple[str, ...]

    def fit(self, batches: Iterable[Batch]) -> dict[str, float]: ...
    def frames(self, batch: Batch, model: ScaledFrames) -> Tensor: ...
    def answer(self, output: Tensor, batch: Batch, model: ScaledFrames) -> Tensor: ...
    def limited(self, prediction: Tensor) -> Tensor: ...
    def unit(self, batch: Batch) -> Tensor | None: ...
    def terms(self, prediction: Tensor, batch: Batch) -> dict[str, Tensor]: ...


def question_of(task: str, *, residual: bool, copy_from: CopyFrom = "slice") -> Question:
    """What a network is asked in a task.

    Raises:
        OptionError: if the task is the temperature and a place is given to copy colors from.
    """
    if task != "temperature":
        return NextColors(residual=residual, copy_from=copy_from)
    if copy_from != "slice":
        raise OptionError(f"--copy-from {copy_from} has no effect with --task temperature; leave it out")
    return NextTemperature(residual=residual)


class FramePredictor(ScaledFrames):
    """Base of the networks that predict the next frame's colors or temperature.

    A subclass builds its network for ``question.channels`` and ``question.outputs`` and writes :meth:`network`;
    all else (scales, what may change, losses) is the same for every network.
    """

    tasks: ClassVar[tuple[str, ...]] = ("microstructure", "temperature")
    question: Question

    def __init__(
        self, *, task: str, residual: bool, copy_from: CopyFrom = "slice", temperature_scale: TemperatureScale
    ) -> None:
        super().__init__(temperature_scale)
        self.question = question_of(task, residual=residual, copy_from=copy_from)
        self.residual = residual
        self.inputs = self.question.inputs
        for name in self.question.fits:
            self.register_buffer(name, torch.tensor(0.0))

    def network(self, frames: Tensor) -> tuple[Tensor, Terms]:
        """Frames in network units (B, L, channels, H, W) → outputs (B, outputs, H, W).

        Returns:
            The outputs, unbounded, and what the network says beside them, for :meth:`further_losses`.
        """
        raise NotImplementedError

    def further_losses(self, beside: Terms, batch: Batch) -> Iterator[tuple[str, float, Tensor]]:
        """Name, weight and value of losses that a network has beside the criterion."""
        yield from ()

    def start_at_reference(self, last: nn.Module) -> None:
        """Let a network whose last layer is ``last`` answer zeros at first, where these are the reference."""
        assert isinstance(last, (nn.Conv2d, nn.Linear))
        assert last.bias is not None
        if self.question.starts_at_reference:
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)

    @torch.no_grad()
    def fit(self, batches: Iterable[Batch]) -> None:
        """What the question needs, and the range of temperatures of valid cells, in one pass."""
        for name, value in self.question.fit(self.fit_range(batches)).items():
            self.get_buffer(name).fill_(value)

    def forward(self, batch: Batch) -> Tensor:
        return self.answer(batch)[0]

    def answer(self, batch: Batch) -> tuple[Tensor, Terms]:
        """The next frame, in physical units but not clamped, and what the network says beside it."""
        output, beside = self.network(self.question.frames(batch, self))
        return self.question.answer(at_least_float32(output), batch, self), beside

    def predict(self, batch: Batch) -> Tensor:
        return self.question.limited(self(batch))

    def loss(self, batch: Batch, criterion: Criterion | None) -> tuple[Tensor, Terms]:
        """The criterion in the question's unit, and the network's further losses; all are logged."""
        assert criterion is not None
        prediction, beside = self.answer(batch)
        target, unit = batch["target"], self.question.unit(batch)
        judged = (prediction, target) if unit is None else (prediction / unit, target / unit)
        total, terms = criterion(*judged, batch)
        for name, weight, value in self.further_losses(beside, batch):
            total = total + weight * value
            terms[name] = value.detach()
        terms |= self.question.terms(prediction.detach(), batch)
        terms["gradient_prediction"] = mean_gradient(prediction.detach(), batch["mask"])
        terms["gradient_target"] = mean_gradient(target, batch["mask"])
        return total, terms

"""MLP: a fully connected network from all cells of the context to all cells of the next frame."""

from __future__ import annotations

from typing import Annotated, ClassVar

from torch import Tensor, nn

from lasernet.models.base import Terms
from lasernet.models.data_shape import Spec, check_shape, context_frames, image_size
from lasernet.models.frame_options import CopyFromOption, Residual, ScaleOption, check_dropout, check_sizes
from lasernet.models.frame_predictor import FramePredictor
from lasernet.models.published import MLP
from lasernet.models.scaled_frames import numbered
from lasernet.nn.mlp import MultilayerPerceptron
from lasernet.registry import register_model


@register_model("mlp")
class FrameMLP(FramePredictor):
    """Fully connected network on the flattened context, built for one image size and sequence length.

    What a convolution gains by sharing weights shows beside it: 419,946,071 parameters for colors of 47 × 465
    cells and three frames, 50,509,151 for the temperature (39,319,391 without the moved frame of ``residual``).
    """

    defaults: ClassVar[dict[str, object]] = {"epochs": 40, "lr": 1e-3, "warmup_steps": 100}
    presets: ClassVar[dict[str, dict[str, object]]] = {**MLP}

    def __init__(
        self,
        *,
        task: str = "microstructure",
        spec: Spec | None = None,
        hidden: Annotated[tuple[int, ...], "widths of the hidden layers"] = (512, 256),
        residual: Residual = True,
        copy_from: CopyFromOption = "slice",
        temperature_scale: ScaleOption = "undercooling",
        dropout: Annotated[float, "share of hidden units set to 0 in training"] = 0.0,
    ) -> None:
        super().__init__(task=task, residual=residual, copy_from=copy_from, temperature_scale=temperature_scale)
        check_sizes(hidden=min(hidden, default=0))
        check_dropout(dropout)
        rows, columns = image_size(spec)
        frames = context_frames(spec) + self.question.further_frames
        self.expected = (frames, self.question.channels, rows, columns)
        cells = rows * columns
        self.perceptron = MultilayerPerceptron(
            frames * self.question.channels * cells, hidden, self.question.outputs * cells, dropout
        )
        self.start_at_reference(self.perceptron.head)

    def network(self, frames: Tensor) -> tuple[Tensor, Terms]:
        check_shape(frames, self.expected)
        output = self.perceptron(frames.flatten(1))
        return output.unflatten(1, (self.question.outputs, *self.expected[-2:])), {}

    def recorded_blocks(self) -> dict[str, nn.Module]:
        return numbered("hidden", self.perceptron.layers)

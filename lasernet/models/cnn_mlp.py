"""CNN-MLP: an encoder and a decoder of frames with a fully connected network between them."""

from __future__ import annotations

from typing import Annotated, ClassVar

from torch import Tensor, nn

from lasernet.models.base import Terms
from lasernet.models.data_shape import Spec, check_shape, context_frames, image_size
from lasernet.models.frame_network import FrameNetwork
from lasernet.models.frame_options import CopyFromOption, NormOption, Residual, ScaleOption, Skips, check_sizes
from lasernet.models.frame_predictor import question_of
from lasernet.models.published import CNN_MLP
from lasernet.nn.mlp import FrameMixer
from lasernet.registry import register_model


@register_model("cnn-mlp")
class CNNMLP(FrameNetwork):
    """Fully connected network over all encoded frames, between residual encoder and decoder.

    Built for one image size and sequence length, before the first update, so that all of it is trained.
    """

    defaults: ClassVar[dict[str, object]] = {"epochs": 40, "lr": 1e-3, "warmup_steps": 100}
    presets: ClassVar[dict[str, dict[str, object]]] = {**CNN_MLP}

    def __init__(
        self,
        *,
        task: str = "microstructure",
        spec: Spec | None = None,
        channels: Annotated[tuple[int, ...], "widths of the encoder, fine to coarse"] = (32, 64, 128, 256, 256),
        hidden: Annotated[tuple[int, ...], "widths of the hidden layers"] = (512, 256),
        skips: Skips = True,
        norm: NormOption = "group",
        residual: Residual = True,
        copy_from: CopyFromOption = "slice",
        temperature_scale: ScaleOption = "undercooling",
        dropout: Annotated[float, "share of channels set to 0 in training"] = 0.0,
    ) -> None:
        check_sizes(hidden=min(hidden, default=0), channels=channels)
        question = question_of(task, residual=residual, copy_from=copy_from)
        size = image_size(spec)
        frames = context_frames(spec) + question.further_frames
        rows, columns = (-(-side // 2 ** len(channels)) for side in size)
        super().__init__(
            FrameMixer(frames, channels[-1], (rows, columns), hidden, dropout),
            task=task,
            design="deep",
            hidden=channels[-1],
            channels=channels,
            skips=skips,
            norm=norm,
            residual=residual,
            copy_from=copy_from,
            temperature_scale=temperature_scale,
            dropout=dropout,
        )
        self.expected = (frames, question.channels, *size)

    def network(self, frames: Tensor) -> tuple[Tensor, Terms]:
        check_shape(frames, self.expected)
        return super().network(frames)

    def core_layers(self) -> nn.ModuleList:
        assert isinstance(self.core, FrameMixer)
        return self.core.perceptron.layers

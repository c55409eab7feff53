"""SimVP: the next frame from all frames of the context at once, without recurrence."""

from __future__ import annotations

from typing import Annotated, ClassVar

from torch import Tensor, nn

from lasernet.models.base import Terms
from lasernet.models.data_shape import Spec, check_shape, context_frames
from lasernet.models.frame_options import (
    CopyFromOption,
    NormOption,
    Residual,
    ScaleOption,
    check_dropout,
    check_sizes,
)
from lasernet.models.frame_predictor import FramePredictor
from lasernet.models.scaled_frames import numbered
from lasernet.nn.blocks import crop, pad_to_multiple
from lasernet.nn.simvp import SimVP
from lasernet.registry import register_model


@register_model("simvp")
class FrameSimVP(FramePredictor):
    """Encoder of each frame, gated attention over all frames together, decoder; built for one sequence length.

    984,873 parameters for three frames, each more adds 4,096. Gao et al. 2022, SimVP;
    its gated spatiotemporal attention: Tan et al. 2022.
    """

    defaults: ClassVar[dict[str, object]] = {"epochs": 40, "lr": 1e-3, "warmup_steps": 100}

    def __init__(
        self,
        *,
        task: str = "microstructure",
        spec: Spec | None = None,
        hidden: Annotated[int, "channels of each frame's features"] = 32,
        width: Annotated[int, "channels of the translator between encoder and decoder"] = 128,
        blocks: Annotated[int, "blocks of the translator"] = 4,
        levels: Annotated[int, "halvings of the resolution before the translator"] = 2,
        norm: NormOption = "group",
        residual: Residual = True,
        copy_from: CopyFromOption = "slice",
        temperature_scale: ScaleOption = "undercooling",
        dropout: Annotated[float, "share of the translator's channels set to 0 in training"] = 0.0,
    ) -> None:
        super().__init__(task=task, residual=residual, copy_from=copy_from, temperature_scale=temperature_scale)
        check_sizes(hidden=hidden, width=width, blocks=blocks, levels=levels)
        check_dropout(dropout)
        self.frames = context_frames(spec) + self.question.further_frames
        self.multiple = 2**levels
        self.net = SimVP(
            self.question.channels,
            self.question.outputs,
            frames=self.frames,
            hidden=hidden,
            width=width,
            blocks=blocks,
            levels=levels,
            norm=norm,
            dropout=dropout,
        )
        self.start_at_reference(self.net.head)

    def network(self, frames: Tensor) -> tuple[Tensor, Terms]:
        check_shape(frames, (self.frames, *frames.shape[2:]))
        images, size = pad_to_multiple(frames.flatten(0, 1), self.multiple)
        return crop(self.net(images.reshape(*frames.shape[:3], *images.shape[-2:])), size), {}

    def recorded_blocks(self) -> dict[str, nn.Module]:
        parts = (("context", self.net.encoder), ("translator", self.net.translator), ("decoder", self.net.decoder))
        return {name: block for part, blocks in parts for name, block in numbered(part, blocks).items()}

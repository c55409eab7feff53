"""PredRNN: stacked spatio-temporal LSTMs between an encoder and a decoder of frames."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from torch import Tensor

from lasernet.errors import OptionError
from lasernet.losses.base import Batch
from lasernet.models.base import Terms
from lasernet.models.frame_network import FrameNetwork
from lasernet.models.frame_options import (
    PAPER,
    AuxiliaryOption,
    CopyFromOption,
    DesignOption,
    NormOption,
    Residual,
    ScaleOption,
    Skips,
    TemporalAttentionOption,
    TransformerOption,
    check_sizes,
    check_weight,
    choose_design,
)
from lasernet.models.published import PREDRNN
from lasernet.nn.residual_unet import ResidualBlock
from lasernet.nn.stlstm import PredRNN as SpatioTemporalLSTM
from lasernet.registry import register_model


@register_model("predrnn")
class PredRNN(FrameNetwork):
    """PredRNN's zigzag memory on encoded frames; for colors, the future temperature is known.

    2,583,913 parameters with four layers; 2,537,833 without skips (a layer has 598,144). A decoupling weight
    adds a 1 × 1 convolution of 4,096. The design ``deep``, which also predicts temperatures, has residual blocks,
    one more of them before the memory, and biased gates.

    ``--cell dead-memory`` is the cell of a published source system (2,403,689; 2,357,609 without skips),
    kept to reproduce its counts and results: its spatio-temporal memory reaches no output, so that 884,736 of
    these parameters never learn anything.
    """

    defaults: ClassVar[dict[str, object]] = {"epochs": 40, "lr": 2e-3, "warmup_steps": 100}
    presets: ClassVar[dict[str, dict[str, object]]] = {"paper": PAPER, **PREDRNN}

    def __init__(
        self,
        *,
        task: str = "microstructure",
        rnn_layers: Annotated[int, "ST-LSTM layers"] = 4,
        hidden: Annotated[int, "channels of the ST-LSTM"] = 64,
        channels: Annotated[tuple[int, ...], "widths of the encoders, fine to coarse"] = (16, 32, 64),
        design: DesignOption = None,
        skips: Skips = True,
        norm: NormOption = "group",
        residual: Residual = True,
        copy_from: CopyFromOption = "slice",
        temperature_scale: ScaleOption = "undercooling",
        dropout: Annotated[float, "share of channels set to 0 in training"] = 0.0,
        cell: Annotated[
            Literal["zigzag", "dead-memory"], "PredRNN's cell, or a published one whose second memory has no effect"
        ] = "zigzag",
        decouple_weight: Annotated[float, "weight of the loss that keeps the two memories apart (PredRNN-V2)"] = 0.0,
        temporal_attention: TemporalAttentionOption = 0,
        transformer: TransformerOption = 0,
        auxiliary: AuxiliaryOption = 0.0,
    ) -> None:
        check_sizes(rnn_layers=rnn_layers, hidden=hidden, channels=channels)
        check_weight("decouple_weight", decouple_weight)
        if decouple_weight and cell == "dead-memory":
            raise OptionError(
                f"--decouple-weight {decouple_weight} with --cell dead-memory: that memory has no effect; "
                "expected --cell zigzag, or a weight of 0"
            )
        design = choose_design(design, task)
        core = SpatioTemporalLSTM(
            channels[-1],
            hidden,
            rnn_layers,
            memory=cell == "zigzag",
            decouple=decouple_weight > 0,
            bias=design == "deep",
        )
        super().__init__(
            core,
            task=task,
            design=design,
            hidden=hidden,
            channels=channels,
            skips=skips,
            norm=norm,
            residual=residual,
            copy_from=copy_from,
            temperature_scale=temperature_scale,
            dropout=dropout,
            temporal_attention=temporal_attention,
            transformer=transformer,
            auxiliary=auxiliary,
        )
        self.decouple_weight = decouple_weight
        wide = channels[-1]
        self.bottleneck = ResidualBlock(wide, wide, norm, dropout) if design == "deep" else None

    def remember(self, frames: Tensor) -> tuple[Tensor, Terms]:
        if self.bottleneck is not None:
            frames = self.bottleneck(frames.flatten(0, 1)).unflatten(0, frames.shape[:2])
        state, decoupling = self.core(frames)
        return state, {} if decoupling is None else {"decoupling": decoupling}

    def further_losses(self, beside: Terms, batch: Batch) -> Iterator[tuple[str, float, Tensor]]:
        """The similarity of what the two memories learn at each step, and the auxiliary losses."""
        if "decoupling" in beside:
            yield "decoupling", self.decouple_weight, beside["decoupling"]
        yield from super().further_losses(beside, batch)

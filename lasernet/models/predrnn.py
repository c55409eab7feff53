"""PredRNN: stacked spatio-temporal LSTMs between an encoder and a decoder of frames."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from torch import Tensor

from lasernet.errors import OptionError
from lasernet.losses.base import Batch, Criterion
from lasernet.metrics.image import mean_gradient
from lasernet.models.base import Terms
from lasernet.models.frame_network import FrameNetwork, check_sizes
from lasernet.nn.stlstm import PredRNN as SpatioTemporalLSTM
from lasernet.registry import register_model


@register_model("predrnn")
class PredRNN(FrameNetwork):
    """PredRNN's zigzag memory on encoded frames, with the future temperature as a forcing.

    2,583,913 parameters with four layers; 2,537,833 without skips (a layer has 598,144). A decoupling weight
    adds a 1 × 1 convolution of 4,096.

    ``--cell dead-memory`` is the cell of a published source system (2,403,689; 2,357,609 without skips),
    kept to reproduce its counts and results: its spatio-temporal memory reaches no output, so that 884,736 of
    these parameters never learn anything.
    """

    defaults: ClassVar[dict[str, object]] = {"epochs": 40, "lr": 2e-3, "warmup_steps": 100}

    def __init__(
        self,
        *,
        rnn_layers: Annotated[int, "ST-LSTM layers"] = 4,
        hidden: Annotated[int, "channels of the ST-LSTM"] = 64,
        channels: Annotated[tuple[int, ...], "widths of the encoders, fine to coarse"] = (16, 32, 64),
        skips: Annotated[bool, "pass features of the encoders to the decoder at equal resolution"] = True,
        norm: Annotated[Literal["group", "batch"], "normalize each item by itself, or the batch"] = "group",
        residual: Annotated[bool, "decide only about cells that may freeze; else regress every color"] = True,
        copy_from: Annotated[Literal["slice", "volume"], "where the nearest solid cell is looked for"] = "slice",
        temperature_scale: Annotated[
            Literal["undercooling", "range"], "asinh about liquidus, or linear in the range of training"
        ] = "undercooling",
        dropout: Annotated[float, "share of fused channels set to 0 in training"] = 0.0,
        cell: Annotated[
            Literal["zigzag", "dead-memory"], "PredRNN's cell, or a published one whose second memory has no effect"
        ] = "zigzag",
        decouple_weight: Annotated[float, "weight of the loss that keeps the two memories apart (PredRNN-V2)"] = 0.0,
    ) -> None:
        check_sizes(rnn_layers=rnn_layers, hidden=hidden, channels=channels)
        if not 0 <= decouple_weight < float("inf"):
            raise OptionError(f"--decouple-weight {decouple_weight}: expected 0 or more")
        if decouple_weight and cell == "dead-memory":
            raise OptionError(
                f"--decouple-weight {decouple_weight} with --cell dead-memory: that memory has no effect; "
                "expected --cell zigzag, or a weight of 0"
            )
        core = SpatioTemporalLSTM(
            channels[-1], hidden, rnn_layers, memory=cell == "zigzag", decouple=decouple_weight > 0
        )
        super().__init__(
            core,
            hidden=hidden,
            channels=channels,
            skips=skips,
            norm=norm,
            residual=residual,
            copy_from=copy_from,
            temperature_scale=temperature_scale,
            dropout=dropout,
        )
        self.decouple_weight = decouple_weight

    def remember(self, frames: Tensor) -> tuple[Tensor, Tensor | None]:
        state, decoupling = self.core(frames)
        return state, decoupling

    def loss(self, batch: Batch, criterion: Criterion | None) -> tuple[Tensor, Terms]:
        """The criterion, plus the weighted similarity of what the two memories learn at each step."""
        assert criterion is not None
        prediction, decoupling = self.answer(batch)
        total, terms = criterion(prediction, batch["target"], batch)
        if decoupling is not None:
            total = total + self.decouple_weight * decoupling
            terms["decoupling"] = decoupling.detach()
        terms["gradient_prediction"] = mean_gradient(prediction.detach(), batch["mask"])
        terms["gradient_target"] = mean_gradient(batch["target"], batch["mask"])
        return total, terms

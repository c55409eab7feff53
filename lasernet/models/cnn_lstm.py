"""CNN-LSTM: a convolutional LSTM between an encoder and a decoder of frames."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from lasernet.models.frame_network import FrameNetwork, check_sizes
from lasernet.nn.convlstm import ConvLSTM
from lasernet.registry import register_model


@register_model("cnn-lstm")
class CNNLSTM(FrameNetwork):
    """Convolutional LSTM on encoded frames, with the future temperature as a forcing.

    486,505 parameters; 440,425 without skips. A second layer adds 295,168.
    """

    # Without a warm-up, this rate ends at a tenth more validation error.
    defaults: ClassVar[dict[str, object]] = {"epochs": 40, "lr": 3e-3, "warmup_steps": 100}

    def __init__(
        self,
        *,
        rnn_layers: Annotated[int, "ConvLSTM layers"] = 1,
        hidden: Annotated[int, "channels of the ConvLSTM"] = 64,
        channels: Annotated[tuple[int, ...], "widths of the encoders, fine to coarse"] = (16, 32, 64),
        skips: Annotated[bool, "pass features of the encoders to the decoder at equal resolution"] = True,
        norm: Annotated[Literal["group", "batch"], "normalize each item by itself, or the batch"] = "group",
        residual: Annotated[bool, "decide only about cells that may freeze; else regress every color"] = True,
        copy_from: Annotated[Literal["slice", "volume"], "where the nearest solid cell is looked for"] = "slice",
        temperature_scale: Annotated[
            Literal["undercooling", "range"], "asinh about liquidus, or linear in the range of training"
        ] = "undercooling",
        dropout: Annotated[float, "share of fused channels set to 0 in training"] = 0.0,
    ) -> None:
        check_sizes(rnn_layers=rnn_layers, hidden=hidden, channels=channels)
        super().__init__(
            ConvLSTM(channels[-1], hidden, rnn_layers),
            hidden=hidden,
            channels=channels,
            skips=skips,
            norm=norm,
            residual=residual,
            copy_from=copy_from,
            temperature_scale=temperature_scale,
            dropout=dropout,
        )

"""CNN-LSTM: a convolutional LSTM between an encoder and a decoder of frames."""

from __future__ import annotations

from typing import Annotated, ClassVar

from lasernet.models.frame_network import FrameNetwork
from lasernet.models.frame_options import (
    PAPER,
    SHARP,
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
    choose_design,
)
from lasernet.models.published import CNN_LSTM
from lasernet.nn.convlstm import ConvLSTM
from lasernet.registry import register_model


@register_model("cnn-lstm")
class CNNLSTM(FrameNetwork):
    """Convolutional LSTM on encoded frames; for colors, the future temperature is known.

    486,505 parameters; 440,425 without skips. A second layer adds 295,168. The design ``deep``, which also
    predicts temperatures, has residual blocks and normalizes the state of the LSTM.
    """

    # Without a warm-up, this rate ends at a tenth more validation error.
    defaults: ClassVar[dict[str, object]] = {"epochs": 40, "lr": 3e-3, "warmup_steps": 100}
    presets: ClassVar[dict[str, dict[str, object]]] = {"paper": PAPER, **SHARP, **CNN_LSTM}

    def __init__(
        self,
        *,
        task: str = "microstructure",
        rnn_layers: Annotated[int, "ConvLSTM layers"] = 1,
        hidden: Annotated[int, "channels of the ConvLSTM"] = 64,
        channels: Annotated[tuple[int, ...], "widths of the encoders, fine to coarse"] = (16, 32, 64),
        design: DesignOption = None,
        skips: Skips = True,
        norm: NormOption = "group",
        residual: Residual = True,
        copy_from: CopyFromOption = "slice",
        temperature_scale: ScaleOption = "undercooling",
        dropout: Annotated[float, "share of channels set to 0 in training"] = 0.0,
        temporal_attention: TemporalAttentionOption = 0,
        transformer: TransformerOption = 0,
        auxiliary: AuxiliaryOption = 0.0,
    ) -> None:
        check_sizes(rnn_layers=rnn_layers, hidden=hidden, channels=channels)
        design = choose_design(design, task)
        deep = design == "deep"
        super().__init__(
            ConvLSTM(channels[-1], hidden, rnn_layers, normalized=deep, dropout=dropout if deep else 0.0),
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

"""PredRNN++: causal LSTMs and a gradient highway between an encoder and a decoder of frames."""

from __future__ import annotations

from typing import Annotated, ClassVar

from lasernet.errors import OptionError
from lasernet.models.frame_network import FrameNetwork
from lasernet.models.frame_options import (
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
from lasernet.nn.causal_lstm import PredRNNPlusPlus as CausalLSTM
from lasernet.registry import register_model


@register_model("predrnn++")
class PredRNNPlusPlus(FrameNetwork):
    """PredRNN++ on encoded frames: causal LSTMs, and a gradient highway above the first; else as predrnn.

    3,486,441 parameters with four layers. Wang et al. 2018, PredRNN++.
    """

    defaults: ClassVar[dict[str, object]] = {"epochs": 40, "lr": 2e-3, "warmup_steps": 100}

    def __init__(
        self,
        *,
        task: str = "microstructure",
        rnn_layers: Annotated[int, "causal LSTM layers, at least 2"] = 4,
        hidden: Annotated[int, "channels of the causal LSTM"] = 64,
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
        check_sizes(hidden=hidden, channels=channels)
        if rnn_layers < 2:
            raise OptionError(f"--rnn-layers {rnn_layers}: expected at least 2, the highway lies above the first")
        super().__init__(
            CausalLSTM(channels[-1], hidden, rnn_layers),
            task=task,
            design=choose_design(design, task),
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

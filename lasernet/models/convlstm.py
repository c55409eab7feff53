"""ConvLSTM at full resolution."""

from __future__ import annotations

from typing import Annotated, ClassVar

from lasernet.models.flat_network import FlatNetwork
from lasernet.models.frame_options import CopyFromOption, NormOption, Residual, ScaleOption, check_sizes
from lasernet.models.published import CONVLSTM
from lasernet.nn.convlstm import ConvLSTM
from lasernet.registry import register_model


@register_model("convlstm")
class FlatConvLSTM(FlatNetwork):
    """Convolutional LSTM at full resolution, without encoder and decoder.

    165,129 parameters for colors, 162,113 for the temperature. Each of them acts on every cell: on a CPU, ten
    times slower than cnn-lstm.
    """

    defaults: ClassVar[dict[str, object]] = {"epochs": 40, "lr": 2e-3, "warmup_steps": 100}
    presets: ClassVar[dict[str, dict[str, object]]] = {**CONVLSTM}

    def __init__(
        self,
        *,
        task: str = "microstructure",
        rnn_layers: Annotated[int, "ConvLSTM layers"] = 2,
        hidden: Annotated[int, "channels of the ConvLSTM"] = 32,
        features: Annotated[int, "channels of each frame's features"] = 32,
        norm: NormOption = "group",
        residual: Residual = True,
        copy_from: CopyFromOption = "slice",
        temperature_scale: ScaleOption = "undercooling",
        dropout: Annotated[float, "share of channels set to 0 in training"] = 0.0,
    ) -> None:
        check_sizes(rnn_layers=rnn_layers, hidden=hidden, features=features)
        super().__init__(
            ConvLSTM(features, hidden, rnn_layers, normalized=True, dropout=dropout),
            task=task,
            features=features,
            hidden=hidden,
            norm=norm,
            residual=residual,
            copy_from=copy_from,
            temperature_scale=temperature_scale,
            dropout=dropout,
        )

"""PredRNN at full resolution."""

from __future__ import annotations

from typing import Annotated, ClassVar

from torch import Tensor

from lasernet.models.flat_network import FlatNetwork
from lasernet.models.frame_options import CopyFromOption, NormOption, Residual, ScaleOption, check_sizes
from lasernet.models.published import PREDRNN_FLAT
from lasernet.nn.stlstm import PredRNN
from lasernet.registry import register_model


@register_model("predrnn-flat")
class PredRNNFlat(FlatNetwork):
    """PredRNN's zigzag memory at full resolution, without encoder and decoder.

    317,001 parameters for colors, 313,985 for the temperature. Each of them acts on every cell: on a CPU, much
    slower than predrnn.
    """

    defaults: ClassVar[dict[str, object]] = {"epochs": 40, "lr": 2e-3, "warmup_steps": 100}
    presets: ClassVar[dict[str, dict[str, object]]] = {**PREDRNN_FLAT}

    def __init__(
        self,
        *,
        task: str = "microstructure",
        rnn_layers: Annotated[int, "ST-LSTM layers"] = 2,
        hidden: Annotated[int, "channels of the ST-LSTM"] = 32,
        features: Annotated[int, "channels of each frame's features"] = 32,
        norm: NormOption = "group",
        residual: Residual = True,
        copy_from: CopyFromOption = "slice",
        temperature_scale: ScaleOption = "undercooling",
        dropout: Annotated[float, "share of channels set to 0 in training"] = 0.0,
    ) -> None:
        check_sizes(rnn_layers=rnn_layers, hidden=hidden, features=features)
        super().__init__(
            PredRNN(features, hidden, rnn_layers, bias=True),
            task=task,
            features=features,
            hidden=hidden,
            norm=norm,
            residual=residual,
            copy_from=copy_from,
            temperature_scale=temperature_scale,
            dropout=dropout,
        )

    def remember(self, frames: Tensor) -> Tensor:
        state: Tensor = self.core(frames)[0]
        return state

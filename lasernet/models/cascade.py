"""Cascade: the microstructure from a temperature that is itself predicted."""

from __future__ import annotations

from typing import Annotated, ClassVar

from torch import Tensor

from lasernet.data.sequences import ANSWERS, FUTURE
from lasernet.errors import OptionError
from lasernet.losses.base import Batch
from lasernet.models.base import Model, Part, Phase
from lasernet.registry import register_model

HIDDEN = (*ANSWERS, *FUTURE)  # of the batch: what the cascade must not be told


@register_model("cascade")
class Cascade(Model):
    """Temperature of one run, then microstructure of another from it: nothing of the future is given.

    Both parts are trained before, with the same ``--plane``, ``--seq-length`` and ``--crop-depth``; the cascade
    holds their weights and learns nothing itself.
    """

    parts: ClassVar[dict[str, Part]] = {
        "temperature": Part("temperature", same=("plane", "seq_length", "crop_depth")),
        "microstructure": Part("microstructure", same=("plane", "seq_length", "crop_depth")),
    }

    def __init__(
        self,
        *,
        temperature: Annotated[str | Model | None, "run directory that predicts the temperature"] = None,
        microstructure: Annotated[str | Model | None, "run directory that predicts the microstructure"] = None,
    ) -> None:
        super().__init__()
        if not (isinstance(temperature, Model) and isinstance(microstructure, Model)):
            missing = "--microstructure" if isinstance(temperature, Model) else "--temperature"
            raise OptionError(
                f"a cascade without {missing}; expected two finished runs; "
                "write 'lasernet train cascade --temperature RUN --microstructure RUN'"
            )
        self.temperature = temperature.requires_grad_(False)
        self.microstructure = microstructure.requires_grad_(False)
        self.inputs = tuple(dict.fromkeys([*temperature.inputs, *microstructure.inputs]))

    def forward(self, batch: Batch) -> Tensor:
        return self.forecast(batch)["ipf"]

    def forecast(self, batch: Batch) -> dict[str, Tensor]:
        """Both fields of frame t+1: ``temperature`` in K (B, 1, H, W), and ``ipf`` in [0, 1] (B, 9, H, W)."""
        known = {name: value for name, value in batch.items() if name not in HIDDEN}
        temperature = self.temperature.predict(known)
        return {
            "temperature": temperature,
            "ipf": self.microstructure.predict({**known, "future_temperature": temperature}),
        }

    def phases(self) -> list[Phase]:
        """None: both parts are trained already."""
        return []

"""A loss on gradients: the steps from cell to cell should be those of the truth, no more and no less."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from torch import Tensor

from lasernet.losses.base import Batch, Loss, difference
from lasernet.losses.neighbors import pair_mean
from lasernet.registry import register_loss

StepError = Literal["absolute", "squared"]


@register_loss("gradient")
class Gradient(Loss):
    """Difference between the spatial gradients of prediction and truth; 0 if they agree.

    Gradients are steps between neighboring cells that are both valid, along rows and columns, in the field's unit
    per cell. It does not see a constant offset, so it is added to a loss that does.
    """

    def __init__(
        self, *, error: Annotated[StepError, "compare by the absolute or the squared difference"] = "absolute"
    ) -> None:
        super().__init__()
        self.measure = torch.abs if error == "absolute" else torch.square

    def forward(self, prediction: Tensor, target: Tensor, batch: Batch) -> Tensor:
        return pair_mean(difference(prediction, target, batch), batch["mask"], self.measure)

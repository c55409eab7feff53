"""Total variation: a measure of how rough a prediction is, whatever the truth."""

from __future__ import annotations

import torch
from torch import Tensor

from lasernet.losses.base import Batch, Loss
from lasernet.losses.neighbors import pair_mean
from lasernet.registry import register_loss


@register_loss("total-variation")
class TotalVariation(Loss):
    """Mean absolute step between neighboring cells of the prediction; smooths, so add it with a small weight.

    The anisotropic total variation of Rudin, Osher & Fatemi (1992), Physica D 60, 259, divided by the number of
    valid pairs, so that a weight means the same at every size of image and batch.
    """

    def forward(self, prediction: Tensor, target: Tensor, batch: Batch) -> Tensor:
        return pair_mean(prediction, batch["mask"], torch.abs)

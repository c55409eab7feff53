"""Fluid that moves where it cannot: velocities on walls and in solids."""

from __future__ import annotations

import torch
from torch import Tensor

from lasernet.losses.base import Batch, Loss, require_field, widened
from lasernet.losses.flow import item_sums, largest, relative, require_velocity
from lasernet.nn.stencils import places
from lasernet.registry import register_loss


@register_loss("no-slip")
class NoSlip(Loss):
    """Mean square of the predicted velocity on walls and in solids over that of the truth in the fluid, of every item.

    Velocities on faces: all faces that are not between two fluid cells. In centers: solid cells. It is the one loss for
    which cells outside the mask count; a model that masks its answer has none of it.
    """

    def forward(self, prediction: Tensor, target: Tensor, batch: Batch) -> Tensor:
        require_velocity("no-slip", prediction)
        free = places(batch["mask"], require_field("no-slip", batch, "faces"))
        truth = widened(torch.where(free, target, 0))
        unit = largest(truth)
        return relative(_mean_squares(widened(prediction) / unit, ~free), _mean_squares(truth / unit, free))


def _mean_squares(values: Tensor, where: Tensor) -> Tensor:
    """Mean square of every item over some places, (B,); 0 for an item without any.

    Args:
        values: (B, C, Z, Y, X), finite.
        where: bool, of the same shape.
    """
    return item_sums(torch.where(where, values, 0).square()) / item_sums(where).clamp(min=1)

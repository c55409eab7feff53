"""Fluid that comes from nowhere: the divergence of a predicted velocity."""

from __future__ import annotations

import torch
from torch import Tensor

from lasernet.losses.base import Batch, Loss
from lasernet.losses.flow import item_sums, relative, scaled_flow
from lasernet.nn.stencils import COMPONENTS, divergence, per_item, slope, surrounded
from lasernet.registry import register_loss


@register_loss("divergence")
class Divergence(Loss):
    """Squared divergence of the prediction over the squared gradients of the true velocity, of every item.

    Velocities on faces: the net flux out of every fluid cell, none of it through walls. In centers: central differences
    in fluid cells whose neighbors are all fluid. The truth's gradients are all its nine slopes, by the same
    differences. It is 0 for a fluid at rest, so it is added to a loss that knows the truth.
    """

    def forward(self, prediction: Tensor, target: Tensor, batch: Batch) -> Tensor:
        flow = scaled_flow("divergence", prediction, target, batch)
        # A solid cell on faces has no flow through any of its walls, but slopes of the flow around it.
        cells = per_item(flow.faces) | surrounded(flow.fluid, flow.faces)
        sources = torch.where(cells, divergence(flow.prediction, flow.spacing, flow.faces), 0)
        slopes = [
            item_sums(torch.where(cells, slope(flow.truth, axis, flow.spacing, flow.faces), 0).square())
            for axis in range(COMPONENTS)
        ]
        return relative(item_sums(sources.square()), torch.stack(slopes).sum(0))

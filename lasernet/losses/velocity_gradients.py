"""Losses on how the error of a velocity varies: its gradients and its Laplacian beside those of the truth."""

from __future__ import annotations

import torch
from torch import Tensor

from lasernet.losses.base import Batch, Loss
from lasernet.losses.flow import ScaledFlow, item_sums, relative, scaled_flow
from lasernet.nn.stencils import COMPONENTS, laplacian, pairs, per_item, step, surrounded
from lasernet.registry import register_loss


@register_loss("smoothness")
class Smoothness(Loss):
    """Squared gradients of the error over the squared gradients of the true velocity, of every item.

    Gradients are all nine steps between neighbors over their distance. Velocities on faces: also the steps to walls, at
    which there is no flow. In centers: steps between fluid cells.

    DIFF penalized |∇u|²/|u|² of the prediction itself, which the flattest field makes smallest, and not the true one.
    """

    def forward(self, prediction: Tensor, target: Tensor, batch: Batch) -> Tensor:
        flow = scaled_flow("smoothness", prediction, target, batch)
        return relative(_squared_gradients(flow.prediction - flow.truth, flow), _squared_gradients(flow.truth, flow))


@register_loss("laplacian")
class Laplacian(Loss):
    """Squared Laplacian of the error over the squared Laplacian of the true velocity, of every item.

    Velocities on faces: at every face between fluid cells, with no flow on walls. In centers: in fluid cells whose
    neighbors are all fluid. μ times the Laplacian is the viscous force.

    DIFF penalized |∇²u|²/|u|² of the prediction itself, which would have no viscous force balance the pressure.
    """

    def forward(self, prediction: Tensor, target: Tensor, batch: Batch) -> Tensor:
        flow = scaled_flow("laplacian", prediction, target, batch)
        counted = torch.where(per_item(flow.faces), flow.free, surrounded(flow.free, flow.faces))
        error, true = (
            item_sums(torch.where(counted, laplacian(field, flow.spacing), 0).square())
            for field in (flow.prediction - flow.truth, flow.truth)
        )
        return relative(error, true)


def _squared_gradients(field: Tensor, flow: ScaledFlow) -> Tensor:
    """Sum over the steps that count along all axes, (B,)."""
    sums = []
    for axis in range(COMPONENTS):
        counted = per_item(flow.faces) | pairs(flow.free, axis, flow.faces)
        sums.append(item_sums(torch.where(counted, step(field, axis, flow.spacing), 0).square()))
    return torch.stack(sums).sum(0)

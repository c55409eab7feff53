"""Forces that do not balance: the residual of the equation of creeping flow."""

from __future__ import annotations

import torch
from torch import Tensor

from lasernet.errors import OptionError
from lasernet.losses.base import Batch, Loss, require_field, widened
from lasernet.nn.stencils import COMPONENTS, laplacian, per_item, places, pressure_gradient, surrounded
from lasernet.registry import register_loss

FIELDS = ("velocity", "pressure", "spacing", "faces", "gradient", "viscosity")
JUDGED = {COMPONENTS: "velocity", 1: "pressure"}


@register_loss("momentum")
class Momentum(Loss):
    """Mean square of |μ∇²u − ∇p + g·e_x| over g², away from walls: 0 where the forces on the fluid balance.

    A predicted velocity is judged with the true pressure, a predicted pressure with the true velocity; p is the
    pressure's periodic part, −g its mean gradient. What counts is where the velocity and all its neighbors are in the
    fluid: next to a wall, what a solver has left of the velocity on the wall would pass for a force. A fluid at rest
    without pressure scores 1. Errors that differ from cell to cell are divided by the square of the spacing, so it
    needs a small weight, the smaller the finer the grid.
    """

    def forward(self, prediction: Tensor, target: Tensor, batch: Batch) -> Tensor:
        """As for every loss; prediction and target may be scaled alike, the batch is in SI units.

        Raises:
            OptionError: if they are neither velocities nor pressures, or the batch lacks the other one.
        """
        judged = JUDGED.get(prediction.shape[1])
        if judged is None:
            raise OptionError(
                f"--loss momentum judges velocities (3 channels) and pressures (1), this task answers "
                f"{prediction.shape[1]}; choose a loss for any field, as mse or nmae"
            )
        fields = {name: require_field("momentum", batch, name) for name in FIELDS}
        fluid, faces = batch["mask"], fields["faces"]
        free = places(fluid, faces)
        inside = {"velocity": free, "pressure": fluid}
        flow = {name: widened(torch.where(where, fields[name], 0)) for name, where in inside.items()}
        where = inside[judged]
        own, given = (_span(widened(field), where) for field in (fields[judged], target))
        unit = torch.where(given > 0, own / torch.where(given > 0, given, 1), 1)
        flow[judged] = unit * widened(torch.where(where, prediction, 0))
        residual = _residual(flow["velocity"], flow["pressure"], fields)
        counted = surrounded(free, faces)
        squares = torch.where(counted, residual, 0).square().flatten(2).sum(2)
        return (squares / counted.flatten(2).sum(2).clamp(min=1)).sum(1).mean()


def _span(values: Tensor, where: Tensor) -> Tensor:
    """Largest minus smallest value of every item, (B, 1, 1, 1, 1); 0 for an item without any."""
    highest = torch.where(where, values, -torch.inf).flatten(1).amax(1)
    lowest = torch.where(where, values, torch.inf).flatten(1).amin(1)
    return per_item((highest - lowest).clamp(min=0))


def _residual(velocity: Tensor, pressure: Tensor, fields: Batch) -> Tensor:
    """(μ∇²u − ∇p)/g + e_x where the velocities are, (B, 3, Z, Y, X), with lengths in the smallest spacing h."""
    h = fields["spacing"].amin(1)
    spacing = fields["spacing"] / h[:, None]
    force = fields["gradient"] * h  # over a cell, Pa
    viscous = laplacian(velocity * per_item(fields["viscosity"] / h / force), spacing)
    residual = viscous - pressure_gradient(pressure / per_item(force), spacing, fields["faces"])
    along_x = torch.zeros(COMPONENTS, dtype=residual.dtype, device=residual.device)
    along_x[0] = 1
    return residual + along_x.reshape(1, -1, 1, 1, 1)

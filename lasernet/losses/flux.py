"""What flows through every cross-section: an incompressible fluid that enters must leave."""

from __future__ import annotations

from torch import Tensor

from lasernet.losses.base import Batch, Loss
from lasernet.losses.flow import relative, scaled_flow
from lasernet.registry import register_loss


@register_loss("flux")
class Flux(Loss):
    """Squared difference of the fluxes through all cross-sections from those of the truth, over the truth's squared.

    Q(x) = ∫ u_x dA, a sum over the section: one without fluid has flux 0, and none divides by its area. It is compared
    section by section, ⟨(Q(x) − Q*(x))²⟩ / ⟨Q*²⟩, rather than with its own mean: where the true flux Q* is constant,
    this is the variance of Q plus the squared error of its mean (which Darcy's permeability hangs on); where it is
    not, as with velocities in cell centers or open sides, a variance would punish the truth.
    """

    def forward(self, prediction: Tensor, target: Tensor, batch: Batch) -> Tensor:
        flow = scaled_flow("flux", prediction, target, batch)
        found, true = (velocity[:, 0].sum((1, 2)) for velocity in (flow.prediction, flow.truth))  # (B, X)
        return relative((found - true).square().sum(1), true.square().sum(1))

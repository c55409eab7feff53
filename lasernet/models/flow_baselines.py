"""Baselines of flow prediction: what a network must beat to have learned anything."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, ClassVar

import numpy as np
import torch
from torch import Tensor

from lasernet.errors import OptionError
from lasernet.losses.base import Batch
from lasernet.models.base import Model
from lasernet.models.baselines import require_fit
from lasernet.registry import register_model
from lasernet.simulate.stokes import solve_stokes, voxel_walls

BOTH = ("flow", "flow-pressure")
LEAST_SLIP = 2e-4  # beyond it, single precision has nothing to add


@register_model("lift-zero")
class LiftZero(Model):
    """Every slice by itself: its own 2D flow, or its own pressure; nothing flows from slice to slice."""

    tasks: ClassVar[tuple[str, ...]] = BOTH

    def __init__(self, *, task: str = "flow") -> None:
        super().__init__()
        self.field = {"flow": "velocity_2d", "flow-pressure": "pressure_2d"}[task]

    def forward(self, batch: Batch) -> Tensor:
        return batch[self.field]


@register_model("channel-flow")
class ChannelFlow(Model):
    """Darcy's law and nothing else: the faster the farther from walls, and a mean flow by the share of solid alone.

    Velocities point along x and grow with the square of the distance to the wall, as in a channel. ``fit`` finds the
    line through log K/d² over log(fluid share/solid share) on training items, d the mean distance. Its pressure is 0.
    """

    tasks: ClassVar[tuple[str, ...]] = BOTH
    inputs = ("distance",)
    line: Tensor

    def __init__(self, *, task: str = "flow") -> None:
        super().__init__()
        self.task = task
        self.register_buffer("line", torch.full((2,), float("nan"), dtype=torch.float64))

    @torch.no_grad()
    def fit(self, batches: Iterable[Batch]) -> None:
        if self.task == "flow-pressure":
            self.line.zero_()
            return
        found = []
        for batch in batches:
            size, odds = _pores(batch)
            mean = batch["velocity"][:, 0].double().flatten(1).mean(1)
            known = mean > 0
            share = mean * batch["viscosity"] / batch["gradient"] / size**2
            found += list(zip(odds[known].tolist(), share[known].log().tolist(), strict=True))
        odds, share = np.array(found).T
        slope = np.polyfit(odds, share, 1) if np.ptp(odds) > 0 else np.array([0.0, share.mean()])
        self.line.copy_(torch.from_numpy(slope))

    def forward(self, batch: Batch) -> Tensor:
        require_fit(self, self.line)
        if self.task == "flow-pressure":
            return torch.zeros_like(batch["mask"], dtype=batch["distance"].dtype)
        size, odds = _pores(batch)
        mean = (self.line[0] * odds + self.line[1]).exp() * size**2 * batch["gradient"] / batch["viscosity"]
        profile = torch.where(batch["mask"], batch["distance"], 0).double().square()
        along = profile * (mean / profile.flatten(1).mean(1)).reshape(-1, 1, 1, 1, 1)
        answer = torch.cat([along, torch.zeros_like(along), torch.zeros_like(along)], dim=1)
        return answer.to(batch["distance"].dtype)


def _pores(batch: Batch) -> tuple[Tensor, Tensor]:
    """Mean distance to the wall in the fluid, m, and the logarithm of fluid over solid, both (B,)."""
    mask = batch["mask"].flatten(1)
    share = mask.double().mean(1).clamp(1e-6, 1 - 1e-6)
    size = torch.where(mask, batch["distance"].double().flatten(1), 0).mean(1) / share
    return size, (share / (1 - share)).log()


@register_model("truncated-solver")
class TruncatedSolver(Model):
    """The solver itself, stopped early: free of divergence, but not yet at rest on walls; only for velocities on faces.

    What is left on walls is set to 0 in the answer. Nothing is learned.
    """

    tasks: ClassVar[tuple[str, ...]] = ("flow",)

    def __init__(self, *, iterations: Annotated[int, "of the conjugate gradients, from rest"] = 6) -> None:
        super().__init__()
        if iterations < 0:
            raise OptionError(f"--iterations {iterations}: expected 0 or more")
        self.iterations = iterations

    def forward(self, batch: Batch) -> Tensor:
        if not bool(batch["faces"].all()):
            raise OptionError(
                "truncated-solver needs velocities on faces of a periodic block; expected generated flows; "
                "leave it out for imported ones"
            )
        return torch.stack([self._solve(batch, place) for place in range(len(batch["mask"]))])

    def _solve(self, batch: Batch, place: int) -> Tensor:
        fluid = batch["mask"][place, 0].cpu().numpy()
        spacing = batch["spacing"][place].double().cpu().numpy()
        flat = fluid.shape[0] == 1
        walls = voxel_walls(fluid[0] if flat else fluid)
        sizes = [float(size) for size in (spacing[1::-1] if flat else spacing[::-1])]
        flow = solve_stokes(
            walls, sizes, len(sizes) - 1, tolerance=LEAST_SLIP, most=self.iterations, precision=np.float32,
        )  # fmt: skip
        velocity = np.where(walls.held, 0, flow.velocity)[::-1]
        found = np.zeros((3, *fluid.shape), dtype=np.float32)
        if flat:
            found[:2, 0] = velocity
        else:
            found[:] = velocity
        unit = float(batch["gradient"][place]) / float(batch["viscosity"][place])
        return torch.from_numpy(unit * found).to(batch["gradient"])

"""``flow-unet3d``: from the flow of every slice by itself to the flow through all of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, ClassVar

import torch
from torch import Tensor

from lasernet.errors import OptionError
from lasernet.losses.base import Batch, Criterion
from lasernet.models.base import Model, Terms
from lasernet.nn.flow_symmetry import augmented
from lasernet.nn.projection import project
from lasernet.nn.stack_unet import StackUNet
from lasernet.nn.stencils import per_item, places, step
from lasernet.registry import register_model

NEEDED = ("velocity_2d", "pressure_2d", "distance")
WIDE = 8.0  # cells, a distance to the wall that counts as 1
FIELDS = 10  # channels of :func:`features`
PRECISE, ROUGH = 1e-10, 1e-4  # what the projection leaves of a divergence, in answers and while learning


@register_model("flow-unet3d")
class FlowUNet3d(Model):
    """The 3D flow through a stack of slices, as a correction to the 2D flow of every slice by itself.

    A U-Net sees the 2D flows and their pressures, whose steps from slice to slice drive what flows between them. Its
    answer plus the 2D flow is projected on the velocities that conserve mass and are at rest on walls, in training too.
    """

    tasks: ClassVar[tuple[str, ...]] = ("flow",)
    default_loss: ClassVar[str | None] = "nmse"
    inputs = ("distance",)
    defaults: ClassVar[dict[str, object]] = {
        "epochs": 24, "batch_size": 4, "lr": 2e-3, "ema": 0.99, "nmse_component_weights": (1.0, 2.0, 4.0),
    }  # fmt: skip
    scale: Tensor

    def __init__(
        self,
        *,
        channels: Annotated[tuple[int, ...], "of each level, the finest first; every further one halves the sides"] = (
            24,
            48,
            96,
        ),
        blocks: Annotated[int, "on each level, on the way down and again on the way up"] = 1,
        pressure: Annotated[bool, "show the pressure of every slice by itself"] = True,
        project: Annotated[bool, "project the answer on what conserves mass, where velocities are on faces"] = True,
        augment: Annotated[bool, "train on mirrored and shifted flows too"] = True,
    ) -> None:
        super().__init__()
        if not channels or min(channels) < 1 or blocks < 1:
            found = ",".join(map(str, channels))
            raise OptionError(f"--channels {found} --blocks {blocks}: expected numbers above 0, as 24,48,96 and 1")
        self.pressure, self.project, self.augment = pressure, project, augment
        self.network = StackUNet(FIELDS, 3, channels, blocks)
        self.register_buffer("scale", torch.tensor(float("nan")))  # of corrections, over the mean velocity along x

    @torch.no_grad()
    def fit(self, batches: Iterable[Batch]) -> None:
        """The size of corrections: the root of their mean square over the mean velocity of the slices."""
        squares, count = 0.0, 0
        for batch in batches:
            _require(batch)
            correction = (batch["velocity"] - batch["velocity_2d"]).double() / _mean_velocity(batch).double()
            squares += float(correction.square().sum())
            count += correction.numel()
        self.scale.fill_((squares / max(count, 1)) ** 0.5 or 1.0)

    def forward(self, batch: Batch) -> Tensor:
        _require(batch)
        periodic = bool(batch["faces"].all())
        mean = _mean_velocity(batch)
        shown = features(batch, mean, pressure=self.pressure)
        correction = self.scale * self.network(shown, periodic=periodic).float()
        velocity = batch["velocity_2d"] / mean + correction
        if self.project and periodic:
            kind, tolerance = (velocity.dtype, ROUGH) if self.training else (torch.float64, PRECISE)
            with torch.autocast(velocity.device.type, enabled=False):
                velocity = project(velocity.to(kind), batch["mask"], batch["spacing"], tolerance=tolerance)
        answer: Tensor = velocity * places(batch["mask"], batch["faces"]) * mean
        return answer.to(batch["velocity_2d"].dtype)

    def loss(self, batch: Batch, criterion: Criterion | None) -> tuple[Tensor, Terms]:
        """The criterion on prediction and target, of flows under random symmetries while learning."""
        assert criterion is not None
        if self.augment and self.training and "seed" in batch:
            batch = augmented(batch)
        total, terms = criterion(self(batch), batch["target"], batch)
        return total, terms


def features(batch: Batch, mean: Tensor, *, pressure: bool) -> Tensor:
    """What the network sees, all of the order of 1, (B, FIELDS, Z, Y, X).

    The 2D velocity over its mean along x; the distance to the wall; the three open faces; the logarithm of the mean
    velocity over that of an empty channel one cell wide; the pressure of every slice over the gradient and 16 cells,
    its step from the slice before over the gradient and the distance, and the mean of both slices' speeds.

    Args:
        mean: of the 2D velocity along x, m/s, (B, 1, 1, 1, 1).
        pressure: 0 where it is not to be shown.
    """
    flat, spacing = batch["velocity_2d"], batch["spacing"]
    width, gradient, viscosity = (per_item(x) for x in (spacing[:, 0], batch["gradient"], batch["viscosity"]))
    faces = places(batch["mask"], batch["faces"])
    along = flat[:, :2] / mean
    distance = (batch["distance"] / (WIDE * width)).clamp(-1, 1)
    openness = (mean * viscosity / (gradient * width**2)).log10().expand_as(distance)
    pressures = batch["pressure_2d"] / gradient * float(pressure)
    steps = step(pressures, 2, spacing) * faces[:, 2:]
    speed = torch.linalg.vector_norm(along, dim=1, keepdim=True)
    between = (speed + speed.roll(1, 2)) / 2
    parts = [along, distance, faces.to(flat.dtype), openness, pressures / (16 * width), steps, between]
    return torch.cat(parts, dim=1)


def _mean_velocity(batch: Batch) -> Tensor:
    """Of the 2D flows along x over the whole block, m/s, (B, 1, 1, 1, 1); 1 where nothing flows."""
    mean = batch["velocity_2d"][:, :1].mean(dim=(1, 2, 3, 4), keepdim=True)
    return torch.where(mean > 0, mean, torch.ones_like(mean))


def _require(batch: Batch) -> None:
    """Refuse batches without the flow of every slice by itself.

    Raises:
        OptionError: naming what is missing.
    """
    missing = [name for name in NEEDED if name not in batch]
    if missing:
        raise OptionError(
            f"flow-unet3d needs '{missing[0]}', which these data lack; expected blocks with the 2D flow of every "
            "slice, as 'data generate flow' makes them; leave out --items slices, or name other files"
        )

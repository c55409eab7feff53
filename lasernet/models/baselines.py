"""Baselines without trainable parameters: what a network must beat to have learned anything."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, ClassVar, Literal

import torch
from torch import Tensor, nn

from lasernet.errors import RunError
from lasernet.losses.base import Batch
from lasernet.models.base import Model
from lasernet.models.melting import FIT_ITEMS, TemperatureHistogram, best_threshold
from lasernet.physics.nearest import nearest_in_slices
from lasernet.physics.solidification import per_item
from lasernet.registry import register_model

CONTEXT = {"microstructure": "ipf", "temperature": "temperature"}


@register_model("persistence")
class Persistence(Model):
    """Nothing changes: the plain copy of the last known frame."""

    tasks: ClassVar[tuple[str, ...]] = ("microstructure", "temperature")

    def __init__(self, *, task: str = "microstructure") -> None:
        super().__init__()
        self.field = CONTEXT[task]

    def forward(self, batch: Batch) -> Tensor:
        return batch[self.field][:, -1]


@register_model("advected-persistence")
class AdvectedPersistence(Model):
    """Everything moves with the laser: the last known frame, shifted by scan velocity times time step."""

    tasks: ClassVar[tuple[str, ...]] = ("microstructure", "temperature")

    def __init__(self, *, task: str = "microstructure") -> None:
        super().__init__()
        self.field = f"advected_{CONTEXT[task]}"
        self.inputs = (self.field,)

    def forward(self, batch: Batch) -> Tensor:
        return batch[self.field]


@register_model("mean-color")
class MeanColor(Model):
    """Persistence without the hot cells, and one mean color on all that may have frozen.

    ``fit`` picks the temperature about liquidus, and the color, with the smallest training MSE.
    """

    fit_items: ClassVar[int | None] = FIT_ITEMS
    threshold: Tensor
    color: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("threshold", torch.tensor(float("nan")))  # K about liquidus
        self.register_buffer("color", torch.full((9,), float("nan")))

    @torch.no_grad()
    def fit(self, batches: Iterable[Batch]) -> None:
        histogram = TemperatureHistogram(13)
        for batch in batches:
            mask, molten = batch["mask"][:, 0], batch["molten"][:, -1, 0]
            target = batch["target"].movedim(1, -1).double()  # (B, H, W, 9)
            energy = target.square().sum(-1)
            change = (target - batch["ipf"][:, -1].movedim(1, -1)).square().sum(-1)
            columns = [energy, change * ~molten, energy * molten, molten.double()]
            values = torch.cat([torch.stack(columns, -1), target * molten[..., None]], -1)
            histogram.add(_excess(batch)[:, 0][mask], values[mask])
        below = histogram.below()
        change, energy, cells, total = below[:, 1], below[:, 2], below[:, 3], below[:, 4:]
        color = total / cells.clamp(min=1)[:, None]
        cost = histogram.above()[:, 0] + change + energy - (total * color).sum(1)
        index, threshold = best_threshold(cost)
        self.threshold.fill_(threshold)
        self.color.copy_(color[index])

    def forward(self, batch: Batch) -> Tensor:
        require_fit(self, self.threshold)
        molten = batch["molten"][:, -1]
        cold = torch.where(molten, self.color.reshape(1, -1, 1, 1), batch["ipf"][:, -1])
        return torch.where(_excess(batch) >= self.threshold, 0, cold)


@register_model("nearest-solid")
class NearestSolid(Model):
    """Below liquidus is solid: a frozen cell takes the color of the solid cell nearest to it."""

    def __init__(
        self,
        *,
        dimensions: Annotated[Literal["2", "3"], "look for the nearest solid cell in the slice or in the volume"] = "2",
    ) -> None:
        super().__init__()
        self.dimensions = dimensions
        self.inputs = ("nearest_ipf_3d",) if dimensions == "3" else ()

    def forward(self, batch: Batch) -> Tensor:
        colors = batch["nearest_ipf_3d"] if self.dimensions == "3" else nearest_in_plane(batch)[0]
        cold = torch.where(batch["molten"][:, -1], colors, batch["ipf"][:, -1])
        return torch.where(_excess(batch) < 0, cold, 0)


def nearest_in_plane(batch: Batch) -> tuple[Tensor, Tensor]:
    """Color (B, 9, H, W) of the solid cell of frame t nearest in the slice, and the distance (B, 1, H, W) in m."""
    solid = batch["valid"][:, -1] & ~batch["molten"][:, -1]
    return nearest_in_slices(batch["ipf"][:, -1], solid, batch["cell_height"], batch["cell_width"])


def require_fit(model: nn.Module, fitted: Tensor) -> None:
    """Refuse to answer from quantities that were never fitted.

    Raises:
        RunError: if any of them is not a number.
    """
    if bool(fitted.isnan().any()):
        name = getattr(model, "registered_name", type(model).__name__)
        raise RunError(
            f"{name} was never fitted; expected quantities fitted on training frames; "
            f"run 'lasernet train {name}', or call fit(batches) first"
        )


def _excess(batch: Batch) -> Tensor:
    """T(t+1) − liquidus in K, (B, 1, H, W)."""
    return batch["future_temperature"] - per_item(batch["liquidus"])

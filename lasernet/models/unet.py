"""U-Net: the flow of resin through every slice of a microstructure, velocity or pressure, from its image."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from lasernet.errors import DataError
from lasernet.losses.base import Batch, Criterion
from lasernet.models.base import Model, Terms
from lasernet.models.baselines import require_fit
from lasernet.nn.flow_symmetry import augmented
from lasernet.nn.padding import Padding
from lasernet.nn.stencils import per_item, places
from lasernet.nn.unet import Activation, UNet
from lasernet.physics.flow import signed_distance
from lasernet.registry import register_model

DISTANCE = "distance"  # derived input: signed, m, above 0 in the fluid


@register_model("unet")
class FlowUNet(Model):
    """U-Net for resin flow: velocity or pressure of every slice by itself, from its image, at any size.

    Creeping flow is in proportion to gradient · length² / viscosity, its pressure to gradient · length. The network
    answers in these units, with the mean distance of a slice's cells from its walls (0 in the fibers) for the length,
    times one fitted number; so an answer holds for any gradient, viscosity and size of the cells. Velocities have no z
    component and are 0 on faces that are not open; pressures are the periodic part, 0 on average over the fluid of a
    slice.

    With ``--drive flux``, as in the published networks, velocities are in m/s whatever the gradient, the viscosity and
    the size, which is right for flows that are all driven at one mean velocity; and the network describes the whole
    pressure, from which the mean fall, ``gradient`` of the batch, is taken off.

    Jean, Broggi & Caglar 2025, Composites A 200, 109337.
    """

    tasks = ("flow", "flow-pressure")
    default_loss = "nmae"
    fit_items: ClassVar[int | None] = 512
    inputs = (DISTANCE,)
    defaults: ClassVar[dict[str, object]] = {
        "items": "slices",
        "epochs": 12,
        "batch_size": 8,  # more updates of fewer flows learn faster here
        "lr": 1.5e-3,
        "warmup_steps": 100,
    }
    presets: ClassVar[dict[str, dict[str, object]]] = {
        "paper": {
            "features": (64, 128, 256, 512),
            "padding": "reflect",
            "kernel_size": 3,
            "epochs": 100,
            "batch_size": 10,
            "lr": 1e-4,
            "warmup_steps": 0,
            "schedule": "none",
            "clip": 0.0,
            "symmetries": False,
        },
    }

    def __init__(
        self,
        *,
        task: str = "flow",
        features: Annotated[tuple[int, ...], "channels of each level, fine to coarse; twice the last below"] = (
            16,
            32,
            64,
            128,
        ),
        kernel_size: Annotated[int, "of the convolutions, odd"] = 3,
        padding: Annotated[
            Literal["auto", "reflect", "zeros", "circular"], "beyond borders; auto: circular if periodic, else reflect"
        ] = "auto",
        activation: Annotated[Activation, "of all blocks"] = "silu",
        final_activation: Annotated[Activation | None, "of the answer, before its scale [none]"] = None,
        attention: Annotated[str, "levels and heads of self-attention, start.end.heads, as 3..2; empty: none"] = "",
        distance: Annotated[
            bool | None, "show distances from the walls instead of the bare image; left out: for velocities only"
        ] = None,
        drive: Annotated[
            Literal["gradient", "flux"], "answers grow with the gradient, or are those of one mean velocity"
        ] = "gradient",
        symmetries: Annotated[bool, "train on mirrored and, if periodic, shifted flows too"] = True,
    ) -> None:
        super().__init__()
        self.pressure = task == "flow-pressure"
        self.distance = not self.pressure if distance is None else distance
        self.padding, self.drive, self.symmetries = padding, drive, symmetries
        self.network = UNet(
            *((2, 1) if self.pressure else (1, 2)),
            features=features,
            kernel_size=kernel_size,
            activation=activation,
            final_activation=final_activation,
            attention=attention,
        )
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.register_buffer("scale", torch.tensor(float("nan")))  # of the network's answer, in the units above
        self.register_buffer("reference", torch.tensor(float("nan")))  # m, length along x

    scale: Tensor
    reference: Tensor

    def fit(self, batches: Iterable[Batch]) -> None:
        """Remember how large answers are, root of the mean square, and how long the blocks.

        Raises:
            DataError: if nothing flows in the training items.
        """
        squares, lengths = [], []
        for batch in batches:
            target = batch["target"] if self.drive == "gradient" else self._whole(batch["target"], batch)
            unit = self._unit(batch).double()
            within = batch["mask"] & (unit > 0)
            found = torch.where(within, target / torch.where(unit > 0, unit, 1), 0)
            squares.append(found[:, : 1 if self.pressure else 2].square().mean((1, 2, 3, 4)))
            lengths.append(block_length(batch))
        scale = float(torch.cat(squares).mean().sqrt()) if squares else 0.0
        if not 0 < scale < float("inf"):
            raise DataError(f"the flows to train on have a mean square of {scale:g}; expected moving fluid; check them")
        self.scale.fill_(scale)
        self.reference.fill_(float(torch.cat(lengths).mean()))

    def loss(self, batch: Batch, criterion: Criterion | None) -> tuple[Tensor, Terms]:
        """The criterion on prediction and target in units of the item's own flow, or pressure."""
        assert criterion is not None
        if self.training and self.symmetries:
            batch = augmented(batch)
        prediction = self(batch)
        require_fit(self, self.scale)
        size = (self.scale * self._unit(batch)).mean((1, 2, 3, 4), keepdim=True).clamp_min(torch.finfo().tiny)
        found: tuple[Tensor, Terms] = criterion(prediction / size, batch["target"] / size, batch)
        return found

    def forward(self, batch: Batch) -> Tensor:
        """Velocity, m/s, (B, 3, Z, Y, X), or pressure, Pa, (B, 1, Z, Y, X).

        Raises:
            RunError: if the scale was never fitted.
        """
        require_fit(self, torch.stack([self.scale, self.reference]))
        if self.distance or self.drive == "gradient":
            batch = {**batch, DISTANCE: wall_distance(batch)}
        fluid, faces = batch["mask"], batch["faces"]
        images = self._images(batch).transpose(1, 2)  # (B, Z, C, Y, X)
        slices = images.shape[:2]
        answer = self._network(images.flatten(0, 1), faces.repeat_interleave(slices[1]))
        answer = answer.float().reshape(*slices, *answer.shape[1:]).transpose(1, 2) * (self.scale * self._unit(batch))
        if self.pressure:
            return balanced(answer if self.drive == "gradient" else answer - self._fall(batch), fluid)
        answer = torch.where(places(fluid, faces)[:, :2], answer, 0)
        return torch.cat([answer, torch.zeros_like(answer[:, :1])], dim=1)

    def _network(self, images: Tensor, periodic: Tensor) -> Tensor:
        """What the network makes of images (N, C, Y, X); their borders by ``padding``."""
        if self.padding != "auto":
            chosen: Padding = self.padding
            return self.network(images, padding=chosen)  # type: ignore[no-any-return]
        if bool(periodic.all()) or not bool(periodic.any()):
            return self.network(images, padding="circular" if periodic[0] else "reflect")  # type: ignore[no-any-return]
        answers = images.new_empty(len(images), 1 if self.pressure else 2, *images.shape[-2:])
        for kind in (True, False):
            answers[periodic == kind] = self._network(images[periodic == kind], periodic[periodic == kind]).to(answers)
        return answers

    def _images(self, batch: Batch) -> Tensor:
        """What the network is shown, (B, C, Z, Y, X): distances in cells, or the image; for pressures, more."""
        fluid = batch["mask"].float()
        image = fluid
        if self.distance:
            image = wall_distance(batch) / per_item(batch["spacing"][:, :2].prod(1).sqrt())
        if not self.pressure:
            return image
        fibers = 1 - fluid.mean((-1, -2), keepdim=True)
        return torch.cat([image * fibers, per_item(self.reference / block_length(batch)).expand_as(image)], dim=1)

    def _unit(self, batch: Batch) -> Tensor:
        """The unit of the fitted scale, (B, 1, Z, 1, 1)."""
        if self.drive == "flux":
            return torch.ones_like(batch["mask"][..., :1, :1], dtype=torch.float32)
        gradient = per_item(batch["gradient"])
        length = wall_distance(batch).mean((-1, -2), keepdim=True)
        return gradient * length if self.pressure else gradient * length**2 / per_item(batch["viscosity"])

    def _whole(self, target: Tensor, batch: Batch) -> Tensor:
        """A velocity, or the whole pressure instead of its periodic part."""
        return target + self._fall(batch) if self.pressure else target

    def _fall(self, batch: Batch) -> Tensor:
        """The mean pressure, Pa, (B, 1, 1, 1, X): 0 where the block ends along x."""
        cells = batch["mask"].shape[-1]
        left = (cells - 0.5 - torch.arange(cells, device=batch["mask"].device)) / cells
        return per_item(batch["gradient"] * block_length(batch)) * left


def wall_distance(batch: Batch) -> Tensor:
    """Of every cell from the walls of its slice, m, (B, 1, Z, Y, X); 0 in solids."""
    if DISTANCE in batch:
        return batch[DISTANCE].clamp_min(0)
    fluid = batch["mask"][:, 0].cpu().numpy()
    sizes, periodic = batch["spacing"].cpu().numpy(), batch["faces"].tolist()
    found = [
        signed_distance(block, size[1::-1].tolist(), periodic=around)
        for block, size, around in zip(fluid, sizes, periodic, strict=True)
    ]
    return torch.from_numpy(np.stack(found)[:, None]).clamp_min(0).to(batch["mask"].device)


def balanced(pressure: Tensor, fluid: Tensor) -> Tensor:
    """The pressure less its mean over the fluid of each slice, and 0 in solids."""
    cells = fluid.sum((-1, -2), keepdim=True).clamp_min(1)
    mean = torch.where(fluid, pressure, 0).sum((-1, -2), keepdim=True) / cells
    return torch.where(fluid, pressure - mean, 0)


def block_length(batch: Batch) -> Tensor:
    """Of the blocks along x, m, (B,)."""
    return batch["spacing"][:, 0] * batch["mask"].shape[-1]

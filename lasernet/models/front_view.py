"""What is known around cells that may freeze, cut into windows: the inputs of ``grain-front``."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from lasernet.losses.base import Batch
from lasernet.models.baselines import nearest_in_plane
from lasernet.models.front_windows import FrontWindows
from lasernet.models.scaled_frames import UNDERCOOLING
from lasernet.physics.interface import border, mean_nearby
from lasernet.physics.solidification import per_item

FARTHEST = 100.0  # cells; a distance to solid beyond is not told apart
LARGEST = 2.0  # of an undercooling, in units of UNDERCOOLING
FINE = 0.2  # in units of UNDERCOOLING, beyond which temperatures saturate on the finer scale
SQUARES = (5, 9)  # cells; sides of the squares in which the interface's temperature is averaged
LATEST = 2.5  # frames, after which no arrival is looked for
LAWS = ((7.325e-6, 3.12), (4.92e-4, 1.69))  # m/s per Kᵇ, b: that of 316L, and IN625's between 40 and 120 K


@dataclass(frozen=True)
class FrontView:
    """Fields of S adjacent slices in n windows; the middle slice is the one that is predicted.

    Temperatures are in units of UNDERCOOLING about liquidus.

    Attributes:
        now, coming: temperatures at t and t+1, (n, S, h, w).
        solid, liquid: at t, bool, (n, S, h, w).
        colors: at t, of one slice after the other, (n, 9S, h, w).
        edge: solid cells that have liquid neighbors, (n, S, h, w).
        nearest: color of the solid cell that is nearest in the slice, (n, 9, h, w).
        distance: to it, in cells, (n, 1, h, w).
        before: temperature at t − 1, (n, 1, h, w).
        solid_before: whether solid at t − 1 and at t − 2, (n, 2, h, w); the first frame known stands for earlier ones.
        arrival: when a front would arrive by each of LAWS, in frames, (n, 2, h, w), and
        source: the solid cell that it would come from, as a place in the flattened (n, S, h, w), or −1, (n, 2, h, w);
            both without channels where that was not asked for.
    """

    now: Tensor
    coming: Tensor
    solid: Tensor
    liquid: Tensor
    colors: Tensor
    edge: Tensor
    nearest: Tensor
    distance: Tensor
    before: Tensor
    solid_before: Tensor
    arrival: Tensor
    source: Tensor

    @property
    def middle(self) -> int:
        """Which slice is predicted."""
        return self.now.shape[1] // 2


def look(batch: Batch, windows: FrontWindows, *, slices: int, arrival: bool, turned: Tensor | None = None) -> FrontView:
    """Cut the windows out of a batch.

    Args:
        slices: how many adjacent ones; more than one needs the fields ``beside_…`` of the batch.
        arrival: find when and from where a front would arrive.
        turned: items whose slices are to be seen in reverse order, (B,) bool.
    """
    steps = batch["temperature"].shape[1]
    earlier = [max(0, steps - 2), max(0, steps - 3)]
    liquidus = per_item(batch["liquidus"])
    solid, liquid = _phases(batch["valid"][:, -1], batch["molten"][:, -1])
    now, coming = batch["temperature"][:, -1], batch["future_temperature"]
    colors = batch["ipf"][:, -1][:, None]
    if slices > 1:
        beside_solid, beside_liquid = _phases(batch["beside_valid"][:, :, 0], batch["beside_molten"][:, :, 0])
        solid, liquid = _between(beside_solid, solid), _between(beside_liquid, liquid)
        colors = _between(batch["beside_ipf"], colors)
        future = _future_beside(batch)
        now, coming = _between(batch["beside_temperature"][:, :, 0], now), _between(future, coming)
    stacks = [now - liquidus, coming - liquidus, solid, liquid, colors]
    if turned is not None:
        stacks = [torch.where(turned.reshape(-1, *[1] * (x.ndim - 1)), x.flip(1), x) for x in stacks]
    now, coming, solid, liquid, colors = stacks
    nearest, distance = nearest_in_plane(batch)
    distance = torch.nan_to_num(distance / per_item(batch["cell_width"]), posinf=FARTHEST).clamp(max=FARTHEST)
    before = batch["temperature"][:, earlier[0]] - liquidus
    solid_before = torch.cat([_phases(batch["valid"][:, at], batch["molten"][:, at])[0] for at in earlier], dim=1)
    cut, kept = windows.cut, windows.items
    solid, liquid, now, coming = cut(solid), cut(liquid), cut(now), cut(coming)
    spacing = torch.stack([batch[f"cell_{side}"][kept] for side in ("depth", "height", "width")], dim=1)
    when, whence = _arrivals(solid, liquid, now, coming, spacing, batch["time_step"][kept], LAWS if arrival else ())
    return FrontView(
        now=now / UNDERCOOLING,
        coming=coming / UNDERCOOLING,
        solid=solid,
        liquid=liquid,
        colors=cut(colors.flatten(1, 2)),
        edge=border(solid, liquid),
        nearest=cut(nearest),
        distance=cut(distance),
        before=cut(before) / UNDERCOOLING,
        solid_before=cut(solid_before),
        arrival=when,
        source=whence,
    )


def front_features(view: FrontView, *, interface: bool, history: bool) -> Tensor:
    """Channels for a network, (n, C, h, w), all of the order of 1.

    Arrival times are among them where the view has any.

    Args:
        interface: add the temperature at which the melt freezes nearby, and how far below it each cell will be.
        history: add the solid cells of earlier frames.
    """
    parts = [
        view.solid.float(),
        _saturated(view.now),
        _saturated(view.coming),
        view.colors,
        _saturated(view.before),
        torch.tanh(view.distance / 5),
        view.distance.log1p() / 2,
        mean_undercooling(view.now[:, [view.middle]], view.coming[:, [view.middle]]),
        _fine(view.now[:, [view.middle]]),
        _fine(view.coming),
    ]
    if interface:
        parts += _interface(view)
    if history:
        parts.append(view.solid_before.float())
    return torch.cat([*parts, view.arrival - 1], dim=1)


def feature_count(slices: int, *, interface: bool, history: bool, arrival: bool) -> int:
    """How many channels :func:`front_features` has."""
    return 13 * slices + 5 + interface * (6 * len(SQUARES) + 1) + history * 2 + arrival * len(LAWS)


def mean_undercooling(now: Tensor, coming: Tensor, *, power: float = 3.0, steps: int = 8) -> Tensor:
    """The constant undercooling by which a tip would grow as far as by one that changes linearly in a frame.

    Mean of ΔTᵖ over the frame by the midpoint rule, to the power 1/p: what a growth law V ∝ ΔTᵖ makes of both
    temperatures. In units of UNDERCOOLING, as the arguments, which are temperatures about liquidus.
    """
    total = torch.zeros_like(now)
    for step in range(steps):
        share = (step + 0.5) / steps
        total = total + (-now * (1 - share) - coming * share).clamp(min=0) ** power
    return (total / steps + 1e-6) ** (1 / power)


def _phases(valid: Tensor, molten: Tensor) -> tuple[Tensor, Tensor]:
    """Solid and liquid cells."""
    return valid & ~molten, valid & molten


def _between(beside: Tensor, middle: Tensor) -> Tensor:
    """Slices on either side, (B, 2r, …), with the middle one, (B, 1, …), between them."""
    low, high = beside.chunk(2, dim=1)
    return torch.cat([low, middle, high], dim=1)


def _future_beside(batch: Batch) -> Tensor:
    """Temperature at t+1 of the slices beside, (B, 2r, H, W).

    Where only that of the middle slice is known, as in a cascade, they are taken to change by as much.
    """
    if "beside_future_temperature" in batch:
        return batch["beside_future_temperature"][:, :, 0]
    change = batch["future_temperature"] - batch["temperature"][:, -1]
    return batch["beside_temperature"][:, :, 0] + change


def _saturated(temperature: Tensor) -> Tensor:
    return temperature.clamp(-LARGEST, LARGEST)


def _fine(temperature: Tensor) -> Tensor:
    """Differences of a few kelvins, enlarged: the melt freezes within some ten kelvins of liquidus."""
    return torch.tanh(temperature / FINE)


def _interface(view: FrontView) -> list[Tensor]:
    """For each square: the solid edge's temperature now, the coming one about it and about the liquid edge's; …"""
    coming = view.coming[:, [view.middle]]
    liquid_edge = border(view.liquid, view.solid)
    parts = []
    for size in SQUARES:
        below, found = mean_nearby(view.now, view.edge, size)
        above, found_above = mean_nearby(view.now, liquid_edge, size)
        parts += [
            _saturated(below),
            _saturated(coming - below).where(found, 0),
            _saturated(coming - above).where(found_above, 0),
            _fine(coming - below).where(found, 0),
            _fine(coming - above).where(found_above, 0),
            found.float(),
        ]
    share = view.solid.float().mean(dim=1, keepdim=True)
    return [*parts, F.avg_pool2d(share, 3, stride=1, padding=1)]


def _arrivals(
    solid: Tensor,
    liquid: Tensor,
    now: Tensor,
    coming: Tensor,
    spacing: Tensor,
    time_step: Tensor,
    laws: Sequence[tuple[float, float]],
) -> tuple[Tensor, Tensor]:
    """When a front arrives in the predicted slice by each law, and from where, (n, laws, h, w) twice.

    Args:
        solid, liquid, now, coming: (n, S, h, w); the last two in K about liquidus.
        spacing: m, of slices, rows and columns, (n, 3).
        time_step: s, (n,).
    """
    count, slices, height, width = solid.shape
    when = np.zeros((count, len(laws), height, width), dtype=np.float32)
    whence = np.zeros(when.shape, dtype=np.int64)
    if laws:
        from lasernet.physics.arrival import arrivals  # imports numba, which takes a second

        phases, fields = (solid, liquid), (-now.double(), -coming.double())
        arrays = [part.cpu().numpy() for part in (*phases, *fields)]
        for item, number in itertools.product(range(count), range(len(laws))):
            times, sources = arrivals(
                *(part[item] for part in arrays),
                spacing=tuple(spacing[item].tolist()),
                time_step=float(time_step[item]),
                law=laws[number],
                latest=LATEST,
            )
            middle, first = slices // 2, item * slices * height * width
            when[item, number] = times[middle]
            whence[item, number] = np.where(sources[middle] < 0, -1, sources[middle] + first)
    return torch.from_numpy(when).to(now.device), torch.from_numpy(whence).to(now.device)

"""Small cases of grain growth of which the result is known: given temperatures, single grains, a short track."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lasernet.simulate.grain_growth import GrainGrowth
from lasernet.simulate.growth_window import (
    Box,
    Floats,
    Kinetics,
    Progress,
    Sites,
    molten_box,
    number_cells,
    open_envelopes,
    open_window,
    window_shape,
)
from lasernet.simulate.materials import find_material
from lasernet.simulate.orientation import rotation_matrices
from lasernet.simulate.substrate import Substrate, substrate

LAW = find_material("316L").growth
SPACING = 2.5e-6  # m
ROUNDING = 1e-9
RADIUS = 24.0  # cells, of the single grains


class PrescribedHeat:
    """A temperature that is a formula: ``temperature(x, y, z, time)`` in K, of arrays that broadcast, m and s."""

    def __init__(
        self,
        shape: tuple[int, int, int],
        temperature: Callable[[Floats, Floats, Floats, float], ArrayLike],
        spacing: float = SPACING,
    ) -> None:
        self.shape, self.temperature = shape, temperature
        cells = [np.arange(size, dtype=np.float64) for size in shape]
        self.x: Floats = np.asarray((cells[0] + 0.5) * spacing)
        self.y: Floats = np.asarray((cells[1] + 0.5) * spacing)
        self.z: Floats = np.asarray((cells[2] - cells[2][-1]) * spacing)

    def field(self, time: float, region: Box) -> NDArray[np.float32]:
        """Temperature in a part of the grid, K."""
        x, y, z = self.x[region[0], None, None], self.y[None, region[1], None], self.z[None, None, region[2]]
        shape = (x.shape[0], y.shape[1], z.shape[2])
        return np.broadcast_to(np.asarray(self.temperature(x, y, z, time), dtype=np.float32), shape)

    def hot_region(self, time: float, threshold: float) -> Box | None:
        """The box around all cells above a threshold, K."""
        everywhere = (slice(0, self.shape[0]), slice(0, self.shape[1]), slice(0, self.shape[2]))
        return molten_box(-(self.field(time, everywhere) > threshold).astype(np.int32), everywhere)


def single_grain(quaternion: Floats, *, courant: float = 0.25, steps: int = 1) -> NDArray[np.bool_]:
    """What a grain from the middle cell takes of a melt undercooled by 10 K when its envelope is RADIUS large.

    Args:
        steps: at least so many.
    """
    from lasernet.simulate.octahedron import grow  # imports numba

    half = int(RADIUS) + 2
    grain = np.full((2 * half + 1,) * 3, -1, dtype=np.int32)
    grain[half, half, half] = 1
    box = (slice(0, len(grain)),) * 3
    window = open_window(grain, box)
    middle = number_cells(np.full((1, 3), half), box)
    envelopes = open_envelopes(window, middle, np.zeros((1, 3)), np.zeros(1))
    speed = float(LAW.velocity(10.0))
    duration = RADIUS * SPACING / speed
    kinetics = Kinetics(LAW.liquidus, np.array([0.0, speed]), 10.0, SPACING, courant, duration / steps)
    temperature = np.full(window.grain.shape, LAW.liquidus - 10, dtype=np.float32)
    sites = Sites(np.zeros(0, dtype=np.int64), np.zeros(0))
    rotations = rotation_matrices(np.stack([np.array([1.0, 0, 0, 0]), quaternion]))
    grow(window, envelopes, kinetics, sites, rotations, temperature, temperature, duration, Progress(1, 1, 0, 0.0))
    return window.grain.reshape(window_shape(box))[1:-1, 1:-1, 1:-1] > 0


def octahedron(quaternion: Floats) -> NDArray[np.bool_]:
    """The cells with |Rᵀx|₁ ≤ RADIUS, on the grid of ``single_grain``."""
    half = int(RADIUS) + 2
    axis = np.arange(-half, half + 1)
    x = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1)
    rotation = rotation_matrices(quaternion)
    return np.asarray(np.abs(x @ rotation).sum(axis=-1) <= RADIUS + ROUNDING)


def gradient_heat(shape: tuple[int, int, int], gradient: float, speed: float) -> PrescribedHeat:
    """Liquidus rises with a speed, m/s, from just above the lowest cells through a gradient, K/m."""
    bottom = (1 - shape[2] + 1.2) * SPACING
    return PrescribedHeat(shape, lambda x, y, z, time: LAW.liquidus + gradient * (z - bottom - speed * time))


def front_undercooling(growth: GrainGrowth, heat: PrescribedHeat, time: float) -> float:
    """Mean undercooling of the upper faces of the highest solid cells, K."""
    top = (growth.grain_id > 0).cumsum(axis=2).argmax(axis=2)
    at = np.asarray(heat.temperature(np.zeros(1), np.zeros(1), heat.z[top] + SPACING / 2, time))
    return float(LAW.liquidus - at.mean())


@dataclass(frozen=True)
class Track:
    """A short melt pool, paraboloids that meet under the beam, on a track along x; its cells are 2^-19 m wide.

    That and the even number of cells across make the temperature of mirrored cells equal to the last bit.
    """

    shape: tuple[int, int, int] = (64, 32, 16)
    spacing: float = 2.0**-19
    interval: float = 4e-6
    intervals: int = 40

    @property
    def heat(self) -> PrescribedHeat:
        """900 K above liquidus at the beam, which goes from 6 cells before the block to 18 cells behind it."""
        middle, cell = self.shape[1] / 2 * self.spacing, self.spacing
        speed = (self.shape[0] + 24) * cell / (self.intervals * self.interval)

        def temperature(x: Floats, y: Floats, z: Floats, time: float) -> Floats:
            ahead = x + 6 * cell - speed * time
            along = ahead / np.where(ahead > 0, 8 * cell, 30 * cell)
            far = along**2 + ((y - middle) / (11 * cell)) ** 2 + (z / (9 * cell)) ** 2
            return np.maximum(400.0, LAW.liquidus + 900 * (1 - far))

        return PrescribedHeat(self.shape, temperature, self.spacing)

    def substrate(self) -> Substrate:
        return substrate(self.shape, self.spacing, 7 * self.spacing, 3)

    def grow(self, start: Substrate, *, shuffle: int = 0, nucleation_density: float = 0.0) -> GrainGrowth:
        """The grains after the pass; ``shuffle``: seed of a random order of the envelopes after each interval."""
        growth = GrainGrowth(
            substrate=start,
            spacing=self.spacing,
            law=LAW,
            interval=self.interval,
            nucleation_density=nucleation_density,
        )
        rng = np.random.default_rng(shuffle)
        for number in range(self.intervals):
            growth.advance(self.heat, number * self.interval, (number + 1) * self.interval)
            if shuffle:
                growth.reorder(rng)
        return growth

    def melted(self) -> NDArray[np.bool_]:
        """The cells that were molten at some time."""
        everywhere = (slice(0, self.shape[0]), slice(0, self.shape[1]), slice(0, self.shape[2]))
        found = np.zeros(self.shape, dtype=bool)
        for number in range(self.intervals + 1):
            found |= self.heat.field(number * self.interval, everywhere) >= LAW.liquidus
        return found


def lonely(grain: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Solid cells of which none of the 26 neighbors is of the same grain."""
    around = np.pad(grain, 1)
    alone = grain > 0
    for i, j, k in np.ndindex(3, 3, 3):
        if (i, j, k) != (1, 1, 1):
            x, y, z = (slice(at, at + size) for at, size in zip((i, j, k), grain.shape, strict=True))
            alone &= around[x, y, z] != grain
    return alone


def mirrored(start: Substrate) -> Substrate:
    """The substrate seen in a mirror across y: rotations turn about mirrored axes, the other way."""
    return Substrate(start.grain_id[:, ::-1], start.orientations * np.array([1.0, -1.0, 1.0, -1.0]))

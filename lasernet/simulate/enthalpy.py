"""Temperature around a moving laser with latent heat, properties that change with temperature, and boiling."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import erf

from lasernet.errors import OptionError
from lasernet.simulate.enthalpy_grid import EnthalpyGrid, EnthalpyTables
from lasernet.simulate.materials import Material
from lasernet.simulate.melt_pool import Region, bounding_box, check_axes
from lasernet.simulate.scan_path import Path

Floats = NDArray[np.float64]
NEAR = 1e-6  # of the time between frames; what is closer to a recorded time needs no frame of its own
FAINT = 1e-9  # of the energy along an axis; what a slab of nodes would get below that goes to the others


@dataclass(frozen=True)
class EnergyBalance:
    """Where the energy of the beam went since the start, J."""

    absorbed: float
    stored: float
    evaporated: float

    @property
    def error(self) -> float:
        """What is missing, relative to what was absorbed."""
        return (self.absorbed - self.stored - self.evaporated) / self.absorbed if self.absorbed else self.stored


class EnthalpyHeat:
    """Heat conduction with latent heat by explicit finite differences, on a coarser grid than the one it answers on.

    Nodes lie on every ``factor``-th cell center of the answered grid and go on for ``padding`` at the sides and below;
    no heat leaves that box. The beam is a Gaussian times a half-Gaussian profile in depth, integrated over each cell,
    so that the grid receives exactly the power absorbed. Between nodes and between recorded times, temperature is
    linear. Asking for a time steps the solver on as far as is needed.

    Boiling is a cap: the enthalpy of a cell never exceeds that of liquid at the boiling point. The excess leaves
    with the vapor at once; it is counted, and is J per ``vaporization_heat`` in kg of vapor. That is the limit of
    fast evaporation; recoil and the keyhole are not modeled, nor does any mass go.
    """

    def __init__(
        self,
        material: Material,
        *,
        x: ArrayLike,
        y: ArrayLike,
        z: ArrayLike,
        path: Path,
        radius: float = 80e-6,
        depth: float = 40e-6,
        preheat: float = 298.0,
        boils: bool = True,
        liquid_factor: float = 1.0,
        factor: int = 2,
        padding: float = 80e-6,
        record: float = 5e-6,
        threads: int = 1,
    ) -> None:
        """Prepare tables and nodes; nothing is stepped yet.

        Args:
            x, y, z: evenly spaced cell centers, m; z[-1] is 0, the surface.
            path: with the power that is absorbed; time begins at its first knot.
            radius: w of the beam, intensity ∝ exp(−2r²/w²), m.
            depth: standard deviation of the half-Gaussian profile of absorption, m; 0: at the surface.
            preheat: temperature at the start, K.
            boils: keep the metal from being hotter than its boiling point.
            liquid_factor: on the conductivity of the liquid; about 2 stands in for its (Marangoni) stirring.
            factor: cells per node along each axis.
            padding: how far the nodes go on at the sides and below, m.
            record: time between stored frames, s; one more is stored wherever the laser turns on or off.
            threads: slabs of the grid that are stepped at once; the result is the same for any number.

        Raises:
            OptionError: if a number is out of range, the grid is uneven, or the beam is on outside of the nodes.
        """
        self.x, self.y, self.z = check_axes(x, y, z)
        if not (radius > 0 and depth >= 0 and 0 < preheat < material.solidus and liquid_factor > 0 and record > 0):
            raise OptionError(
                f"beam radius {radius:g} m, depth {depth:g} m, preheat {preheat:g} K, liquid factor {liquid_factor:g}, "
                f"record {record:g} s; expected numbers above 0, depth 0 or more, and preheat below solidus"
            )
        if factor < 1 or padding < 0 or threads < 1:
            raise OptionError(f"factor {factor}, padding {padding:g} m, threads {threads}; expected at least 1, 0 m, 1")
        if abs(self.z[-1]) > 1e-12:
            raise OptionError(f"a grid that ends at z = {self.z[-1]:g} m; expected the surface, z = 0, as the end")
        self.path, self.start, self.record, self.preheat = path, path.start, record, preheat
        self.radius, self.depth, self.factor = radius, depth, factor
        spacing = [_spacing(axis, name) * factor for axis, name in zip((self.x, self.y, self.z), "xyz", strict=True)]
        pads = [int(np.ceil(padding / h - 1e-9)) for h in spacing]
        self._inner = [-(-(len(axis) - 1) // factor) + 1 for axis in (self.x, self.y, self.z)]
        count_x, count_y, count_z = np.add(self._inner, [2 * pads[0], 2 * pads[1], pads[2]]).tolist()
        self._nodes = (
            self.x[0] + spacing[0] * (np.arange(count_x) - pads[0]),
            self.y[0] + spacing[1] * (np.arange(count_y) - pads[1]),
            spacing[2] * (np.arange(count_z) - count_z + 1),
        )
        self._check_path()
        tables = EnthalpyTables.of(material, preheat=preheat, liquid_factor=liquid_factor)
        self.grid = EnthalpyGrid(
            (count_x, count_y, count_z), (spacing[0], spacing[1], spacing[2]), tables, boils=boils, threads=threads
        )
        self._core = (
            slice(pads[0], pads[0] + self._inner[0]),
            slice(pads[1], pads[1] + self._inner[1]),
            slice(pads[2], None),
        )
        self._in_depth = self._shares(2, 0.0)
        on = np.concatenate([[False], path.power > 0, [False]])
        self._switches = path.t[on[1:] != on[:-1]]
        self._times: list[float] = []
        self._frames: dict[int, NDArray[np.float32]] = {}
        self._store(self.start)

    @property
    def energy(self) -> EnergyBalance:
        """Absorbed, stored and evaporated up to the time that has been stepped to."""
        return EnergyBalance(self.grid.absorbed, self.grid.stored, self.grid.evaporated)

    @property
    def time(self) -> float:
        """Of the last recorded frame, s."""
        return self._times[-1]

    def advance(self, until: float) -> None:
        """Step and record until a frame at or after a time in s exists."""
        while self.time < until:
            self._step_frame()

    def forget(self, before: float) -> None:
        """Free the frames that only times before this one (s) need; asking for such a time is an error from then on."""
        needed = bisect_right(self._times, before) - 1
        for number in [number for number in self._frames if number < needed]:
            del self._frames[number]

    def field(self, time: float, region: Region) -> NDArray[np.float32]:
        """Temperature in K in that part of the grid at a time in s, (X, Y, Z) of the region.

        Raises:
            OptionError: if the frames around that time have been forgotten.
        """
        values = self._frame(time)
        for axis, (part, size) in enumerate(zip(region, (len(self.x), len(self.y), len(self.z)), strict=True)):
            place = self._places(axis, np.arange(size)[part])
            low = np.minimum(place.astype(int), self._inner[axis] - 1)
            high = np.minimum(low + 1, self._inner[axis] - 1)
            share = (place - low).astype(np.float32).reshape([-1 if other == axis else 1 for other in range(3)])
            first, second = values.take(low, axis), values.take(high, axis)
            values = first + share * (second - first)
        return values

    def hot_region(self, time: float, threshold: float) -> Region | None:
        """A box that contains every cell hotter than a threshold in K; None without any.

        Between nodes nothing is hotter than at the hotter one, so the cells next to hot nodes are enough.
        """
        hot = bounding_box(self._frame(time) > threshold - 1e-3, 1, (self._inner[0], self._inner[1], self._inner[2]))
        if hot is None:
            return None
        box = []
        for axis, (part, size) in enumerate(zip(hot, (len(self.x), len(self.y), len(self.z)), strict=True)):
            place = self._places(axis, np.arange(size))
            near = np.flatnonzero((place > part.start - 1) & (place < part.stop))
            box.append(slice(int(near[0]), int(near[-1]) + 1))
        return box[0], box[1], box[2]

    def _check_path(self) -> None:
        on = np.flatnonzero(self.path.power > 0)
        ends = np.union1d(on, on + 1)
        for name, place, nodes in (("x", self.path.x[ends], self._nodes[0]), ("y", self.path.y[ends], self._nodes[1])):
            if len(ends) and not nodes[0] <= place.min() <= place.max() <= nodes[-1]:
                raise OptionError(
                    f"the beam is on from {name} = {place.min():g} to {place.max():g} m, but there is metal only from "
                    f"{nodes[0]:g} to {nodes[-1]:g} m; shorten the path or raise the padding"
                )

    def _places(self, axis: int, cells: NDArray[np.int_]) -> Floats:
        """Where cells lie in units of nodes, counted from the first recorded one; z is counted from the surface."""
        if axis < 2:
            return np.asarray(cells / self.factor)
        return np.asarray(self._inner[2] - 1 - (len(self.z) - 1 - cells) / self.factor)

    def _frame(self, time: float) -> NDArray[np.float32]:
        """Temperature of the recorded nodes at a time, linear between frames."""
        if time <= self.start:
            return np.full(self._inner, self.preheat, dtype=np.float32)
        self.advance(time)
        number = bisect_right(self._times, time) - 1
        if number not in self._frames:
            raise OptionError(
                f"the temperature at {time:g} s is forgotten; expected a later time; ask in order of time"
            )
        first, begin = self._frames[number], self._times[number]
        if time == begin:
            return first
        share = np.float32((time - begin) / (self._times[number + 1] - begin))
        return first + share * (self._frames[number + 1] - first)

    def _step_frame(self) -> None:
        """On to the next recorded time, or to a switch of the laser before it, in equal stable steps."""
        begin = self.time
        end = self.start + self.record * (np.floor((begin - self.start) / self.record + NEAR) + 1)
        switches = self._switches[(self._switches > begin) & (self._switches < end - NEAR * self.record)]
        end = float(switches.min(initial=end))
        edges = np.linspace(begin, end, int(np.ceil((end - begin) / self.grid.stable_step)) + 1)
        for first, last in pairwise(edges.tolist()):
            self.grid.step(last - first, self._beam(first, last))
        self._store(end)

    def _store(self, time: float) -> None:
        self._frames[len(self._times)] = self.grid.temperature()[self._core].astype(np.float32)
        self._times.append(time)

    def _beam(self, first: float, last: float) -> list[tuple[Floats, Floats, Floats]]:
        """What the beam leaves on the nodes between two times: energies (J) along x, shares along y and z."""
        return [
            (energy * self._shares(0, x), self._shares(1, y), self._in_depth)
            for x, y, energy in self.path.deposits(first, last)
        ]

    def _shares(self, axis: int, center: float) -> Floats:
        """Share of the beam in the cell of each node: its Gaussian integrated between the faces, in all 1."""
        nodes, h = self._nodes[axis], float(self._nodes[axis][1] - self._nodes[axis][0])
        width = (self.radius / 2) if axis < 2 else max(self.depth, h * 1e-6)
        faces = np.concatenate([nodes - h / 2, [nodes[-1] + h / 2 if axis < 2 else 0.0]])
        share = np.diff(erf((faces - center) / (width * np.sqrt(2))))
        share[share < FAINT * share.sum()] = 0.0
        return np.asarray(share / share.sum())


def _spacing(axis: Floats, name: str) -> float:
    """Distance between neighbors of an evenly spaced axis, m.

    Raises:
        OptionError: if there are fewer than two, or distances differ.
    """
    steps = np.diff(axis)
    if len(steps) == 0 or np.ptp(steps) > 1e-4 * steps.mean():
        raise OptionError(f"the {name} axis of {len(axis)} cells is uneven; expected two or more at even distances")
    return float((axis[-1] - axis[0]) / (len(axis) - 1))

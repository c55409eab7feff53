"""Grains that freeze behind a melt pool: a cellular automaton of decentered octahedra.

Gandin & Rappaz, Acta Mater. 45 (1997) 2187; at the edge of the melt pool as Rolchigo et al., Comput. Mater. Sci. 214
(2022) 111692. The temperature is given: freezing releases no heat.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Annotated

import numpy as np
from numpy.typing import NDArray

from lasernet.errors import DataError, OptionError
from lasernet.simulate.growth_window import (
    Box,
    Envelopes,
    Floats,
    Kinetics,
    Progress,
    Sites,
    Temperatures,
    Window,
    box_around,
    locate_cells,
    molten_box,
    number_cells,
    open_envelopes,
    open_window,
    window_shape,
)
from lasernet.simulate.materials import GrowthLaw
from lasernet.simulate.orientation import random_orientations, rotation_matrices
from lasernet.simulate.substrate import Substrate

if TYPE_CHECKING:
    from lasernet.simulate.melt_pool import Heat

INTERVALS_AT_ONCE = 8  # share one window
STEPS_PER_INTERVAL = 4  # at least, so that cells melt and cool when they should
HIGHEST_UNDERCOOLING, RESOLUTION = 512.0, 2.0**-5  # K, of the table of velocities
LEEWAY = 0.01  # K, for temperatures rounded to 32 bits


class GrainGrowth:
    """Grains of a block of metal while a melt pool goes through it.

    Three things happen to a cell. At and above liquidus it melts. Beside solid that did not melt it freezes onto that
    as soon as it falls below liquidus. Everywhere else it waits for an envelope: an octahedron with its corners along
    the <100> of a grain, which takes each cell below liquidus whose center it reaches.

    Between snapshots the temperature of each cell is linear in time. The steps in between are as short as it takes
    for no envelope to grow farther than ``courant`` cells in any of them. The result depends neither on the order in
    which cells are visited nor on the number of processors. Nothing grows through the faces of the block.

    Attributes:
        orientations: (M + 1, 4) unit quaternions from crystal to sample, by grain; row 0 unused. Grains of the
            substrate come first, then nuclei in the order of their birth.
        steps: number of steps taken.
        largest_courant: the farthest that any envelope has grown in one step, in cells.
    """

    def __init__(
        self,
        *,
        substrate: Substrate,
        spacing: Annotated[float, "of the cells, m"],
        law: GrowthLaw,
        nucleation_density: Annotated[float, "sites where a grain can nucleate, 1/m^3"] = 0.0,
        nucleation_undercooling: Annotated[float, "mean undercooling at which sites nucleate, K"] = 20.0,
        nucleation_spread: Annotated[float, "standard deviation of that undercooling, K"] = 4.0,
        interval: Annotated[float, "longest time between snapshots of the temperature, s"] = 4e-6,
        courant: Annotated[float, "the farthest that an envelope may grow in one step, cells"] = 0.25,
        seed: Annotated[int, "of the nuclei"] = 0,
    ) -> None:
        """Check the options and lay out the nucleation sites.

        Sites are a Poisson process in space. They and their undercoolings belong to the block, like particles in the
        metal: they stay the same however often a cell melts. Each nucleus is a new grain with an orientation of its
        own.

        Raises:
            OptionError: if one is out of range.
        """
        _check_range(spacing=spacing, interval=interval, courant=courant)
        _check_range(lowest=0.0, nucleation_density=nucleation_density, nucleation_spread=nucleation_spread)
        _check_range(lowest=0.0, nucleation_undercooling=nucleation_undercooling)
        if seed < 0:
            raise OptionError(f"seed {seed}; expected a whole number of 0 or more")
        if courant > 0.5:
            raise OptionError(f"courant {courant:g}; expected at most 0.5, as envelopes of new cells start a step late")
        ids = np.asarray(substrate.grain_id)
        if ids.ndim != 3 or not ids.size or ids.min() < 1 or ids.max() >= len(substrate.orientations):
            raise DataError(
                f"substrate of shape {ids.shape} with {len(substrate.orientations)} orientations; expected grains of "
                "at least 1 on (X, Y, Z) and a row of orientations for each, after one that is unused"
            )
        self.spacing, self.law, self.interval, self.courant = spacing, law, interval, courant
        self.orientations = np.array(substrate.orientations, dtype=np.float64)
        self.orientations[0] = (1.0, 0.0, 0.0, 0.0)
        self.steps, self.largest_courant = 0, 0.0
        self._grain = np.array(ids, dtype=np.int32, order="C")  # of a molten cell: minus the grain that it was
        self._molten: Box | None = None  # a box around all molten cells
        self._cell, self._center, self._size = np.zeros((0, 3), dtype=np.int64), np.zeros((0, 3)), np.zeros(0)
        places, turns = np.random.SeedSequence(seed, spawn_key=(2,)).spawn(2)  # not those of a substrate of this seed
        mean, spread = nucleation_undercooling, nucleation_spread
        self._site, self._critical = _lay_sites(
            ids.shape, nucleation_density * spacing**3, mean, spread, np.random.default_rng(places)
        )
        table = law.velocity(np.arange(0, HIGHEST_UNDERCOOLING, RESOLUTION))
        self._kinetics = Kinetics(float(law.liquidus), table, RESOLUTION, float(spacing), float(courant), interval)
        self._turns = np.random.default_rng(turns)
        self._spare = np.zeros((0, 4))  # orientations drawn for nuclei to come

    @property
    def grain_id(self) -> NDArray[np.int32]:
        """(X, Y, Z) the grain of each solid cell, 0 where it is molten."""
        return np.maximum(self._grain, 0)

    def advance(self, heat: Heat, start: float, end: float) -> None:
        """Melt and freeze from one time to another, s.

        Raises:
            OptionError: if the end comes before the start.
            DataError: if the heat is on another grid.
        """
        shape = (len(heat.x), len(heat.y), len(heat.z))
        if shape != self._grain.shape:
            raise DataError(
                f"heat on {shape} cells, grains on {self._grain.shape}; expected one grid for both, so cut or resample "
                "one of them"
            )
        if not (np.isfinite(start) and np.isfinite(end) and start <= end):
            raise OptionError(f"grain growth from {start:g} to {end:g} s; expected an end that is not before the start")
        # A little less, so that rounding does not make 11 intervals of 4 us out of 40 us.
        pieces = int(np.ceil((end - start) / self.interval * (1 - 1e-9)))
        times = np.linspace(start, end, pieces + 1)
        for first in range(0, pieces, INTERVALS_AT_ONCE):
            self._advance_window(heat, times[first : first + INTERVALS_AT_ONCE + 1])

    def reorder(self, rng: np.random.Generator) -> None:
        """Shuffle the list of envelopes, which changes nothing: for checks of that."""
        order = rng.permutation(len(self._cell))
        self._cell, self._center, self._size = self._cell[order], self._center[order], self._size[order]

    def _advance_window(self, heat: Heat, times: Floats) -> None:
        """Go through snapshots at these times, in a box around all that is molten or becomes so."""
        from lasernet.simulate.octahedron import grow  # imports numba, which takes a second

        hot = [heat.hot_region(float(time), self.law.liquidus - LEEWAY) for time in times]
        box = box_around([*hot, self._molten], self._grain.shape)
        if box is None:
            return
        window = open_window(self._grain, box)
        envelopes = open_envelopes(window, number_cells(self._cell, box), self._center, self._size)
        sites = self._sites(box)
        missing = max(0, len(sites.cell) - len(self._spare))
        self._spare = np.concatenate([self._spare, random_orientations(missing, self._turns)])
        rotations = rotation_matrices(np.concatenate([self.orientations, self._spare]))
        progress = Progress(len(self._cell), len(self.orientations) - 1, self.steps, self.largest_courant)
        last = _snapshot(heat, times[0], box)
        for start, end in pairwise(times):
            first, last = last, _snapshot(heat, end, box)
            kinetics = self._kinetics._replace(longest=float(end - start) / STEPS_PER_INTERVAL)
            progress = grow(window, envelopes, kinetics, sites, rotations, first, last, float(end - start), progress)
        self._close_window(box, window, envelopes, progress)

    def _close_window(self, box: Box, window: Window, envelopes: Envelopes, progress: Progress) -> None:
        """Take over what has happened in a window."""
        x, y, z = (slice(1, -1),) * 3
        self._grain[box] = window.grain.reshape(window_shape(box))[x, y, z]
        self._molten = molten_box(self._grain, box)
        kept = slice(progress.envelopes)
        self._cell = locate_cells(envelopes.cell[kept], box)
        self._center, self._size = envelopes.center[kept].copy(), envelopes.size[kept].copy()
        born = progress.grains + 1 - len(self.orientations)
        self.orientations = np.concatenate([self.orientations, self._spare[:born]])
        self._spare = self._spare[born:]
        self.steps, self.largest_courant = progress.steps, progress.courant

    def _sites(self, box: Box) -> Sites:
        """The nucleation sites in a box."""
        low, high = np.array([(part.start, part.stop) for part in box]).T
        inside = ((self._site >= low) & (self._site < high)).all(axis=1)
        return Sites(number_cells(self._site[inside], box), self._critical[inside])


def _lay_sites(
    shape: tuple[int, ...], per_cell: float, undercooling: float, spread: float, rng: np.random.Generator
) -> tuple[NDArray[np.int64], Floats]:
    """The cells (N, 3) that hold a nucleation site, and the undercooling of the easiest site in each."""
    cells = int(np.prod(shape))
    place = rng.integers(cells, size=rng.poisson(per_cell * cells))
    critical = rng.normal(undercooling, spread, len(place))
    order = np.lexsort((critical, place))
    found, first = np.unique(place[order], return_index=True)
    return np.stack(np.unravel_index(found, shape), axis=-1), critical[order][first]


def _snapshot(heat: Heat, time: float, box: Box) -> Temperatures:
    """Temperatures of a window, K."""
    return np.pad(np.asarray(heat.field(float(time), box), dtype=np.float32), 1).ravel()


def _check_range(*, lowest: float | None = None, **options: float) -> None:
    """Refuse options that are not finite, or not above 0, or below the lowest allowed."""
    for name, value in options.items():
        if not (np.isfinite(value) and (value > 0 if lowest is None else value >= lowest)):
            wanted = "above 0" if lowest is None else f"of {lowest:g} or more"
            raise OptionError(f"{name} {value:g}; expected a finite number {wanted}")

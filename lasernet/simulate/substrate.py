"""The grains that are there before the laser comes: a Poisson–Voronoi tessellation of space, cut to a block."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from lasernet.errors import OptionError
from lasernet.simulate.orientation import random_orientations

Floats = NDArray[np.float64]

MARGIN = 2.0  # mean distances between seeds that they go on beyond the block
CELLS_AT_ONCE = 200_000


@dataclass(frozen=True)
class Substrate:
    """Grains and how their crystals lie.

    Attributes:
        grain_id: (X, Y, Z) int32, 1 and more.
        orientations: (N + 1, 4) unit quaternions (w, x, y, z) from crystal to sample, row i of grain i; row 0 unused.
    """

    grain_id: NDArray[np.int32]
    orientations: Floats


def substrate(shape: tuple[int, int, int], spacing: float, grain_size: float, seed: int) -> Substrate:
    """Grains 1 to N around random seeds, none left out; the block cuts those on its faces.

    Args:
        shape: cells (X, Y, Z).
        spacing: of the cells, m.
        grain_size: diameter of a sphere as large as the mean grain, m.
        seed: of seeds and orientations.

    Raises:
        OptionError: if the shape is empty or grains would be smaller than cells.
    """
    if len(shape) != 3 or min(shape) < 1:
        raise OptionError(f"substrate of {shape} cells; expected three numbers of cells, each 1 or more")
    if not (spacing > 0 and np.isfinite(spacing)):
        raise OptionError(f"spacing {spacing:g} m; expected a length above 0")
    if not (grain_size >= spacing and np.isfinite(grain_size)):
        raise OptionError(
            f"grain size {grain_size:g} m on cells of {spacing:g} m; expected at least one cell, so choose larger "
            "grains or a finer grid"
        )
    places, turns = np.random.SeedSequence(seed).spawn(2)
    tree = cKDTree(draw_seeds(shape, grain_size / spacing, np.random.default_rng(places)))
    owner = np.empty(shape, dtype=np.int32)
    for start in range(0, shape[0], layers := max(1, CELLS_AT_ONCE // (shape[1] * shape[2]))):
        some = np.arange(start, min(start + layers, shape[0]))
        centers = np.stack(np.meshgrid(some, *map(np.arange, shape[1:]), indexing="ij"), axis=-1) + 0.5
        owner[some] = tree.query(centers)[1]
    seen = np.bincount(owner.ravel(), minlength=tree.n) > 0
    number = np.cumsum(seen, dtype=np.int32)
    orientations = np.zeros((int(number[-1]) + 1, 4))
    orientations[0, 0] = 1.0
    orientations[1:] = random_orientations(int(number[-1]), np.random.default_rng(turns))
    return Substrate(number[owner], orientations)


def draw_seeds(shape: tuple[int, int, int], diameter: float, rng: np.random.Generator) -> Floats:
    """Poisson points, (n, 3) in cells from the corner of the block, one on average in a sphere of that diameter.

    They go on beyond the block so far that a cell has its nearest one among them: a ball of radius MARGIN mean
    distances holds none with probability exp(-4 pi MARGIN^3 / 3) = 3e-15.
    """
    density = 6 / (np.pi * diameter**3)
    margin = MARGIN * density ** (-1 / 3)
    size = np.array(shape) + 2 * margin
    count = max(1, int(rng.poisson(density * size.prod())))
    return np.asarray(rng.uniform(0, 1, (count, 3)) * size - margin)

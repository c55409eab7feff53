"""Poisson–Voronoi grain structures: bright cells between dark boundaries, periodic or cut from a larger structure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from lasernet.errors import OptionError
from lasernet.simulate.tessellation import boundary_distance, voronoi_cells

VERSION = 1  # rises when the same options and seed give other images
LARGEST_SIZE = 8192
MARGIN = 6.0  # mean distances between seeds that a free structure goes on beyond its image


@dataclass(frozen=True)
class Microstructure:
    """One image of grains.

    Attributes:
        image: (H, W) uint8, gray · 255; 0 on a boundary.
        labels: (H, W) int32, the grain of each pixel: 1, 2, … in no particular order, none left out.
        grains: number of grains of which the image shows at least one pixel, so the largest label.
    """

    image: NDArray[np.uint8]
    labels: NDArray[np.int32]
    grains: int


class VoronoiStructures:
    """Voronoi cells of random points; gray = 1 − exp(−(e/w)²), with e the exact distance to the nearest boundary.

    Pixel (i, j) is the value at the point (i + 0.5, j + 0.5).

    A periodic image has exactly as many seeds as grains are asked for, uniform on the torus. A free image is the
    middle of a structure that goes on for six mean seed distances on each side, where the number of seeds
    is Poisson distributed: its mean *in the frame* is the number of grains asked for. As the frame also cuts
    cells whose seeds lie outside, it shows more grains than that; their number is stored beside the image. Seeds
    beyond the margin could change an image only if a disc of 3 mean distances held no seed: one image in 10¹⁰.
    """

    def __init__(
        self,
        *,
        size: Annotated[int, "height and width, px"] = 64,
        grains: Annotated[tuple[int, ...], "number of grains, or the lowest and highest, uniform between"] = (20, 40),
        boundary_width: Annotated[float, "w of gray = 1 - exp(-(e/w)^2), px; e: distance to the boundary"] = 1.5,
        periodic: Annotated[bool, "opposite edges fit together"] = True,
        binary: Annotated[bool, "1 where gray > 0.5, else 0"] = False,
        lloyd_steps: Annotated[int, "move seeds to the centroids of their cells so often: even grains"] = 0,
    ) -> None:
        """Check the options.

        Raises:
            OptionError: if one is out of range.
        """
        if not 1 <= size <= LARGEST_SIZE:
            raise OptionError(f"--size {size}: expected 1 to {LARGEST_SIZE} px; cut larger areas into several images")
        if len(grains) not in (1, 2) or not 1 <= grains[0] <= grains[-1] <= size * size:
            found = ",".join(map(str, grains))
            raise OptionError(
                f"--grains {found}: expected one number or lowest,highest, from 1 to {size * size} pixels of the image"
            )
        if not (np.isfinite(boundary_width) and boundary_width > 0):
            raise OptionError(f"--boundary-width {boundary_width}: expected a width above 0 px")
        if lloyd_steps < 0:
            raise OptionError(f"--lloyd-steps {lloyd_steps}: expected 0 or more")
        self.size = size
        self.grains = (grains[0], grains[-1])
        self.boundary_width = boundary_width
        self.periodic = periodic
        self.binary = binary
        self.lloyd_steps = lloyd_steps

    def draw(self, index: int, *, seed: int) -> Microstructure:
        """Image number ``index`` of the set of this seed; it depends on nothing else, not on images before it."""
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(index,)))
        seeds, period = self.draw_seeds(rng)
        return self.render(seeds, period=period)

    def draw_seeds(self, rng: np.random.Generator) -> tuple[NDArray[np.float64], float]:
        """The seeds of one structure, (n, 2) px, and the period of the torus on which they lie."""
        grains = int(rng.integers(self.grains[0], self.grains[1] + 1))
        period = float(self.size)
        if not self.periodic:
            period += 2 * MARGIN * self.size / np.sqrt(grains)
            grains = max(1, int(rng.poisson(grains * (period / self.size) ** 2)))
        seeds = rng.uniform(0, period, (grains, 2))
        for _ in range(self.lloyd_steps):
            seeds = voronoi_cells(seeds, period=period).centroid % period
        return seeds, period

    def render(self, seeds: NDArray[np.float64], *, period: float) -> Microstructure:
        """The image of the middle of a torus with these seeds; all of it if the period is the size."""
        axis = (period - self.size) / 2 + np.arange(self.size) + 0.5
        pixels = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
        distance, owner = boundary_distance(pixels, seeds, period=period)
        gray = self.gray(distance).reshape(self.size, self.size)
        seen, number = np.unique(owner, return_inverse=True)
        labels = (number + 1).astype(np.int32).reshape(self.size, self.size)
        return Microstructure(np.rint(255 * gray).astype(np.uint8), labels, len(seen))

    def gray(self, distance: NDArray[np.float64]) -> NDArray[np.float64]:
        """Gray in [0, 1] at a distance from the boundary, px."""
        gray = 1 - np.exp(-((distance / self.boundary_width) ** 2))
        return (gray > 0.5).astype(np.float64) if self.binary else gray

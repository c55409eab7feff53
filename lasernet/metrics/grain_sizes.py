"""Sizes of grains counted in cells, and how two samples of them compare."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lasernet.metrics.distributions import Distribution
from lasernet.physics.grains import equivalent_diameters

PARTS = 16  # of a cell, over which every area is spread


@dataclass(frozen=True)
class GrainSizes:
    """Areas of grains of any number of slices.

    Attributes:
        areas: in cells, (G,).
        cell: area of a cell of the slice that each grain lies in, m², (G,).
    """

    areas: NDArray[np.int64]
    cell: NDArray[np.float64]

    @classmethod
    def of(cls, slices: Iterable[tuple[float, NDArray[np.integer]]]) -> GrainSizes:
        """The grains of slices, each given by the area of its cells in m² and those of its grains in cells."""
        given = list(slices)
        areas = [np.asarray(sizes, dtype=np.int64) for _, sizes in given]
        cells = [np.full(len(sizes), area) for area, sizes in given]
        return cls(np.concatenate([np.zeros(0, np.int64), *areas]), np.concatenate([np.zeros(0), *cells]))

    @property
    def mean_diameter(self) -> float | None:
        """Mean equivalent diameter in m, None without grains."""
        return float(equivalent_diameters(self.areas * self.cell).mean()) if len(self.areas) else None

    def relative_diameters(self) -> Distribution:
        """Distribution of diameters over their mean, every area spread evenly over ± half a cell.

        Areas are whole numbers of cells. Without the spread, the many grains of one, two or three cells would stand
        at different places in two samples whose means differ a little, and make the samples look far apart.
        """
        offsets = (np.arange(PARTS) + 0.5) / PARTS - 0.5
        areas = (self.areas[:, None] + offsets) * self.cell[:, None]
        return Distribution.of(equivalent_diameters(areas.ravel()) / (self.mean_diameter or 1.0))

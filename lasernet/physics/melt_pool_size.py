"""Length, width and depth of a melt pool, in fractions of a cell."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import label

from lasernet.errors import DataError


def pool_size(
    temperature: NDArray[np.floating], spacing: tuple[float, float, float], threshold: float
) -> tuple[float, float, float]:
    """Extent in m along x, across y and below the surface of the hot region around the hottest cell.

    Along each axis the hottest cell of every cross-section is taken; where that profile falls below the threshold, it
    is read as linear between two cells, so smooth fields are measured to second order in the spacing. Other regions
    that are hot, apart from this one, do not count. A pool that reaches the border of the volume ends at the
    centers of its last cells.

    Args:
        temperature: K, (X, Y, Z); x the scan direction, the last index of z the surface.
        spacing: m between cell centers along x, y and z.
        threshold: K; liquidus, for a melt pool.

    Returns:
        Length, width and depth, m; zeros if nothing is hotter than the threshold.

    Raises:
        DataError: if the field is no volume or not finite.
    """
    if temperature.ndim != 3 or not temperature.size or not np.isfinite(temperature).all():
        raise DataError(
            f"a temperature of shape {temperature.shape}; expected a finite volume (X, Y, Z); fill or cut the rest"
        )
    above = temperature > threshold
    if not above.any():
        return (0.0, 0.0, 0.0)
    regions, found = label(above)
    if found > 1:
        hottest = np.unravel_index(int(temperature.argmax()), temperature.shape)
        temperature = np.where(above & (regions != regions[hottest]), threshold, temperature.astype(np.float64))
    ends = [_ends(temperature.max(axis=tuple({0, 1, 2} - {axis})), threshold) for axis in range(3)]
    (back, front), (right, left), (bottom, _) = ends
    depth = temperature.shape[2] - 1 - bottom
    return ((front - back) * spacing[0], (left - right) * spacing[1], depth * spacing[2])


def _ends(profile: NDArray[np.floating], threshold: float) -> tuple[float, float]:
    """Where a profile crosses the threshold before and after its hottest cell, in cells."""
    values = profile.astype(np.float64)
    hottest = int(values.argmax())
    return hottest - _reach(values[hottest::-1], threshold), hottest + _reach(values[hottest:], threshold)


def _reach(falling: NDArray[np.float64], threshold: float) -> float:
    """Cells from the first value, which is hot, to where the threshold is crossed."""
    cold = np.flatnonzero(falling <= threshold)
    if not len(cold):
        return float(len(falling) - 1)
    last = int(cold[0]) - 1
    return float(last + (falling[last] - threshold) / (falling[last] - falling[last + 1]))

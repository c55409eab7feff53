"""Convex hulls of grains: how far a grain is from being convex."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lasernet.physics.grains import areas, global_numbers


def solidity(labels: NDArray[np.int32], counts: NDArray[np.integer], *, periodic: bool) -> NDArray[np.float64]:
    """Area of every grain over the area of its convex hull, 1 for a convex outline along the pixel edges.

    The hull is that of the corners of the grain's pixels, so a slanted straight edge costs its staircase: a Voronoi
    cell of 80 px has 0.85. (scikit-image takes the middles of the pixel edges and counts pixels inside,
    which gives 0.90.) In a periodic image, a grain that crosses the edges is first put together; one that reaches
    all around along an axis is taken as it lies in the image along that axis.

    Args:
        labels: (N, H, W), as ``grains.label_images`` returns them.
        counts: grains of each image, (N,).

    Returns:
        One number in (0, 1] per grain, image by image.
    """
    numbers, total = global_numbers(labels, counts), int(np.sum(counts))
    _, row, column = np.nonzero(numbers >= 0)
    grain = numbers[numbers >= 0]
    row = _from_start(row, grain, total, labels.shape[1], periodic)
    column = _from_start(column, grain, total, labels.shape[2], periodic)
    rows = int(row.max()) + 1 if len(row) else 0
    left = np.full((total, rows), labels.shape[2], dtype=np.int64)
    right = np.full((total, rows), -1, dtype=np.int64)
    np.minimum.at(left, (grain, row), column)
    np.maximum.at(right, (grain, row), column)
    # Corners at height y belong to the pixels above and below.
    left = np.minimum(_beside(left, labels.shape[2], 0), _beside(left, labels.shape[2], 1))
    right = np.maximum(_beside(right, -1, 0), _beside(right, -1, 1)) + 1
    present = right > left
    twice = _twice_below_envelope(right, present) + _twice_below_envelope(-left, present)
    answer: NDArray[np.float64] = 2.0 * areas(labels, counts) / np.maximum(twice, 1)
    return answer


def _beside(values: NDArray[np.int64], fill: int, above: int) -> NDArray[np.int64]:
    return np.pad(values, ((0, 0), (1 - above, above)), constant_values=fill)


def _from_start(
    place: NDArray[np.int64], grain: NDArray[np.int64], total: int, size: int, periodic: bool
) -> NDArray[np.int64]:
    """Places along an axis counted from where each grain begins: behind the gap that it leaves, if periodic."""
    occupied = np.zeros((total, size), dtype=np.bool_)
    occupied[grain, place] = True
    begins = occupied.copy()
    if periodic:
        begins &= ~np.roll(occupied, 1, axis=1)
    start = begins.argmax(axis=1)  # 0 for a grain that reaches all around
    counted: NDArray[np.int64] = (place - start[grain]) % size
    return counted


def _twice_below_envelope(values: NDArray[np.int64], present: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Twice the area below the smallest concave function through or above values at 0, 1, 2…, for each row at once.

    Andrew's monotone chain (1979), one step for all rows: the points of the envelope so far lie on a stack, and
    a new point removes those that it leaves below a straight line.

    Args:
        values: (G, Y); present: which of them are points at all, (G, Y).
    """
    count, heights = values.shape
    stack = np.zeros((count, heights), dtype=np.int64)
    size = np.zeros(count, dtype=np.int64)
    for y in range(heights):
        reached = np.flatnonzero(present[:, y])
        pending = reached[size[reached] >= 2]
        while len(pending):
            before, last = stack[pending, size[pending] - 2], stack[pending, size[pending] - 1]
            base = values[pending, before]
            rise, rise_last = values[pending, y] - base, values[pending, last] - base
            pending = pending[rise_last * (y - before) <= rise * (last - before)]
            size[pending] -= 1
            pending = pending[size[pending] >= 2]
        stack[reached, size[reached]] = y
        size[reached] += 1
    at = np.take_along_axis(values, stack, axis=1) if heights else values
    pieces = (at[:, 1:] + at[:, :-1]) * np.diff(stack, axis=1)
    kept = np.arange(1, max(1, heights)) < size[:, None]
    return np.asarray(np.where(kept, pieces, 0).sum(axis=1), dtype=np.int64)

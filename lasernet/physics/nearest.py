"""The nearest solid cell, rigid motion and grain width: geometry on regular grids."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt
from torch import Tensor


def nearest_solid(
    solid: NDArray[np.bool_], spacing: Sequence[float]
) -> tuple[tuple[NDArray[np.intp], ...], NDArray[np.float64]]:
    """For every cell the index of the solid cell nearest to it, and the distance between their centers.

    A solid cell is its own nearest one, at distance 0. Where there is no solid cell at all, every cell
    stands for itself at an infinite distance. Equal distances are resolved the same way every time.

    Args:
        solid: of any dimension.
        spacing: m, one per axis.

    Returns:
        Index arrays, one per axis, that pick the nearest cells (``field[indices]``), and the distance in m.
    """
    indices: tuple[NDArray[np.intp], ...] = tuple(np.indices(solid.shape, dtype=np.intp))
    distance: NDArray[np.float64] = np.zeros(solid.shape)
    if solid.all():
        return indices, distance
    if not solid.any():
        distance.fill(np.inf)
        return indices, distance
    # The box around all other cells, one cell wider, holds the nearest solid cell of each: moving a solid cell
    # outside it to the box's border brings it closer, and the border is solid.
    box = tuple(_extent(~solid, axis) for axis in range(solid.ndim))
    distance[box], found = distance_transform_edt(~solid[box], sampling=tuple(spacing), return_indices=True)
    for axis, index in enumerate(indices):
        index[box] = found[axis] + box[axis].start
    return indices, distance


def _extent(cells: NDArray[np.bool_], axis: int) -> slice:
    others = tuple(other for other in range(cells.ndim) if other != axis)
    occupied = np.flatnonzero(cells.any(axis=others))
    return slice(max(0, int(occupied[0]) - 1), min(cells.shape[axis], int(occupied[-1]) + 2))


def nearest_in_slices(ipf: Tensor, solid: Tensor, cell_height: Tensor, cell_width: Tensor) -> tuple[Tensor, Tensor]:
    """Color of the nearest solid cell of the same slice, and the distance to it.

    Args:
        ipf: colors, (B, C, H, W).
        solid: bool, (B, 1, H, W).
        cell_height, cell_width: m, (B,).

    Returns:
        Colors (B, C, H, W), and the distance in m (B, 1, H, W), 0 in solid cells and infinite in a slice
        without any, where the colors stay as they are. The search runs on the CPU.
    """
    columns = ipf.shape[-1]
    flat, distances = [], []
    for image, height, width in zip(solid[:, 0].cpu().numpy(), cell_height.tolist(), cell_width.tolist(), strict=True):
        (row, column), distance = nearest_solid(image, (height, width))
        flat.append(torch.from_numpy((row * columns + column).reshape(1, -1)))
        distances.append(torch.from_numpy(distance.astype(np.float32))[None])
    index = torch.stack(flat).to(ipf.device).expand(-1, ipf.shape[1], -1)
    colors = ipf.flatten(2).gather(2, index).reshape(ipf.shape)
    return colors, torch.stack(distances).to(ipf.device)


def advect(
    field: NDArray[np.generic], shift_cells: Sequence[float], *, valid: NDArray[np.bool_] | None = None
) -> NDArray[np.float32]:
    """Move a field rigidly: the value at x becomes the one that stood at x − shift, linear between cells.

    Args:
        field: (…, X, Y, Z); the last axes, as many as there are shifts, are the grid.
        shift_cells: displacement along each grid axis, in cells.
        valid: where the field holds anything, shaped like the grid; None: everywhere.

    Returns:
        The moved field. Cells whose value would come from outside the grid, or from an invalid cell, keep
        their own.
    """
    original = np.asarray(field, dtype=np.float32)
    axes = range(original.ndim - len(shift_cells), original.ndim)
    grid = original.shape[axes[0] :]
    reached = np.ones(grid, dtype=np.bool_) if valid is None else valid
    moved = original
    for axis, shift in zip(axes, shift_cells, strict=True):
        if shift == 0:
            continue
        count = original.shape[axis]
        source = np.round(np.arange(count) - float(shift), 6)  # whole cells stay whole in spite of rounding
        left = np.floor(source).astype(np.intp)
        weight = source - left
        low, high = np.clip(left, 0, count - 1), np.clip(left + 1, 0, count - 1)
        high = np.where(weight == 0, low, high)
        column = (-1,) + (1,) * (original.ndim - 1 - axis)
        fraction = weight.astype(np.float32).reshape(column)
        moved = moved.take(low, axis) * (1 - fraction) + moved.take(high, axis) * fraction
        inside = ((source >= 0) & (source <= count - 1)).reshape(column)
        along = axis - axes[0]
        reached = reached.take(low, along) & reached.take(high, along) & inside
    return np.where(reached, moved, original)


def mean_intercept(labels: NDArray[np.integer], axis: int) -> float:
    """Mean length in cells of the runs of one label along an axis; NaN where there is no grain.

    Args:
        labels: grain labels, 0 = no grain. Runs cut off by the border or by a label 0 count with what is seen.
    """
    along = np.moveaxis(labels, axis, 0)
    starts = along != 0
    cells = int(np.count_nonzero(starts))
    starts[1:] &= along[1:] != along[:-1]
    runs = int(np.count_nonzero(starts))
    return cells / runs if runs else float("nan")

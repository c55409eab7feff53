"""What the growth of envelopes works on: a box of cells with one more layer around it, flattened.

The layer is there so that every cell of the box has its 26 neighbors. All arrays of cells are in C order.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Temperatures = NDArray[np.float32]
Cells = NDArray[np.int64]
Box = tuple[slice, slice, slice]

SOLID, GROWING, HOT, COLD, OUTSIDE = 0, 1, 2, 3, 4  # HOT and COLD are molten, above and below liquidus
AROUND = np.array([(i, j, k) for i in (-1, 0, 1) for j in (-1, 0, 1) for k in (-1, 0, 1) if i or j or k])
NO_BID = -1.0


class Window(NamedTuple):
    """The cells: flat arrays of one length, but for ``around``.

    Attributes:
        grain: the grain of a solid cell; minus the grain that it was before of a molten one; 0 in the layer around.
        state: SOLID, GROWING, HOT, COLD or OUTSIDE.
        around: (26,) from a cell to its neighbors in the order of AROUND.
        bid: by how much the best bidder's envelope reaches beyond this cell, NO_BID without one.
        bidder: position of that one in the list of envelopes.
        route: the neighbor of the bidder that this cell is.
    """

    grain: NDArray[np.int32]
    state: NDArray[np.uint8]
    around: Cells
    bid: Floats
    bidder: Cells
    route: NDArray[np.uint8]


class Envelopes(NamedTuple):
    """Growing octahedra, with room for one in every cell; in no order that matters. Lengths in cells.

    Attributes:
        cell: (N,) where it grows.
        center: (N, 3) from the center of that cell.
        size: (N,) half the diagonal.
        speed: (N,) m/s.
        cold: (N,) bit n is set if neighbor n can be captured.
    """

    cell: Cells
    center: Floats
    size: Floats
    speed: Floats
    cold: Cells


class Kinetics(NamedTuple):
    """How fast tips grow, and how finely that is resolved.

    Attributes:
        liquidus: K.
        table: m/s at the undercoolings 0, resolution, 2 resolution, …; the last value holds beyond.
        resolution: K.
        spacing: m.
        courant: the farthest that an envelope may grow in one step, in cells.
        longest: s, of a step.
    """

    liquidus: float
    table: Floats
    resolution: float
    spacing: float
    courant: float
    longest: float


class Sites(NamedTuple):
    """Cells where a grain nucleates, and the undercooling at which it does, K."""

    cell: Cells
    undercooling: Floats


class Progress(NamedTuple):
    """Where growth stands: envelopes in the list, grains ever made, steps taken, farthest growth in one of them."""

    envelopes: int
    grains: int
    steps: int
    courant: float


def box_around(boxes: list[Box | None], shape: tuple[int, ...]) -> Box | None:
    """The box around all boxes and one more layer, within a grid; None without any."""
    some = [box for box in boxes if box is not None]
    if not some:
        return None
    low = [max(0, min(box[axis].start for box in some) - 1) for axis in range(3)]
    high = [min(shape[axis], max(box[axis].stop for box in some) + 1) for axis in range(3)]
    return slice(low[0], high[0]), slice(low[1], high[1]), slice(low[2], high[2])


def molten_box(grain: NDArray[np.int32], box: Box) -> Box | None:
    """The box around the molten cells within a box; None without any."""
    molten = grain[box] < 0
    found = [np.flatnonzero(molten.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1))]
    if not len(found[0]):
        return None
    x, y, z = (
        slice(part.start + int(at[0]), part.start + int(at[-1]) + 1) for part, at in zip(box, found, strict=True)
    )
    return x, y, z


def open_window(grain: NDArray[np.int32], box: Box) -> Window:
    """The cells of a box of a grid, all envelopes at rest."""
    cells = np.pad(grain[box], 1)
    flat = cells.ravel()
    state = np.full(flat.shape, OUTSIDE, dtype=np.uint8)
    state[flat > 0] = SOLID
    state[flat < 0] = HOT  # growth sorts out what is colder
    strides = np.array([cells.shape[1] * cells.shape[2], cells.shape[2], 1])
    bid = np.full(flat.shape, NO_BID)
    return Window(
        flat, state, AROUND @ strides, bid, np.zeros(flat.shape, dtype=np.int64), np.zeros(flat.shape, dtype=np.uint8)
    )


def window_shape(box: Box) -> tuple[int, int, int]:
    """Cells of the window of a box."""
    x, y, z = (part.stop - part.start + 2 for part in box)
    return x, y, z


def number_cells(cells: Cells, box: Box) -> Cells:
    """Positions in the flat window of cells (N, 3) of the grid."""
    inside = cells - np.array([part.start - 1 for part in box])
    return np.asarray(np.ravel_multi_index(tuple(inside.T), window_shape(box)), dtype=np.int64)


def locate_cells(numbers: Cells, box: Box) -> Cells:
    """The cells (N, 3) of the grid at positions in the flat window."""
    inside = np.stack(np.unravel_index(numbers, window_shape(box)), axis=-1)
    return np.asarray(inside + np.array([part.start - 1 for part in box]))


def open_envelopes(window: Window, cell: Cells, center: Floats, size: Floats) -> Envelopes:
    """A list that begins with these envelopes, at positions in the window, and wakes their cells."""
    room, count = len(window.state), len(cell)
    envelopes = Envelopes(
        np.empty(room, dtype=np.int64), np.empty((room, 3)), np.empty(room), np.empty(room), np.empty(room, np.int64)
    )
    envelopes.cell[:count], envelopes.center[:count], envelopes.size[:count] = cell, center, size
    window.state[cell] = GROWING
    return envelopes

"""When a front that leaves the solid cells reaches the liquid ones, and from where: shortest paths through melt."""

from __future__ import annotations

from heapq import heappop, heappush

import numpy as np
from numpy.typing import NDArray

from lasernet.simulate.compiled import compiled  # imports numba, which takes a second

OFFSETS = np.array(
    [(i, j, k) for i in (-1, 0, 1) for j in (-1, 0, 1) for k in (-1, 0, 1) if (i, j, k) != (0, 0, 0)], dtype=np.int64
)
LEAST_CHANGE = 1e-3  # K per frame, below which an undercooling counts as constant


def arrivals(
    solid: NDArray[np.bool_],
    liquid: NDArray[np.bool_],
    now: NDArray[np.float64],
    then: NDArray[np.float64],
    *,
    spacing: tuple[float, float, float],
    time_step: float,
    law: tuple[float, float],
    latest: float,
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """When the front arrives, in frames after frame t, and from where: the first time over all paths from a solid cell.

    It goes from a cell to its 26 neighbors with the speed a·ΔTᵇ of the undercooling of the cell that it leaves, which
    changes linearly in time; it does not leave a cell that is hotter than liquidus. An automaton without orientations
    and without envelopes: what temperature alone says of the order in which cells freeze.

    Args:
        solid, liquid: (X, Y, Z); a front starts from the first, and enters only the second.
        now, then: undercooling of frames t and t+1 in K, below 0 where hotter than liquidus, (X, Y, Z).
        spacing: m, along the three axes.
        time_step: s, from frame t to frame t+1.
        law: a in m/s per Kᵇ, and b.
        latest: frames; the answer where nothing arrives before.

    Returns:
        The times, (X, Y, Z), 0 in solid cells; and the solid cell that each path comes from, as a place in the
        flattened array, (X, Y, Z): a solid cell's own, −1 where nothing arrives.
    """
    factor, exponent = law
    lengths = np.sqrt(((OFFSETS * np.asarray(spacing)) ** 2).sum(axis=1))
    steps: NDArray[np.float64] = (exponent + 1) * lengths / (factor * time_step)
    return _march(solid, liquid, now, then, steps, exponent, latest)


@compiled
def _march(
    solid: NDArray[np.bool_],
    liquid: NDArray[np.bool_],
    now: NDArray[np.float64],
    then: NDArray[np.float64],
    steps: NDArray[np.float64],
    exponent: float,
    latest: float,
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Dijkstra's algorithm: a path's time grows along it, so the cell with the smallest one is final.

    The way grown from time p to time s is a·∫(u + r·τ)ᵇdτ = a·[(u + r·s)ᵇ⁺¹ − (u + r·p)ᵇ⁺¹] / ((b + 1)·r).
    """
    nx, ny, nz = solid.shape
    arrival = np.full(solid.shape, latest)
    source = np.full(solid.shape, -1)
    done = np.zeros(solid.shape, np.bool_)
    queue = [(0.0, 0, 0, 0)]
    queue.pop()
    for x in range(nx):
        for y in range(ny):
            for z in range(nz):
                if solid[x, y, z]:
                    arrival[x, y, z] = 0.0
                    source[x, y, z] = (x * ny + y) * nz + z
                    for offset in OFFSETS:
                        i, j, k = x + offset[0], y + offset[1], z + offset[2]
                        if 0 <= i < nx and 0 <= j < ny and 0 <= k < nz and liquid[i, j, k]:
                            queue.append((0.0, x, y, z))  # equal times: a heap already
                            break
    while len(queue) > 0:
        time, x, y, z = heappop(queue)
        if done[x, y, z]:
            continue
        done[x, y, z] = True
        rate = then[x, y, z] - now[x, y, z]
        cold = max(now[x, y, z] + rate * time, 0.0)
        start = cold ** (exponent + 1)
        for number in range(len(OFFSETS)):
            i, j, k = x + OFFSETS[number, 0], y + OFFSETS[number, 1], z + OFFSETS[number, 2]
            if not (0 <= i < nx and 0 <= j < ny and 0 <= k < nz) or not liquid[i, j, k] or done[i, j, k]:
                continue
            grown = start + steps[number] * rate
            if grown <= 0.0:  # it warms too fast to get there
                continue
            if abs(rate) > LEAST_CHANGE:
                reached = (grown ** (1 / (exponent + 1)) - now[x, y, z]) / rate
            elif cold > 0.0:
                reached = time + steps[number] / ((exponent + 1) * cold**exponent)
            else:
                continue
            if reached < arrival[i, j, k]:
                arrival[i, j, k] = reached
                source[i, j, k] = source[x, y, z]
                heappush(queue, (reached, i, j, k))
    return arrival, source

"""Voronoi tessellations of a square torus: exact distances to the cell boundaries, and exact cells.

Seeds are (n, 2) in [0, period)², no two alike; each stands for all its copies at multiples of the period. A cell
reaches at most half a period from its seed along each axis (the bisectors with the seed's own copies see to that), so
cells can only touch if their seeds are at most one period apart along each axis. Hence the copies in a square of three
by three periods determine the cells of the seeds in the middle, and five by five those of all points in the middle.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import Voronoi, cKDTree

Floats = NDArray[np.float64]
Numbers = NDArray[np.intp]
FIRST_REACH = 3.0  # in mean distances between seeds; enough nearly always, and checked for each point or cell
FIRST_NEIGHBORS = 16


def boundary_distance(points: Floats, seeds: Floats, *, period: float) -> tuple[Floats, Numbers]:
    """Distance of each point to the boundary of the cell in which it lies, and the number of that cell's seed.

    For a point x in the cell of p, at distance d of p, the bisector of p and another seed q is
    |q − p|/2 − (x − p)·(q − p)/|q − p| away. The smallest of these over *all* q is the distance to the boundary:
    the cell is the intersection of the half planes, and a disc lies in an intersection if it lies in each.

    Not all q need be looked at. That expression is at least |q − p|/2 − d and also, as it equals
    (|x − q|² − d²)/(2|q − p|) with |q − p| ≤ |x − q| + d, at least (|x − q| − d)/2. So the smallest value e over
    the k seeds nearest to p is final if |q − p|/2 − d ≥ e for the k-th of them, and if (m − d)/2 ≥ e where
    all seeds within m of x were known. Points for which this fails are done again with more seeds, in the end with all.

    Args:
        points: (M, 2) in [0, period]².

    Returns:
        Distances (M,), and indices into ``seeds`` (M,).
    """
    distance, owner = np.empty(len(points)), np.empty(len(points), dtype=np.intp)
    left = np.arange(len(points))
    reach = FIRST_REACH * period / np.sqrt(len(seeds))
    while len(left):
        all_known = reach >= period
        box = None if all_known else (points[left].min(axis=0) - reach, points[left].max(axis=0) + reach)
        copies, origin = _copies(seeds, period, box)
        if len(copies):
            found, nearest, radius = _distance_within(points[left], copies)
            final = ((np.inf if all_known else reach) - radius) / 2 >= found
            distance[left[final]] = found[final]
            owner[left[final]] = origin[nearest[final]]
            left = left[~final]
        reach *= 2
    return distance, owner


def _copies(seeds: Floats, period: float, box: tuple[Floats, Floats] | None) -> tuple[Floats, Numbers]:
    """Five by five copies of the seeds, those of the middle first, or the ones in a box; and which seed each copies."""
    steps = (0, -1, 1, -2, 2)
    shifts = np.array([(i, j) for i in steps for j in steps], dtype=np.float64) * period
    copies = (seeds + shifts[:, None]).reshape(-1, 2)
    numbers = np.arange(len(copies))
    if box is not None:
        numbers = numbers[((copies >= box[0]) & (copies <= box[1])).all(axis=1)]
    return copies[numbers], numbers % len(seeds)


def _distance_within(points: Floats, copies: Floats) -> tuple[Floats, Numbers, Floats]:
    """Distance to the boundary, nearest seed and distance to it, were these copies all the seeds there are."""
    tree = cKDTree(copies)
    radius, nearest = tree.query(points)
    distance = np.full(len(points), np.inf)
    left = np.arange(len(points))
    neighbors = min(FIRST_NEIGHBORS, len(copies) - 1)
    while len(left) and neighbors:
        cells, cell = np.unique(nearest[left], return_inverse=True)
        span, order = tree.query(copies[cells], k=range(1, neighbors + 2))
        half = span[:, 1:] / 2
        normal = (copies[order[:, 1:]] - copies[cells][:, None]) / span[:, 1:, None]
        x, y = (points[left] - copies[nearest[left]]).T
        best = np.full(len(left), np.inf)
        for number in range(neighbors):  # one pass for all neighbors at once takes longer
            bisector = half[:, number][cell] - x * normal[:, number, 0][cell] - y * normal[:, number, 1][cell]
            np.minimum(best, bisector, out=best)
        distance[left] = best
        if neighbors == len(copies) - 1:
            break
        left = left[half[cell, -1] - radius[left] < best]
        neighbors = min(4 * neighbors, len(copies) - 1)
    return distance, nearest, radius


@dataclass(frozen=True)
class Cells:
    """The Voronoi cells of seeds on a torus, as exact polygons.

    Attributes:
        area: (n,).
        centroid: (n, 2), near the seed, so perhaps outside the middle period.
        perimeter: (n,).
        sides: (n,).
        edges: (E, 2, 2), both ends of every side of every cell, so that a boundary between two cells appears twice.
    """

    area: Floats
    centroid: Floats
    perimeter: Floats
    sides: Numbers
    edges: Floats


def voronoi_cells(seeds: Floats, *, period: float) -> Cells:
    """The cells of a periodic Voronoi tessellation, from the circumcenters of its Delaunay triangles.

    Copies within some reach of the middle are enough if no corner of a cell is farther than half of that from its
    seed: the bisector with anything beyond lies beyond the corner. Otherwise the reach grows, in the end to all copies.
    """
    count = len(seeds)
    reach = FIRST_REACH * period / np.sqrt(count)
    while True:
        all_known = reach >= period
        box = None if all_known else (np.full(2, -reach), np.full(2, period + reach))
        copies, _ = _copies(seeds, period, box)
        if len(copies) > count + 3:
            diagram = Voronoi(copies)
            pairs = np.concatenate([diagram.ridge_points, diagram.ridge_points[:, ::-1]])
            ends = np.concatenate([np.array(diagram.ridge_vertices)] * 2)
            middle = pairs[:, 0] < count  # the uncopied seeds come first
            cell, ends = pairs[middle, 0], ends[middle]
            corners = diagram.vertices[ends]
            spokes = corners - copies[cell][:, None]
            if all_known or (ends.min() >= 0 and 2 * np.hypot(*spokes.reshape(-1, 2).T).max() <= reach):
                return _measured(seeds, cell, corners, spokes)
        reach *= 2


def _measured(seeds: Floats, cell: Numbers, corners: Floats, spokes: Floats) -> Cells:
    """Sums over the triangles between each side of a cell and its seed."""
    first, second = spokes[:, 0], spokes[:, 1]
    triangle = np.abs(first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]) / 2
    length = np.hypot(*(second - first).T)

    def total(weights: Floats) -> Floats:
        return np.asarray(np.bincount(cell, weights=weights, minlength=len(seeds)), dtype=np.float64)

    area = total(triangle)
    lever = (first + second) / 3 * triangle[:, None]
    centroid = seeds + np.stack([total(lever[:, 0]), total(lever[:, 1])], axis=1) / area[:, None]
    return Cells(area, centroid, total(length), np.bincount(cell, minlength=len(seeds)), corners)

"""Grains in slices of colors: what is molten, where one grain ends, and how far a color is from a palette.

Predictions are blurred and dimmed, so none of this asks for equal colors. A cell is solid if its largest channel
exceeds ``MOLTEN``: a pure color of a crystal has a channel near 1 in every key, so this asks whether at least about
half of the color is there. Solid colors are divided by their largest channel before they are compared, so that a
cell that may still be molten, and is dimmed for that reason, keeps its grain. Two neighboring solid cells belong
together if the colors then differ by at most ``TOLERANCE`` (root mean square over the nine channels), and grains are
the regions that such pairs connect. Two grains whose colors differ by less than the tolerance are one, and so are two
grains between which a blur leads in steps below it; a ramp of larger steps is a chain of fragments.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import label

MOLTEN = 0.5  # of the largest channel; at or below it a cell is molten
TOLERANCE = 0.1  # root mean square over channels; 99 % of the grain boundaries of laser tracks differ by more
MISSING = -1  # label of cells that are not there

Mask = NDArray[np.bool_]
_RIGHT, _DOWN = np.s_[::2, 1::2], np.s_[1::2, ::2]  # in a map of edges: those to the right neighbor, and downward


@dataclass(frozen=True)
class Segmentation:
    """The grains of one slice.

    Attributes:
        labels: 1…n in grains, 0 where molten, −1 where there is no cell, int32, (H, W).
        boundary: edges between solid cells that do not belong together, a map of edges, (2H − 1, 2W − 1): cell
            (i, j) stands at [2i, 2j] and is False, the edge to its right neighbor at [2i, 2j + 1], the one
            downward at [2i + 1, 2j].
        count: number of grains.
    """

    labels: NDArray[np.int32]
    boundary: Mask
    count: int


def segment_colors(
    colors: NDArray[np.floating], valid: Mask, *, tolerance: float = TOLERANCE, molten: float = MOLTEN
) -> Segmentation:
    """Find the grains of one slice from its colors, as the module says.

    Args:
        colors: in [0, 1], finite, (9, H, W).
        valid: (H, W); other cells have no grain, whatever their color.
        tolerance: largest difference within a grain, root mean square over channels.
        molten: largest channel of a molten cell.
    """
    largest = colors.max(axis=0)
    solid = valid & (largest > molten)
    hues = colors / np.where(solid, largest, 1)
    limit = len(colors) * tolerance**2
    alike = [np.square(np.diff(hues, axis=axis)).sum(axis=0) <= limit for axis in (2, 1)]
    return _connect(solid, valid, alike[0], alike[1])


def segment_ids(grain_id: NDArray[np.integer], valid: Mask) -> Segmentation:
    """The grains of one slice where they are known: connected cells of one id; 0 is molten, (H, W)."""
    alike = [np.diff(grain_id, axis=axis) == 0 for axis in (1, 0)]
    return _connect(valid & (grain_id > 0), valid, alike[0], alike[1])


def _connect(solid: Mask, valid: Mask, right: Mask, down: Mask) -> Segmentation:
    """Grains from which cells are solid and which neighbors are alike, (H, W − 1) and (H − 1, W)."""
    height, width = solid.shape
    # Cells and the links between them in one image, whose 4-connected regions are the grains.
    linked = np.zeros((max(0, 2 * height - 1), max(0, 2 * width - 1)), dtype=np.bool_)
    boundary = np.zeros_like(linked)
    both = solid[:, :-1] & solid[:, 1:], solid[:-1] & solid[1:]
    linked[::2, ::2] = solid
    linked[_RIGHT], linked[_DOWN] = both[0] & right, both[1] & down
    boundary[_RIGHT], boundary[_DOWN] = both[0] & ~right, both[1] & ~down
    regions, count = label(linked, output=np.int32)
    labels = np.where(valid, regions[::2, ::2], np.int32(MISSING)).astype(np.int32)
    return Segmentation(labels, boundary, int(count))


def edges_of(region: Mask) -> Mask:
    """The edges with at least one cell of a region (H, W) beside them, as a map of edges (2H − 1, 2W − 1)."""
    height, width = region.shape
    edges = np.zeros((max(0, 2 * height - 1), max(0, 2 * width - 1)), dtype=np.bool_)
    edges[_RIGHT], edges[_DOWN] = region[:, :-1] | region[:, 1:], region[:-1] | region[1:]
    return edges


def widen(edges: Mask, reaches: Sequence[int]) -> list[Mask]:
    """The places within a distance of any of these edges, in a map of edges, for each of some distances.

    Distances are Euclidean, between the middles of edges.

    Args:
        edges: (2H − 1, 2W − 1).
        reaches: in cells, ascending.
    """
    half = 2 * max(reaches, default=0)
    rows, columns = edges.shape
    padded = np.pad(edges, half)
    # Edges stand at places of odd sum, so the way from one to another has an even one.
    ways = [(i, j) for i in range(-half, half + 1) for j in range(-half, half + 1) if (i + j) % 2 == 0]
    near, answers, inner = np.zeros_like(edges), [], -1
    for reach in reaches:
        for down, right in (way for way in ways if inner < way[0] ** 2 + way[1] ** 2 <= 4 * reach**2):
            near |= padded[half + down :, half + right :][:rows, :columns]
        answers.append(near.copy())
        inner = 4 * reach**2
    return answers


def palette_of(colors: NDArray[np.floating] | NDArray[np.uint8], solid: Mask) -> NDArray[np.float64]:
    """The different colors of solid cells, in [0, 1], (P, 9).

    Args:
        colors: uint8 in 255ths or floats in [0, 1], (9, …).
        solid: (…).
    """
    chosen = colors[:, solid]
    levels = chosen if chosen.dtype == np.uint8 else np.rint(np.clip(chosen, 0, 1) * 255).astype(np.uint8)
    # One number of 64 and one of 8 bits sort much faster than rows of nine numbers.
    packed = np.ascontiguousarray(levels[:8].T).view(np.uint64)[:, 0] if levels.size else np.zeros(0, np.uint64)
    order = np.lexsort((levels[8], packed))
    first = np.ones(len(order), dtype=np.bool_)
    first[1:] = (np.diff(packed[order]) != 0) | (np.diff(levels[8][order]) != 0)
    return (levels[:, order[first]].T / 255).astype(np.float64)


def palette_distance(colors: NDArray[np.floating], palette: NDArray[np.floating]) -> NDArray[np.float64]:
    """Distance of each color to the nearest one of a palette, root mean square over channels.

    Args:
        colors: (N, 9).
        palette: (P, 9), at least one.
    """
    # Which is nearest in single precision, on torch's threads: those of numpy know of no --threads. How far, in double.
    ours, theirs = (torch.from_numpy(np.ascontiguousarray(some, dtype=np.float32)) for some in (colors, palette))
    nearest = (ours @ theirs.T - theirs.square().sum(dim=1) / 2).argmax(dim=1).numpy()
    answer: NDArray[np.float64] = np.sqrt(np.square(colors.astype(np.float64) - palette[nearest]).mean(axis=1))
    return answer

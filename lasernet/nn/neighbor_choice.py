"""A choice among the cells around a place: attention over few candidates, each known by its offset."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

EMPTY = 1e-9  # what a sum of no exponentials is taken for


@dataclass(frozen=True)
class Candidates:
    """Which cells each of N places may choose among, as a list of pairs.

    Attributes:
        count: N.
        place: of each pair, its place, (P,) in [0, N).
        offset: of each pair, the row of the table of offsets, (P,); those beyond the table's end are of named cells.
        cell: of each pair, its cell in the flattened (B, S, H, W), (P,).
        any: whether a place has a candidate at all, (N,).
    """

    count: int
    place: Tensor
    offset: Tensor
    cell: Tensor
    any: Tensor


def window_offsets(reach: int, beside_reach: int, slices: int) -> Tensor:
    """Offsets (slice, row, column) in a square window of each of some adjacent slices, the place itself left out.

    Args:
        reach: of the window in the slice of the place, in cells.
        beside_reach: of the windows in the others.
        slices: how many, odd; the place is in the middle one.

    Returns:
        int64, (K, 3); slices are counted from that of the place.
    """
    half = slices // 2
    rows = []
    for slice_ in range(-half, half + 1):
        side = beside_reach if slice_ else reach
        steps = range(-side, side + 1)
        rows += [(slice_, row, column) for row in steps for column in steps if (slice_, row, column) != (0, 0, 0)]
    return torch.tensor(rows)


def find_candidates(offered: Tensor, places: Tensor, offsets: Tensor) -> Candidates:
    """Pairs of a place and an offered cell at one of the offsets.

    Args:
        offered: bool, (B, S, H, W).
        places: (N, 3): item, row, column; each lies in the middle slice.
        offsets: (K, 3), see :func:`window_offsets`.
    """
    slices, height, width = offered.shape[1:]
    item, row, column = (part[:, None] for part in places.unbind(1))
    slice_, down, right = (part[None] for part in offsets.unbind(1))
    row, column = row + down, column + right
    inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    row, column = row.clamp(0, height - 1), column.clamp(0, width - 1)
    cells = ((item * slices + slices // 2 + slice_) * height + row) * width + column
    wanted = offered.flatten()[cells] & inside
    place, offset = wanted.nonzero().unbind(1)
    return Candidates(len(places), place, offset, cells[place, offset], wanted.any(dim=1))


def with_named(found: Candidates, named: Tensor, first: int) -> Candidates:
    """More candidates: cells that are named for each place, wherever they are.

    Args:
        named: cells in the flattened (B, S, H, W), −1 for none, (N, M).
        first: the row of the table of offsets that stands for the first column of ``named``.
    """
    place, column = (named >= 0).nonzero().unbind(1)
    return Candidates(
        found.count,
        torch.cat([found.place, place]),
        torch.cat([found.offset, first + column]),
        torch.cat([found.cell, named[place, column]]),
        found.any | (named >= 0).any(dim=1),
    )


class NeighborScore(nn.Module):
    """How well a cell fits a place: (q·k + q·r + k·s)/√D + b − α·distance, of a query q and a key k.

    r, s and b are learned for each offset: r lets a place prefer a side, as that from which its front comes.

    Args:
        offsets: (K, 3).
        size: D.
        bias: learn a bias for each offset.
        distance: learn the strength α of a penalty on the distance in cells.
        named: how many cells are named for each place; they are at no offset, and have no distance.
    """

    distances: Tensor

    def __init__(self, offsets: Tensor, size: int, *, bias: bool = True, distance: bool = True, named: int = 0) -> None:
        super().__init__()
        self.size = size
        self.of_query = nn.Parameter(0.1 * torch.randn(len(offsets) + named, size))
        self.of_key = nn.Parameter(0.1 * torch.randn(len(offsets) + named, size))
        self.bias = nn.Parameter(torch.zeros(len(offsets) + named)) if bias else None
        self.alpha = nn.Parameter(torch.ones(())) if distance else None
        self.register_buffer("distances", F.pad(offsets.float().norm(dim=1), (0, named)), persistent=False)

    def forward(self, query: Tensor, keys: Tensor, candidates: Candidates) -> Tensor:
        """Scores of all pairs.

        Args:
            query: (N, D).
            keys: of the pairs' cells, (P, D).

        Returns:
            (P,).
        """
        wanted = query[candidates.place] + self.of_key[candidates.offset]
        side = (query @ self.of_query.T)[candidates.place, candidates.offset]
        score = ((wanted * keys).sum(1) + side) / math.sqrt(self.size)
        if self.bias is not None:
            score = score + self.bias[candidates.offset]
        if self.alpha is not None:
            score = score - self.alpha * self.distances[candidates.offset]
        return score


def choice_weights(scores: Tensor, candidates: Candidates) -> Tensor:
    """Softmax over the candidates of each place, (P,) → (P,)."""
    _, shares, total = _exponentials(scores, candidates)
    return shares / total.clamp(min=EMPTY)[candidates.place]


def log_total(scores: Tensor, candidates: Candidates, *, empty: float) -> Tensor:
    """Logarithm of the summed exponentials over the candidates of each place, (P,) → (N,).

    Args:
        empty: the answer for a place without any.
    """
    largest, _, total = _exponentials(scores, candidates)
    return (largest + total.clamp(min=EMPTY).log()).where(candidates.any, empty)


def best_pair(scores: Tensor, candidates: Candidates) -> Tensor:
    """The pair with the highest score of each place, the first of equal ones, (N,); P for a place without any."""
    largest, _, _ = _exponentials(scores, candidates)
    best = (scores == largest[candidates.place]).nonzero()[:, 0]
    none = torch.full((candidates.count,), len(scores), device=scores.device)
    return none.scatter_reduce(0, candidates.place[best], best, "amin")


def weighted_sum(values: Tensor, weights: Tensor, candidates: Candidates) -> Tensor:
    """Σ weight·value over the candidates of each place: (P, C) and (P,) → (N, C)."""
    total = values.new_zeros(candidates.count, values.shape[1])
    return total.index_add(0, candidates.place, weights[:, None] * values)


def _exponentials(scores: Tensor, candidates: Candidates) -> tuple[Tensor, Tensor, Tensor]:
    """The largest score of each place (N,), exponentials of scores below it (P,), and their sums (N,)."""
    least = torch.finfo(scores.dtype).min
    largest = scores.new_full((candidates.count,), least).scatter_reduce(0, candidates.place, scores.detach(), "amax")
    shares = (scores - largest[candidates.place]).exp()
    return largest, shares, scores.new_zeros(candidates.count).index_add(0, candidates.place, shares)

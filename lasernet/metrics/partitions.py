"""How alike two partitions of the same cells are: pairs of cells, and parts that correspond."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lasernet.metrics.distributions import quotient

Labels = NDArray[np.integer]


class PairCounts(NamedTuple):
    """Pairs of cells that two partitions put together; sums over images may be taken before dividing.

    Attributes:
        together: pairs in one part in both.
        expected: mean of that number over all ways to deal out the cells to parts of the same sizes.
        largest: the most it could be: the mean of the two numbers of pairs that are together in one partition.
    """

    together: float
    expected: float
    largest: float

    @property
    def adjusted_rand(self) -> float | None:
        """(together − expected) / (largest − expected): 1 for equal partitions, 0 on average for unrelated ones.

        None where nothing is divided, or everything, in both.

        Hubert & Arabie (1985), Journal of Classification 2, 193, eq. 5.
        """
        return quotient(self.together - self.expected, self.largest - self.expected)


def pair_counts(one: Labels, other: Labels) -> PairCounts:
    """Count pairs of cells.

    Args:
        one, other: the part of each cell in either partition, whole numbers from 0 on, (N,).
    """
    sizes, others = np.bincount(one), np.bincount(other)
    _, shared = np.unique(one.astype(np.int64) * len(others) + other, return_counts=True)
    in_one, in_other, everything = _pairs(sizes), _pairs(others), len(one) * (len(one) - 1) / 2
    expected = in_one * (in_other / everything) if everything else 0.0
    return PairCounts(_pairs(shared), expected, (in_one + in_other) / 2)


def _pairs(sizes: NDArray[np.integer]) -> float:
    return float((sizes * (sizes.astype(np.float64) - 1)).sum()) / 2


def match_parts(one: Labels, other: Labels) -> NDArray[np.bool_]:
    """Which cells lie in parts that correspond, each to one at most: the pair of largest overlap first, and so on.

    Two parts that share more than half of the cells of each always correspond, and the cells found are at least half
    of the most that any one-to-one assignment could find. Of equal overlaps the pair of lower labels comes first.

    Args:
        one, other: labels from 1 on; cells with 0 or less in either are in no part. Any shape, the same for both.

    Returns:
        True where the parts of a cell correspond.
    """
    inside = (one > 0) & (other > 0)
    if not inside.any():
        return inside
    width = int(other.max()) + 1
    codes, overlap = np.unique(one[inside].astype(np.int64) * width + other[inside], return_counts=True)
    order = np.argsort(-overlap, kind="stable")
    partner = np.zeros(int(one.max()) + 1, dtype=np.int64)
    taken = np.zeros(width, dtype=np.bool_)
    for left, right in zip((codes[order] // width).tolist(), (codes[order] % width).tolist(), strict=True):
        if partner[left] == 0 and not taken[right]:
            partner[left], taken[right] = right, True
    answer: NDArray[np.bool_] = inside & (partner[np.maximum(one, 0)] == other)
    return answer

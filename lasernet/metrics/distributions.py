"""Distances between distributions known from samples; None where a sample says nothing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.integer] | NDArray[np.floating]


@dataclass(frozen=True)
class Distribution:
    """A sample in its shortest form: the values that occur, ascending, and how often each does.

    Attributes:
        values: float64, ascending, all different, (K,).
        counts: at least 1 each, (K,).
    """

    values: NDArray[np.float64]
    counts: NDArray[np.int64]

    @classmethod
    def of(cls, sample: Numbers) -> Distribution:
        """The distribution of a sample of any shape."""
        values, counts = np.unique(np.asarray(sample, dtype=np.float64), return_counts=True)
        return cls(values, counts.astype(np.int64))

    @classmethod
    def from_counts(cls, counts: NDArray[np.integer]) -> Distribution:
        """The distribution of whole numbers of which ``counts[i]`` have the value i."""
        values = np.flatnonzero(counts)
        return cls(values.astype(np.float64), np.asarray(counts[values], dtype=np.int64))

    @property
    def size(self) -> int:
        """Number of values in the sample."""
        return int(self.counts.sum())

    @property
    def mean(self) -> float | None:
        """Mean of the sample, None for an empty one."""
        return float(self.values @ self.counts) / self.size if self.size else None

    @property
    def variance(self) -> float | None:
        """Mean squared distance from the mean, None for an empty sample."""
        mean = self.mean
        return None if mean is None else float((self.values - mean) ** 2 @ self.counts) / self.size

    def over_mean(self) -> Distribution:
        """Every value divided by the mean of the sample; the sample itself where that is 0 or nothing."""
        return Distribution(self.values / (self.mean or 1.0), self.counts)


Sample = Distribution | Numbers


def ks_distance(one: Sample, other: Sample) -> float | None:
    """Kolmogorov–Smirnov distance: the largest gap between the two cumulative distributions, in [0, 1]."""
    gaps = _gaps(one, other)
    return None if gaps is None else float(gaps[1].max())


def wasserstein(one: Sample, other: Sample) -> float | None:
    """Wasserstein-1 distance in the unit of the values: the area between the two cumulative distributions."""
    gaps = _gaps(one, other)
    return None if gaps is None else float(gaps[1][:-1] @ np.diff(gaps[0]))


def spread_ratio(sample: Numbers, real: Numbers) -> float | None:
    """Standard deviation of a sample over that of the real one; None below two values, or where the real is 0."""
    if sample.size < 2 or real.size < 2:
        return None
    return quotient(float(np.std(sample)), float(np.std(real)))


def relative_error(sample: Numbers, real: Numbers) -> float | None:
    """(mean of a sample − mean of the real one) / mean of the real one."""
    if not sample.size or not real.size:
        return None
    ratio = quotient(float(np.mean(sample)), float(np.mean(real)))
    return None if ratio is None else ratio - 1


def quotient(numerator: float | None, denominator: float | None) -> float | None:
    """The quotient as a plain number; None where a part of it is, or where it is undefined."""
    if numerator is None or denominator is None or not denominator > 0 or not np.isfinite(numerator):
        return None
    return numerator / denominator


def mean_of(sample: Numbers) -> float | None:
    """The mean as a plain number, None for an empty sample."""
    return float(np.mean(sample)) if sample.size else None


def _gaps(one: Sample, other: Sample) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """All values of both samples, ascending, and from each on the gap between the cumulative distributions."""
    first, second = (item if isinstance(item, Distribution) else Distribution.of(item) for item in (one, other))
    if not first.size or not second.size:
        return None
    support = np.union1d(first.values, second.values)
    return support, np.abs(_cumulative(first, support) - _cumulative(second, support))


def _cumulative(sample: Distribution, support: NDArray[np.float64]) -> NDArray[np.float64]:
    reached = np.concatenate([[0], np.cumsum(sample.counts)]) / sample.size
    answer: NDArray[np.float64] = reached[np.searchsorted(sample.values, support, side="right")]
    return answer

"""Precision, recall, density and coverage: do generated images lie where the real ones do, and everywhere there?"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

NEIGHBORS = 5
BLOCK = 1000  # rows of a distance matrix held at once
NORMAL_975 = 1.959963984540054  # 97.5 % point of the normal distribution

Features = NDArray[np.floating]


def descriptor_space(
    generated: Features, real: Features, *, neighbors: int = NEIGHBORS
) -> dict[str, float | int | None]:
    """Overlap of two sets of images in a space of descriptors, scaled to mean 0 and deviation 1 over the real set.

    The neighborhood of an image is the closed ball that reaches to its k-th nearest neighbor in its own set.
    ``precision``: share of generated images in the neighborhood of any real one. ``recall``: share of real images in
    that of any generated one. ``density``: mean number of real neighborhoods that hold a generated image, over k; it
    may exceed 1. ``coverage``: share of real neighborhoods that hold a generated image.

    A descriptor that is constant over the real set keeps its own unit.

    Args:
        generated, real: (M, D) and (N, D), one row per image.
        neighbors: k.

    Returns:
        The four values; 95 % Wilson intervals ``recall_low``, ``recall_high``, ``coverage_low``, ``coverage_high``;
        ``coverage_expected``, the mean of coverage over generated sets that follow the real distribution.
        All None where a set has no k + 1 images.

    Raises:
        ValueError: if a descriptor is not finite, or the sets differ in their number of descriptors.

    Kynkäänniemi et al. (2019), NeurIPS, eq. 1-2; Naeem et al. (2020), ICML, eq. 5-6.
    """
    _check(generated, real, neighbors)
    names = ["precision", "recall", "density", "coverage"]
    names += ["recall_low", "recall_high", "coverage_low", "coverage_high", "coverage_expected"]
    if min(len(real), len(generated)) <= neighbors:
        return dict.fromkeys(names, None)
    middle, spread = real.mean(axis=0, dtype=np.float64), real.std(axis=0, dtype=np.float64)
    # Rounding alone gives a constant column a deviation of about 1e-16 of its value.
    spread = np.where(spread > 1e-12 * np.abs(middle), spread, 1.0)
    real, made = (real - middle) / spread, (generated - middle) / spread
    reached, inside_real = _balls(real, _radii(real, neighbors), made)
    _, inside_generated = _balls(made, _radii(made, neighbors), real)
    found, covered = int(inside_generated.sum()), int(np.count_nonzero(reached))
    values: list[float | int | None] = [
        float(inside_real.sum() / len(generated)),
        found / len(real),
        float(reached.sum() / (neighbors * len(generated))),
        covered / len(real),
        *wilson_interval(found, len(real)),
        *wilson_interval(covered, len(real)),
        expected_coverage(len(real), len(generated), neighbors=neighbors),
    ]
    return dict(zip(names, values, strict=True))


def _check(generated: Features, real: Features, neighbors: int) -> None:
    if generated.ndim != 2 or real.ndim != 2 or generated.shape[1] != real.shape[1]:
        raise ValueError(f"descriptors of shapes {generated.shape} and {real.shape}; expected (M, D) and (N, D)")
    if neighbors < 1:
        raise ValueError(f"neighborhoods of {neighbors} neighbors; expected at least 1")
    if not (np.isfinite(generated).all() and np.isfinite(real).all()):
        raise ValueError("a descriptor is not finite; give an image that lacks it a finite value, or leave it out")


def _radii(points: Features, neighbors: int) -> NDArray[np.float64]:
    """Distance of every point to its k-th nearest neighbor among the others, (N,)."""
    radii = [
        np.partition(cdist(points[start : start + BLOCK], points), neighbors, axis=1)[:, neighbors]  # 0: itself
        for start in range(0, len(points), BLOCK)
    ]
    return np.concatenate(radii)


def _balls(
    centers: Features, radii: NDArray[np.float64], points: Features
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """How many points each ball holds, (centers,), and whether any ball holds each point, (points,)."""
    counts = np.zeros(len(centers), dtype=np.int64)
    held = np.zeros(len(points), dtype=bool)
    for start in range(0, len(centers), BLOCK):
        rows = slice(start, start + BLOCK)
        within = cdist(centers[rows], points) <= radii[rows, None]
        counts[rows] = within.sum(axis=1)
        held |= within.any(axis=0)
    return counts, held


def expected_coverage(real: int, generated: int, *, neighbors: int = NEIGHBORS) -> float:
    """Mean coverage when both sets are drawn from one continuous distribution, whatever it is.

    A ball is missed when the k nearest of the other N − 1 + M images are all real: choose k of N − 1 over choose k
    of M + N − 1. Naeem et al. (2020), ICML, lemma 2.
    """
    missed = math.prod((real - i) / (real + generated - i) for i in range(1, neighbors + 1))
    return 1 - missed


def wilson_interval(hits: int, trials: int) -> tuple[float, float]:
    """95 % interval of a proportion. Wilson (1927), J. Am. Stat. Assoc. 22, 209.

    Neighborhoods overlap, so hits are not independent and the interval is approximate.
    """
    share, square = hits / trials, NORMAL_975**2 / trials
    center = share + square / 2
    half = math.sqrt(square * share * (1 - share) + square**2 / 4)
    low, high = (center - half) / (1 + square), (center + half) / (1 + square)
    return max(0.0, min(low, share)), min(1.0, max(high, share))  # rounding must not cut off the share itself

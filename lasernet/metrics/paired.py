"""Whether one answer is better than another on the same cases: an exact test, and a correction for many of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

MOST = 20  # differences: a million sign patterns


def sign_flip(differences: Sequence[float]) -> float:
    """Two-sided p-value of a mean difference: the share of all 2ⁿ choices of signs with a mean at least as far from 0.

    Under the hypothesis that exchanging the two answers on any case changes nothing (Fisher 1935). With n cases no
    p-value is below 2¹⁻ⁿ.

    Raises:
        ValueError: for none, or for more than 20 differences.
    """
    values = np.asarray(differences, dtype=float)
    if not 0 < len(values) <= MOST:
        raise ValueError(f"{len(values)} differences; expected 1 to {MOST}")
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate([sums - value, sums + value])
    observed = abs(values.sum())
    return float(np.mean(np.abs(sums) >= observed * (1 - 1e-12) - 1e-300))


def holm(values: Mapping[str, float]) -> dict[str, float]:
    """p-values corrected for their number (Holm 1979), by name; below α with a chance of α at most, were all null."""
    corrected, largest = {}, 0.0
    for rank, (name, value) in enumerate(sorted(values.items(), key=lambda pair: pair[1])):
        largest = max(largest, min(1.0, (len(values) - rank) * value))
        corrected[name] = largest
    return corrected

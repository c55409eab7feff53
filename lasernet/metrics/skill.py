"""Skill of a model against a baseline, with an interval from resampled blocks."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from lasernet.metrics.regions import ratio

RESAMPLES = 2000
ENOUGH_CASES = 8  # from here on whole cases are resampled

Skill = dict[str, dict[str, float | None]]


class ItemSums(Protocol):
    """Squared errors of items, by region, and how many cells were counted.

    Attributes:
        items: item numbers, ascending, (N,).
    """

    @property
    def items(self) -> NDArray[np.int64]:
        """See above."""

    @property
    def regions(self) -> tuple[str, ...]:
        """Their names."""

    def of(self, region: str, name: str) -> NDArray[np.float64]:
        """Of every item, (N,): ``squared`` errors or ``cells``."""


def skill(
    model: ItemSums,
    baseline: ItemSums,
    blocks: NDArray[np.integer],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Skill:
    """1 − MSE(model)/MSE(baseline) by region, pooled over all items, with a 95 % interval.

    The interval holds the 2.5 % and 97.5 % points over sets of blocks drawn with replacement; in each set, both
    models are scored on the same blocks. Sets in which the baseline makes no error are left out.

    Args:
        model, baseline: scores of the same items.
        blocks: label of each item's block, (N,), in the order of the items.

    Returns:
        ``{region: {"mse": skill, "low": …, "high": …}}``. All None where the baseline makes no error or the
        region is empty; the interval None where fewer than two blocks reach into the region.
    """
    if not np.array_equal(model.items, baseline.items) or len(blocks) != len(model.items):
        raise ValueError("skill needs the same items of model and baseline, and one block label for each")
    _, rows = np.unique(blocks, return_inverse=True)
    count = int(rows.max()) + 1 if len(rows) else 0
    draws = _draws(count, resamples, seed)
    answer: Skill = {}
    for region in model.regions:
        errors = [_per_block(scores.of(region, "squared"), rows, count) for scores in (model, baseline)]
        reached = _per_block(model.of(region, "cells"), rows, count) > 0
        relative = ratio(float(errors[0].sum()), float(errors[1].sum()))
        low, high = _interval(errors[0], errors[1], draws) if np.count_nonzero(reached) > 1 else (None, None)
        defined = relative is not None
        answer[region] = {
            "mse": 1 - relative if relative is not None else None,
            "low": low if defined else None,
            "high": high if defined else None,
        }
    return answer


def _draws(count: int, resamples: int, seed: int) -> NDArray[np.float64]:
    """How often each block occurs in each set drawn with replacement, (resamples, count)."""
    if count == 0:
        return np.zeros((resamples, 0))
    generator = np.random.default_rng(seed)
    return generator.multinomial(count, np.full(count, 1 / count), size=resamples).astype(np.float64)


def _per_block(values: NDArray[np.float64], rows: NDArray[np.integer], count: int) -> NDArray[np.float64]:
    return np.bincount(rows, weights=values, minlength=count).astype(np.float64)


def _interval(
    model: NDArray[np.float64], baseline: NDArray[np.float64], draws: NDArray[np.float64]
) -> tuple[float | None, float | None]:
    numerator, denominator = draws @ model, draws @ baseline
    usable = (denominator > 0) & np.isfinite(numerator) & np.isfinite(denominator)
    if not usable.any():
        return None, None
    low, high = np.percentile(1 - numerator[usable] / denominator[usable], [2.5, 97.5])
    return float(low), float(high)


def resampling_blocks(items: NDArray[np.void], *, slices_per_block: int) -> tuple[NDArray[np.int64], dict[str, object]]:
    """What to resample for an interval: cases if there are enough, else neighboring slices with all their frames.

    Slices next to each other cut the same grains, and the frames of a slice show one history, so neither are
    independent. A rest too narrow for a block joins the block before it.

    Args:
        items: structured array with ``case``, ``slice`` and ``frame``.
        slices_per_block: a grain's width in slices, at least 1.

    Returns:
        The block of each item, (N,), and a description: unit, count, scope and number of resamples.
    """
    width = max(1, slices_per_block)
    cases = np.unique(items["case"])
    labels = np.zeros(len(items), dtype=np.int64)
    if len(cases) >= ENOUGH_CASES:
        labels[:] = np.searchsorted(cases, items["case"])
        return labels, _description("case", len(cases), "cases like these")
    count = 0
    for case in cases:
        rows = items["case"] == case
        slices = items["slice"][rows].astype(np.int64)
        first = int(slices.min())
        blocks = max(1, (int(slices.max()) - first + 1) // width)
        labels[rows] = count + np.minimum((slices - first) // width, blocks - 1)
        count += blocks
    used, labels = np.unique(labels, return_inverse=True)
    unit = "1 slice, all frames" if width == 1 else f"{width} neighboring slices, all frames"
    scope = "conditional on this track" if len(cases) == 1 else f"conditional on these {len(cases)} tracks"
    return labels.astype(np.int64), _description(unit, len(used), scope)


def _description(unit: str, count: int, scope: str) -> dict[str, object]:
    return {"unit": unit, "count": count, "scope": scope, "resamples": RESAMPLES}

"""Skill and its interval: identities, symmetry and known coverage."""

import numpy as np
import pytest

from lasernet.metrics.regions import SUMS, ItemScores
from lasernet.metrics.skill import resampling_blocks, skill
from lasernet.physics.solidification import REGIONS

ITEM = np.dtype([("case", "<i4"), ("slice", "<i4"), ("frame", "<i4")])
UNDEFINED = {"mse": None, "low": None, "high": None}


def scores(squared, cells=None):
    sums = np.zeros((len(squared), len(REGIONS), len(SUMS)))
    sums[:, :, SUMS.index("squared")] = np.asarray(squared)[:, None]
    sums[:, :, SUMS.index("cells")] = 1 if cells is None else np.asarray(cells)[:, None]
    return ItemScores("ipf", np.arange(len(squared)), sums)


def grid(cases, slices, frames):
    return np.array([(c, s, f) for c in range(cases) for f in range(frames) for s in range(slices)], dtype=ITEM)


@pytest.fixture
def errors():
    return np.random.default_rng(0).gamma(2, size=60)


BLOCKS = np.arange(60) // 6


def test_the_baseline_has_no_skill_over_itself(errors):
    for values in skill(scores(errors), scores(errors), BLOCKS).values():
        assert values == {"mse": 0, "low": 0, "high": 0}


def test_a_perfect_model_has_skill_one(errors):
    for values in skill(scores(0 * errors), scores(errors), BLOCKS).values():
        assert values == {"mse": 1, "low": 1, "high": 1}


def test_skill_is_pooled_over_items(errors):
    other = np.random.default_rng(1).gamma(1, size=60)
    found = skill(scores(other), scores(errors), BLOCKS)["active"]
    assert found["mse"] == pytest.approx(1 - other.sum() / errors.sum())
    assert found["low"] < found["mse"] < found["high"]


def test_models_are_compared_on_the_same_blocks(errors):
    found = skill(scores(0.25 * errors), scores(errors), BLOCKS)["all"]
    assert found == pytest.approx({"mse": 0.75, "low": 0.75, "high": 0.75})


def test_order_of_items_and_names_of_blocks_do_not_matter(errors):
    other = np.random.default_rng(2).gamma(1, size=60)
    order = np.random.default_rng(3).permutation(60)
    found = skill(scores(other), scores(errors), BLOCKS)["all"]
    renamed = skill(scores(other[order]), scores(errors[order]), 10 * BLOCKS[order] + 5)["all"]
    assert renamed == pytest.approx(found, abs=1e-12)


def test_a_seed_gives_one_interval(errors):
    other = scores(errors[::-1].copy())
    assert skill(other, scores(errors), BLOCKS) == skill(other, scores(errors), BLOCKS)
    assert skill(other, scores(errors), BLOCKS) != skill(other, scores(errors), BLOCKS, seed=1)


@pytest.mark.parametrize(("squared", "cells"), [(0.0, 1), (0.0, 0)])
def test_without_baseline_error_skill_is_undefined(errors, squared, cells):
    baseline = scores(np.full(60, squared), np.full(60, cells))
    assert set(map(str, skill(scores(errors, np.full(60, cells)), baseline, BLOCKS).values())) == {str(UNDEFINED)}
    empty = scores(np.zeros(0))
    assert skill(empty, empty, np.zeros(0, dtype=int))["all"] == UNDEFINED


def test_one_block_gives_no_interval(errors):
    found = skill(scores(errors / 2), scores(errors), np.zeros(60, dtype=int))["all"]
    assert found == {"mse": pytest.approx(0.5), "low": None, "high": None}
    lonely = np.where(BLOCKS == 3, 1, 0)
    found = skill(scores(errors * lonely, lonely), scores(2 * errors * lonely, lonely), BLOCKS)["all"]
    assert found == {"mse": pytest.approx(0.5), "low": None, "high": None}


def test_correlated_items_widen_the_interval():
    per_block = np.random.default_rng(4).gamma(1, size=20)
    model, baseline = scores(np.repeat(per_block, 10)), scores(np.ones(200))
    together = skill(model, baseline, np.repeat(np.arange(20), 10))["all"]
    apart = skill(model, baseline, np.arange(200))["all"]
    assert together["high"] - together["low"] > 2 * (apart["high"] - apart["low"])


def test_the_interval_covers_the_true_skill():
    hits = 0
    for seed in range(100):
        draw = np.random.default_rng(seed)
        model, baseline = draw.gamma(4, 0.1, size=40), draw.gamma(4, 0.25, size=40)
        found = skill(scores(model), scores(baseline), np.arange(40), resamples=400)["all"]
        hits += found["low"] <= 0.6 <= found["high"]
    assert hits >= 86  # 95 expected; a binomial with 0.95 lies lower once in ten thousand


def test_other_items_are_refused(errors):
    with pytest.raises(ValueError, match="same items"):
        skill(scores(errors), scores(errors[:-1]), BLOCKS)


def test_cases_are_resampled_when_there_are_eight():
    labels, description = resampling_blocks(grid(8, 5, 3), slices_per_block=2)
    np.testing.assert_array_equal(labels, grid(8, 5, 3)["case"])
    assert (description["unit"], description["count"], description["resamples"]) == ("case", 8, 2000)


def test_slices_of_one_track_form_blocks_with_all_their_frames():
    items = grid(1, 11, 4)
    labels, description = resampling_blocks(items, slices_per_block=4)
    np.testing.assert_array_equal(labels, np.minimum(items["slice"] // 4, 1))  # 0-3, and 4-10 with the rest
    assert description == {
        "unit": "4 neighboring slices, all frames",
        "count": 2,
        "scope": "conditional on this track",
        "resamples": 2000,
    }


def test_no_block_spans_two_cases():
    items = grid(3, 10, 2)
    labels, description = resampling_blocks(items, slices_per_block=3)
    assert all(len(set(items["case"][labels == label])) == 1 for label in np.unique(labels))
    assert description["count"] == 9
    assert description["scope"] == "conditional on these 3 tracks"


def test_a_track_narrower_than_a_grain_is_one_block():
    labels, description = resampling_blocks(grid(1, 3, 2), slices_per_block=10)
    assert not labels.any()
    assert description["count"] == 1

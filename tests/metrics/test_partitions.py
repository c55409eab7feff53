"""Partitions: the adjusted Rand index in closed form and by enumeration, and one-to-one matches."""

from itertools import permutations

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from lasernet.metrics.partitions import match_parts, pair_counts


def test_adjusted_rand_of_a_small_example_is_four_sevenths():
    # 1 pair together in both, of 2 and 1 among 6: (1 − 1/3) / (3/2 − 1/3)
    assert pair_counts(np.array([0, 0, 1, 1]), np.array([0, 0, 1, 2])).adjusted_rand == pytest.approx(4 / 7)


def test_expected_pairs_are_the_mean_over_all_ways_to_deal_out_the_cells():
    one, other = np.array([0, 0, 0, 1, 1, 2]), np.array([0, 0, 1, 1, 1, 1])
    dealt = [pair_counts(one, other[list(order)]).together for order in permutations(range(6))]
    assert pair_counts(one, other).expected == pytest.approx(np.mean(dealt))


def test_equal_partitions_have_an_index_of_1_whatever_their_labels():
    labels = np.random.default_rng(0).integers(0, 20, 500)
    renamed = np.random.default_rng(1).permutation(20)[labels]
    assert pair_counts(labels, renamed).adjusted_rand == 1


def test_the_index_is_symmetric_and_blind_to_labels():
    draw = np.random.default_rng(0)
    one = draw.integers(0, 9, 300)
    other = np.where(draw.random(300) < 0.7, one, draw.integers(0, 5, 300))
    found = pair_counts(one, other).adjusted_rand
    assert found == pytest.approx(pair_counts(other, one).adjusted_rand)
    assert found == pytest.approx(pair_counts(draw.permutation(9)[one], draw.permutation(9)[other]).adjusted_rand)


def test_unrelated_partitions_have_an_index_near_0():
    draw = np.random.default_rng(0)
    found = [pair_counts(draw.integers(0, 10, 2000), draw.integers(0, 10, 2000)).adjusted_rand for _ in range(20)]
    assert max(map(abs, found)) < 0.01
    assert abs(np.mean(found)) < 0.002


@pytest.mark.parametrize("labels", [np.zeros(0, int), np.zeros(1, int), np.zeros(5, int), np.arange(5)])
def test_the_index_of_nothing_divided_or_everything_is_undefined(labels):
    assert pair_counts(labels, labels).adjusted_rand is None


def test_parts_that_share_most_of_their_cells_match_and_fragments_do_not():
    one = np.array([1, 1, 1, 1, 2, 2, 2, 0, 3])
    other = np.array([5, 5, 5, 4, 4, 4, 4, 1, 0])
    assert match_parts(one, other).tolist() == [True] * 3 + [False] + [True] * 3 + [False] * 2


def test_matches_are_one_to_one():
    draw = np.random.default_rng(0)
    one, other = draw.integers(0, 30, 400), draw.integers(0, 20, 400)
    matched = match_parts(one, other)
    pairs = set(zip(one[matched].tolist(), other[matched].tolist(), strict=True))
    assert len({left for left, _ in pairs}) == len({right for _, right in pairs}) == len(pairs)
    for left, right in pairs:
        assert left > 0
        assert right > 0
        np.testing.assert_array_equal(matched[(one == left) & (other == right)], True)


def test_matched_cells_are_at_least_half_of_the_best_assignment_and_all_of_it_in_clear_cases():
    draw = np.random.default_rng(0)
    for noise, share in ((1.0, 0.5), (0.1, 1.0)):
        one = draw.integers(1, 12, 600)
        other = np.where(draw.random(600) < noise, draw.integers(1, 15, 600), one)
        overlap = np.zeros((12, 15))
        np.add.at(overlap, (one, other), 1)
        best = overlap[linear_sum_assignment(overlap, maximize=True)].sum()
        assert share * best <= match_parts(one, other).sum() <= best

"""Precision, recall, density, coverage: sets worked out by hand, identities, and the known mean for equal sources."""

import math

import numpy as np
import pytest
from scipy.stats import beta, binom

from lasernet.metrics.descriptor_space import descriptor_space, expected_coverage, wilson_interval

VALUES = ("precision", "recall", "density", "coverage")


def cloud(count, seed, features=3, middle=0.0):
    return np.random.default_rng(seed).normal(middle, size=(count, features))


def values(generated, real, **options):
    found = descriptor_space(np.asarray(generated, dtype=float), np.asarray(real, dtype=float), **options)
    return tuple(found[name] for name in VALUES)


def test_a_line_worked_out_by_hand():
    # Radii of the real points 0, 1, 3, 7 are 1, 1, 2, 4; those of the generated points 0.5, 2.5, 20 are 2, 2, 17.5.
    # Real balls: [-1, 1], [0, 2], [1, 5], [3, 11]. Generated balls: [-1.5, 2.5], [0.5, 4.5], [2.5, 37.5].
    found = values([[0.5], [2.5], [20]], [[0], [1], [3], [7]], neighbors=1)
    assert found == pytest.approx((2 / 3, 1, 3 / 3, 3 / 4))


def test_a_point_on_the_border_of_a_neighborhood_belongs_to_it():
    # Real balls of 0, 1, 3: [-1, 1], [0, 2], [1, 5]. Generated balls of -1, 5: [-7, 5], [-1, 11].
    assert values([[-1], [5]], [[0], [1], [3]], neighbors=1) == (1, 1, 2 / 2, 2 / 3)


@pytest.mark.parametrize("neighbors", [1, 5])
def test_a_set_covers_itself(neighbors):
    real = cloud(80, 0)
    precision, recall, density, coverage = values(real, real, neighbors=neighbors)
    assert (precision, recall, coverage) == (1, 1, 1)
    assert density == pytest.approx(1 + 1 / neighbors)  # the k neighbors and the point itself, over k


def test_sets_far_apart_share_nothing():
    assert values(cloud(60, 1, middle=1e3), cloud(60, 2)) == (0, 0, 0, 0)


@pytest.mark.parametrize(("made", "real"), [(100, 100), (40, 150)])
def test_coverage_of_one_source_has_the_known_mean(made, real):
    draws = [values(cloud(made, seed), cloud(real, 1000 + seed))[3] for seed in range(60)]
    error = np.std(draws, ddof=1) / math.sqrt(len(draws))
    assert abs(np.mean(draws) - expected_coverage(real, made)) < 4 * error


def test_mean_density_of_one_source_is_one():
    draws = [values(cloud(100, seed), cloud(100, 1000 + seed))[2] for seed in range(60)]
    # A neighborhood holds k of the N - 1 other real points, so k M / N generated ones on average, give or take 1 / N.
    assert np.mean(draws) == pytest.approx(1, abs=0.01 + 4 * np.std(draws) / math.sqrt(60))


def test_expected_coverage_counts_which_points_come_first():
    # One other real point and one generated: either is the nearer one with equal chance.
    assert expected_coverage(2, 1, neighbors=1) == pytest.approx(1 / 2)
    assert expected_coverage(10, 10, neighbors=9) == pytest.approx(1 - 1 / math.comb(19, 9))
    assert descriptor_space(cloud(30, 0), cloud(20, 1))["coverage_expected"] == expected_coverage(20, 30)


def test_a_dropped_mode_costs_recall_and_coverage_but_no_precision():
    real = np.concatenate([cloud(200, 0), cloud(200, 1, middle=50)])
    both = np.concatenate([cloud(200, 2), cloud(200, 3, middle=50)])
    one = cloud(400, 4)
    full, dropped = values(both, real), values(one, real)
    assert dropped[1] <= 0.5
    assert dropped[3] <= 0.5
    assert full[1] > 0.8
    assert full[3] > 0.8
    assert dropped[0] > 0.9 * full[0]


def test_invented_images_cost_precision_but_no_recall():
    real = cloud(200, 0)
    invented = np.concatenate([cloud(200, 1), cloud(200, 2, middle=50)])
    precision, recall, density, coverage = values(invented, real)
    same = values(invented[:200], real)
    assert precision == pytest.approx(same[0] / 2)
    assert density == pytest.approx(same[2] / 2)
    assert (recall, coverage) == (same[1], same[3])


def test_the_order_of_images_and_descriptors_does_not_matter():
    draw = np.random.default_rng(5)
    generated, real = cloud(70, 1), cloud(90, 2)
    columns = draw.permutation(3)
    shuffled = values(draw.permutation(generated)[:, columns], draw.permutation(real)[:, columns])
    assert shuffled == pytest.approx(values(generated, real), abs=0.02)  # a sum in another order may cross a border


def test_units_of_descriptors_do_not_matter():
    generated, real = cloud(70, 1), cloud(90, 2)
    scale, offset = np.array([1e-6, 3.0, 1e4]), np.array([1.0, -2.0, 5e4])
    assert values(generated * scale + offset, real * scale + offset) == pytest.approx(values(generated, real), abs=0.02)


def test_a_descriptor_that_never_varies_changes_nothing_until_it_does():
    generated, real = cloud(70, 1), cloud(90, 2)
    constant = np.full((90, 1), 0.1)
    same = values(np.hstack([generated, constant[:70]]), np.hstack([real, constant]))
    assert same == pytest.approx(values(generated, real), abs=0.02)
    assert values(np.hstack([generated, constant[:70] + 100]), np.hstack([real, constant])) == (0, 0, 0, 0)


def test_large_sets_are_compared_in_blocks(monkeypatch):
    generated, real = cloud(70, 1), cloud(90, 2)
    whole = descriptor_space(generated, real)
    monkeypatch.setattr("lasernet.metrics.descriptor_space.BLOCK", 7)
    assert descriptor_space(generated, real) == whole


def test_too_few_images_have_no_neighborhoods():
    for made, real in ((5, 50), (50, 5), (0, 50)):
        assert set(descriptor_space(cloud(made, 0), cloud(real, 1)).values()) == {None}


def test_descriptors_that_cannot_be_compared_are_refused():
    broken = cloud(20, 0)
    broken[3, 1] = np.nan
    for pair in ((broken, cloud(20, 1)), (cloud(20, 1), broken)):
        with pytest.raises(ValueError, match="not finite"):
            descriptor_space(*pair)
    with pytest.raises(ValueError, match="expected"):
        descriptor_space(cloud(20, 0, features=2), cloud(20, 1))


@pytest.mark.parametrize("share", [0.05, 0.5, 0.98])
def test_the_wilson_interval_holds_the_true_share_as_often_as_it_says(share):
    trials = 200
    hits = np.arange(trials + 1)
    low, high = np.array([wilson_interval(int(x), trials) for x in hits]).T
    held = binom.pmf(hits, trials, share)[(low <= share) & (share <= high)].sum()
    assert held == pytest.approx(0.95, abs=0.025)


def test_the_wilson_interval_stays_within_possible_shares_and_near_the_exact_one():
    assert wilson_interval(0, 10)[0] == 0
    assert wilson_interval(10, 10)[1] == 1
    exact = beta.ppf([0.025, 0.975], [950, 951], [1051, 1050])  # Clopper & Pearson (1934)
    assert wilson_interval(950, 2000) == pytest.approx(tuple(exact), abs=1e-3)

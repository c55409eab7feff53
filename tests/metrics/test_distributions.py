import numpy as np
import pytest
from scipy import stats

from lasernet.metrics.distributions import (
    Distribution,
    ks_distance,
    quotient,
    relative_error,
    spread_ratio,
    wasserstein,
)


@pytest.fixture(params=["continuous", "whole numbers", "unequal sizes"])
def samples(request: pytest.FixtureRequest) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    if request.param == "whole numbers":
        return generator.poisson(8, 400), generator.poisson(9, 300)
    size = 1000 if request.param == "continuous" else 30
    return generator.normal(0, 1, size), generator.gamma(2, 1, 1000)


def test_distances_are_those_of_scipy(samples: tuple[np.ndarray, np.ndarray]) -> None:
    one, other = samples
    assert ks_distance(one, other) == pytest.approx(stats.ks_2samp(one, other).statistic)
    assert wasserstein(one, other) == pytest.approx(stats.wasserstein_distance(one, other))


def test_distances_are_symmetric_and_zero_from_itself(samples: tuple[np.ndarray, np.ndarray]) -> None:
    one, other = samples
    for distance in (ks_distance, wasserstein):
        assert distance(one, other) == pytest.approx(distance(other, one))
        assert distance(one, np.concatenate([one, one])[::-1]) == pytest.approx(0, abs=1e-12)


def test_a_shift_moves_the_wasserstein_distance_by_itself() -> None:
    sample = np.random.default_rng(1).normal(size=500)
    assert wasserstein(sample + 0.37, sample) == pytest.approx(0.37)


def test_samples_apart_have_the_largest_ks_distance() -> None:
    assert ks_distance(np.array([1, 2]), np.array([3.0])) == 1


def test_a_distribution_is_as_good_as_its_sample(samples: tuple[np.ndarray, np.ndarray]) -> None:
    one, other = samples
    short = Distribution.of(one)
    assert short.size == len(one)
    assert short.mean == pytest.approx(one.mean())
    assert short.variance == pytest.approx(one.var())
    assert wasserstein(short, other) == pytest.approx(wasserstein(one, other))
    assert short.over_mean().mean == pytest.approx(1)


def test_counts_of_whole_numbers_make_a_distribution() -> None:
    sample = np.random.default_rng(2).poisson(3, 200)
    counted = Distribution.from_counts(np.bincount(sample))
    assert ks_distance(counted, sample) == 0
    assert counted.mean == pytest.approx(sample.mean())


def test_spread_and_mean_are_relative_to_the_real() -> None:
    real = np.random.default_rng(3).normal(5, 2, 300)
    assert spread_ratio(3 * real + 1, real) == pytest.approx(3)
    assert relative_error(1.1 * real, real) == pytest.approx(0.1)


def test_nothing_is_said_about_empty_or_constant_samples() -> None:
    empty, some = np.zeros(0), np.arange(4.0)
    for one, other in ((empty, some), (some, empty), (empty, empty)):
        for measure in (ks_distance, wasserstein, spread_ratio, relative_error):
            assert measure(one, other) is None
    assert Distribution.of(empty).mean is None
    assert Distribution.of(empty).variance is None
    assert Distribution.of(empty).over_mean().size == 0
    assert spread_ratio(some, np.ones(4)) is None
    assert spread_ratio(some[:1], some) is None
    assert relative_error(some, np.zeros(3)) is None
    assert quotient(None, 1.0) is None
    assert quotient(float("nan"), 1.0) is None

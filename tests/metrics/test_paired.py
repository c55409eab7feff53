"""Exact tests of paired differences, against enumeration, a normal limit and Holm's own rules."""

import itertools

import numpy as np
import pytest
from scipy.stats import permutation_test

from lasernet.metrics.paired import holm, sign_flip


def test_equal_differences_are_as_extreme_as_can_be() -> None:
    assert sign_flip([0.3] * 8) == 2 / 2**8
    assert sign_flip([-0.3] * 8) == 2 / 2**8
    assert sign_flip([1.0, -1.0]) == 1.0
    assert sign_flip([0.0, 0.0]) == 1.0


def test_it_is_the_share_of_sign_patterns_and_agrees_with_an_oracle() -> None:
    values = np.random.default_rng(0).normal(0.4, 1, 9)
    sums = [abs(np.dot(signs, values)) for signs in itertools.product((-1, 1), repeat=9)]
    expected = np.mean(np.array(sums) >= abs(values.sum()) - 1e-12)
    assert sign_flip(values.tolist()) == pytest.approx(expected)
    oracle = permutation_test(
        (values, np.zeros(9)), lambda a, b: np.mean(a - b), permutation_type="samples", n_resamples=10**6
    )
    assert sign_flip(values.tolist()) == pytest.approx(oracle.pvalue)


def test_too_many_and_no_differences_are_refused() -> None:
    with pytest.raises(ValueError, match="21 differences; expected 1 to 20"):
        sign_flip([1.0] * 21)
    with pytest.raises(ValueError, match="0 differences"):
        sign_flip([])


def test_holm_multiplies_by_what_is_left_and_never_falls() -> None:
    assert holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.5}) == pytest.approx(
        {"a": 0.04, "c": 0.09, "b": 0.09, "d": 0.5}
    )
    assert holm({"a": 0.6, "b": 0.9}) == {"a": 1.0, "b": 1.0}
    assert holm({}) == {}

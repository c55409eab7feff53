"""Grain sizes: diameters in meters, and distances that pixels do not make."""

import numpy as np
import pytest

from lasernet.metrics.distributions import ks_distance
from lasernet.metrics.grain_sizes import PARTS, GrainSizes


def test_mean_diameter_is_that_of_circles_of_the_same_areas():
    sizes = GrainSizes.of([(1e-12, np.array([4, 9])), (4e-12, np.array([4]))])
    assert sizes.mean_diameter == pytest.approx((2 + 3 + 4) / 3 * np.sqrt(4 / np.pi) * 1e-6)


def test_the_unit_of_length_does_not_matter_to_relative_diameters():
    areas = np.random.default_rng(0).integers(1, 50, 200)
    one, other = GrainSizes.of([(1e-12, areas)]), GrainSizes.of([(9e-12, areas)])
    np.testing.assert_allclose(one.relative_diameters().values, other.relative_diameters().values)


def test_one_larger_grain_does_not_set_all_small_ones_apart():
    small = np.ones(200, dtype=int)
    one, other = (GrainSizes.of([(1e-12, np.append(small, large))]) for large in (50, 60))
    assert ks_distance(one.relative_diameters(), one.relative_diameters()) == 0
    assert ks_distance(one.relative_diameters(), other.relative_diameters()) <= 1 / PARTS + 1 / 200


def test_no_grains_have_no_diameter():
    nothing = GrainSizes.of([])
    assert nothing.mean_diameter is None
    assert nothing.relative_diameters().size == 0

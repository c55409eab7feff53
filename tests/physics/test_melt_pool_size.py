"""The size of a melt pool: exact for planes, second order for curved fields, blind to other hot regions."""

import numpy as np
import pytest

from lasernet.errors import DataError
from lasernet.physics.melt_pool_size import pool_size


def ellipsoid(cells: int, half: tuple[float, float, float]) -> tuple[np.ndarray, tuple[float, float, float]]:
    """1 − Σ (x/a)² on a half-space: above 0 inside of a half ellipsoid."""
    x = np.linspace(-1, 1, 2 * cells + 1) * 1.3
    z = np.linspace(-1.3, 0, cells + 1)
    axes = (x[:, None, None] / half[0], x[None, :, None] / half[1], z[None, None, :] / half[2])
    return 1.0 - sum(axis**2 for axis in axes), (1.3 / cells,) * 3


def test_a_roof_is_measured_exactly() -> None:
    x, y, z = np.meshgrid(np.arange(31.0), np.arange(21.0), np.arange(16.0), indexing="ij")
    field = 100 - np.maximum(np.maximum(4 * np.abs(x - 15), 7 * np.abs(y - 10)), 9 * (15 - z))
    assert pool_size(field, (1.0, 2.0, 3.0), 50.0) == pytest.approx((2 * 12.5, 2 * 2 * 50 / 7, 3 * 50 / 9))


def test_the_error_falls_with_the_square_of_the_spacing() -> None:
    half = (1.03, 0.71, 0.47)
    exact = np.array([2 * half[0], 2 * half[1], half[2]])
    errors = []
    for cells in (20, 80):
        field, spacing = ellipsoid(cells, half)
        errors.append(np.abs(np.array(pool_size(field, spacing, 0.0)) - exact).max())
    assert errors[1] < errors[0] / 8
    assert errors[0] < 0.01


def test_another_hot_region_does_not_count() -> None:
    field, spacing = ellipsoid(20, (0.5, 0.4, 0.3))
    alone = pool_size(field, spacing, 0.0)
    field[-3:, -3:, -3:] = 0.5
    assert pool_size(field, spacing, 0.0) == pytest.approx(alone)


def test_no_melt_has_no_size() -> None:
    assert pool_size(np.full((4, 4, 4), 300.0), (1e-6,) * 3, 1700.0) == (0.0, 0.0, 0.0)


def test_a_pool_that_fills_the_volume_ends_at_its_last_cells() -> None:
    assert pool_size(np.full((4, 5, 6), 2000.0, dtype=np.float32), (1.0, 1.0, 1.0), 1700.0) == (3.0, 4.0, 5.0)


@pytest.mark.parametrize("field", [np.zeros((4, 4)), np.full((2, 2, 2), np.nan), np.zeros((0, 2, 2))])
def test_what_is_no_finite_volume_is_refused(field: np.ndarray) -> None:
    with pytest.raises(DataError, match="finite volume"):
        pool_size(field, (1.0, 1.0, 1.0), 0.0)

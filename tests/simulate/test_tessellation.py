"""Distances and cells of periodic Voronoi tessellations, against brute force and closed forms."""

import numpy as np
import pytest

from lasernet.simulate.tessellation import boundary_distance, voronoi_cells
from lasernet.simulate.voronoi_checks import all_bisectors


@pytest.mark.parametrize("count", [1, 2, 3, 5, 12, 30, 80])
@pytest.mark.parametrize("squeeze", [1.0, 0.03], ids=["even", "in a strip"])
def test_the_distance_is_that_to_the_nearest_of_all_bisectors(count: int, squeeze: float) -> None:
    rng = np.random.default_rng(count)
    seeds = rng.uniform(0, 50, (count, 2)) * (1, squeeze)
    points = rng.uniform(0, 50, (150, 2))
    distance, owner = boundary_distance(points, seeds, period=50.0)
    np.testing.assert_allclose(distance, all_bisectors(points, seeds, 50.0), atol=1e-9)
    away = np.abs(points - seeds[owner])
    nearest = np.hypot(*np.minimum(away, 50 - away).T)
    every = np.abs(points[:, None] - seeds)
    np.testing.assert_allclose(nearest, np.hypot(*np.moveaxis(np.minimum(every, 50 - every), -1, 0)).min(1))


def test_one_seed_is_bounded_by_its_own_copies() -> None:
    points = np.array([[10.0, 10.0], [10.0, 33.0], [34.0, 35.0], [60.0, 9.0]])
    distance, owner = boundary_distance(points, np.array([[10.0, 10.0]]), period=50.0)
    expected = 25 - np.abs((points - 10 + 25) % 50 - 25).max(axis=1)
    np.testing.assert_allclose(distance, expected, atol=1e-12)
    assert not owner.any()


def test_two_neighbors_would_not_be_enough() -> None:
    """The bisector with the second nearest seed is not always the nearest one."""
    rng = np.random.default_rng(0)
    seeds, points = rng.uniform(0, 64, (30, 2)), rng.uniform(0, 64, (2000, 2))
    shifts = np.stack(np.meshgrid([-64, 0, 64], [-64, 0, 64]), axis=-1).reshape(-1, 1, 2)
    copies = (seeds + shifts).reshape(-1, 2)
    away = np.hypot(*np.moveaxis(points[:, None] - copies, -1, 0))
    first, second = np.argsort(away, axis=1)[:, :2].T
    rows = np.arange(len(points))
    gap = np.hypot(*(copies[first] - copies[second]).T)
    naive = (away[rows, second] ** 2 - away[rows, first] ** 2) / (2 * gap)
    exact, _ = boundary_distance(points, seeds, period=64.0)
    assert (exact <= naive + 1e-9).all()
    assert (naive - exact > 0.1).mean() > 0.01


@pytest.mark.parametrize("count", [1, 2, 3, 7, 30, 300])
def test_cells_fill_the_torus_and_have_six_sides_on_average(count: int) -> None:
    seeds = np.random.default_rng(count).uniform(0, 20, (count, 2))
    cells = voronoi_cells(seeds, period=20.0)
    assert cells.area.sum() == pytest.approx(400)
    if count > 1:  # the four corners of a single, square cell are degenerate
        assert cells.sides.mean() == 6  # Euler's formula on a torus, three cells at each corner


def test_centroids_are_the_mean_of_the_points_in_a_cell() -> None:
    seeds = np.random.default_rng(4).uniform(0, 20, (6, 2))
    cells = voronoi_cells(seeds, period=20.0)
    axis = (np.arange(400) + 0.5) / 20
    points = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    _, owner = boundary_distance(points, seeds, period=20.0)
    for number, seed in enumerate(seeds):
        own = points[owner == number]
        mean = seed + ((own - seed + 10) % 20 - 10).mean(axis=0)
        np.testing.assert_allclose(cells.centroid[number], mean, atol=0.05)
        assert cells.area[number] == pytest.approx(len(own) / 400, rel=0.02)


def test_a_seed_per_square_gives_squares() -> None:
    """Corners where four cells meet are harmless."""
    axis = np.arange(4) * 5.0 + 1
    seeds = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    points = np.random.default_rng(0).uniform(0, 20, (200, 2))
    distance, _ = boundary_distance(points, seeds, period=20.0)
    expected = 2.5 - np.abs((points - 1 + 2.5) % 5 - 2.5).max(axis=1)
    np.testing.assert_allclose(distance, expected, atol=1e-12)
    cells = voronoi_cells(seeds, period=20.0)
    np.testing.assert_allclose(cells.area, 25)
    np.testing.assert_allclose(cells.perimeter, 20)

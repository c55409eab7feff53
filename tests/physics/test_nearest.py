"""Nearest solid cells, rigid motion and intercepts, against brute force and closed forms."""

import numpy as np
import pytest
import torch

from lasernet.physics.nearest import advect, mean_intercept, nearest_in_slices, nearest_solid


@pytest.mark.parametrize(
    ("shape", "spacing"), [((9, 7), (1.0, 1.0)), ((9, 7), (3.0, 1.0)), ((6, 5, 7), (1.0, 2.5, 0.7))]
)
@pytest.mark.parametrize("share", [0.02, 0.3, 0.9])
def test_distance_equals_brute_force(shape, spacing, share):
    solid = np.random.default_rng(1).random(shape) < share
    solid[(0,) * len(shape)] = True
    indices, distance = nearest_solid(solid, spacing)
    cells, targets = np.argwhere(np.ones(shape)) * spacing, np.argwhere(solid) * spacing
    expected = np.linalg.norm(cells[:, None] - targets[None], axis=-1).min(1).reshape(shape)
    np.testing.assert_allclose(distance, expected, atol=1e-12)
    assert solid[indices].all()
    steps = [(index - grid) * width for index, grid, width in zip(indices, np.indices(shape), spacing, strict=True)]
    np.testing.assert_allclose(np.sqrt(sum(step**2 for step in steps)), expected, atol=1e-12)


def test_solid_cells_are_their_own_nearest():
    solid = np.random.default_rng(2).random((8, 8)) < 0.5
    indices, distance = nearest_solid(solid, (1.0, 1.0))
    for index, grid in zip(indices, np.indices(solid.shape), strict=True):
        np.testing.assert_array_equal(index[solid], grid[solid])
    assert (distance[solid] == 0).all()


@pytest.mark.parametrize(("solid", "distance"), [(False, np.inf), (True, 0.0)])
def test_without_any_choice_every_cell_stands_for_itself(solid, distance):
    indices, found = nearest_solid(np.full((3, 4), solid), (1.0, 1.0))
    np.testing.assert_array_equal(indices, np.indices((3, 4)))
    assert (found == distance).all()


def test_slices_are_searched_one_by_one_with_their_own_spacing():
    ipf = torch.rand(3, 9, 6, 8, generator=torch.Generator().manual_seed(3))
    solid = torch.rand(3, 1, 6, 8, generator=torch.Generator().manual_seed(4)) < 0.3
    solid[2] = False
    height, width = torch.tensor([1e-6, 2e-6, 1e-6]), torch.tensor([1e-6, 1e-6, 1e-6])
    colors, distance = nearest_in_slices(ipf, solid, height, width)
    for item in range(3):
        spacing = (float(height[item]), float(width[item]))
        (row, column), expected = nearest_solid(solid[item, 0].numpy(), spacing)
        np.testing.assert_array_equal(colors[item].numpy(), ipf[item].numpy()[:, row, column])
        np.testing.assert_allclose(distance[item, 0].numpy(), expected, rtol=1e-6)
    assert torch.equal(colors[2], ipf[2])
    assert distance[2].isinf().all()


def test_advection_by_whole_cells_is_a_shift():
    field = np.random.default_rng(5).random((2, 7, 4, 3)).astype(np.float32)
    moved = advect(field, (2.0, 0.0, -1.0))
    np.testing.assert_array_equal(moved[:, 2:, :, :-1], field[:, :-2, :, 1:])
    np.testing.assert_array_equal(moved[:, :2], field[:, :2])
    np.testing.assert_array_equal(moved[..., -1], field[..., -1])


@pytest.mark.parametrize("shift", [(1.25, 0.0, 0.0), (-0.5, 0.75, 0.0), (0.4, -1.6, 0.3)])
def test_advection_of_a_linear_field_is_exact_inside(shift):
    axes = np.meshgrid(np.arange(8.0), np.arange(7.0), np.arange(6.0), indexing="ij")
    field = 2 * axes[0] - 3 * axes[1] + axes[2]
    exact = field - (2 * shift[0] - 3 * shift[1] + shift[2])
    source = [axis - step for axis, step in zip(axes, shift, strict=True)]
    inside = np.all([(s >= 0) & (s <= n - 1) for s, n in zip(source, field.shape, strict=True)], axis=0)
    moved = advect(field, shift)
    np.testing.assert_allclose(moved[inside], exact[inside], atol=1e-5)
    np.testing.assert_array_equal(moved[~inside], field[~inside].astype(np.float32))


def test_advection_by_nothing_or_beyond_the_grid_changes_nothing():
    field = np.random.default_rng(6).random((5, 4, 3)).astype(np.float32)
    np.testing.assert_array_equal(advect(field, (0.0, 0.0, 0.0)), field)
    np.testing.assert_array_equal(advect(field, (5.0, 0.0, 0.0)), field)


def test_advection_takes_nothing_from_invalid_cells():
    field, valid = np.arange(6.0).reshape(6, 1, 1), np.ones((6, 1, 1), dtype=bool)
    valid[2] = False
    moved = advect(field, (0.5, 0.0, 0.0), valid=valid)
    np.testing.assert_allclose(moved.ravel(), [0, 0.5, 2, 3, 3.5, 4.5])


def test_mean_intercept_counts_runs_of_one_label():
    labels = np.array([[1, 1, 2, 0, 2, 2], [3, 3, 3, 3, 3, 3]])
    assert mean_intercept(labels, axis=1) == pytest.approx(11 / 4)
    assert mean_intercept(labels, axis=0) == 1.0
    assert np.isnan(mean_intercept(np.zeros((2, 2), dtype=int), axis=0))

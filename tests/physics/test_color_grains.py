"""Grains from colors: what a segmentation does not depend on, distances by brute force, palettes."""

import numpy as np
import pytest

from lasernet.physics.color_grains import (
    MOLTEN,
    TOLERANCE,
    edges_of,
    palette_distance,
    palette_of,
    segment_colors,
    segment_ids,
    widen,
)

H, W = 14, 17


@pytest.fixture
def draw():
    return np.random.default_rng(0)


def painted(grain_id, draw):
    """A color of its own for every id, pairwise farther apart than the tolerance; 0 is black."""
    palette = draw.random((int(grain_id.max()) + 1, 9)).round()  # corners of a cube differ by at least 1/3
    while len(np.unique(palette[1:], axis=0)) < len(palette) - 1 or not palette[1:].any(axis=1).all():
        palette = draw.random(palette.shape).round()
    palette[0] = 0
    return palette[grain_id].transpose(2, 0, 1)


def tiles(height, width, size):
    rows, columns = np.indices((height, width)) // size
    return rows * (-(-width // size)) + columns + 1


def everywhere(image):
    return np.ones(image.shape[-2:], dtype=bool)


def test_colors_and_ids_give_the_same_grains(draw):
    ids = draw.integers(0, 12, (H, W))
    one, other = segment_colors(painted(ids, draw), everywhere(ids)), segment_ids(ids, everywhere(ids))
    assert one.count == other.count
    np.testing.assert_array_equal(one.labels, other.labels)
    np.testing.assert_array_equal(one.boundary, other.boundary)


def test_every_label_is_one_connected_grain():
    ids = np.array([[1, 1, 2], [0, 2, 2], [1, 1, 0]])
    np.testing.assert_array_equal(
        segment_ids(ids, everywhere(ids)).labels, [[1, 1, 2], [0, 2, 2], [3, 3, 0]]
    )  # the two parts of id 1 do not touch


def test_grains_that_touch_at_a_corner_alone_are_two():
    ids = np.array([[1, 0], [0, 1]])
    assert segment_ids(ids, everywhere(ids)).count == 2


def test_boundaries_are_the_edges_between_different_solid_cells(draw):
    ids = draw.integers(0, 4, (H, W))
    valid = draw.random((H, W)) < 0.9
    found = segment_ids(ids, valid)
    solid = valid & (ids > 0)
    for i in range(H):
        for j in range(W):
            for place, other in (((2 * i, 2 * j + 1), (i, j + 1)), ((2 * i + 1, 2 * j), (i + 1, j))):
                if other[0] < H and other[1] < W:
                    assert found.boundary[place] == (solid[i, j] and solid[other] and ids[i, j] != ids[other])
    assert not found.boundary[::2, ::2].any()
    assert not found.boundary[1::2, 1::2].any()


def test_missing_cells_have_no_grain_and_no_boundary(draw):
    ids = draw.integers(1, 9, (H, W))
    valid = everywhere(ids).copy()
    valid[:, 5] = False
    found = segment_colors(painted(ids, draw), valid)
    assert (found.labels[:, 5] == -1).all()
    assert (found.labels[valid] > 0).all()
    assert not found.boundary[:, 9:12].any()
    assert set(found.labels[:, :5].ravel()).isdisjoint(found.labels[:, 6:].ravel())


def test_dimming_a_cell_leaves_it_in_its_grain_until_it_is_molten(draw):
    ids = tiles(H, W, 4)
    colors = painted(ids, draw)
    expected = segment_colors(colors, everywhere(ids))
    dimmed = colors * draw.uniform(MOLTEN + 0.01, 1, (H, W))
    np.testing.assert_array_equal(segment_colors(dimmed, everywhere(ids)).labels, expected.labels)
    assert (segment_colors(colors * MOLTEN, everywhere(ids)).labels == 0).all()


def test_a_ramp_divides_by_the_height_of_its_steps():
    ends = np.ones((9, 2))
    ends[0, 1] = 0  # the largest channel stays 1, and the colors lie 1/3 apart
    for steps in (1, 2, 3, 4, 5):
        ramp = ends[:, :1] + (ends[:, 1:] - ends[:, :1]) * np.linspace(0, 1, steps + 1)
        grains = segment_colors(ramp[:, None], np.ones((1, steps + 1), dtype=bool)).count
        assert grains == (1 if 1 / 3 / steps <= TOLERANCE else steps + 1)


def test_noise_below_the_tolerance_changes_nothing(draw):
    ids = tiles(H, W, 4)
    colors = 0.02 + 0.96 * painted(ids, draw)
    shaken = colors + draw.uniform(-0.02, 0.02, colors.shape)
    expected = segment_colors(colors, everywhere(ids))
    np.testing.assert_array_equal(segment_colors(shaken, everywhere(ids)).labels, expected.labels)


def test_widening_equals_distances_between_the_middles_of_edges(draw):
    edges = edges_of(np.ones((5, 6), dtype=bool)) & (draw.random((9, 11)) < 0.08)
    middles = np.argwhere(edges) / 2
    for reach, near in zip((0, 1, 2), widen(edges, (0, 1, 2)), strict=True):
        for place in np.argwhere(edges_of(np.ones((5, 6), dtype=bool))):
            assert near[tuple(place)] == (np.linalg.norm(middles - place / 2, axis=1).min() <= reach)


def test_edges_of_a_cell_are_the_four_around_it():
    region = np.zeros((3, 3), dtype=bool)
    region[1, 1] = True
    assert np.argwhere(edges_of(region)).tolist() == [[1, 2], [2, 1], [2, 3], [3, 2]]


@pytest.mark.parametrize("shape", [(1, 1), (1, 4), (4, 1)])
def test_slices_of_one_row_or_column_have_grains(shape):
    ids = np.arange(1, shape[0] * shape[1] + 1).reshape(shape)
    found = segment_ids(ids, everywhere(ids))
    assert found.count == ids.size
    assert found.boundary.sum() == ids.size - 1
    assert [near.shape for near in widen(found.boundary, (0, 2))] == [found.boundary.shape] * 2


def test_a_palette_holds_each_solid_color_once(draw):
    colors = draw.integers(0, 3, (9, 40)).astype(np.uint8)
    colors[8, :20] = colors[8, 20:] + 100  # told apart by the last channel alone
    colors[:8, :20] = colors[:8, 20:]
    solid = draw.random(40) < 0.8
    expected = {tuple(color) for color in colors[:, solid].T}
    found = palette_of(colors, solid)
    assert {tuple(color) for color in np.rint(found * 255).astype(int)} == expected
    assert len(found) == len(expected)
    np.testing.assert_array_equal(palette_of((colors / 255).astype(np.float32), solid), found)
    assert palette_of(colors, np.zeros(40, dtype=bool)).shape == (0, 9)


def test_palette_distance_is_that_to_the_nearest_color(draw):
    colors, palette = draw.random((30, 9)), draw.random((20, 9))
    every = np.sqrt(np.square(colors[:, None] - palette).mean(axis=2))
    np.testing.assert_allclose(palette_distance(colors, palette), every.min(axis=1))
    assert (palette_distance(palette, palette) == 0).all()

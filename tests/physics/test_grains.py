import numpy as np
import pytest
from skimage.measure import label as oracle_label
from toy_grains import outlined, voronoi_images, voronoi_labels

from lasernet.physics.grains import (
    areas,
    at_edge,
    count_grains,
    equivalent_diameters,
    fill_boundaries,
    label_grains,
    label_images,
    neighbors,
)


def bricks(*, shift: int, height: int = 8, width: int = 12) -> np.ndarray:
    """A periodic wall of 4 × 4 outlined bricks, every second row of which is shifted."""
    rows, columns = np.indices((4 * height, 4 * width))
    course = rows // height
    return outlined(1 + 4 * course + (columns + shift * (course % 2)) // width % 4)


def test_free_grains_are_those_of_scikit_image() -> None:
    image = np.random.default_rng(0).random((40, 50))
    labels, number = label_grains(image, threshold=0.4, periodic=False, smallest=1)
    wanted = oracle_label(image > 0.4, connectivity=1)
    assert number == wanted.max()
    np.testing.assert_array_equal(labels, wanted)


def test_regions_below_the_smallest_size_are_no_grains() -> None:
    image = np.zeros((9, 12))
    image[1, 1:5] = image[3, 1:6] = 1
    labels, number = label_grains(image, periodic=False, smallest=5)
    assert number == 1
    assert (labels[3, 1:6] == 1).all()
    assert labels.sum() == 5


def test_a_pixel_at_the_threshold_is_outside() -> None:
    image = np.full((1, 4, 4), 51, dtype=np.uint8)
    assert count_grains(image, threshold=51 / 255, periodic=False)[0] == 0
    assert count_grains(image, threshold=50.9 / 255, periodic=False)[0] == 1


def test_bytes_and_fractions_have_the_same_grains() -> None:
    images = voronoi_images(1, number=4)
    for threshold in (0.5, 0.7):
        wanted = count_grains(images, threshold=threshold, periodic=True)
        assert (count_grains(images / 255, threshold=threshold, periodic=True) == wanted).all()
        assert (count_grains((images / 255).astype(np.float32), threshold=threshold, periodic=True) == wanted).all()


def test_one_grain_over_all_four_corners_is_one_only_if_periodic() -> None:
    image = np.zeros((12, 12))
    image[np.ix_([0, 1, 2, -1, -2, -3], [0, 1, 2, -1, -2, -3])] = 1
    assert label_grains(image, periodic=True)[1] == 1
    assert label_grains(image, periodic=False)[1] == 4


def test_a_chain_of_regions_over_the_edges_is_one_grain() -> None:
    # Slanted stripes: every piece continues in the next, all around.
    rows, columns = np.indices((24, 24))
    image = ((rows + columns) % 24 < 4).astype(float)
    assert label_grains(image, periodic=True)[1] == 1
    assert label_grains(image, periodic=False)[1] == 2


def test_many_images_are_labelled_like_each_alone() -> None:
    images = voronoi_images(2, number=6)
    for periodic in (False, True):
        labels, counts = label_images(images, periodic=periodic)
        assert (counts == count_grains(images, threshold=0.5, periodic=periodic)).all()
        for image, found, count in zip(images, labels, counts, strict=True):
            alone, number = label_grains(image, periodic=periodic)
            assert number == count
            assert set(np.unique(found)) == set(range(number + 1))
            np.testing.assert_array_equal(found, alone)


def test_moving_and_turning_a_periodic_image_changes_no_grain() -> None:
    images = voronoi_images(3, number=5)

    def grains(images: np.ndarray) -> list[tuple[int, int]]:
        labels, counts = label_images(images, periodic=True)
        bright = areas(labels, counts)
        return [tuple(sorted(bright[np.repeat(np.arange(5), counts) == i])) for i in range(5)]

    wanted = grains(images)
    for other in (
        np.roll(images, (5, -9), (1, 2)),
        images[:, ::-1],
        images.transpose(0, 2, 1),
        np.rot90(images, 1, (1, 2)),
    ):
        assert grains(np.ascontiguousarray(other)) == wanted


def test_sets_without_grains_have_none() -> None:
    black = np.zeros((3, 8, 8), dtype=np.uint8)
    for periodic in (False, True):
        assert count_grains(black, threshold=0.5, periodic=periodic).tolist() == [0, 0, 0]
        assert count_grains(black[:0], threshold=0.5, periodic=periodic).tolist() == []
        assert count_grains(black + 255, threshold=0.5, periodic=periodic).tolist() == [1, 1, 1]
        labels, counts = label_images(black, periodic=periodic)
        filled = fill_boundaries(labels, periodic=periodic)
        assert not filled.any()
        assert len(areas(filled, counts)) == len(neighbors(filled, counts, periodic=periodic)) == 0


@pytest.mark.parametrize("shape", [(4,), (2, 3, 4)])
def test_anything_but_one_image_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="expected"):
        label_grains(np.zeros(shape), periodic=False)


@pytest.mark.parametrize("periodic", [False, True])
@pytest.mark.parametrize("shape", [(20, 30), (40, 14)])
def test_boundaries_go_to_the_nearest_grain(periodic: bool, shape: tuple[int, int]) -> None:
    generator = np.random.default_rng(4)
    labels = np.where(generator.random((3, *shape)) < 0.02, generator.integers(1, 9, (3, *shape)), 0).astype(np.int32)
    labels[2] = 0
    labels[2, 3, 4] = 7  # a single pixel, half an image away from others
    filled = fill_boundaries(labels, periodic=periodic)
    for image, answer in zip(labels, filled, strict=True):
        sites = np.argwhere(image > 0)
        step = np.abs(np.indices(shape).reshape(2, -1).T[:, None] - sites[None])
        if periodic:
            step = np.minimum(step, np.array(shape) - step)
        distance = (step**2).sum(-1)
        owner = image[tuple(sites.T)]
        for row, pixel in zip(distance, answer.ravel(), strict=True):
            assert pixel in owner[row == row.min()]


def test_filled_grains_cover_the_image() -> None:
    labels, counts = label_images(voronoi_images(5, number=4), periodic=True)
    filled = fill_boundaries(labels, periodic=True)
    assert areas(filled, counts).sum() == filled.size
    assert (filled[labels > 0] == labels[labels > 0]).all()


@pytest.mark.parametrize(("shift", "wanted"), [(0, 4), (6, 6)])
def test_neighbors_of_bricks(shift: int, wanted: int) -> None:
    labels, counts = label_images(bricks(shift=shift)[None], periodic=True)
    assert counts.tolist() == [16]
    found = neighbors(fill_boundaries(labels, periodic=True), counts, periodic=True)
    assert found.tolist() == [wanted] * 16


def test_a_touch_of_one_pixel_edge_makes_no_neighbors() -> None:
    filled = np.array([[[1, 1, 1, 3, 3], [1, 1, 2, 2, 2], [1, 1, 2, 2, 2]]], dtype=np.int32)
    counts = np.array([3])
    assert neighbors(filled, counts, periodic=False).tolist() == [1, 2, 1]
    filled[0, 0, 2] = 3
    assert neighbors(filled, counts, periodic=False).tolist() == [1, 2, 1]
    filled[0, 1, 2] = 3  # now 3 shares two edges with 1 and four with 2, and 1 a single one with 2
    assert neighbors(filled, counts, periodic=False).tolist() == [1, 1, 2]
    assert neighbors(filled, counts, periodic=False, edges=4).tolist() == [0, 1, 1]


def test_a_grain_of_a_periodic_tessellation_has_six_neighbors_on_average() -> None:
    generator = np.random.default_rng(6)
    labels = np.stack([voronoi_labels(generator, size=192, grains=60) for _ in range(8)])
    counts = np.full(8, 60)
    for edges, tolerance in ((1, 0.06), (2, 0.2)):  # on pixels, short edges get lost
        assert neighbors(labels, counts, periodic=True, edges=edges).mean() == pytest.approx(6, abs=tolerance)
    normalized = areas(labels, counts) * 60 / 192**2
    assert normalized.mean() == pytest.approx(1)
    # 0.2802 (Gilbert 1962) for infinitely many grains; their sum is fixed here.
    assert normalized.var() == pytest.approx(0.2802 * (1 - 1 / 60), abs=0.05)


def test_grains_at_the_edge_are_told_apart() -> None:
    image = np.zeros((10, 10))
    image[0:3, 4:7] = image[5:8, 5:8] = 1
    labels, counts = label_images(image[None], periodic=False)
    assert at_edge(labels, counts).tolist() == [True, False]


def test_the_equivalent_diameter_is_that_of_the_circle() -> None:
    np.testing.assert_allclose(equivalent_diameters(np.pi * np.array([1.0, 4.0, 9.0])), [2, 4, 6])

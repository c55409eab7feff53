import numpy as np
import pytest
from scipy.spatial import ConvexHull
from skimage.measure import regionprops
from toy_grains import voronoi_images

from lasernet.physics.grains import label_images
from lasernet.physics.hulls import solidity


def one_grain(rows: slice, columns: slice, *, missing: tuple[slice, slice] | None = None) -> np.ndarray:
    image = np.zeros((1, 20, 24))
    image[0, rows, columns] = 1
    if missing:
        image[0][missing] = 0
    return image


def of(images: np.ndarray, *, periodic: bool) -> np.ndarray:
    labels, counts = label_images(images, periodic=periodic)
    return solidity(labels, counts, periodic=periodic)


def test_a_rectangle_is_its_own_hull() -> None:
    assert of(one_grain(slice(2, 9), slice(3, 20)), periodic=False).tolist() == [1]


def test_an_angle_of_three_squares_fills_six_sevenths_of_its_hull() -> None:
    image = one_grain(slice(4, 12), slice(6, 14), missing=(slice(4, 8), slice(6, 10)))
    for turned in (image, image[:, ::-1], image[:, :, ::-1], image.transpose(0, 2, 1)):
        np.testing.assert_allclose(of(turned, periodic=False), [6 / 7])


def test_a_grain_over_the_edges_is_put_together() -> None:
    image = one_grain(slice(4, 12), slice(6, 14), missing=(slice(4, 8), slice(6, 10)))
    for shift in ((-8, 0), (0, -9), (-7, 13), (12, -8)):
        np.testing.assert_allclose(of(np.roll(image, shift, (1, 2)), periodic=True), [6 / 7])


def test_a_net_all_around_keeps_its_holes() -> None:
    image = np.zeros((1, 20, 20))
    image[0, 4] = image[0, :, 7] = 1
    # As it lies, the cross reaches from edge to edge: its hull has four slanted sides.
    corners = [4 * 7 / 2, 4 * 12 / 2, 15 * 7 / 2, 15 * 12 / 2]
    np.testing.assert_allclose(of(image, periodic=True), [39 / (400 - sum(corners))])


@pytest.mark.parametrize("noise", [False, True])
def test_hulls_are_those_of_the_pixel_corners(noise: bool) -> None:
    images = np.random.default_rng(0).random((3, 40, 30)) if noise else voronoi_images(0, number=3, size=40)
    labels, counts = label_images(images, threshold=0.45, periodic=False)
    wanted = []
    for image, count in zip(labels, counts, strict=True):
        for grain in range(1, count + 1):
            pixels = np.argwhere(image == grain)
            corners = np.concatenate([pixels + corner for corner in ([0, 0], [0, 1], [1, 0], [1, 1])])
            wanted.append(len(pixels) / ConvexHull(corners).volume)
    assert len(wanted) > 20
    np.testing.assert_allclose(solidity(labels, counts, periodic=False), wanted)


def test_it_is_the_limit_of_scikit_image_for_fine_pixels() -> None:
    labels, counts = label_images(voronoi_images(1, number=1, size=24, grains=6), threshold=0.45, periodic=False)
    fine = np.kron(labels[0], np.ones((12, 12), dtype=np.int32))
    wanted = [region.solidity for region in regionprops(fine)]
    np.testing.assert_allclose(solidity(labels, counts, periodic=False), wanted, atol=0.012)


def test_moving_and_turning_a_periodic_image_changes_no_solidity() -> None:
    images = voronoi_images(2, number=4)
    wanted = np.sort(of(images, periodic=True))
    for other in (np.roll(images, (5, -9), (1, 2)), images[:, ::-1], images.transpose(0, 2, 1)):
        np.testing.assert_allclose(np.sort(of(np.ascontiguousarray(other), periodic=True)), wanted)


def test_no_grains_have_no_solidity() -> None:
    assert of(np.zeros((2, 6, 6)), periodic=True).shape == (0,)
    assert of(np.zeros((0, 6, 6)), periodic=False).shape == (0,)

"""Colors of inverse pole figures: corners, symmetry, and the published values of other programs' keys."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lasernet.errors import DataError, OptionError
from lasernet.simulate.ipf import KEYS, direction_colors, ipf_colors, numbers, to_triangle, unit_colors
from lasernet.simulate.orientation import (
    cubic_operators,
    from_bunge_angles,
    from_rotation_matrices,
    multiply,
    random_orientations,
    rotation_matrices,
)

REFERENCE = Path(__file__).parents[2].parent / "shared" / "reference"
ORIX = {  # orix 0.15, DirectionColorKeyTSL of m-3m, four digits
    (0, 0, 1): (1, 0, 0),
    (1, 0, 1): (0.0053, 1, 0),
    (1, 1, 1): (0, 0.0088, 1),
    (1, 1, 2): (0.6607, 0, 1),
    (1, 0, 2): (0.953, 1, 0),
    (1, 1, 3): (1, 0, 0.805),
    (1, 2, 3): (0.7113, 0.8865, 1),
}
ORIX_BUNGE_30_20_10 = (0.4199, 1, 0.6796, 0.2143, 0.8907, 1, 1, 0.6539, 0.2719)
every_key = pytest.mark.parametrize("key", KEYS)


def directions(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, 3))


@pytest.mark.parametrize("key", ["tsl", "tsl-sqrt"])
def test_corners_of_the_triangle_are_red_green_and_blue(key: str) -> None:
    np.testing.assert_array_equal(direction_colors(np.eye(3)[[2]], key), [[1, 0, 0]])
    np.testing.assert_allclose(direction_colors([[1, 0, 1], [1, 1, 1]], key), [[0, 1, 0], [0, 0, 1]], atol=1e-7)


@pytest.mark.parametrize("key", ["exaca", "orix"])
def test_corners_of_sampled_keys_are_pure_within_a_hundredth(key: str) -> None:
    corners = direction_colors([[0, 0, 1], [1, 0, 1], [1, 1, 1]], key)
    np.testing.assert_allclose(corners, np.eye(3), atol=0.01)
    np.testing.assert_allclose(corners[0], [1, 0, 0], atol=1e-9)


@every_key
def test_colors_fill_the_unit_cube_and_nothing_more(key: str) -> None:
    rgb = direction_colors(directions(5000), key)
    assert rgb.min() >= 0
    assert rgb.max() <= 1
    # The brightest channel is 1 everywhere, except toward the gray center of ExaCA's key, where it falls to 0.9.
    assert rgb.max(axis=1).min() >= (0.9 if key == "exaca" else 1) - 1e-9


@every_key
@given(h=st.tuples(*[st.floats(-1, 1)] * 3).filter(lambda h: np.linalg.norm(h) > 0.1), scale=st.floats(0.01, 100))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_a_color_knows_neither_length_nor_symmetry(key: str, h: tuple[float, float, float], scale: float) -> None:
    images = rotation_matrices(cubic_operators()) @ np.array(h)
    images = np.concatenate([images, -images]) * scale
    # Where the hue of ExaCA's key closes its circle a channel jumps by 0.0103, and rounding decides the side.
    assert np.ptp(direction_colors(images, key), axis=0).max() < (0.011 if key == "exaca" else 1e-6)


@every_key
def test_equivalent_crystals_have_the_same_nine_colors(key: str) -> None:
    q = random_orientations(200, np.random.default_rng(0))
    colors = ipf_colors(multiply(q[:, None], cubic_operators()), key)
    assert colors.shape == (200, 24, 9)
    assert np.ptp(colors, axis=1).max() < 1e-9


def test_the_nine_channels_are_sample_x_y_and_z_seen_from_the_crystal() -> None:
    q = random_orientations(50, np.random.default_rng(1))
    m = rotation_matrices(q)
    for axis in range(3):
        seen = np.swapaxes(m, 1, 2) @ np.eye(3)[axis]
        np.testing.assert_allclose(ipf_colors(q)[:, 3 * axis : 3 * axis + 3], direction_colors(seen), atol=1e-12)


def test_the_tsl_key_is_linear_in_the_corners() -> None:
    corners = np.array([[0, 0, 1], [1, 0, 1], [1, 1, 1]]) / np.sqrt([[1], [2], [3]])
    shares = np.random.default_rng(0).uniform(0, 1, (100, 3))
    np.testing.assert_allclose(
        direction_colors(shares @ corners), shares / shares.max(axis=1, keepdims=True), atol=1e-9
    )
    np.testing.assert_allclose(direction_colors(shares @ corners, "tsl-sqrt") ** 2, direction_colors(shares @ corners))


def test_the_triangle_holds_sorted_directions_of_norm_one() -> None:
    x, y, z = to_triangle(directions(500)).T
    assert (z >= x).all()
    assert (x >= y).all()
    assert (y >= 0).all()
    np.testing.assert_allclose(x**2 + y**2 + z**2, 1)


def test_the_center_is_white_in_orix_and_light_gray_in_exaca() -> None:
    center = np.array([[0, 0, 1], [1, 0, 1], [1, 1, 1]]) / np.sqrt([[1], [2], [3]])
    np.testing.assert_allclose(direction_colors(center.sum(axis=0), "orix"), 1, atol=1e-9)
    np.testing.assert_allclose(direction_colors(center.sum(axis=0), "exaca"), 0.9, atol=1e-9)


def test_the_orix_key_has_the_colors_of_orix() -> None:
    # the values have four digits
    np.testing.assert_allclose(direction_colors(list(ORIX), "orix"), list(ORIX.values()), atol=1e-4)
    np.testing.assert_allclose(
        ipf_colors(from_bunge_angles(np.radians([30, 20, 10])), "orix"), ORIX_BUNGE_30_20_10, atol=1e-4
    )


@pytest.mark.skipif(not (REFERENCE / "orientations").exists(), reason="no reference data here")
def test_the_exaca_key_has_the_colors_of_ten_thousand_orientations() -> None:
    folder = REFERENCE / "orientations"
    axes = np.loadtxt(folder / "GrainOrientationVectors.csv", delimiter=",", skiprows=1).reshape(-1, 3, 3)
    colors = np.loadtxt(folder / "GrainOrientationRGB_IPF-Z.csv", delimiter=",", skiprows=1)
    found = ipf_colors(from_rotation_matrices(np.swapaxes(axes, 1, 2)), "exaca")[:, 6:]
    # the matrices have six digits, and colors change by up to 8 per unit of direction
    assert np.abs(found - colors).max() < 1e-4
    assert np.abs(found - colors).mean() < 1e-5


@every_key
def test_no_orientation_gives_no_color(key: str) -> None:
    assert ipf_colors(np.empty((0, 4)), key).shape == (0, 9)


def test_what_has_no_color_is_refused() -> None:
    with pytest.raises(DataError, match="zero or not finite"):
        direction_colors([[0.0, 0, 0]])
    with pytest.raises(DataError, match="zero or not finite"):
        direction_colors([np.nan, 0, 1])
    with pytest.raises(DataError, match=r"\(\.\.\., 3\)"):
        direction_colors(np.ones((2, 4)))
    with pytest.raises(OptionError, match="did you mean 'orix'"):
        direction_colors([0, 0, 1], "oryx")
    with pytest.raises(OptionError, match="known: exaca, orix, tsl, tsl-sqrt"):
        ipf_colors(np.eye(4), "unknown")


def test_colors_are_read_as_bytes_or_numbers() -> None:
    np.testing.assert_array_equal(unit_colors(np.array([[0, 51, 255]], dtype=np.uint8), 3), [[0, 0.2, 1]])
    np.testing.assert_array_equal(unit_colors(np.float32([0, 0.5, 1]), 3), [0, 0.5, 1])
    np.testing.assert_array_equal(numbers([-0.5, 0, 2], 3), [-0.5, 0, 2])
    with pytest.raises(DataError, match=r"\[0, 1\]"):
        unit_colors([0, 0, 255], 3)
    with pytest.raises(DataError, match="not finite"):
        numbers([0, np.inf, 0], 3)
    with pytest.raises(DataError, match="expected"):
        numbers([0, 1], 3)

"""Orientations of cubes: rotations, conventions, symmetry, and Mackenzie's exact distribution."""

from collections.abc import Callable
from itertools import permutations, product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lasernet.errors import DataError, OptionError
from lasernet.simulate.mackenzie import LARGEST, mackenzie, mackenzie_cumulative, mackenzie_density
from lasernet.simulate.orientation import (
    bunge_angles,
    cubic_operators,
    disorientation,
    from_bunge_angles,
    from_rotation_matrices,
    inverse,
    multiply,
    random_orientations,
    rotation_matrices,
    smallest_rotations,
)
from lasernet.simulate.orientation_checks import check_orientation

REFERENCE = Path(__file__).parents[2].parent / "shared" / "reference" / "orientations"
ANGLES = st.floats(0, 2 * np.pi, exclude_max=True)
SEEDS = st.integers(0, 2**32 - 1)


def crystals(count: int, seed: int = 0) -> np.ndarray:
    return random_orientations(count, np.random.default_rng(seed))


def turn(axis: list[float], degrees: float) -> np.ndarray:
    half = np.radians(degrees) / 2
    return np.append(np.cos(half), np.sin(half) * np.array(axis) / np.linalg.norm(axis))


@pytest.fixture(scope="module")
def checks(checked: Callable[..., list[dict[str, object]]]) -> list[dict[str, object]]:
    return checked(check_orientation)


def test_orientations_keep_their_exact_references(checks: list[dict[str, object]]) -> None:
    assert [check for check in checks if not check["ok"]] == []


def test_the_references_cover_mackenzie_symmetry_and_colors(checks: list[dict[str, object]]) -> None:
    names = [str(check["name"]) for check in checks]
    assert len(set(names)) == len(names)
    for part in ("mackenzie/mean", "mackenzie/deviation", "mackenzie/maximum", "orthogonality", "m-3m symmetry"):
        assert any(name.startswith("orientation/") and part in name for name in names)
    assert all(set(check) == {"name", "value", "reference", "tolerance", "ok"} for check in checks)


def test_a_quarter_turn_about_z_brings_crystal_x_to_sample_y() -> None:
    np.testing.assert_allclose(rotation_matrices(turn([0, 0, 1], 90)) @ [1, 0, 0], [0, 1, 0], atol=1e-15)


@given(SEEDS)
@settings(max_examples=20, deadline=None, derandomize=True)
def test_multiplying_quaternions_multiplies_matrices(seed: int) -> None:
    p, q = crystals(5, seed), crystals(5, seed + 1)
    product_of_matrices = rotation_matrices(p) @ rotation_matrices(q)
    np.testing.assert_allclose(rotation_matrices(multiply(p, q)), product_of_matrices, atol=1e-14)
    np.testing.assert_allclose(rotation_matrices(inverse(p)), np.swapaxes(rotation_matrices(p), -1, -2), atol=1e-15)


@given(ANGLES, st.floats(0.001, np.pi - 0.001), ANGLES)
@settings(max_examples=100, deadline=None, derandomize=True)
def test_bunge_angles_return(first: float, middle: float, second: float) -> None:
    back = bunge_angles(from_bunge_angles([first, middle, second]))
    assert back[1] == pytest.approx(middle, abs=1e-9)
    for found, expected in ((back[0], first), (back[2], second)):
        assert np.cos(found - expected) == pytest.approx(1, abs=1e-12)
        assert 0 <= found < 2 * np.pi


def test_bunge_angles_turn_about_z_then_x_then_z() -> None:
    q = from_bunge_angles(np.radians([30, 20, 10]))
    apart = multiply(multiply(turn([0, 0, 1], 30), turn([1, 0, 0], 20)), turn([0, 0, 1], 10))
    np.testing.assert_allclose(q, apart, atol=1e-15)


@pytest.mark.parametrize("middle", [0.0, np.pi])
def test_bunge_angles_without_a_unique_answer_put_all_in_the_first(middle: float) -> None:
    q = from_bunge_angles([1.0, middle, 0.4])
    back = bunge_angles(q)
    assert back[2] == 0
    assert abs(from_bunge_angles(back) @ q) == pytest.approx(1, abs=1e-12)


def test_matrices_return_quaternions() -> None:
    q = np.concatenate([crystals(500), cubic_operators()])
    found = from_rotation_matrices(rotation_matrices(q))
    np.testing.assert_allclose(np.abs((found * q).sum(axis=1)), 1, atol=1e-12)
    assert (found[:, 0] >= 0).all()


def test_the_cubic_group_is_that_of_all_signed_axis_permutations() -> None:
    group = {tuple(np.round(m).astype(int).ravel()) for m in rotation_matrices(cubic_operators())}
    signed = (np.eye(3)[list(p)] * s for p in permutations(range(3)) for s in product((1, -1), repeat=3))
    assert group == {tuple(m.astype(int).ravel()) for m in signed if np.linalg.det(m) > 0}
    np.testing.assert_array_equal(cubic_operators()[0], [1, 0, 0, 0])


def test_disorientation_is_the_smallest_of_24_angles() -> None:
    p, q = crystals(200), crystals(200, 1)
    between = multiply(multiply(inverse(p), q)[:, None], cubic_operators())
    brute = 2 * np.arccos(np.minimum(np.abs(between[..., 0]).max(axis=1), 1))
    np.testing.assert_allclose(disorientation(p, q), brute, atol=1e-12)


@given(SEEDS)
@settings(max_examples=30, deadline=None, derandomize=True)
def test_disorientation_is_a_distance_between_crystals(seed: int) -> None:
    q = crystals(6, seed)
    apart = disorientation(q[:, None], q)
    assert apart.max() <= LARGEST + 1e-9
    np.testing.assert_allclose(apart, apart.T, atol=1e-7)
    np.testing.assert_allclose(np.diagonal(apart), 0, atol=2e-7)
    assert (apart <= apart[:, :, None].transpose(0, 2, 1) + apart[None] + 1e-6).all()


def test_turning_the_sample_keeps_disorientations() -> None:
    p, q, t = crystals(50), crystals(50, 1), crystals(1, 2)
    np.testing.assert_allclose(disorientation(multiply(t, p), multiply(t, q)), disorientation(p, q), atol=1e-7)


@pytest.mark.parametrize(
    ("axis", "degrees", "expected"), [([0, 0, 1], 50, 40), ([1, 1, 1], 80, 40), ([1, 1, 1], 60, 60)]
)
def test_disorientation_of_turns_about_symmetry_axes(axis: list[float], degrees: float, expected: float) -> None:
    assert np.degrees(disorientation(turn(axis, degrees), np.eye(4)[0])) == pytest.approx(expected, abs=1e-6)


def test_equivalent_orientations_have_one_smallest_rotation() -> None:
    q = crystals(300)
    smallest = smallest_rotations(multiply(q[:, None], cubic_operators()))
    np.testing.assert_allclose(smallest, np.broadcast_to(smallest[:, :1], smallest.shape), atol=1e-12)
    np.testing.assert_allclose(disorientation(q, smallest[:, 0]), 0, atol=2e-7)
    np.testing.assert_allclose(2 * np.arccos(smallest[:, 0, 0]), disorientation(q, np.eye(4)[0]), atol=1e-7)


def test_random_orientations_have_no_preferred_direction() -> None:
    count = 20_000
    m = rotation_matrices(crystals(count))
    # Each entry of a uniform rotation matrix has mean 0 and mean square 1/3; five standard errors.
    assert np.abs(m.mean(axis=0)).max() < 5 / np.sqrt(3 * count)
    assert np.abs((m**2).mean(axis=0) - 1 / 3).max() < 5 * np.sqrt(4 / 45 / count)


def test_random_orientations_repeat_with_the_seed() -> None:
    np.testing.assert_array_equal(crystals(5, 7), crystals(5, 7))
    assert not np.array_equal(crystals(5, 7), crystals(5, 8))
    assert random_orientations(0, np.random.default_rng(0)).shape == (0, 4)


def test_mackenzie_density_integrates_to_one_and_ends_at_its_bound() -> None:
    assert mackenzie_cumulative(LARGEST) == pytest.approx(1, abs=1e-7)
    assert np.degrees(LARGEST) == pytest.approx(62.7994, abs=1e-4)
    np.testing.assert_array_equal(mackenzie_density([-0.1, LARGEST + 0.01, 3.0]), 0)
    assert mackenzie_density(LARGEST - 1e-4) < 1e-3


def test_mackenzie_numbers_agree_with_the_published_ones() -> None:
    exact = mackenzie()
    # Mackenzie's table: mean 40.74°, median 42.34°; a million pairs: deviation 11.32°, 0.68 % below 10°.
    assert np.degrees(exact.mean) == pytest.approx(40.74, abs=0.01)
    assert np.degrees(exact.median) == pytest.approx(42.34, abs=0.01)
    assert np.degrees(exact.deviation) == pytest.approx(11.32, abs=0.01)
    assert exact.below_10 == pytest.approx(0.0068, abs=0.0001)
    assert exact.below_15 == pytest.approx(0.0226, abs=0.0003)
    assert mackenzie_cumulative(np.radians(15)) == pytest.approx(exact.below_15, abs=1e-6)


def test_what_is_no_orientation_is_refused() -> None:
    with pytest.raises(DataError, match="norm 1"):
        rotation_matrices([[1.0, 1, 0, 0]])
    with pytest.raises(DataError, match="norm 1"):
        rotation_matrices([np.nan, 0, 0, 0])
    with pytest.raises(DataError, match="shape"):
        disorientation(np.eye(3), np.eye(4))
    with pytest.raises(DataError, match="no rotations"):
        from_rotation_matrices(np.diag([1.0, 1, -1]))
    with pytest.raises(DataError, match="3, 3"):
        from_rotation_matrices(np.eye(4))
    with pytest.raises(DataError, match="radians"):
        from_bunge_angles([1.0, 2.0])
    with pytest.raises(OptionError, match="-1"):
        random_orientations(-1, np.random.default_rng(0))


@pytest.mark.skipif(not REFERENCE.exists(), reason="no reference data here")
def test_matrices_and_bunge_angles_of_exaca_are_the_same_crystals() -> None:
    axes = np.loadtxt(REFERENCE / "GrainOrientationVectors.csv", delimiter=",", skiprows=1).reshape(-1, 3, 3)
    angles = np.loadtxt(REFERENCE / "GrainOrientationEulerAnglesBungeZXZ.csv", delimiter=",", skiprows=1)
    matrices = np.swapaxes(axes, 1, 2)  # the file lists the crystal axes in the sample, row by row
    np.testing.assert_allclose(rotation_matrices(from_bunge_angles(np.radians(angles))), matrices, atol=2e-6)
    assert disorientation(from_rotation_matrices(matrices), from_bunge_angles(np.radians(angles))).max() < 1e-5
    turns = np.degrees(bunge_angles(from_rotation_matrices(matrices))) - angles
    assert np.abs((turns[angles[:, 1] > 1] + 180) % 360 - 180).max() < 0.01

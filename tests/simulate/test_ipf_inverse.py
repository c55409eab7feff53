"""From colors to orientations: complete up to the ambiguity, honest about it, and the key-free palette distance."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lasernet.errors import DataError, OptionError
from lasernet.simulate import ipf_inverse
from lasernet.simulate.ipf import KEYS, direction_colors, ipf_colors, to_triangle
from lasernet.simulate.ipf_inverse import (
    BYTE,
    detect_key,
    directions_of_colors,
    lower_bound_disorientation,
    orientations_of_colors,
    palette_distance,
    sample_variants,
)
from lasernet.simulate.orientation import (
    cubic_operators,
    disorientation,
    from_rotation_matrices,
    multiply,
    random_orientations,
)

REFERENCE = Path(__file__).parents[2].parent / "shared" / "reference"
every_key = pytest.mark.parametrize("key", KEYS)


def crystals(count: int, seed: int = 0) -> np.ndarray:
    return random_orientations(count, np.random.default_rng(seed))


def turn(axis: list[float], degrees: float) -> np.ndarray:
    half = np.radians(degrees) / 2
    return np.append(np.cos(half), np.sin(half) * np.array(axis) / np.linalg.norm(axis))


def stored(q: np.ndarray, key: str) -> np.ndarray:
    return np.round(ipf_colors(q, key) * 255).astype(np.uint8)


def missed(truth: np.ndarray, answers: np.ndarray) -> float:
    """Degrees to the nearest answer from the truth's variant that is farthest from all."""
    return float(np.degrees(disorientation(sample_variants(truth)[:, None], answers).min(axis=1, initial=np.pi).max()))


@every_key
def test_variants_have_the_same_nine_colors_and_are_other_crystals(key: str) -> None:
    q = crystals(300)
    variants = sample_variants(q)
    assert np.ptp(ipf_colors(variants, key), axis=1).max() < 1e-9
    np.testing.assert_allclose(variants[:, 0], q, atol=1e-15)
    # Turned by 180° about a random direction, a crystal is 37–38° away on average (spec: 37–38°, at most 62°).
    assert 35 < np.degrees(disorientation(q[:, None], variants[:, 1:])).mean() < 40


@every_key
def test_directions_return_from_colors(key: str) -> None:
    h = to_triangle(np.random.default_rng(0).standard_normal((2000, 3)))
    np.testing.assert_allclose(directions_of_colors(direction_colors(h, key), key), h, atol=1e-6)
    np.testing.assert_allclose(directions_of_colors([1.0, 0, 0], key), [0, 0, 1], atol=0.01)


@every_key
def test_bytes_give_all_four_variants_and_only_orientations_of_these_colors(key: str) -> None:
    q = crystals(40, 1)
    colors = stored(q, key)
    answers = orientations_of_colors(colors, key)
    for truth, row, found in zip(q, colors, answers, strict=True):
        assert np.abs(ipf_colors(found, key) - row / 255).max() <= BYTE
        assert missed(truth, found) < 0.5
        apart = disorientation(found[:, None], found) + 10 * np.eye(len(found))
        assert apart.min() > ipf_inverse.SAME


@every_key
def test_exact_colors_give_exact_orientations(key: str) -> None:
    q = crystals(20, 2)
    answers = orientations_of_colors(ipf_colors(q, key), key)
    assert [len(found) for found in answers] == [4] * 20
    assert max(missed(truth, found) for truth, found in zip(q, answers, strict=True)) < 0.01


@every_key
@pytest.mark.parametrize(
    ("axis", "degrees", "count"),
    [
        ([0, 0, 1], 0, 1),  # a cube along the sample: every variant is the same crystal
        ([0, 0, 1], 45, 1),
        ([0, 0, 1], 20, 2),  # turned about z: the turn back is the other
        ([1, 1, 0], 35, 4),
        ([1, 1, 1], 35, 8),  # all three directions alike: the turn back has the same colors and its own variants
    ],
)
def test_special_orientations_have_fewer_or_more_answers(
    key: str, axis: list[float], degrees: float, count: int
) -> None:
    q = turn(axis, degrees)
    (found,) = orientations_of_colors(ipf_colors(q, key), key)
    assert len(found) == count
    assert missed(q, found) < 0.1


@every_key
def test_directions_beside_a_side_of_the_triangle_are_not_lost(key: str) -> None:
    generator = np.random.default_rng(5)
    axes = ([0.0, 0, 1], [1.0, 1, 0], [1.0, 1, 1])
    beside = [
        multiply(turn(axis, generator.uniform(0, 360)), turn(list(generator.standard_normal(3)), np.degrees(away)))
        for axis in axes
        for away in np.repeat([1e-4, 1e-3, 1e-2], 5)
    ]
    answers = orientations_of_colors(stored(np.stack(beside), key), key)
    assert max(missed(truth, found) for truth, found in zip(beside, answers, strict=True)) < 0.5


def test_colors_of_no_crystal_have_no_answer() -> None:
    q = crystals(2)
    mixture = ipf_colors(q).mean(axis=0)
    molten, half_molten = np.zeros(9), np.concatenate([ipf_colors(q[0])[:6], np.zeros(3)])
    shuffled = ipf_colors(q[0])[[1, 2, 0, 3, 4, 5, 6, 7, 8]]
    answers = orientations_of_colors(np.stack([mixture, molten, half_molten, shuffled, ipf_colors(q[1])]))
    assert [len(found) for found in answers] == [0, 0, 0, 0, 4]
    assert orientations_of_colors(np.empty((0, 9))) == []


def test_a_wider_tolerance_finds_what_noise_hides() -> None:
    q = crystals(4, 3)
    noise = np.random.default_rng(0).uniform(-3 * BYTE, 3 * BYTE, (4, 9))
    colors = np.clip(ipf_colors(q, "orix") + noise, 0, 1)
    assert any(len(found) < 4 for found in orientations_of_colors(colors, "orix"))
    wide = orientations_of_colors(colors, "orix", tolerance=4 * BYTE)
    assert max(missed(truth, found) for truth, found in zip(q, wide, strict=True)) < 2


def test_many_colors_are_answered_in_parts_as_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    colors = stored(crystals(7, 4), "tsl")
    together = orientations_of_colors(colors)
    monkeypatch.setattr(ipf_inverse, "COLORS_AT_ONCE", 2)
    for whole, part in zip(together, orientations_of_colors(colors), strict=True):
        np.testing.assert_allclose(whole, part, atol=1e-9)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None, derandomize=True)
def test_the_lower_bound_sees_only_what_colors_can(seed: int) -> None:
    p, q = crystals(5, seed), crystals(5, seed + 1)
    bound = lower_bound_disorientation(p, q)
    assert (bound <= disorientation(p, q) + 1e-9).all()
    alike = multiply(sample_variants(q), cubic_operators()[seed % 24])
    np.testing.assert_allclose(
        lower_bound_disorientation(p[:, None], alike), np.repeat(bound[:, None], 4, 1), atol=1e-6
    )
    np.testing.assert_allclose(lower_bound_disorientation(q, p), bound, atol=1e-6)
    np.testing.assert_allclose(lower_bound_disorientation(p, sample_variants(p)[:, 2]), 0, atol=2e-7)


@every_key
def test_the_key_of_known_crystals_is_found(key: str) -> None:
    q = crystals(200)
    colors = stored(q, key)
    colors[::5] = 0  # molten
    name, residual = detect_key(colors, q)
    assert name == key
    assert set(residual) == set(KEYS)
    assert residual[key] < BYTE / 2
    assert min(value for other, value in residual.items() if other != key) > 0.04


def test_a_key_that_cannot_be_told_is_unknown() -> None:
    q = crystals(50)
    assert detect_key(1 - ipf_colors(q), q)[0] == "unknown"
    assert detect_key(ipf_colors(np.eye(4)[:1]), np.eye(4)[:1])[0] == "unknown"  # pure red in every key
    name, residual = detect_key(np.zeros((50, 9)), q)
    assert name == "unknown"
    assert np.isnan(list(residual.values())).all()


def test_palette_distance_is_the_root_mean_square_to_the_nearest(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(0)
    colors, palette = generator.uniform(-0.1, 1.1, (4, 5, 9)), generator.uniform(0, 1, (30, 9))
    brute = np.sqrt(((colors[..., None, :] - palette) ** 2).mean(axis=-1)).min(axis=-1)
    np.testing.assert_allclose(palette_distance(colors, palette), brute, rtol=1e-12)
    monkeypatch.setattr(ipf_inverse, "ROWS_AT_ONCE", 3)
    np.testing.assert_allclose(palette_distance(colors, np.repeat(palette, 2, axis=0)), brute, rtol=1e-12)


def test_palette_distance_of_a_mixture_of_two_is_half_their_distance() -> None:
    two = ipf_colors(crystals(2))
    apart = palette_distance(two[0], two[1:])
    assert palette_distance(two.mean(axis=0), two) == pytest.approx(apart / 2)
    assert palette_distance(two, two).tolist() == [0, 0]


def test_palette_distance_compares_bytes_with_numbers() -> None:
    colors = stored(crystals(20), "exaca")
    np.testing.assert_allclose(palette_distance(colors, colors / 255), 0, atol=1e-12)
    assert palette_distance(np.empty((0, 9)), colors).shape == (0,)
    assert palette_distance(np.empty((2, 0, 9)), colors).shape == (2, 0)


def test_bad_input_is_refused() -> None:
    q, colors = crystals(3), ipf_colors(crystals(3))
    with pytest.raises(DataError, match="scale or clip"):
        orientations_of_colors(colors * 255)
    with pytest.raises(DataError, match="one row"):
        orientations_of_colors(colors[None])
    with pytest.raises(DataError, match="expected"):
        orientations_of_colors(colors[:, :6])
    with pytest.raises(OptionError, match="tolerance"):
        orientations_of_colors(colors, tolerance=0.5)
    with pytest.raises(OptionError, match="no formula"):
        orientations_of_colors(colors, "unknown")
    with pytest.raises(DataError, match="one of each"):
        detect_key(colors, q[:2])
    with pytest.raises(DataError, match="palette"):
        palette_distance(colors, np.empty((0, 9)))
    with pytest.raises(DataError, match="not finite"):
        palette_distance(colors * np.nan, colors)
    with pytest.raises(DataError, match="expected"):
        palette_distance(np.float64(1), colors)


@pytest.mark.skipif(not (REFERENCE / "exaca_316l_full.npz").exists(), reason="no reference data here")
def test_the_reference_track_is_in_the_key_of_exaca() -> None:
    axes = np.loadtxt(REFERENCE / "orientations" / "GrainOrientationVectors.csv", delimiter=",", skiprows=1)
    q = from_rotation_matrices(np.swapaxes(axes.reshape(-1, 3, 3), 1, 2))
    with np.load(REFERENCE / "exaca_316l_full.npz") as track:
        table, grains = track["ipf_table"], track["grain_ids"]
    solid = grains > 0
    name, residual = detect_key(table[solid], q[(grains[solid] - 1) % len(q)])
    assert name == "exaca"
    # Z as published, to half a byte; X and Y of a few grains differ by more, as the track's maker interpolated them
    assert (
        np.abs(ipf_colors(q[(grains[solid] - 1) % len(q)], "exaca")[:, 6:] - table[solid][:, 6:] / 255).max()
        < BYTE * 0.51
    )
    assert min(value for key, value in residual.items() if key != "exaca") > 0.04

"""Voronoi structures: exact statistics, exact pixels, and options that do what they say."""

from collections.abc import Callable

import numpy as np
import pytest

from lasernet.errors import OptionError
from lasernet.simulate.voronoi import VoronoiStructures
from lasernet.simulate.voronoi_checks import all_bisectors, check_voronoi


@pytest.fixture(scope="module")
def checks(checked: Callable[..., list[dict[str, object]]]) -> list[dict[str, object]]:
    return checked(check_voronoi)


def test_the_generator_keeps_its_exact_references(checks: list[dict[str, object]]) -> None:
    assert [check for check in checks if not check["ok"]] == []


def test_the_references_cover_statistics_pixels_and_triple_points(checks: list[dict[str, object]]) -> None:
    names = " ".join(str(check["name"]) for check in checks)
    for part in ("sides/mean", "sides/variance", "area/variance", "linear intercept", "triple points", "image/gray"):
        assert f"{part}" in names
    assert all(set(check) == {"name", "value", "reference", "tolerance", "ok"} for check in checks)


def pixels(size: int) -> np.ndarray:
    axis = np.arange(size) + 0.5
    return np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)


@pytest.mark.parametrize("grains", [1, 2, 25])
def test_gray_follows_the_distance_to_the_boundary(grains: int) -> None:
    structures = VoronoiStructures(size=20, grains=(grains,), boundary_width=2.0)
    seeds, period = structures.draw_seeds(np.random.default_rng(0))
    gray = 1 - np.exp(-((all_bisectors(pixels(20), seeds, period) / 2) ** 2))
    drawn = structures.render(seeds, period=period)
    assert np.abs(drawn.image.ravel() - 255 * gray).max() <= 0.5 + 1e-6
    binary = VoronoiStructures(size=20, grains=(grains,), boundary_width=2.0, binary=True)
    np.testing.assert_array_equal(binary.render(seeds, period=period).image.ravel(), 255 * (gray > 0.5))


def test_moved_seeds_move_a_periodic_image() -> None:
    structures = VoronoiStructures(size=32, grains=(9,))
    seeds, period = structures.draw_seeds(np.random.default_rng(1))
    first, second = (structures.render(where, period=period) for where in (seeds, (seeds + np.array([5, 30])) % period))
    assert np.abs(np.roll(first.image, (5, 30), (0, 1)).astype(int) - second.image).max() <= 1


def test_a_free_image_is_what_a_wider_frame_shows_in_its_middle() -> None:
    """Its edges are cuts, not boundaries: nothing of the image depends on where the frame ends."""
    small, wide = (VoronoiStructures(size=size, grains=(20,), periodic=False) for size in (24, 40))
    seeds, period = small.draw_seeds(np.random.default_rng(2))
    first, second = small.render(seeds, period=period), wide.render(seeds, period=period)
    np.testing.assert_array_equal(first.image, second.image[8:-8, 8:-8])


def test_an_image_depends_on_seed_and_number_alone() -> None:
    structures = VoronoiStructures(size=16, grains=(4, 9))
    again = VoronoiStructures(size=16, grains=(4, 9))
    later = [structures.draw(index, seed=7) for index in range(4)][3]
    np.testing.assert_array_equal(again.draw(3, seed=7).image, later.image)
    assert (again.draw(3, seed=8).image != later.image).any()
    assert (again.draw(2, seed=7).image != later.image).any()


@pytest.mark.parametrize("periodic", [True, False])
def test_labels_count_the_grains_and_are_bounded_where_it_is_dark(periodic: bool) -> None:
    structures = VoronoiStructures(size=48, grains=(10, 14), periodic=periodic)
    for index in range(5):
        drawn = structures.draw(index, seed=0)
        assert drawn.labels.dtype == np.int32
        np.testing.assert_array_equal(np.unique(drawn.labels), np.arange(1, drawn.grains + 1))
        changes = drawn.labels[1:] != drawn.labels[:-1]  # so a boundary lies within a pixel of both
        assert drawn.image[1:][changes].max() <= 255 * (1 - np.exp(-((1 / 1.5) ** 2))) + 0.5
        if periodic:
            assert 10 <= drawn.grains <= 14


def test_every_number_of_grains_of_a_range_is_drawn_alike() -> None:
    structures = VoronoiStructures(size=32, grains=(3, 6))
    found = np.array([len(structures.draw_seeds(np.random.default_rng(index))[0]) for index in range(2000)])
    counts = np.bincount(found, minlength=8)[3:7]
    assert counts.sum() == 2000
    assert np.abs(counts - 500).max() < 4.5 * np.sqrt(2000 * 0.25 * 0.75)


def test_a_free_structure_has_the_mean_number_of_seeds_in_its_frame() -> None:
    structures = VoronoiStructures(size=32, grains=(12,), periodic=False)
    inside = []
    for index in range(400):
        seeds, period = structures.draw_seeds(np.random.default_rng(index))
        inside.append(int((np.abs(seeds - period / 2) < 16).all(axis=1).sum()))
    assert np.mean(inside) == pytest.approx(12, abs=4.5 * np.sqrt(12 / 400))  # Poisson: the variance is the mean
    assert np.var(inside) == pytest.approx(12, abs=4.5 * 12 * np.sqrt(2 / 400 + 1 / 12 / 400))


def test_pixel_areas_have_the_variance_of_cells_of_a_fixed_total() -> None:
    """Var(A)/⟨A⟩² is 0.2802 (1 − 1/n) for n cells that share an image; pixels of 1/100 of a cell change it little."""
    structures = VoronoiStructures(size=64, grains=(40,))
    areas = [np.bincount(structures.draw(index, seed=1).labels.ravel())[1:] for index in range(60)]
    relative = np.concatenate(areas) / (64 * 64 / 40)
    assert relative.var() == pytest.approx(0.280176 * (1 - 1 / 40), abs=4 * 0.53 / np.sqrt(60 * 40) + 0.005)


def test_lloyd_steps_make_grains_even_and_keep_their_number() -> None:
    spread = []
    for steps in (0, 1, 5):
        structures = VoronoiStructures(size=64, grains=(30,), lloyd_steps=steps)
        drawn = structures.draw(0, seed=0)
        assert drawn.grains == 30
        spread.append(np.bincount(drawn.labels.ravel())[1:].std())
    assert spread[0] > spread[1] > spread[2]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"size": 0}, "--size"),
        ({"size": 10**6}, "--size"),
        ({"grains": (0, 4)}, "--grains"),
        ({"grains": (9, 4)}, "--grains 9,4"),
        ({"grains": (1, 2, 3)}, "lowest,highest"),
        ({"grains": ()}, "--grains"),
        ({"size": 4, "grains": (17,)}, "16 pixels"),
        ({"boundary_width": 0.0}, "--boundary-width"),
        ({"boundary_width": float("nan")}, "--boundary-width"),
        ({"lloyd_steps": -1}, "--lloyd-steps"),
    ],
)
def test_impossible_options_are_refused(options: dict, says: str) -> None:
    with pytest.raises(OptionError, match=says):
        VoronoiStructures(**options)

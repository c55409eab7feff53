import itertools
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from toy_grains import voronoi_images

from lasernet.errors import DataError
from lasernet.metrics.microstructure import FAMILIES, Descriptors, compare, describe_sets, per_image
from lasernet.physics.grains import areas, count_grains, equivalent_diameters, fill_boundaries, label_images

DISTANCES = {"relative_error", "mean_error", "ks", "wasserstein", "rms_error", "autocovariance_rms"}
RATIOS = {"spread_ratio", "mid_ratio", "mean_ratio", "boundary_mean_ratio"}


@pytest.fixture(scope="module")
def real() -> np.ndarray:
    return voronoi_images(0, number=24, size=40, grains=12)


@pytest.fixture(scope="module")
def other() -> np.ndarray:
    return voronoi_images(1, number=20, size=40, grains=15)


def numbers(answer: dict[str, dict[str, float | None]]) -> list[float | None]:
    return list(itertools.chain.from_iterable(family.values() for family in answer.values()))


@pytest.mark.parametrize("periodic", [False, True])
def test_a_set_is_no_distance_from_itself(real: np.ndarray, periodic: bool) -> None:
    for name, family in describe_sets(real[::-1], real, periodic=periodic).items():
        for key, value in family.items():
            assert isinstance(value, float), (name, key)
            if key in DISTANCES or name == "lineal_path":
                assert value == pytest.approx(0, abs=1e-9), (name, key)
            elif key in RATIOS:
                assert value == pytest.approx(1), (name, key)
            elif f"{key}_real" in family:
                assert value == pytest.approx(family[f"{key}_real"])


def test_moving_periodic_images_changes_nothing(real: np.ndarray, other: np.ndarray) -> None:
    wanted = describe_sets(other, real, periodic=True)
    moved = describe_sets(np.roll(other, (13, -6), (1, 2)), real, periodic=True)
    assert numbers(moved) == pytest.approx(numbers(wanted), abs=1e-9)


def test_the_numbers_are_what_they_say(real: np.ndarray, other: np.ndarray) -> None:
    answer = describe_sets(other, real, periodic=True)
    dark, dark_real = ((images <= 127).mean(axis=(1, 2)) for images in (other, real))
    assert answer["boundary_fraction"]["relative_error"] == pytest.approx(dark.mean() / dark_real.mean() - 1)
    assert answer["boundary_fraction"]["spread_ratio"] == pytest.approx(dark.std() / dark_real.std())
    assert answer["boundary_fraction"]["ks"] == pytest.approx(stats.ks_2samp(dark, dark_real).statistic)
    wanted = stats.wasserstein_distance(other.ravel() / 255, real.ravel() / 255)
    assert answer["gray"]["wasserstein"] == pytest.approx(wanted)
    for name, threshold in (("grains_strict", 0.5), ("grains_tolerant", 0.7)):
        one, two = (count_grains(images, threshold=threshold, periodic=True) for images in (other, real))
        assert answer[name]["mean_error"] == pytest.approx(one.mean() / two.mean() - 1)
        assert answer[name]["mean_real"] == pytest.approx(two.mean())
        assert answer[name]["ks"] == pytest.approx(stats.ks_2samp(one, two).statistic)


def test_sizes_are_compared_over_their_mean(real: np.ndarray, other: np.ndarray) -> None:
    answer = describe_sets(other, real, periodic=True)
    sizes = []
    for images in (other, real):
        labels, counts = label_images(images, periodic=True)
        sizes.append(areas(fill_boundaries(labels, periodic=True), counts))
    area, area_real = (size / size.mean() for size in sizes)
    assert answer["grain_area"]["variance_real"] == pytest.approx(area_real.var())
    assert answer["grain_area"]["ks"] == pytest.approx(stats.ks_2samp(area, area_real).statistic)
    diameter, diameter_real = (equivalent_diameters(size) for size in sizes)
    wanted = stats.wasserstein_distance(diameter / diameter.mean(), diameter_real / diameter_real.mean())
    assert answer["grain_size"]["wasserstein"] == pytest.approx(wanted)


def test_a_gap_in_a_boundary_costs_one_grain_in_the_strict_count_alone(real: np.ndarray) -> None:
    rows, columns = np.indices((32, 32))
    closed = np.where((rows % 16 == 0) | (columns % 16 == 0), 0, 255).astype(np.uint8)[None].repeat(3, 0)
    broken = closed.copy()
    broken[:, 8, 0] = 150  # 0.59: between the two thresholds
    answer = describe_sets(broken, closed, periodic=True)
    assert answer["grains_strict"]["mean"] == 3
    assert answer["grains_strict"]["mean_error"] == pytest.approx(-1 / 4)
    assert answer["grains_tolerant"]["mean_error"] == 0


def test_grains_cut_by_the_border_are_left_out_of_free_images(real: np.ndarray) -> None:
    shapes = Descriptors.of(real, periodic=False).grains
    assert len(shapes.area) < shapes.strict.sum()
    whole = Descriptors.of(real, periodic=True).grains
    assert len(whole.area) == whole.strict.sum()
    assert (np.bincount(whole.image) == whole.strict).all()


def test_descriptors_can_be_used_again(real: np.ndarray, other: np.ndarray) -> None:
    one, two = (Descriptors.of(images, periodic=True) for images in (other, real))
    assert compare(one, two) == describe_sets(other, real, periodic=True)
    assert compare(two, one) == describe_sets(real, other, periodic=True)


def test_many_images_are_measured_like_few(
    monkeypatch: pytest.MonkeyPatch, real: np.ndarray, other: np.ndarray
) -> None:
    wanted = describe_sets(other, real, periodic=True)
    monkeypatch.setattr("lasernet.metrics.correlations.blocks.__defaults__", (3 * real[0].size,))
    assert numbers(describe_sets(other, real, periodic=True)) == pytest.approx(numbers(wanted))


def test_conditioning_compares_requested_and_measured_grains(real: np.ndarray, other: np.ndarray) -> None:
    measured = count_grains(other, threshold=0.5, periodic=True)
    exact = describe_sets(other, real, periodic=True, requested=measured)["conditioning"]
    assert (exact["r2"], exact["mean_abs_error"], exact["bias"]) == (1, 0, 0)
    off = describe_sets(other, real, periodic=True, requested=measured + 2.0)["conditioning"]
    assert off["bias"] == pytest.approx(-2)
    assert off["mean_abs_error"] == pytest.approx(2)
    assert off["r2"] == pytest.approx(1 - 4 / measured.var())
    assert describe_sets(other, real, periodic=True, requested=np.full(20, 15))["conditioning"]["r2"] is None


def degenerate() -> dict[str, np.ndarray]:
    images = voronoi_images(2, number=3, size=20, grains=4)
    black = np.zeros((4, 20, 20), dtype=np.uint8)
    return {"some": images, "one": images[:1], "none": images[:0], "black": black, "white": black + 255}


@pytest.mark.parametrize("periodic", [False, True])
@pytest.mark.parametrize(("one", "two"), list(itertools.product(degenerate(), degenerate())))
def test_degenerate_sets_give_none_and_never_a_crash(one: str, two: str, periodic: bool) -> None:
    generated, real = degenerate()[one], degenerate()[two]
    requested = np.arange(len(generated))
    answer = describe_sets(generated, real, periodic=periodic, requested=requested)
    for value in numbers(answer):
        assert value is None or (type(value) in (int, float) and np.isfinite(value))
    if "none" in (one, two):
        assert answer["two_point"]["rms_error"] is answer["lineal_path"]["grain_max"] is None
        assert answer["grains_strict"]["mean_error"] is answer["solidity"]["ks"] is None
    vectors, names = per_image(generated, periodic=periodic)
    assert vectors.shape == (len(generated), len(names))
    assert np.isfinite(vectors).all()


def test_images_of_one_pixel_are_measured() -> None:
    image = np.full((2, 1, 1), 200, dtype=np.uint8)
    for periodic in (False, True):
        assert describe_sets(image, image, periodic=periodic)["grains_strict"]["mean"] == 0


def test_sets_that_cannot_be_compared_are_refused(real: np.ndarray) -> None:
    with pytest.raises(DataError, match=r"40 × 40 .* 40 × 30"):
        describe_sets(real, real[:, :, :30], periodic=True)
    with pytest.raises(DataError, match="free images"):
        compare(Descriptors.of(real, periodic=False), Descriptors.of(real, periodic=True))
    with pytest.raises(DataError, match="uint8"):
        describe_sets(real / 255, real, periodic=True)
    with pytest.raises(DataError, match="23 requested grain numbers for 24 images"):
        describe_sets(real, real, periodic=True, requested=np.zeros(23))


def test_image_descriptors_average_to_those_of_the_set(real: np.ndarray) -> None:
    for periodic in (False, True):
        vectors, names = per_image(real, periodic=periodic)
        assert vectors.dtype == np.float64
        mean = dict(zip(names, vectors.mean(axis=0), strict=True))
        whole = Descriptors.of(real, periodic=periodic)
        assert mean["boundary_fraction"] == pytest.approx(whole.boundary_fraction.mean())
        assert mean["mid_gray"] == pytest.approx(whole.mid_gray)
        assert mean["grains_strict"] == pytest.approx(whole.grains.strict.mean())
        assert mean["grains_tolerant"] == pytest.approx(whole.grains.tolerant.mean())
        for lag in (1, 2, 4, 8, 16):
            wanted = (whole.two_point[lag, 0] + whole.two_point[0, lag]) / 2
            assert mean[f"two_point_{lag}"] == pytest.approx(wanted)


def test_image_descriptors_are_those_of_each_image_alone(real: np.ndarray) -> None:
    for periodic in (False, True):
        vectors, names = per_image(real[:5], periodic=periodic)
        place = {name: number for number, name in enumerate(names)}
        for row, image in zip(vectors, real, strict=False):
            np.testing.assert_allclose(per_image(image[None], periodic=periodic)[0][0], row)
            alone = Descriptors.of(image[None], periodic=periodic)
            assert row[place["chord_length"]] == pytest.approx(alone.chords["grain"].mean)
            assert row[place["boundary_chord_length"]] == pytest.approx(alone.chords["boundary"].mean)
            for name in ("area", "neighbors", "solidity"):
                values = getattr(alone.grains, name)
                assert row[place[f"{name}_mean"]] == pytest.approx(values.mean())
                assert row[place[f"{name}_spread"]] == pytest.approx(values.std() / values.mean())


def test_every_number_is_explained_in_the_documentation(real: np.ndarray) -> None:
    page = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text(encoding="utf-8")
    section = page[page.index("# Sets of microstructures") :]
    answer = describe_sets(real, real, periodic=True, requested=np.ones(len(real)))
    assert set(answer) == {*FAMILIES, "conditioning"}
    for family, keys in answer.items():
        for name in (family, *keys):
            assert f"`{name}`" in section, name
    for name in per_image(real[:1], periodic=True)[1]:
        assert f"`{name}`" in section, name

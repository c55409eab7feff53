import itertools
from collections import Counter

import numpy as np
import pytest
from toy_grains import voronoi_labels

from lasernet.metrics.correlations import (
    chords,
    lineal_path,
    radial,
    root_mean_square,
    specific_perimeter,
    two_point,
    two_point_distances,
)

SIZE, RADIUS, VOID = 256, 8, 0.6
DISC = np.pi * RADIUS**2
DISCS = round(-np.log(VOID) / DISC * SIZE**2)


def outside_discs(number: int) -> np.ndarray:
    """Periodic images with a fixed number of overlapping discs at random places: the space between them."""
    generator = np.random.default_rng(0)
    near = np.arange(-RADIUS - 1, RADIUS + 2)
    images = np.ones((number, SIZE, SIZE), dtype=bool)
    for image in images:
        for place in generator.uniform(0, SIZE, (DISCS, 2)):
            rows, columns = (np.floor(x) + near for x in place)
            inside = np.hypot(rows[:, None] + 0.5 - place[0], columns[None, :] + 0.5 - place[1]) < RADIUS
            window = np.ix_(rows.astype(int) % SIZE, columns.astype(int) % SIZE)
            image[window] &= ~inside
    return images


@pytest.fixture(scope="module")
def void() -> np.ndarray:
    return outside_discs(40)


def missed_by_all(area: float | np.ndarray) -> float | np.ndarray:
    """Chance that no disc center falls into a region of some area."""
    return (1 - area / SIZE**2) ** DISCS


def reached_by_two(lag: np.ndarray) -> np.ndarray:
    """Area of the union of two discs whose centers lie a lag apart."""
    half = np.minimum(lag / (2 * RADIUS), 1)
    return 2 * DISC - 2 * RADIUS**2 * (np.arccos(half) - half * np.sqrt(1 - half**2))


def random_phase(shape: tuple[int, ...] = (3, 7, 10)) -> np.ndarray:
    return np.random.default_rng(1).random(shape) < 0.7


def stripes() -> np.ndarray:
    """Vertical stripes four pixels wide."""
    return np.broadcast_to(np.arange(16) % 8 < 4, (2, 16, 16))


def test_s2_of_overlapping_discs_has_its_closed_form(void: np.ndarray) -> None:
    correlation = two_point(void, periodic=True)
    lags = np.arange(30)
    wanted = missed_by_all(reached_by_two(lags))
    for axis in (correlation[:30, 0], correlation[0, :30]):
        np.testing.assert_allclose(axis, wanted, atol=0.008)
    distance, mean = radial(correlation)
    np.testing.assert_allclose(mean[:30], missed_by_all(reached_by_two(distance[:30])), atol=0.008)


def test_lineal_path_between_overlapping_discs_has_its_closed_form(void: np.ndarray) -> None:
    z = np.arange(60)
    for path in lineal_path(void, periodic=True)[:, :60]:
        np.testing.assert_allclose(path, missed_by_all(DISC + 2 * RADIUS * z), atol=0.01)
        # The same for infinitely many discs.
        np.testing.assert_allclose(path, VOID ** (1 + 2 * z / (np.pi * RADIUS)), atol=0.015)


def test_chords_and_perimeter_between_overlapping_discs_have_their_closed_forms(void: np.ndarray) -> None:
    correlation = two_point(void, periodic=True)
    lengths = np.concatenate([chords(void, axis, periodic=True)[0] for axis in (1, 2)])
    density = -np.log(VOID) / DISC
    assert lengths.mean() == pytest.approx(1 / (2 * density * RADIUS), rel=0.04)
    assert specific_perimeter(correlation) == pytest.approx(2 * np.pi * RADIUS * density * VOID, rel=0.04)


def test_mean_chord_and_perimeter_follow_from_s2(void: np.ndarray) -> None:
    """On pixels, a chord ends wherever a pixel of the phase is followed by one of the other."""
    correlation = two_point(void, periodic=True)
    for axis, neighbor in ((1, correlation[1, 0]), (2, correlation[0, 1])):
        fraction = correlation[0, 0]
        assert chords(void, axis, periodic=True)[0].mean() == pytest.approx(fraction / (fraction - neighbor))


def test_free_images_give_the_same_statistics_as_periodic_ones(void: np.ndarray) -> None:
    free, periodic = two_point(void, periodic=False), two_point(void, periodic=True)
    near = np.r_[0:20, -20:0]
    np.testing.assert_allclose(free[np.ix_(near, near)], periodic[np.ix_(near, near)], atol=0.01)
    np.testing.assert_allclose(lineal_path(void, periodic=False), lineal_path(void, periodic=True), atol=0.01)


def test_colored_voronoi_cells_have_their_perimeter_and_chords() -> None:
    """Each cell is in the phase with chance 1/2: half of the boundaries count, and chords get twice as long."""
    generator = np.random.default_rng(2)
    number, cells, size = 10, 150, 256
    phase = np.zeros((number, size, size), dtype=bool)
    for image in phase:
        image[...] = generator.permuted(np.arange(1, cells + 1) % 2)[
            voronoi_labels(generator, size=size, grains=cells) - 1
        ]
    root = np.sqrt(cells) / size
    fraction = phase.mean()
    assert specific_perimeter(two_point(phase, periodic=True)) == pytest.approx(root, rel=0.05)
    lengths = np.concatenate([chords(phase, axis, periodic=True)[0] for axis in (1, 2)])
    assert lengths.mean() == pytest.approx(fraction / 0.5 * np.pi / (2 * root), rel=0.05)


def test_s2_of_stripes_is_a_triangle_wave() -> None:
    correlation = two_point(stripes(), periodic=True)
    np.testing.assert_allclose(correlation[:, 0], 0.5)
    np.testing.assert_allclose(correlation[0, :9], np.abs(np.arange(9) - 4) / 8, atol=1e-12)


def test_lineal_path_and_chords_of_stripes() -> None:
    z = np.arange(8)
    for periodic in (False, True):
        along, across = lineal_path(stripes(), periodic=periodic)
        np.testing.assert_allclose(along, 0.5)
        assert set(chords(stripes(), 2, periodic=True)[0]) == {4}
        assert len(chords(stripes(), 1, periodic=periodic)[0]) == 0
        if periodic:
            np.testing.assert_allclose(across, np.maximum(4 - z, 0) / 8)


def test_s2_of_a_checkerboard_alternates() -> None:
    board = np.indices((8, 12)).sum(0)[None] % 2 == 0
    for periodic in (False, True):
        np.testing.assert_allclose(two_point(board, periodic=periodic)[0, ::2], 0.5, atol=0.1)
        np.testing.assert_allclose(two_point(board, periodic=periodic)[0, 1::2], 0, atol=1e-12)
    np.testing.assert_allclose(two_point(board, periodic=True), board[0] * 0.5, atol=1e-12)
    assert set(chords(board, 1, periodic=True)[0]) == {1}


@pytest.mark.parametrize("periodic", [False, True])
def test_noise_is_uncorrelated(periodic: bool) -> None:
    noise = np.random.default_rng(3).random((50, 64, 64)) < 0.3
    correlation = two_point(noise, periodic=periodic)
    assert correlation[0, 0] == pytest.approx(noise.mean())
    rest = correlation.ravel()[1:]
    assert rest.mean() == pytest.approx(0.09, abs=0.003)
    assert rest.std() < 0.004
    lengths, _ = chords(noise, 2, periodic=True)
    assert lengths.mean() == pytest.approx(1 / 0.7, rel=0.01)
    np.testing.assert_allclose(
        lineal_path(noise, periodic=periodic), 0.3 ** np.arange(1, 33) * np.ones((2, 1)), atol=0.005
    )


@pytest.mark.parametrize("periodic", [False, True])
def test_s2_counts_pairs(periodic: bool) -> None:
    phase = random_phase()
    correlation = two_point(phase, periodic=periodic)
    _, height, width = phase.shape
    for down, right in itertools.product(range(-3, 4), range(-5, 5)):
        pairs = []
        for image, row, column in itertools.product(phase, range(height), range(width)):
            other = row + down, column + right
            if periodic or (0 <= other[0] < height and 0 <= other[1] < width):
                pairs.append(image[row, column] and image[other[0] % height, other[1] % width])
        assert correlation[down, right] == pytest.approx(np.mean(pairs))


def runs(line: np.ndarray, *, periodic: bool) -> list[int]:
    """Chords of a line, pixel by pixel."""
    if line.all() or not line.any():
        return []
    if periodic:
        line = np.roll(line, -int(np.argmin(line)))  # starts in the other phase
    pieces = [(value, len(list(group))) for value, group in itertools.groupby(line.tolist())]
    if periodic:
        return [length for value, length in pieces if value]
    return [length for value, length in pieces[1:-1] if value]


@pytest.mark.parametrize("periodic", [False, True])
@pytest.mark.parametrize("axis", [1, 2])
def test_chords_are_found_one_by_one(periodic: bool, axis: int) -> None:
    phase = random_phase((5, 7, 10))
    lengths, image = chords(phase, axis, periodic=periodic)
    for number in range(5):
        lines = np.moveaxis(phase[number], axis - 1, 1)
        wanted = Counter(itertools.chain.from_iterable(runs(line, periodic=periodic) for line in lines))
        assert Counter(lengths[image == number].tolist()) == wanted


@pytest.mark.parametrize("periodic", [False, True])
def test_lineal_path_counts_segments(periodic: bool) -> None:
    phase = random_phase((4, 6, 9))
    phase[0, 2] = True
    found = lineal_path(phase, periodic=periodic)
    assert found.shape == (2, 3)
    for path, lines in zip(found, (np.moveaxis(phase, 1, 2).reshape(-1, 6), phase.reshape(-1, 9)), strict=True):
        size = lines.shape[1]
        for z, value in enumerate(path):
            places = range(size if periodic else size - z)
            inside = [line[(np.arange(z + 1) + place) % size].all() for line in lines for place in places]
            assert value == pytest.approx(np.mean(inside))


def test_equal_statistics_are_no_distance_apart() -> None:
    board = np.indices((8, 12)).sum(0)[None] % 2 == 0
    one, other = two_point(board, periodic=True), two_point(~board, periodic=True)
    np.testing.assert_allclose(two_point_distances(one, other), (0, 0), atol=1e-12)


def test_the_distance_is_in_units_of_the_real_variance() -> None:
    real = two_point(stripes(), periodic=True)
    error, autocovariance = two_point_distances(real.T, real)
    assert error == pytest.approx(root_mean_square(real.T - real) / 0.25)
    assert autocovariance == pytest.approx(error)


def test_a_set_without_boundaries_has_no_distance() -> None:
    black, half = np.zeros((2, 8, 8), dtype=bool), random_phase((2, 8, 8))
    for empty in (black, ~black):
        one, real = two_point(empty, periodic=True), two_point(half, periodic=True)
        assert two_point_distances(real, one) == (None, None)
        assert two_point_distances(one, real)[0] > 0
        assert two_point_distances(one, real)[1] is None
    assert two_point_distances(two_point(black[:0], periodic=True), two_point(half, periodic=True)) == (None, None)
    assert two_point_distances(two_point(half, periodic=True), two_point(black[:0], periodic=True)) == (None, None)


def coarse_phase() -> np.ndarray:
    return np.kron(random_phase((1, 20, 22)), np.ones((1, 3, 3))) > 0


def test_s2_is_that_of_porespy() -> None:
    porespy = pytest.importorskip("porespy")
    phase, edges = coarse_phase(), np.arange(0, 30)
    found = two_point(phase, periodic=False)
    rows, columns = (np.fft.fftfreq(size, 1 / size) for size in found.shape)
    ring = np.floor(np.hypot(rows[:, None], columns[None, :])).astype(int).ravel()
    ours = np.bincount(ring, found.ravel()) / np.bincount(ring)
    theirs = porespy.metrics.two_point_correlation(phase[0], bins=edges).probability_scaled
    np.testing.assert_allclose(ours[: len(theirs)], theirs)


@pytest.mark.parametrize("axis", [1, 2])
def test_chords_are_those_of_porespy(axis: int) -> None:
    porespy = pytest.importorskip("porespy")
    phase = coarse_phase()
    theirs = porespy.metrics.chord_counts(porespy.filters.apply_chords(phase[0], axis=axis - 1))
    # It draws along every second line, and drops the outermost ones.
    lines = np.moveaxis(phase, axis, 2)[:, ::2][:, 1:-1]
    ours, _ = chords(lines, 2, periodic=False)
    assert sorted(ours) == sorted(theirs)

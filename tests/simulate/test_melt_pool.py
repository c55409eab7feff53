"""Paths and the analytic field: exact references, linearity, mirror images, and boxes that hold all that is hot."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from lasernet.errors import OptionError
from lasernet.simulate.materials import MATERIALS
from lasernet.simulate.melt_pool import AnalyticHeat
from lasernet.simulate.melt_pool_checks import check_melt_pool
from lasernet.simulate.scan_path import Path

ALL = (slice(None), slice(None), slice(None))
X, Y, Z = np.arange(60) * 8e-6, np.arange(-15, 16) * 8e-6, np.arange(-14, 1) * 8e-6
STEEL = MATERIALS["316L"]
TRACK = Path.line((50e-6, -30e-6), (400e-6, -30e-6), speed=0.8, power=95.0)
TWO = TRACK.then(Path.line((350e-6, 50e-6), (100e-6, 40e-6), speed=0.5, power=80.0), pause=1e-4)


def analytic(path: Path = TRACK, **options: object) -> AnalyticHeat:
    return AnalyticHeat(STEEL, **{"x": X, "y": Y, "z": Z, "path": path, **options})


@pytest.fixture(scope="module")
def checks(checked: Callable[..., list[dict[str, object]]]) -> list[dict[str, object]]:
    return checked(check_melt_pool)


def test_the_temperature_keeps_its_exact_references(checks: list[dict[str, object]]) -> None:
    assert [check for check in checks if not check["ok"]] == []


def test_the_references_cover_both_solvers(checks: list[dict[str, object]]) -> None:
    names = " ".join(str(check["name"]) for check in checks)
    for part in (
        "Rosenthal",
        "point source",
        "nodes",
        "differences",
        "energy",
        "latent heat",
        "Stefan",
        "boiling",
        "velocity",
    ):
        assert part in names
    assert all(str(check["name"]).startswith("laser/temperature/") for check in checks)
    assert len({check["name"] for check in checks}) == len(checks)
    assert all(set(check) == {"name", "value", "reference", "tolerance", "ok"} for check in checks)


def test_a_chain_of_tracks_keeps_the_times_and_powers_of_its_parts() -> None:
    assert TWO.end == pytest.approx(TRACK.end + 1e-4 + np.hypot(250e-6, 10e-6) / 0.5)
    np.testing.assert_allclose(TWO.power, [95, 0, 80])
    np.testing.assert_allclose(TWO.speed[[0, 2]], [0.8, 0.5])
    np.testing.assert_allclose(TWO.position([0.0, TRACK.end + 1e-4]), [[50e-6, 350e-6], [-30e-6, 50e-6]])
    np.testing.assert_allclose(TWO.power_at([-1.0, 0.0, TRACK.end + 1e-5, TWO.end - 1e-6, TWO.end]), [0, 95, 0, 80, 0])
    turn = TRACK.then(Path.line((400e-6, -30e-6), (400e-6, 30e-6), speed=0.8, power=50.0))
    np.testing.assert_allclose(turn.power, [95, 50])


def test_deposits_add_up_to_the_energy_whatever_the_steps() -> None:
    total = 95 * TRACK.end + 80 * np.hypot(250e-6, 10e-6) / 0.5
    for edges in (np.linspace(-1e-4, 2e-3, 7), np.linspace(0, TWO.end, 501)):
        energy = sum(part[2] for first, last in pairwise(edges) for part in TWO.deposits(first, last))
        assert energy == pytest.approx(total, rel=1e-12)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Path([0.0], [0.0], [0.0], []),
        lambda: Path([0.0, 0.0], [0.0, 1.0], [0.0, 0.0], [1.0]),
        lambda: Path([0.0, 1.0], [0.0, 1.0], [0.0, 0.0], [-1.0]),
        lambda: Path([0.0, 1.0], [0.0, np.nan], [0.0, 0.0], [1.0]),
        lambda: Path([0.0, 1.0], [0.0, 1.0], [0.0, 0.0], [1.0, 2.0]),
        lambda: Path.line((0.0, 0.0), (0.0, 0.0), speed=1.0, power=1.0),
        lambda: Path.line((0.0, 0.0), (1.0, 0.0), speed=0.0, power=1.0),
        lambda: TRACK.then(TRACK),
    ],
)
def test_impossible_paths_are_refused(wrong: object) -> None:
    with pytest.raises(OptionError, match="expected"):
        wrong()


def test_it_is_cold_before_the_laser_and_cools_after_it() -> None:
    heat = analytic(TWO, preheat=400.0, clip=False)
    np.testing.assert_array_equal(heat.field(0.0, ALL), 400.0)
    waits = np.array([0.0, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1])
    rise = [heat.field(TWO.end + wait, ALL).max() - 400 for wait in waits]
    assert (np.diff(rise) < 0).all()
    energy = sum(part[2] for part in TWO.deposits(0.0, TWO.end))  # at last as if all of it had come at one point
    point = 2 * energy / (heat.volumetric_heat * (4 * np.pi * heat.diffusivity * waits[-1]) ** 1.5)
    assert rise[-1] == pytest.approx(point, rel=0.03)


def test_a_region_is_a_part_of_the_whole() -> None:
    heat = analytic(TWO)
    part = (slice(5, 40, 3), slice(10, 20), slice(-5, None))
    for time in (3e-4, TWO.end):
        whole = heat.field(time, ALL)
        assert whole.dtype == np.float32
        assert whole.shape == (60, 31, 15)
        np.testing.assert_allclose(heat.field(time, part), whole[part], atol=2e-3)
    assert heat.field(3e-4, (slice(3, 3), slice(None), slice(None))).shape == (0, 31, 15)


def test_heat_adds_up() -> None:
    """The rise of two tracks is the sum of theirs, and proportional to power."""
    second = Path(TWO.t[2:], TWO.x[2:], TWO.y[2:], TWO.power[2:])
    at = TWO.end - 1e-5
    rise = [analytic(path, clip=False).field(at, ALL) - 298 for path in (TRACK, second, TWO)]
    np.testing.assert_allclose(rise[0] + rise[1], rise[2], atol=0.05)
    doubled = replace(TWO, power=2 * TWO.power)
    np.testing.assert_allclose(analytic(doubled, clip=False).field(at, ALL) - 298, 2 * rise[2], atol=0.05)


def test_pieces_of_one_track_are_that_track() -> None:
    t = np.sort(np.concatenate([np.random.default_rng(0).uniform(0, TRACK.end, 50), TRACK.t]))
    cut = Path(t, *TRACK.position(t), np.full(51, 95.0))
    for at in (0.6 * TRACK.end, TRACK.end, TRACK.end + 1e-4):
        np.testing.assert_allclose(analytic(cut).field(at, ALL), analytic().field(at, ALL), atol=0.05)


def test_a_resting_beam_heats_as_its_closed_form_says() -> None:
    """In the middle of a Gaussian surface beam at rest, T − T₀ = √2 P/(π^1.5 k w) · arctan(√(8αt)/w)."""
    path = Path([0.0, 2e-3], [0.0, 0.0], [0.0, 0.0], [5.0])
    w, k = 60e-6, STEEL.effective_conductivity
    heat = AnalyticHeat(STEEL, x=[0.0], y=[0.0], z=[0.0], path=path, radius=w, depth=0.0, clip=False)
    for time in (1e-5, 1e-4, 2e-3):
        exact = 5.0 * np.sqrt(2) / (np.pi**1.5 * k * w) * np.arctan(np.sqrt(8 * heat.diffusivity * time) / w)
        assert float(heat.field(time, ALL)[0, 0, 0]) - 298 == pytest.approx(exact, abs=0.1)


def test_walls_let_no_heat_pass_and_keep_it_all() -> None:
    path = Path.line((100e-6, 20e-6), (300e-6, 20e-6), speed=1.0, power=30.0)
    x, y, z = np.arange(-60, 110) * 10e-6, np.arange(-10, 11) * 4e-6, np.arange(-50, 1) * 10e-6
    heat = AnalyticHeat(STEEL, x=x, y=y, z=z, path=path, walls=(-40e-6, 40e-6), preheat=1.0, clip=False)
    rise = heat.field(400e-6, ALL).astype(np.float64) - 1
    weights = np.ones((1, 21, 51)) * 400e-18
    weights[:, [0, -1]] /= 2
    weights[:, :, -1] /= 2
    assert (rise * weights).sum() * heat.volumetric_heat == pytest.approx(30 * 200e-6, rel=2e-4)
    near = AnalyticHeat(STEEL, x=x, y=[39e-6, 39.9e-6, 40e-6], z=z, path=path, walls=(-40e-6, 40e-6))
    open_side = AnalyticHeat(STEEL, x=x, y=[39e-6, 39.9e-6, 40e-6], z=z, path=path)
    drop = [np.abs(np.diff(which.field(2.5e-4, ALL)[:, 1:], axis=1)).max() for which in (near, open_side)]
    assert drop[0] < 0.02 * drop[1]


def test_boiling_cuts_only_what_is_hotter() -> None:
    strong = replace(TRACK, power=4 * TRACK.power)
    cut, free = (analytic(strong, clip=clip).field(TRACK.end, ALL) for clip in (True, False))
    assert free.max() > STEEL.boiling == cut.max()
    np.testing.assert_array_equal(cut, np.minimum(free, np.float32(STEEL.boiling)))


@pytest.mark.parametrize("threshold", [350.0, 800.0, 1723.0, 2600.0])
@pytest.mark.parametrize("options", [{}, {"radius": 10e-6, "depth": 0.0}, {"walls": (-130e-6, 130e-6)}])
def test_the_hot_region_holds_every_hot_cell_and_little_else(threshold: float, options: dict) -> None:
    heat = analytic(TWO, **options)
    for time in np.linspace(1e-5, 1.3 * TWO.end, 9):
        field = heat.field(time, ALL)
        box = heat.hot_region(time, threshold)
        hot = np.argwhere(field > threshold)
        if box is None:
            assert not len(hot)
            continue
        inside = np.zeros(field.shape, dtype=bool)
        inside[box] = True
        assert not (field > threshold)[~inside].any()
        sides = np.array([part.stop - part.start for part in box])
        if len(hot):
            assert (sides <= np.ptp(hot, axis=0) + 1 + 4 * 4).all()  # two blocks of four cells on either side


def test_nothing_is_hot_before_the_start_or_above_boiling() -> None:
    assert analytic().hot_region(-1.0, 299.0) is None
    assert analytic().hot_region(TRACK.end, STEEL.boiling) is None
    assert analytic().hot_region(TRACK.end, 1723.0) is not None


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"radius": 0.0}, "radius"),
        ({"depth": -1e-6}, "depth"),
        ({"preheat": 0.0}, "preheat"),
        ({"density": 0.0}, "density"),
        ({"x": X[::-1]}, "x axis"),
        ({"y": []}, "y axis"),
        ({"z": Z + 1e-5}, "surface"),
        ({"walls": (-10e-6, 10e-6)}, "walls"),
    ],
)
def test_impossible_options_are_refused(options: dict, says: str) -> None:
    with pytest.raises(OptionError, match=says):
        analytic(**options)


def test_where_the_beam_does_not_reach_yet_the_metal_is_preheated() -> None:
    far = (slice(50, 60), slice(0, 31), slice(0, 15))
    np.testing.assert_array_equal(analytic(preheat=400.0).field(1e-7, far), np.full((10, 31, 15), 400, np.float32))

"""The enthalpy solver: conservation, convergence, symmetry, boiling, and frames between the stored ones."""

from dataclasses import replace

import numpy as np
import pytest

from lasernet.errors import OptionError
from lasernet.simulate.enthalpy import EnthalpyHeat
from lasernet.simulate.enthalpy_grid import EnthalpyGrid, EnthalpyTables
from lasernet.simulate.materials import MATERIALS, constant
from lasernet.simulate.melt_pool import AnalyticHeat
from lasernet.simulate.scan_path import Path

ALL = (slice(None), slice(None), slice(None))
X, Y, Z = np.arange(41) * 5e-6, np.arange(-12, 13) * 5e-6, np.arange(-10, 1) * 5e-6
STEEL = MATERIALS["316L"]
TRACK = Path.line((50e-6, 0.0), (150e-6, 0.0), speed=1.0, power=95.0)
OPTIONS = {"x": X, "y": Y, "z": Z, "path": TRACK, "radius": 50e-6, "depth": 20e-6, "padding": 40e-6}


def solve(material: object = STEEL, **options: object) -> EnthalpyHeat:
    return EnthalpyHeat(material, **{**OPTIONS, **options})


@pytest.mark.parametrize("material", sorted(MATERIALS))
@pytest.mark.parametrize("boils", [True, False])
def test_energy_is_conserved(material: str, boils: bool) -> None:
    strong = Path(TRACK.t, TRACK.x, TRACK.y, 5 * TRACK.power)
    heat = solve(MATERIALS[material], path=strong, boils=boils)
    heat.advance(150e-6)
    assert heat.energy.absorbed == pytest.approx(5 * 95 * TRACK.end, rel=1e-12)
    assert abs(heat.energy.error) < 1e-10
    assert (heat.energy.evaporated > 0) == boils


def test_nothing_is_hotter_than_boiling_unless_that_is_allowed() -> None:
    strong = Path(TRACK.t, TRACK.x, TRACK.y, 5 * TRACK.power)
    hottest = [solve(path=strong, boils=boils).field(60e-6, ALL).max() for boils in (True, False)]
    assert hottest[0] == pytest.approx(STEEL.boiling, abs=1e-2)
    assert hottest[1] > STEEL.boiling + 500


def test_the_error_falls_with_the_square_of_the_spacing() -> None:
    plain = constant(STEEL, conductivity=28.0, density=7500.0, heat_capacity=700.0)
    at = 75e-6
    wide = {**OPTIONS, "radius": 80e-6, "depth": 40e-6, "padding": 100e-6, "x": np.arange(33) * 5e-6}
    options = {key: value for key, value in wide.items() if key != "padding"}
    exact = AnalyticHeat(plain, clip=False, **options).field(at, ALL)
    errors = []
    for factor in (4, 2):
        field = EnthalpyHeat(plain, boils=False, factor=factor, record=at, **wide).field(at, ALL)
        nodes = (slice(None, None, 4), slice(None, None, 4), slice(2, None, 4))  # no interpolation in either
        errors.append(np.sqrt(np.mean((field - exact)[nodes] ** 2)))
    assert 3 < errors[0] / errors[1] < 6


def test_a_track_along_y_is_the_track_along_x_turned() -> None:
    square = np.arange(-15, 16) * 5e-6
    paths = [Path.line((-50e-6, 0.0), (50e-6, 0.0), speed=1.0, power=95.0)]
    paths.append(Path(paths[0].t, paths[0].y, paths[0].x, paths[0].power))
    along_x, along_y = (solve(x=square, y=square, path=path).field(70e-6, ALL) for path in paths)
    np.testing.assert_allclose(along_x, along_y.transpose(1, 0, 2), rtol=1e-6)
    np.testing.assert_allclose(along_x, along_x[:, ::-1], rtol=1e-6)


def test_latent_heat_delays_melting_and_liquid_that_conducts_is_cooler() -> None:
    wide = {"radius": 80e-6, "depth": 40e-6}
    hot, stirred = (solve(liquid_factor=factor, **wide).field(100e-6, ALL) for factor in (1.0, 3.0))
    assert stirred.max() < hot.max() - 50
    without = solve(replace(STEEL, latent_heat=0.0), **wide).field(100e-6, ALL)
    assert (without > STEEL.liquidus).sum() > (hot > STEEL.liquidus).sum()


def test_the_result_does_not_depend_on_threads() -> None:
    one, three = (solve(threads=threads) for threads in (1, 3))
    np.testing.assert_array_equal(one.field(60e-6, ALL), three.field(60e-6, ALL))
    assert one.energy == three.energy


def test_between_frames_and_nodes_temperature_is_linear() -> None:
    heat = solve(record=10e-6)
    first, middle, last = (heat.field(time, ALL) for time in (40e-6, 43e-6, 50e-6))
    np.testing.assert_allclose(middle, 0.7 * first + 0.3 * last, rtol=1e-6)
    np.testing.assert_allclose(first[1:-1:2], (first[:-2:2] + first[2::2]) / 2, rtol=1e-6)
    np.testing.assert_allclose(first[:, :, 1:-1:2], (first[:, :, :-2:2] + first[:, :, 2::2]) / 2, rtol=1e-6)
    np.testing.assert_array_equal(heat.field(-1.0, ALL), 298.0)


def test_the_laser_turns_off_at_its_time_and_not_at_a_frame() -> None:
    path = TRACK.then(Path.line((150e-6, 0.0), (160e-6, 0.0), speed=1.0, power=0.0))
    between, upon = (solve(path=path, record=record) for record in (30e-6, TRACK.end / 2))
    np.testing.assert_allclose(between.field(TRACK.end, ALL), upon.field(TRACK.end, ALL), rtol=3e-3)
    between.advance(TRACK.end)
    assert between.time == TRACK.end


def test_a_region_is_a_part_of_the_whole() -> None:
    heat = solve()
    part = (slice(5, 40, 3), slice(10, 20), slice(-5, None))
    np.testing.assert_array_equal(heat.field(42e-6, part), heat.field(42e-6, ALL)[part])
    assert heat.field(42e-6, ALL).dtype == np.float32
    assert heat.field(42e-6, ALL).shape == (41, 25, 11)


@pytest.mark.parametrize("factor", [1, 2, 3])
def test_the_hot_region_holds_every_hot_cell_and_little_else(factor: int) -> None:
    heat = solve(factor=factor, radius=70e-6, depth=30e-6)
    for time in (7e-6, 52e-6, 100e-6, 130e-6):
        field = heat.field(time, ALL)
        for threshold in (320.0, 900.0, 1723.0, 3100.0):
            box = heat.hot_region(time, threshold)
            hot = np.argwhere(field > threshold)
            if box is None:
                assert not len(hot)
                continue
            inside = np.zeros(field.shape, dtype=bool)
            inside[box] = True
            assert not (field > threshold)[~inside].any()
            if len(hot):
                sides = np.array([part.stop - part.start for part in box])
                assert (sides <= np.ptp(hot, axis=0) + 1 + 4 * factor).all()


def test_what_is_forgotten_cannot_be_asked_for_and_the_rest_can() -> None:
    heat = solve()
    heat.advance(60e-6)
    after = heat.field(43e-6, ALL)
    heat.forget(43e-6)
    np.testing.assert_array_equal(heat.field(43e-6, ALL), after)
    with pytest.raises(OptionError, match="forgotten"):
        heat.field(39e-6, ALL)
    heat.forget(1.0)
    assert heat.field(heat.time, ALL).shape == after.shape


def test_tables_keep_temperature_and_add_latent_heat() -> None:
    tables = EnthalpyTables.of(STEEL, preheat=500.0)
    grid = EnthalpyGrid((4, 3, 2), (1e-6,) * 3, tables, boils=True)
    np.testing.assert_allclose(grid.temperature(), 500.0, atol=1e-6)
    at = tables.lowest + tables.step * np.arange(len(tables.temperature))
    assert (np.diff(tables.temperature) > 0).all()
    assert (np.diff(tables.kirchhoff) > 0).all()
    solid, liquid = (np.interp(edge, tables.temperature, at) for edge in (STEEL.solidus, STEEL.liquidus))
    sensible = STEEL.heat_capacity(1709.75) * (STEEL.liquidus - STEEL.solidus)
    assert (liquid - solid) / STEEL.density == pytest.approx(STEEL.latent_heat + sensible, rel=0.02)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"radius": 0.0}, "radius"),
        ({"preheat": 1700.0}, "preheat"),
        ({"liquid_factor": 0.0}, "liquid factor"),
        ({"record": 0.0}, "record"),
        ({"factor": 0}, "factor"),
        ({"padding": -1e-6}, "padding"),
        ({"threads": 0}, "threads"),
        ({"x": X[:1]}, "x axis"),
        ({"y": Y**3}, "y axis"),
        ({"z": Z - 1e-6}, "surface"),
        ({"x": X + 500e-6}, "beam is on"),
    ],
)
def test_impossible_options_are_refused(options: dict, says: str) -> None:
    with pytest.raises(OptionError, match=says):
        solve(**options)

"""Derived fields of a volume."""

import numpy as np
import pytest

from lasernet.data.derived import DERIVED, Volume, derive
from lasernet.errors import DataError, OptionError

SHAPE = (8, 6, 5)


@pytest.fixture
def frame():
    generator = np.random.default_rng(0)
    molten = generator.random(SHAPE) < 0.4
    return {
        "ipf": np.where(molten, 0, generator.integers(1, 256, (9, *SHAPE))).astype(np.uint8),
        "temperature": generator.uniform(300, 2500, SHAPE).astype(np.float32),
        "molten": molten,
        "valid": np.ones(SHAPE, dtype=bool),
        "spacing": (2e-6, 2e-6, 2e-6),
        "velocity": np.array([0.8, 0.0, 0.0]),
        "time_step": 5e-6,  # two cells per frame
    }


def test_nearest_colors_are_copies_of_solid_cells(frame):
    found = derive("nearest_ipf_3d", **frame)
    palette = {tuple(color) for color in frame["ipf"][:, ~frame["molten"]].T}
    assert found.dtype == np.uint8
    assert {tuple(color) for color in found.reshape(9, -1).T} <= palette
    np.testing.assert_array_equal(found[:, ~frame["molten"]], frame["ipf"][:, ~frame["molten"]])


def test_nearest_colors_never_come_from_missing_cells(frame):
    frame["valid"][:, :3] = False
    frame["ipf"][:, ~frame["valid"]] = 7
    found = derive("nearest_ipf_3d", **frame)
    assert not (found == 7).all(axis=0).any()


def test_distance_is_in_meters_and_finite_even_without_solid(frame):
    assert derive("solid_distance_3d", **frame).max() == pytest.approx(2e-6, rel=1)
    frame["molten"][:] = True
    assert derive("solid_distance_3d", **frame).max() == pytest.approx(2e-6 * np.linalg.norm(SHAPE))
    frame["ipf"][:] = 0
    assert not derive("nearest_ipf_3d", **frame).any()


def test_fields_move_with_the_scan(frame):
    np.testing.assert_allclose(derive("advected_temperature", **frame)[2:], frame["temperature"][:-2], rtol=1e-6)
    np.testing.assert_allclose(derive("advected_ipf", **frame)[:, 2:], frame["ipf"][:, :-2] / 255, atol=1e-6)


def test_a_drift_is_what_moving_with_the_scan_has_missed(frame):
    before = Volume(**{**frame, "temperature": frame["temperature"][::-1].copy()})
    found = derive("temperature_drift", **frame, before=before)
    np.testing.assert_allclose(found[2:], frame["temperature"][2:] - before.temperature[:-2], rtol=1e-6)
    before.valid[3] = False
    assert not derive("temperature_drift", **frame, before=before)[3].any()
    assert not derive("temperature_drift", **frame).any()


@pytest.mark.parametrize("name", [name for name in DERIVED if name.startswith("advected")])
def test_an_unknown_scan_velocity_is_refused(frame, name):
    frame["velocity"] = np.full(3, np.nan)
    with pytest.raises(DataError, match="--scan-speed"):
        derive(name, **frame)


def test_an_unknown_field_gets_a_suggestion(frame):
    with pytest.raises(OptionError, match="nearest_ipf_3d"):
        derive("nearest_ipf", **frame)

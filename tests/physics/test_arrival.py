"""Arrival times against closed forms of growth through uniform and cooling melt."""

import numpy as np
import pytest
from numpy.typing import NDArray

from lasernet.physics.arrival import arrivals

SPACING = (2e-6, 3e-6, 2.5e-6)
LAW = (1e-5, 2.0)
STEP = 1e-5


def bar(length: int = 9, axis: int = 0) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """A row of cells of which the first is solid."""
    shape = [1, 1, 1]
    shape[axis] = length
    solid = np.zeros(shape, dtype=np.bool_)
    solid.flat[0] = True
    return solid, ~solid


def arrive(
    solid: NDArray[np.bool_], liquid: NDArray[np.bool_], now: object, then: object, *, latest: float = 99.0
) -> NDArray[np.float64]:
    fields = (np.broadcast_to(np.asarray(field, dtype=np.float64), solid.shape) for field in (now, then))
    return arrivals(solid, liquid, *fields, spacing=SPACING, time_step=STEP, law=LAW, latest=latest)[0]


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_at_a_constant_undercooling_a_front_goes_at_the_speed_of_the_law(axis: int) -> None:
    solid, liquid = bar(6, axis)
    found = arrive(solid, liquid, 60.0, 60.0).ravel()
    per_frame = LAW[0] * 60.0 ** LAW[1] * STEP / SPACING[axis]  # cells
    assert found == pytest.approx(np.arange(6) / per_frame)


def test_in_melt_that_cools_evenly_the_way_is_the_integral_of_the_law() -> None:
    solid, liquid = bar(5)
    start, rate = -20.0, 110.0  # K, K per frame: it leaves when it gets colder than liquidus
    found = arrive(solid, liquid, start, start + rate).ravel()
    grown = LAW[0] * STEP * np.clip(start + rate * found, 0, None) ** 3 / (3 * rate)
    assert grown[1:] == pytest.approx(SPACING[0] * np.arange(1, 5), rel=1e-9)
    assert found[1] > -start / rate


def test_it_goes_straight_through_uniform_melt_along_axes_and_diagonals() -> None:
    solid = np.zeros((5, 5, 5), dtype=np.bool_)
    solid[2, 2, 2] = True
    found = arrive(solid, ~solid, 50.0, 50.0)
    per_frame = LAW[0] * 50.0 ** LAW[1] * STEP
    for offset in [(1, 0, 0), (0, 2, 0), (1, 1, 0), (2, 2, 2), (0, -1, 1)]:
        length = float(np.linalg.norm(np.multiply(offset, SPACING)))
        place = (2 + offset[0], 2 + offset[1], 2 + offset[2])
        assert found[place] == pytest.approx(length / per_frame)
    assert found == pytest.approx(found[::-1, ::-1, ::-1])


def test_hot_melt_is_entered_once_and_never_left() -> None:
    solid, liquid = bar(4)
    now = np.array([60.0, -5.0, 60.0, 60.0]).reshape(4, 1, 1)
    found = arrive(solid, liquid, now, now, latest=7.0).ravel()
    assert found[1] < 7
    assert list(found[2:]) == [7.0, 7.0]


def test_cells_that_are_missing_are_gone_around() -> None:
    solid = np.zeros((3, 3, 1), dtype=np.bool_)
    solid[0, 0] = True
    liquid = ~solid
    open_way = arrive(solid, liquid, 50.0, 50.0)
    liquid[1, 1] = False
    around = arrive(solid, liquid, 50.0, 50.0, latest=50.0)
    assert around[2, 2, 0] > open_way[2, 2, 0]
    assert around[1, 1, 0] == 50.0


def test_nothing_arrives_without_solid_cells_and_nothing_is_late_in_them() -> None:
    none = np.zeros((3, 3, 3), dtype=np.bool_)
    assert (arrive(none, ~none, 50.0, 50.0, latest=2.5) == 2.5).all()
    assert (arrive(~none, none, 50.0, 50.0) == 0).all()


def test_every_path_starts_in_the_solid_cell_that_is_named() -> None:
    generator = np.random.default_rng(0)
    solid = generator.random((5, 9, 9)) < 0.1
    liquid = ~solid & (generator.random(solid.shape) < 0.9)
    now = 40.0 + 5 * generator.random(solid.shape)
    times, sources = arrivals(
        solid, liquid, now, now + 20.0, spacing=SPACING, time_step=STEP, law=LAW, latest=9.0
    )  # fmt: skip
    assert np.array_equal(sources[solid], np.flatnonzero(solid))
    assert np.array_equal(sources >= 0, times < 9.0)
    reached = np.flatnonzero(liquid & (sources >= 0))
    for cell in reached[:40]:
        alone = np.zeros(solid.shape, dtype=np.bool_)
        alone.flat[sources.flat[cell]] = True
        assert arrivals(
            alone, liquid, now, now + 20.0, spacing=SPACING, time_step=STEP, law=LAW, latest=9.0
        )[0].flat[cell] == pytest.approx(times.flat[cell])  # fmt: skip

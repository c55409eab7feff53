"""Generated flows: one geometry driven both ways, and laws that hold between fields of one flow."""

import numpy as np
import pytest

from lasernet.errors import DataError, OptionError
from lasernet.physics.flow import divergence_ratio, slip
from lasernet.simulate import fiber_flow
from lasernet.simulate.fiber_flow import FiberFlow, FiberFlows

SMALL = {"cells": (32, 32, 5), "size": 26e-6, "slice_distance": 10e-6, "fraction": (0.2, 0.3), "sway": (2e-6,)}


@pytest.fixture(scope="module")
def flows() -> list[FiberFlow]:
    recipe = FiberFlows(**SMALL)  # type: ignore[arg-type]
    return [recipe.simulate(index, seed=5) for index in range(3)]


def test_a_geometry_is_driven_along_x_then_along_y_in_one_group(flows: list[FiberFlow]) -> None:
    recipe = FiberFlows(**SMALL)  # type: ignore[arg-type]
    groups = [recipe.group_of(index, seed=5) for index in range(4)]
    assert groups[0] == groups[1] != groups[2] == groups[3]
    first, second, third = flows
    assert np.array_equal(first.fluid, second.fluid)
    assert not np.array_equal(first.fluid, third.fluid)
    assert [flow.axis for flow in flows] == [0, 1, 0]
    assert first.permeability[1] == pytest.approx(second.permeability[0], abs=2e-3 * first.permeability[0])


def test_every_flow_obeys_the_laws_and_slices_have_no_flow_across(flows: list[FiberFlow]) -> None:
    for flow in flows:
        assert flow.slip < 2e-3
        for velocity in (flow.velocity, flow.velocity_2d):
            assert slip(velocity, flow.fluid) < 2e-3
            assert divergence_ratio(velocity, flow.spacing) < 1e-5
        assert not flow.velocity_2d[2].any()
        assert not flow.pressure[~flow.fluid].any()
        assert abs(flow.pressure.mean(where=flow.fluid)) < 1e-4 * np.abs(flow.pressure).max()
        assert np.abs(flow.pressure_2d.mean(axis=(1, 2))).max() < 1e-4 * np.abs(flow.pressure_2d).max()
        assert np.abs(flow.velocity[2]).max() > 0.02 * np.abs(flow.velocity).max()
        assert flow.permeability[flow.axis] > 0
        assert 0 < flow.error < 0.5


def test_a_slice_of_straight_fibers_is_its_own_flow() -> None:
    flow = FiberFlows(**{**SMALL, "sway": (0.0,)}).simulate(0, seed=1)  # type: ignore[arg-type]
    scale = float(flow.velocity[0].mean())
    assert np.abs(flow.velocity - flow.velocity_2d).max() < 2e-2 * scale
    assert np.abs(flow.velocity[2]).max() < 5e-3 * scale


def test_velocity_scales_with_the_gradient_over_the_viscosity_and_permeability_does_not(flows: list[FiberFlow]) -> None:
    thin = FiberFlows(**SMALL, viscosity=0.1, gradient=3e5).simulate(0, seed=5)  # type: ignore[arg-type]
    assert thin.velocity == pytest.approx(15 * flows[0].velocity, rel=1e-4, abs=1e-12)
    assert thin.pressure == pytest.approx(3 * flows[0].pressure, rel=1e-4, abs=1e-3)
    assert thin.permeability == pytest.approx(flows[0].permeability, rel=1e-4)


def test_a_flow_that_is_not_found_to_the_tolerance_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fiber_flow, "MOST", 2)
    recipe = FiberFlows(**SMALL)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="--precision double"):
        recipe.simulate(0, seed=5)


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"cells": (32, 32)}, "--cells"),
        ({"cells": (32, 16, 4)}, "as many along x"),
        ({"fraction": (0.5, 0.4)}, "--fraction"),
        ({"fraction": (0.0,)}, "something must hold"),
        ({"viscosity": 0.0}, "--viscosity"),
        ({"tolerance": 1.0}, "--tolerance"),
    ],
)
def test_impossible_options_are_refused(options: dict[str, object], what: str) -> None:
    with pytest.raises(OptionError, match=what):
        FiberFlows(**options)  # type: ignore[arg-type]

"""A small file of flows for tests: three geometries, each driven along x and along y."""

from functools import cache
from pathlib import Path

from lasernet.data.flow_file import create_flow_file
from lasernet.simulate.fiber_flow import FiberFlow, FiberFlows

RECIPE = FiberFlows(
    cells=(16, 16, 3), size=17.6e-6, slice_distance=8e-6, radius=2.5e-6, fraction=(0.2, 0.3), sway=(1.5e-6,)
)
COUNT = 6


@cache
def small_flow(index: int) -> FiberFlow:
    """One of the flows."""
    return RECIPE.simulate(index, seed=3)


def write_small_flows(path: Path, count: int = COUNT) -> Path:
    """The flows in the layout of the toolkit."""
    with create_flow_file(path) as out:
        for index in range(count):
            flow = small_flow(index)
            names = ("velocity", "velocity_2d", "pressure", "pressure_2d")
            gradient = [0.0, 0.0, 0.0]
            gradient[flow.axis] = RECIPE.gradient
            out.add_case(
                f"flow-{index}",
                {"mask": flow.fluid, **{name: getattr(flow, name) for name in names}},
                spacing=flow.spacing,
                viscosity=RECIPE.viscosity,
                gradient=(gradient[0], gradient[1], gradient[2]),
                permeability=flow.permeability,
                permeability_error=flow.error,
                group=RECIPE.group_of(index, seed=3),
                provenance={"made_for": "tests"},
            )
    return path

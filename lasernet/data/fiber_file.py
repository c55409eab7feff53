"""Files of generated flows through fibers: solved side by side, written in their order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from lasernet.data.flow_file import create_flow_file
from lasernet.data.side_by_side import in_order
from lasernet.simulate.fiber_flow import FiberFlow, FiberFlows


def write_flows(
    path: Path,
    options: Mapping[str, Any],
    *,
    count: int,
    seed: int,
    overwrite: bool,
    provenance: Mapping[str, object],
    progress: Callable[[int, int], None],
) -> None:
    """Write a file of flows; several are solved at once, one on each core."""
    recipe = FiberFlows(**options)
    with create_flow_file(path, overwrite=overwrite) as out:
        for index, flow in enumerate(in_order(partial(solve_one, dict(options), seed), count)):
            gradient = [0.0, 0.0, 0.0]
            gradient[flow.axis] = recipe.gradient
            drawn = {
                "fibers": len(flow.bundle.centers), "radius": flow.bundle.radius, "fraction": flow.bundle.fraction,
                "sway": float((flow.bundle.sways**2).sum(axis=1).max() ** 0.5), "own_sway": flow.bundle.own,
                "slip": flow.slip, "iterations": flow.iterations,
            }  # fmt: skip
            out.add_case(
                f"flow-{index:05d}",
                {
                    "mask": flow.fluid,
                    "velocity": flow.velocity,
                    "velocity_2d": flow.velocity_2d,
                    "pressure": flow.pressure,
                    "pressure_2d": flow.pressure_2d,
                },
                spacing=flow.spacing,
                viscosity=recipe.viscosity,
                gradient=(gradient[0], gradient[1], gradient[2]),
                permeability=flow.permeability,
                permeability_error=flow.error,
                group=recipe.group_of(index, seed=seed),
                provenance={**provenance, "case": index, "drawn": drawn},
            )
            progress(index + 1, count)


def solve_one(options: dict[str, Any], seed: int, index: int) -> FiberFlow:
    """Solve one flow."""
    return FiberFlows(**options).simulate(index, seed=seed)

"""Checks of one file of flows: what the layout promises of its values, and what holds for every such flow."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from lasernet.data.checks import check
from lasernet.data.flow_file import FlowCase, open_flow_file
from lasernet.data.flow_structure import flow_hash
from lasernet.physics.flow import divergence_ratio, flux_spread, permeability, slip

# Velocities are stored in 32 bits, and solved for to a slip of at most twice 10⁻³ of the mean.
ROUNDING, SLIP, PERMEABILITY = 1e-5, 2e-3, 1e-5


def verify_flows(path: Path) -> list[dict[str, object]]:
    """Every check of a file, as in ``verify.verify_file``.

    Raises:
        DataError: if the file cannot be read at all, or its structure is not that of the layout.
    """
    with open_flow_file(path) as file:
        checks = [check("schema", "lasernet", "lasernet", None)]  # open_flow_file refuses anything else
        for case in file.cases.values():
            checks += verify_flow(case)
    return checks


def verify_flow(case: FlowCase) -> list[dict[str, object]]:
    """Every check of one case."""
    fields = {field: case.read(field) for field in case.fields}
    digests = {name: hashlib.sha256(np.ascontiguousarray(values).data).hexdigest() for name, values in fields.items()}
    attributes = {
        "spacing": case.spacing, "viscosity": case.viscosity, "gradient": case.gradient, "location": case.location,
        "group": case.group,
    }  # fmt: skip
    if case.permeability is not None:
        attributes["permeability"] = case.permeability
    if case.permeability_error is not None:
        attributes["permeability_error"] = case.permeability_error
    found = flow_hash(attributes, {name: (fields[name].shape, digests[name]) for name in fields})
    checks = [check(f"{case.name}/hash", found, case.content_hash, None)]
    for name in ("velocity", "velocity_2d"):
        if name in fields and case.location == "faces":
            velocity, where = fields[name], f"{case.name}/{name}"
            checks.append(check(f"{where}/slip over the mean", slip(velocity, fields["mask"]), 0.0, SLIP))
            ratio = divergence_ratio(velocity, case.spacing.tolist())
            checks.append(check(f"{where}/divergence over gradient", ratio, 0.0, ROUNDING))
            checks.append(check(f"{where}/spread of the flux", flux_spread(velocity, case.axis), 0.0, ROUNDING))
    if "velocity_2d" in fields:
        across = float(np.abs(fields["velocity_2d"][2]).max())
        checks.append(check(f"{case.name}/velocity_2d/largest z component", across, 0.0, 0.0))
    if case.permeability is not None and "velocity" in fields:
        own = permeability(fields["velocity"], case.viscosity, float(case.gradient[case.axis]))[case.axis]
        stored = float(case.permeability[case.axis])
        checks.append(check(f"{case.name}/permeability over that of the field", own / stored, 1.0, PERMEABILITY))
    return checks

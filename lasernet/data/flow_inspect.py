"""What a file of flows holds, for people: grids, solids, drives, speeds and permeabilities."""

from __future__ import annotations

from pathlib import Path

from lasernet.data.flow_file import FlowCase, open_flow_file
from lasernet.data.flow_structure import DRIVES, KIND, UNITS


def describe_flows(path: Path) -> dict[str, object]:
    """A JSON-like summary of a file; reads every field once.

    Raises:
        DataError: if the file cannot be read.
    """
    with open_flow_file(path) as file:
        cases = [describe_flow(case) for case in file.cases.values()]
        return {"file": file.path.name, "hash": file.content_hash, "kind": KIND, "cases": cases}


def describe_flow(case: FlowCase) -> dict[str, object]:
    """A JSON-like summary of one case."""
    mask = case.read("mask")
    fields: dict[str, object] = {}
    for field in case.fields:
        values = case.read(field)
        fields[field] = {
            "dtype": values.dtype.name,
            "shape": list(values.shape),
            "unit": UNITS[field],
            "range": [float(values.min()), float(values.max())],
        }
    return {
        "name": case.name,
        "shape": dict(zip("zyx", case.shape, strict=True)),
        "fields": fields,
        "solid_fraction": float(1 - mask.mean()),
        "spacing": dict(zip("xyz", case.spacing.tolist(), strict=True)),
        "viscosity": case.viscosity,
        "gradient": dict(zip("xyz", case.gradient.tolist(), strict=True)),
        "driven_along": DRIVES[case.axis],
        "velocities_at": case.location,
        "permeability": None
        if case.permeability is None
        else dict(zip("xyz", case.permeability.tolist(), strict=True)),
        "permeability_error": case.permeability_error,
        "group": case.group,
        "provenance": case.provenance,
        "hash": case.content_hash,
    }

"""What a file of flows must look like beside what ``container`` asks of every file.

``flow_file.open_flow_file`` runs this file as a script in a child process with limits (see ``container``).
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping
from typing import Any

import h5py
import numpy as np

from lasernet.data.container import (
    Refused,
    check_container,
    check_dataset,
    check_provenance,
    limited,
    members,
    number,
    text,
)

KIND = "flow"
DTYPES = {"mask": "|b1", "velocity": "<f4", "velocity_2d": "<f4", "pressure": "<f4", "pressure_2d": "<f4"}
FIELDS = tuple(DTYPES)  # the canonical order
VECTORS = ("velocity", "velocity_2d")  # components x, y, z
UNITS = {
    "mask": "1", "velocity": "m/s", "velocity_2d": "m/s", "pressure": "Pa", "pressure_2d": "Pa", "spacing": "m",
    "permeability": "m2", "viscosity": "Pa s", "gradient": "Pa/m",
}  # fmt: skip
TEXTS = ("group", "location", "provenance", "content_hash", "units")
LOCATIONS = ("faces", "centers")  # of velocities: component a on the lower faces along a, or all in the centers
DRIVES = ("x", "y", "z")
NUMBERS = {"spacing": (3,), "viscosity": (), "gradient": (3,)}  # spacing and gradient along x, y, z
OPTIONAL = {"permeability": (3,), "permeability_error": ()}  # absent where the source does not know them
MAX_SIDE = 1 << 14
MAX_CELLS = 1 << 31
MAX_GROUP = 200


def field_shape(field: str, grid: tuple[int, ...]) -> tuple[int, ...]:
    """Shape of a field on the grid (Z, Y, X)."""
    return (3, *grid) if field in VECTORS else grid


def flow_hash(attributes: Mapping[str, Any], fields: Mapping[str, tuple[object, str]]) -> str:
    """SHA-256 of a case's content: fields as (shape, hash of the values in C order) and physical attributes.

    Chunks, filters and provenance do not enter.
    """
    known = [name for name in (*NUMBERS, *OPTIONAL) if name in attributes]
    described = {
        "fields": {name: [list(fields[name][0]), fields[name][1]] for name in fields},  # type: ignore[call-overload]
        "numbers": {
            name: [float(value).hex() for value in np.atleast_1d(np.asarray(attributes[name], "<f8"))] for name in known
        },
        "texts": {name: str(attributes[name]) for name in ("group", "location")},
    }
    return hashlib.sha256(json.dumps(described, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def check_attributes(attributes: Mapping[str, Any], where: str) -> None:
    """Refuse attributes that no flow has.

    Raises:
        Refused: what was found, what was expected.
    """
    if not all(0 < size <= 1 for size in attributes["spacing"]):
        raise Refused(f"{where} has a spacing of {list(attributes['spacing'])} m; expected three above 0")
    if not 0 < attributes["viscosity"] <= 1e12:
        raise Refused(f"{where} has a viscosity of {attributes['viscosity']:g} Pa s; expected one above 0")
    if not any(attributes["gradient"]):
        raise Refused(f"{where} has no pressure gradient; expected what drives the flow, Pa/m along x, y, z")
    if attributes["location"] not in LOCATIONS:
        raise Refused(f"{where} has velocities at '{attributes['location'][:40]}'; expected {' or '.join(LOCATIONS)}")
    group = attributes["group"]
    if not 0 < len(group) <= MAX_GROUP or not group.isprintable():
        raise Refused(f"{where} has an unusable group; expected 1 to {MAX_GROUP} printable characters")
    if attributes.get("permeability_error", 0.0) < 0:
        raise Refused(f"{where} has a permeability error below 0; expected a share of the permeability")
    check_provenance(attributes["provenance"], where)


def check_size(grid: tuple[int, ...], where: str) -> None:
    """Refuse a grid that no flow has.

    Raises:
        Refused: what was found, what was expected.
    """
    if len(grid) != 3 or not all(1 <= side <= MAX_SIDE for side in grid) or np.prod(grid, dtype=float) > MAX_CELLS:
        raise Refused(f"'mask' of {where} has shape {grid}; expected (Z, Y, X), at most {MAX_SIDE} cells along each")


def _check_case(case: h5py.Group, where: str, seen: set[object], file_size: int) -> str:
    found = dict(members(case, where, len(FIELDS), seen))
    for name, item in found.items():
        if name not in FIELDS:
            raise Refused(f"{where} holds '{name}', which the layout does not know")
        if not isinstance(item, h5py.Dataset):
            raise Refused(f"'{name}' of {where} is no dataset")
    if "mask" not in found:
        raise Refused(f"{where} has no 'mask'")
    grid = found["mask"].shape or ()
    check_size(grid, where)
    fields = {}
    for name in FIELDS:
        if name in found:
            what = f"'{name}' of {where}"
            check_dataset(found[name], what, DTYPES[name], (field_shape(name, grid),), file_size)
            fields[name] = (field_shape(name, grid), text(found[name], "sha256", what))
    attributes: dict[str, object] = {name: text(case, name, where) for name in TEXTS}
    attributes |= {name: number(case, name, shape, where) for name, shape in NUMBERS.items()}
    attributes |= {name: number(case, name, shape, where) for name, shape in OPTIONAL.items() if name in case.attrs}
    check_attributes(attributes, where)
    stored = attributes["content_hash"]
    if stored != flow_hash(attributes, fields):
        raise Refused(
            f"the content hash of {where} does not fit its attributes; the file was changed or damaged; "
            "import or generate it again"
        )
    return str(stored)


if __name__ == "__main__":
    sys.exit(limited(lambda: check_container(sys.argv[1], sys.argv[2], _check_case)))

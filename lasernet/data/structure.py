"""What a file of laser tracks must look like beside what ``container`` asks of every file.

``layout.open_file`` runs this file as a script in a child process with limits (see ``container``).
"""

from __future__ import annotations

import hashlib
import json
import math
import sys
from collections.abc import Mapping
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

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

IPF_KEYS = ("tsl", "tsl-sqrt", "exaca", "orix", "unknown")
AXES = ("t", "x", "y", "z")
DTYPES = {"temperature": "<f4", "ipf": "|u1", "grain_id": "<i4", "mask": "|b1"}
FIELDS = tuple(DTYPES)  # the canonical order
ORIENTATION = "orientation"  # unit quaternions (w, x, y, z) from crystal to sample, row i of grain i
UNITS = {"temperature": "K", "ipf": "1", "grain_id": "1", "mask": "1", "t": "s", "x": "m", "y": "m", "z": "m"}
MAX_GRAINS = 1 << 31
TEXTS = ("material", "ipf_key", "group", "provenance", "content_hash", "units")
NUMBERS = {"solidus": (), "liquidus": (), "front_low": (), "front_high": (), "scan_velocity": (3,)}

REGULAR = 0.02  # of a step: how far a grid line may lie from an equally spaced one
MAX_AXIS = 1 << 20


def field_shape(field: str, grid: tuple[int, ...]) -> tuple[int, ...]:
    """Shape of a field on the grid (T, X, Y, Z)."""
    return (grid[0], 9, *grid[1:]) if field == "ipf" else grid


def irregularity(axis: NDArray[np.float64]) -> float:
    """Largest distance of a grid line from the equally spaced ones, in steps; inf unless strictly increasing."""
    if len(axis) < 2:
        return 0.0
    steps = np.diff(axis)
    if not (steps > 0).all():
        return math.inf
    step = (axis[-1] - axis[0]) / (len(axis) - 1)
    return float(np.abs(axis - (axis[0] + step * np.arange(len(axis)))).max() / step)


def case_hash(
    attributes: Mapping[str, object], axes: Mapping[str, NDArray[np.float64]], fields: Mapping[str, tuple[object, str]]
) -> str:
    """SHA-256 of a case's content: fields as (shape, hash), coordinates and physical attributes.

    Chunks, filters and provenance do not enter.
    """
    described = {
        "fields": {name: [list(fields[name][0]), fields[name][1]] for name in fields},  # type: ignore[call-overload]
        "axes": {name: hashlib.sha256(np.asarray(axes[name], "<f8").tobytes()).hexdigest() for name in AXES},
        "numbers": {
            name: [float(value).hex() for value in np.atleast_1d(np.asarray(attributes[name], "<f8"))]
            for name in NUMBERS
        },
        "texts": {name: str(attributes[name]) for name in ("material", "ipf_key", "group")},
    }
    return hashlib.sha256(json.dumps(described, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _check_case(case: h5py.Group, where: str, seen: set[object], file_size: int) -> str:
    known = (*AXES, *FIELDS, ORIENTATION)
    found = dict(members(case, where, len(known), seen))
    for name, item in found.items():
        if name not in known:
            raise Refused(f"{where} holds '{name}', which the layout does not know")
        if not isinstance(item, h5py.Dataset):
            raise Refused(f"'{name}' of {where} is no dataset")
    missing = [name for name in AXES if name not in found]
    if missing or not (set(found) & {"temperature", "ipf", "grain_id"}):
        raise Refused(f"{where} has no '{missing[0] if missing else 'temperature, ipf or grain_id'}'")
    axes = {name: _check_axis(found[name], name, where, file_size) for name in AXES}
    grid = tuple(len(axes[name]) for name in AXES)
    fields = {}
    for name in FIELDS:
        if name in found:
            shape = field_shape(name, grid)
            shapes = (shape, shape[1:]) if name == "mask" else (shape,)
            check_dataset(found[name], f"'{name}' of {where}", DTYPES[name], shapes, file_size)
            if name == "ipf" and abs(number(found[name], "scale", (), f"'ipf' of {where}") - 1 / 255) > 1e-12:
                raise Refused(f"'ipf' of {where} has another scale than 1/255")
            fields[name] = (found[name].shape, text(found[name], "sha256", f"'{name}' of {where}"))
    if ORIENTATION in found:
        fields[ORIENTATION] = _check_orientations(found[ORIENTATION], where, file_size)
    attributes: dict[str, object] = {name: text(case, name, where) for name in TEXTS}
    attributes |= {name: number(case, name, shape, where) for name, shape in NUMBERS.items()}
    check_physics(attributes, where)
    stored = attributes["content_hash"]
    if stored != case_hash(attributes, axes, fields):
        raise Refused(
            f"the content hash of {where} does not fit its attributes and coordinates; the file was changed or "
            "damaged; import or generate it again"
        )
    return str(stored)


def _check_orientations(dataset: h5py.Dataset, where: str, file_size: int) -> tuple[object, str]:
    shape = dataset.shape
    if shape is None or len(shape) != 2 or shape[1] != 4 or not 1 <= shape[0] <= MAX_GRAINS:
        raise Refused(f"'{ORIENTATION}' of {where} has shape {shape}; expected (grains + 1, 4)")
    check_dataset(dataset, f"'{ORIENTATION}' of {where}", "<f8", (shape,), file_size)
    return shape, text(dataset, "sha256", f"'{ORIENTATION}' of {where}")


def check_physics(attributes: Mapping[str, Any], where: str) -> None:
    """Refuse attributes that no material has."""
    if not 0 < attributes["solidus"] < attributes["liquidus"] <= 1e5:
        raise Refused(
            f"{where} has solidus {attributes['solidus']:g} K and liquidus {attributes['liquidus']:g} K; "
            "expected 0 < solidus < liquidus"
        )
    if not 0 < attributes["front_low"] < attributes["front_high"] <= 1e5:
        raise Refused(
            f"{where} has a front band from {attributes['front_low']:g} to {attributes['front_high']:g} K; "
            "expected 0 < low < high"
        )
    if attributes["ipf_key"] not in IPF_KEYS:
        raise Refused(f"{where} has ipf_key '{attributes['ipf_key'][:40]}'; expected one of {', '.join(IPF_KEYS)}")
    if not (attributes["material"] and attributes["group"]):
        raise Refused(f"{where} has an empty material or group")
    check_provenance(attributes["provenance"], where)


def check_axes(axes: Mapping[str, NDArray[np.float64]], where: str) -> None:
    """Refuse coordinates that are not finite, increasing and (in space) equally spaced."""
    for name, axis in axes.items():
        off = irregularity(axis) if np.isfinite(axis).all() else math.inf
        if off > (REGULAR if name != "t" else sys.float_info.max):
            expected = "finite and increasing" if name == "t" else "finite, increasing and equally spaced"
            raise Refused(f"the coordinates '{name}' of {where} are not {expected}")


def _check_axis(dataset: h5py.Dataset, name: str, where: str, file_size: int) -> NDArray[np.float64]:
    shape = dataset.shape
    if shape is None or len(shape) != 1 or not 1 <= shape[0] <= MAX_AXIS:
        raise Refused(f"'{name}' of {where} has shape {shape}; expected 1 to {MAX_AXIS} coordinates")
    check_dataset(dataset, f"'{name}' of {where}", "<f8", (shape,), file_size)
    axis: NDArray[np.float64] = np.asarray(dataset[()], dtype=np.float64)
    check_axes({name: axis}, where)
    return axis


if __name__ == "__main__":
    sys.exit(limited(lambda: check_container(sys.argv[1], sys.argv[2], _check_case)))

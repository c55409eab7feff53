"""What a data file holds, for people; of laser tracks: shapes, ranges, material, and how well the front band fits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lasernet.data.flow_inspect import describe_flows
from lasernet.data.flow_structure import KIND as FLOW
from lasernet.data.image_inspect import describe_images
from lasernet.data.image_structure import KIND
from lasernet.data.layout import Case, open_file
from lasernet.data.reading import by_kind
from lasernet.data.structure import UNITS


def describe(path: Path | str) -> dict[str, object]:
    """A JSON-like summary of a file of any kind.

    Raises:
        DataError: if the file cannot be read.
    """
    return by_kind(path, {"laser": describe_tracks, KIND: describe_images, FLOW: describe_flows})


def describe_tracks(path: Path) -> dict[str, object]:
    """A JSON-like summary of a file of laser tracks.

    Reads every frame once. ``newly_solid`` counts cells that are molten in one frame and solid in the next, and says
    how many of them the front band covers by the temperature of the next frame.

    Raises:
        DataError: if the file cannot be read.
    """
    with open_file(path) as file:
        cases = [describe_case(case) for case in file.cases.values()]
        return {"file": file.path.name, "hash": file.content_hash, "kind": "laser", "cases": cases}


def describe_case(case: Case) -> dict[str, object]:
    """A JSON-like summary of one case."""
    ranges: dict[str, tuple[float, float]] = {}
    cells, solid, newly = 0, 0, np.zeros(4, dtype=np.int64)  # all, below, within and above the front band
    before: NDArray[np.bool_] | None = None
    colored = {"ipf", "grain_id"} & set(case.fields)
    for frame in range(case.shape[0]):
        valid = case.valid(frame)
        cells += int(valid.sum())
        volumes = {field: case.frame(field, frame) for field in case.fields if field != "mask"}
        for field, volume in volumes.items():
            _widen(ranges, field, volume[:, valid] if field == "ipf" else volume[valid])
        if colored:
            molten = molten_of(volumes, valid)
            solid += int((valid & ~molten).sum())
            if before is not None:
                newly += _newly_solid(before & valid & ~molten, volumes.get("temperature"), case.front)
            before = molten
    return {
        "name": case.name,
        "shape": dict(zip("txyz", case.shape, strict=True)),
        "fields": {field: _describe_field(case, field, ranges.get(field)) for field in case.fields},
        "valid_cells": cells,
        "solid_cells": solid if colored else None,
        "spacing": {name: _step(axis) for name, axis in (("x", case.x), ("y", case.y), ("z", case.z))},
        "extent": {
            name: [float(axis[0]), float(axis[-1])] for name, axis in (("x", case.x), ("y", case.y), ("z", case.z))
        },
        "time_step": _step(case.t),
        "duration": float(case.t[-1] - case.t[0]),
        "material": case.material,
        "solidus": case.solidus,
        "liquidus": case.liquidus,
        "front": list(case.front),
        "scan_velocity": [float(part) for part in case.scan_velocity],
        "ipf_key": case.ipf_key,
        "group": case.group,
        "newly_solid": _describe_newly(newly, "temperature" in case.fields) if colored else None,
        "provenance": case.provenance,
        "hash": case.content_hash,
    }


def molten_of(volumes: dict[str, NDArray[Any]], valid: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Liquid cells by grain id or, without ids, by all nine colors being 0."""
    if "grain_id" in volumes:
        return np.asarray((volumes["grain_id"] == 0) & valid, dtype=np.bool_)
    return np.asarray(~volumes["ipf"].any(axis=0) & valid, dtype=np.bool_)


def _newly_solid(
    cells: NDArray[np.bool_], temperature: NDArray[np.float32] | None, front: tuple[float, float]
) -> NDArray[np.int64]:
    count = int(cells.sum())
    if temperature is None:
        return np.array([count, 0, 0, 0], dtype=np.int64)
    found = temperature[cells]
    below, above = int((found < front[0]).sum()), int((found > front[1]).sum())
    return np.array([count, below, count - below - above, above], dtype=np.int64)


def _describe_newly(newly: NDArray[np.int64], by_temperature: bool) -> dict[str, object]:
    count, below, within, above = (int(number) for number in newly)
    if not by_temperature:
        return {"cells": count, "in_front": None, "share_in_front": None, "below_front": None, "above_front": None}
    share = within / count if count else None
    return {
        "cells": count,
        "in_front": within,
        "share_in_front": share,
        "below_front": below,
        "above_front": above,
    }


def _describe_field(case: Case, field: str, span: tuple[float, float] | None) -> dict[str, object]:
    sample = case.frame(field, 0)
    steady = field == "mask" and case.read("mask", (0, 0, 0)).ndim == 0
    return {
        "dtype": sample.dtype.name,
        "shape": list(sample.shape if steady else (case.shape[0], *sample.shape)),
        "unit": UNITS[field],
        "range": None if span is None else list(span),
    }


def _widen(ranges: dict[str, tuple[float, float]], field: str, values: NDArray[Any]) -> None:
    """Let the range of a field take in these values; colors as they mean, in [0, 1]."""
    if values.size:
        scale = 1 / 255 if field == "ipf" else 1
        low, high = float(values.min()) * scale, float(values.max()) * scale
        known = ranges.get(field, (low, high))
        ranges[field] = (min(low, known[0]), max(high, known[1]))


def _step(axis: NDArray[np.float64]) -> float | None:
    return float((axis[-1] - axis[0]) / (len(axis) - 1)) if len(axis) > 1 else None

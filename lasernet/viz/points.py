"""Volumes as CSV point clouds in the columns that the importer reads: one file a frame, one row a point."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import numpy as np

from lasernet.atomic import atomic_path
from lasernet.errors import DataError

COORDINATES = ("Points:0", "Points:1", "Points:2")
TEMPERATURE = "T"
IPF = tuple(f"ipf_{direction}:{channel}" for direction in "xyz" for channel in range(3))
ORIENTATION = "ori_inds"
CHUNK = 1 << 18  # points written at a time


def write_csv(
    path: Path | str,
    *,
    x: np.ndarray,
    y: np.ndarray,
    z: np.ndarray,
    temperature: np.ndarray,
    ipf: np.ndarray | None = None,
    orientation: np.ndarray | None = None,
    valid: np.ndarray | None = None,
) -> Path:
    """Write one frame of a track; every number with as many digits as bring back the same number.

    Args:
        x, y, z: m, coordinates along the axes.
        temperature: K, (X, Y, Z).
        ipf: in [0, 1], (9, X, Y, Z).
        orientation: index of each cell's orientation, (X, Y, Z); left out where it is not known.
        valid: cells with data, (X, Y, Z) bool: the others, and cells without a finite temperature, have no row.

    Raises:
        DataError: if shapes do not fit, or no cell is left.
    """
    lattice = (len(x), len(y), len(z))
    given = {"temperature": temperature, "orientation": orientation, "valid": valid}
    for name, field in given.items():
        if field is not None and field.shape != lattice:
            raise DataError(f"{name} has shape {field.shape}; expected {lattice} as the coordinates have")
    if ipf is not None and ipf.shape != (9, *lattice):
        raise DataError(f"ipf has shape {ipf.shape}; expected {(9, *lattice)}, nine channels on the coordinates")
    shown = np.isfinite(temperature) if valid is None else np.isfinite(temperature) & valid.astype(bool)
    cells = np.flatnonzero(shown)
    if cells.size == 0:
        raise DataError("no cell has data; expected at least one point to write")

    names = [
        *COORDINATES,
        TEMPERATURE,
        *(IPF if ipf is not None else ()),
        *((ORIENTATION,) if orientation is not None else ()),
    ]
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(target) as temporary, temporary.open("wb") as file:
        file.write((",".join(names) + "\n").encode())
        for start in range(0, cells.size, CHUNK):
            some = cells[start : start + CHUNK]
            places = np.unravel_index(some, lattice)
            columns = [axis.astype(np.float64)[place] for axis, place in zip((x, y, z), places, strict=True)]
            columns.append(temperature.reshape(-1)[some])
            columns += [] if ipf is None else list(ipf.reshape(9, -1)[:, some])
            columns += [] if orientation is None else [orientation.reshape(-1)[some]]
            _write_rows(file, columns)
    return target


def _write_rows(file: BinaryIO, columns: list[np.ndarray]) -> None:
    import pyarrow
    from pyarrow import csv

    table = pyarrow.table({str(number): np.ascontiguousarray(column) for number, column in enumerate(columns)})
    csv.write_csv(table, file, csv.WriteOptions(include_header=False))

"""Volumes for ParaView: VTK's XML image data, binary, without the VTK library.

Values belong to the points of the lattice, as in the point clouds that tracks are imported from: N points along an axis
make N values and N − 1 VTK cells, ``Origin`` is the first point, and nothing is shifted by half a cell.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from xml.sax.saxutils import quoteattr

import numpy as np

from lasernet.atomic import atomic_path
from lasernet.errors import DataError

TYPES = {
    "f4": "Float32", "f8": "Float64", "i1": "Int8", "i2": "Int16", "i4": "Int32", "i8": "Int64",
    "u1": "UInt8", "u2": "UInt16", "u4": "UInt32", "u8": "UInt64",
}  # fmt: skip


def write_vti(
    path: Path | str,
    fields: Mapping[str, np.ndarray],
    *,
    origin: tuple[float, float, float],
    spacing: tuple[float, float, float],
    time: float | None = None,
) -> Path:
    """Write fields on one regular lattice as point data of a .vti file.

    Args:
        fields: (X, Y, Z) or (C, X, Y, Z) by name; bool becomes uint8 and float16 becomes float32.
        origin, spacing: m, along x, y and z.
        time: s; ParaView shows it as the time of the file.

    Raises:
        DataError: if there is no field, or their lattices or kinds of number do not fit.
    """
    arrays = {name: _as_components(name, field) for name, field in fields.items()}
    lattices = {array.shape[1:] for array in arrays.values()}
    if len(lattices) != 1:
        found = ", ".join(f"{name} {field.shape}" for name, field in fields.items()) or "no field"
        raise DataError(f"{found}; expected fields on one lattice, (X, Y, Z) or (C, X, Y, Z)")
    (lattice,) = lattices
    extent = " ".join(f"0 {length - 1}" for length in lattice)
    lines = [
        '<?xml version="1.0"?>',
        '<VTKFile type="ImageData" version="1.0" byte_order="LittleEndian" header_type="UInt64">',
        f'<ImageData WholeExtent="{extent}" Origin="{_numbers(origin)}" Spacing="{_numbers(spacing)}">',
    ]
    if time is not None:
        lines.append(
            '<FieldData><DataArray type="Float64" Name="TimeValue" NumberOfTuples="1" format="ascii">'
            f"{float(time)!r}</DataArray></FieldData>"
        )
    lines += [f'<Piece Extent="{extent}">', "<PointData>"]
    offset = 0
    for name, array in arrays.items():
        kind = TYPES[array.dtype.str[1:]]
        lines.append(
            f'<DataArray type="{kind}" Name={quoteattr(name)} NumberOfComponents="{array.shape[0]}" '
            f'format="appended" offset="{offset}"/>'
        )
        offset += 8 + array.nbytes
    lines += ["</PointData>", "</Piece>", "</ImageData>", '<AppendedData encoding="raw">', "_"]

    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(target) as temporary, temporary.open("wb") as file:
        file.write("\n".join(lines).encode())
        for array in arrays.values():
            file.write(np.uint64(array.nbytes).astype("<u8").tobytes())
            for plane in np.moveaxis(array, 3, 0):  # (C, X, Y); x runs fastest, components belong together
                file.write(np.ascontiguousarray(plane.transpose(2, 1, 0)).tobytes())
        file.write(b"\n</AppendedData>\n</VTKFile>\n")
    return target


def _as_components(name: str, field: np.ndarray) -> np.ndarray:
    array = field[None] if field.ndim == 3 else field
    if array.dtype == bool:
        array = array.astype(np.uint8)
    elif array.dtype == np.float16:
        array = array.astype(np.float32)
    little = array.dtype.newbyteorder("<") if array.dtype.itemsize > 1 else array.dtype
    if array.ndim != 4 or array.size == 0 or little.str[1:] not in TYPES:
        raise DataError(
            f"field '{name}' is {field.dtype} {field.shape}; expected real numbers, (X, Y, Z) or (C, X, Y, Z)"
        )
    return array.astype(little, copy=False)


def _numbers(values: tuple[float, float, float]) -> str:
    return " ".join(repr(float(value)) for value in values)

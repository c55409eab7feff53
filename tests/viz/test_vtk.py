from __future__ import annotations

import struct
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lasernet.errors import DataError
from lasernet.viz.vtk import write_vti

NUMBERS = {"Float32": "<f4", "Float64": "<f8", "UInt8": "u1", "Int32": "<i4", "Int64": "<i8", "UInt16": "<u2"}
PLACE: dict[str, Any] = {"origin": (1e-6, -2.5e-6, 0.1), "spacing": (5e-6, 2.5e-6, 1e-6)}


def parse(path: Path) -> tuple[ElementTree.Element, dict[str, np.ndarray]]:
    """Read by the file format alone: point (i, j, k) has number i + nx (j + ny k), its components lie together."""
    content = path.read_bytes()
    head, rest = content.split(b'<AppendedData encoding="raw">\n_', 1)
    root = ElementTree.fromstring(head + b"</VTKFile>")
    image = root.find("ImageData")
    assert image is not None
    low = [int(number) for number in image.attrib["WholeExtent"].split()]
    nx, ny, nz = (low[2 * axis + 1] - low[2 * axis] + 1 for axis in range(3))
    fields = {}
    for array in image.findall("Piece/PointData/DataArray"):
        start = int(array.attrib["offset"])
        (size,) = struct.unpack("<Q", rest[start : start + 8])
        values = np.frombuffer(rest[start + 8 : start + 8 + size], NUMBERS[array.attrib["type"]])
        count = int(array.attrib["NumberOfComponents"])
        assert values.size == count * nx * ny * nz
        field = np.empty((count, nx, ny, nz), values.dtype)
        for component in range(count):
            for i in range(nx):
                for j in range(ny):
                    for k in range(nz):
                        field[component, i, j, k] = values[(i + nx * (j + ny * k)) * count + component]
        fields[array.attrib["Name"]] = field
    assert rest.endswith(b"\n</AppendedData>\n</VTKFile>\n")
    return root, fields


def some_fields() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        "temperature": rng.random((4, 3, 2)).astype(np.float32),
        "velocity <m/s>": rng.random((3, 4, 3, 2)),
        "ipf": rng.integers(0, 256, (9, 4, 3, 2), dtype=np.uint8),
        "grain_id": rng.integers(-5, 5, (4, 3, 2), dtype=np.int32),
        "molten": rng.random((4, 3, 2)) < 0.5,
        "big endian": rng.random((4, 3, 2)).astype(">f4"),
        "half": rng.random((4, 3, 2)).astype(np.float16),
        "strided": rng.random((2, 3, 4)).T,
    }


def test_every_kind_of_field_comes_back_exactly(tmp_path: Path) -> None:
    fields = some_fields()
    _, found = parse(write_vti(tmp_path / "a.vti", fields, **PLACE))
    assert list(found) == list(fields)
    for name, field in fields.items():
        assert np.array_equal(found[name], field.reshape(-1, 4, 3, 2)), name


def test_header_is_what_paraview_expects(tmp_path: Path) -> None:
    root, _ = parse(write_vti(tmp_path / "a.vti", some_fields(), **PLACE, time=2.25e-5))
    assert root.attrib == {
        "type": "ImageData", "version": "1.0", "byte_order": "LittleEndian", "header_type": "UInt64",
    }  # fmt: skip
    image = root.find("ImageData")
    assert image is not None
    assert image.attrib["WholeExtent"] == "0 3 0 2 0 1"
    assert tuple(map(float, image.attrib["Origin"].split())) == PLACE["origin"]
    assert tuple(map(float, image.attrib["Spacing"].split())) == PLACE["spacing"]
    time = image.find("FieldData/DataArray")
    assert time is not None
    assert (time.attrib["Name"], float(time.text or "")) == ("TimeValue", 2.25e-5)


def test_two_writes_give_equal_bytes(tmp_path: Path) -> None:
    files = [write_vti(tmp_path / name, some_fields(), **PLACE).read_bytes() for name in ("a.vti", "b.vti")]
    assert files[0] == files[1]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"a": np.zeros((2, 2))},
        {"a": np.zeros((2, 2, 2)), "b": np.zeros((2, 2, 3))},
        {"a": np.zeros((2, 2, 2), dtype=complex)},
        {"a": np.zeros((2, 2, 2), dtype="U3")},
    ],
)
def test_fields_that_do_not_fit_are_refused_and_leave_nothing(fields: dict[str, np.ndarray], tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected"):
        write_vti(tmp_path / "a.vti", fields, **PLACE)
    assert list(tmp_path.iterdir()) == []

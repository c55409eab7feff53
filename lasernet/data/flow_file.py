"""Files of flows: the solid, velocities, pressures and permeability of each case, beside what drives them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from lasernet.data import flow_structure
from lasernet.data.container import Refused
from lasernet.data.flow_structure import (
    DTYPES,
    FIELDS,
    KIND,
    NUMBERS,
    OPTIONAL,
    UNITS,
    check_attributes,
    check_size,
    field_shape,
    flow_hash,
)
from lasernet.data.new_file import Draft, check_case_name, new_file, set_root
from lasernet.data.reading import OpenFile, open_checked, read_stored
from lasernet.errors import DataError

CHUNK_BYTES = 1 << 20  # a chunk is one plane of a component, or a part of one


class FlowCase:
    """One case of a file; fields stay on disk until they are read.

    Attributes:
        shape: (Z, Y, X).
        fields: those that the case holds, of mask, velocity, velocity_2d, pressure, pressure_2d.
        spacing: of the cells along x, y, z, m.
        gradient: by which the mean pressure falls along x, y, z, Pa/m.
        viscosity: Pa s.
        location: of velocities, ``faces`` or ``centers``.
        permeability: viscosity times mean velocity over gradient, x, y, z, m²; None where unknown.
        permeability_error: its relative error by the grid, None where unknown.
        group: cases of one group never lie in two splits.
    """

    def __init__(self, name: str, folder: h5py.Group, path: Path) -> None:
        attributes = folder.attrs
        self.name, self.path = name, path
        self._datasets = {field: folder[field] for field in FIELDS if field in folder}
        self.fields: tuple[str, ...] = tuple(self._datasets)
        slices, rows, columns = self._datasets["mask"].shape
        self.shape: tuple[int, int, int] = (int(slices), int(rows), int(columns))
        self.spacing: NDArray[np.float64] = np.asarray(attributes["spacing"], dtype=np.float64)
        self.gradient: NDArray[np.float64] = np.asarray(attributes["gradient"], dtype=np.float64)
        self.viscosity = float(attributes["viscosity"])
        self.location = str(attributes["location"])
        self.group = str(attributes["group"])
        known = "permeability" in attributes
        self.permeability = np.asarray(attributes["permeability"], dtype=np.float64) if known else None
        self.permeability_error = (
            float(attributes["permeability_error"]) if "permeability_error" in attributes else None
        )
        self.provenance: dict[str, object] = json.loads(attributes["provenance"])
        self.content_hash = str(attributes["content_hash"])

    @property
    def axis(self) -> int:
        """Along which the flow is driven most: 0, 1, 2 for x, y, z."""
        return int(np.abs(self.gradient).argmax())

    def read(self, field: str, index: Any = ()) -> NDArray[Any]:
        """A part of a field as it is stored; all of it by default.

        Raises:
            DataError: if the case has no such field, or its stored bytes are damaged.
        """
        dataset = self._datasets.get(field)
        if dataset is None:
            raise DataError(
                f"{self.path.name}: case '{self.name}' has no field '{field}' (found: {', '.join(self.fields)}); "
                "import or generate a file that holds it"
            )
        return read_stored(dataset, index, f"{self.path.name}: '{field}' of case '{self.name}'")


FlowFile = OpenFile[FlowCase]


def open_flow_file(path: Path | str, *, check: bool = True) -> FlowFile:
    """Open a file of flows for reading.

    Args:
        check: let a child process look at the structure first. False only for a file that this program has
            already opened with the check, as in the workers of a data loader.

    Raises:
        DataError: if the file is missing, of another kind, damaged, or reaches outside itself.
    """
    return open_checked(Path(path), Path(flow_structure.__file__), KIND, partial(OpenFile, FlowCase), check=check)


class FlowWriter:
    """Takes the cases of one file, whole."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self.hashes: dict[str, str] = {}

    def add_case(
        self,
        name: str,
        fields: Mapping[str, NDArray[Any]],
        *,
        spacing: tuple[float, float, float],
        viscosity: float,
        gradient: tuple[float, float, float],
        location: str = "faces",
        permeability: tuple[float, float, float] | None = None,
        permeability_error: float | None = None,
        group: str,
        provenance: Mapping[str, object],
    ) -> None:
        """Store one case.

        Args:
            fields: ``mask`` (Z, Y, X) bool, True in the fluid, and any of the others (see ``flow_structure``).

        Raises:
            DataError: if a field has another shape or type, or values that are not finite, or an attribute is
                impossible.
        """
        check_case_name(name)
        where = f"case '{name}'"
        if name in self.hashes:
            raise DataError(f"{where} was written already; expected a new name")
        attributes: dict[str, Any] = {
            "spacing": np.asarray(spacing, "<f8"),
            "viscosity": float(viscosity),
            "gradient": np.asarray(gradient, "<f8"),
            "location": location,
            "group": group,
            "provenance": json.dumps(dict(provenance), sort_keys=True),
            "units": json.dumps(UNITS, sort_keys=True),
        }
        if permeability is not None:
            attributes["permeability"] = np.asarray(permeability, "<f8")
        if permeability_error is not None:
            attributes["permeability_error"] = float(permeability_error)
        stored = _storable(fields, where)
        try:
            check_size(stored["mask"].shape, where)
            check_attributes(attributes, where)
        except Refused as problem:
            raise DataError(str(problem)) from None
        if not all(np.isfinite(attributes[key]).all() for key in (*NUMBERS, *OPTIONAL) if key in attributes):
            raise DataError(f"{where} has an attribute that is not finite; expected numbers")
        self.hashes[name] = self._draft.do(partial(self._write, name, stored, attributes))

    def _write(self, name: str, fields: Mapping[str, NDArray[Any]], attributes: Mapping[str, Any]) -> str:
        folder = self._draft.file.create_group(f"cases/{name}")
        described = {}
        for field, values in fields.items():
            plane = values.shape[-2:]
            rows = max(1, min(plane[0], CHUNK_BYTES // (plane[1] * values.itemsize)))
            dataset = folder.create_dataset(
                field,
                data=values,
                chunks=(*(1 for _ in values.shape[:-2]), rows, plane[1]),
                compression="gzip",
                compression_opts=1,
                shuffle=field != "mask",
                fletcher32=True,
                track_times=False,
            )
            digest = hashlib.sha256(values.data).hexdigest()
            dataset.attrs["unit"], dataset.attrs["sha256"] = UNITS[field], digest
            described[field] = (values.shape, digest)
        content_hash = flow_hash(attributes, described)
        for key, value in sorted({**attributes, "content_hash": content_hash}.items()):
            folder.attrs[key] = value
        return content_hash


@contextmanager
def create_flow_file(path: Path | str, *, overwrite: bool = False) -> Iterator[FlowWriter]:
    """Write a file of flows; it appears when the block ends well, and leaves nothing when it does not.

    Raises:
        DataError: if the place cannot be written, a file is there already, or no case was written.
    """
    with new_file(Path(path), overwrite=overwrite) as draft:
        writer = FlowWriter(draft)
        yield writer
        if not writer.hashes:
            raise DataError(f"{Path(path).name} would hold no case; expected at least one")
        draft.do(partial(set_root, draft.file, KIND, writer.hashes))


def _storable(fields: Mapping[str, NDArray[Any]], where: str) -> dict[str, NDArray[Any]]:
    """The fields in their canonical order and stored types, C order."""
    unknown = [name for name in fields if name not in FIELDS]
    if unknown or "mask" not in fields:
        found = ", ".join(fields)
        raise DataError(f"{where} brings {found or 'nothing'}; expected mask and any of {', '.join(FIELDS[1:])}")
    if fields["mask"].dtype != np.bool_:
        raise DataError(f"'mask' of {where} is {fields['mask'].dtype}; expected bool, True in the fluid")
    stored = {}
    for name in FIELDS:
        if name in fields:
            expected = field_shape(name, fields["mask"].shape)
            if fields[name].shape != expected:
                raise DataError(f"'{name}' of {where} has shape {fields[name].shape}; expected {expected}")
            stored[name] = np.ascontiguousarray(fields[name], DTYPES[name])
            if name != "mask" and not np.isfinite(stored[name]).all():
                raise DataError(f"'{name}' of {where} holds values that are not finite; expected numbers")
    return stored

"""The HDF5 layout of laser tracks: writing side.

A file appears under its name only when it is complete. Equal content is laid out equally and has an equal hash; the
bytes may differ where LZF compresses, which starts from whatever its table holds.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from lasernet.data.case_writer import CaseWriter
from lasernet.data.container import Refused
from lasernet.data.new_file import (
    LIBRARY,
    check_case_name,
    check_target,
    discard,
    not_writable,
    publish,
    reserve,
    scrap_name,
    set_root,
)
from lasernet.data.patient_file import CalmThread, PatientFile
from lasernet.data.structure import FIELDS, UNITS, check_axes, check_physics
from lasernet.errors import DataError


class FileWriter:
    """Takes the cases of one file."""

    def __init__(self, path: Path, kind: str, *, compact: bool = False) -> None:
        self._compact = compact
        self._kind = kind
        self._events: list[tuple[str, int]] = []  # (case, −1 for its start or a frame), as they came
        self.cases: list[CaseWriter] = []
        self._closed = False
        self._disk = PatientFile(path)
        self._thread = CalmThread()
        self._file = self._thread.do(partial(h5py.File, self._disk, "w", libver=LIBRARY))
        self._thread.do(partial(self._file.create_group, "cases"))

    def add_case(
        self,
        name: str,
        *,
        x: NDArray[Any] | Sequence[float],
        y: NDArray[Any] | Sequence[float],
        z: NDArray[Any] | Sequence[float],
        t: NDArray[Any] | Sequence[float],
        material: str,
        solidus: float,
        liquidus: float,
        front: tuple[float, float] | None = None,
        scan_velocity: NDArray[Any] | Sequence[float] = (0.0, 0.0, 0.0),
        ipf_key: str = "unknown",
        group: str | None = None,
        provenance: Mapping[str, object] | None = None,
        fields: Sequence[str] = ("temperature", "ipf", "grain_id"),
    ) -> CaseWriter:
        """Declare a case.

        Args:
            x, y, z, t: m and s.
            front: K; left out, liquidus − 60 K to liquidus.
            group: cases with one substrate share it, and no split parts them; left out, it is made of the content.
            provenance: what made the data; JSON values.
            fields: of temperature, ipf, grain_id; a mask needs no declaration.

        Raises:
            DataError: if the name is taken, or the coordinates or attributes are impossible.
        """
        where = f"case '{name}'"
        check_case_name(name)
        if any(case.name == name for case in self.cases):
            raise DataError(f"{where} is there already; expected each name once")
        axes = {axis: np.asarray(values, np.float64) for axis, values in (("t", t), ("x", x), ("y", y), ("z", z))}
        low, high = front or (liquidus - 60.0, liquidus)
        attributes: dict[str, Any] = {
            "material": material,
            "solidus": float(solidus),
            "liquidus": float(liquidus),
            "front_low": float(low),
            "front_high": float(high),
            "scan_velocity": np.asarray(scan_velocity, np.float64).reshape(3),
            "ipf_key": ipf_key,
            "group": group or "",
            "provenance": json.dumps(dict(provenance or {}), sort_keys=True),
            "units": json.dumps(UNITS, sort_keys=True),
        }
        if any(axis.ndim != 1 or not len(axis) for axis in axes.values()):
            raise DataError(f"{where} has an empty coordinate; expected at least one value along t, x, y and z")
        unknown = set(fields) - set(FIELDS)
        if unknown or not set(fields) - {"mask"}:
            raise DataError(f"{where} declares the fields {sorted(fields)}; expected some of {', '.join(FIELDS)}")
        try:
            check_axes(axes, where)
            check_physics({**attributes, "group": group or "x"}, where)
        except Refused as problem:
            raise DataError(str(problem)) from None
        if not np.isfinite(attributes["scan_velocity"]).all():
            raise DataError(f"{where} has a scan velocity that is not finite")
        writer = self._thread.do(partial(self._start, name, axes, attributes, fields))
        self.cases.append(writer)
        return writer

    def _start(
        self,
        name: str,
        axes: Mapping[str, NDArray[np.float64]],
        attributes: Mapping[str, Any],
        fields: Sequence[str],
    ) -> CaseWriter:
        folder = self._file["cases"].create_group(name)
        return CaseWriter(
            folder,
            name,
            axes,
            attributes,
            fields,
            compact=self._compact,
            events=self._events,
            disk=self._disk,
            thread=self._thread,
        )

    @property
    def canonical(self) -> bool:
        """Whether all that was written came in the order that the layout calls its own."""
        return all(first < second for first, second in pairwise(self._events))

    def finish(self) -> None:
        """Complete all cases and close the file."""
        if not self.cases:
            raise DataError("no case was added; expected at least one")
        self._thread.do(self._finish)
        self.close()
        self._disk.raise_problem()

    def _finish(self) -> None:
        hashes = {case.name: case.finish() for case in self.cases}
        set_root(self._file, self._kind, hashes)

    def rewrite(self, path: Path) -> FileWriter:
        """Write the same cases and frames once more, by name and time, so that equal content is laid out equally."""
        other = FileWriter(path, self._kind, compact=self._compact)
        try:
            for case in sorted(self.cases, key=lambda case: case.name):
                case._check_complete()
                attributes = dict(case.attributes)
                front = (attributes.pop("front_low"), attributes.pop("front_high"))
                attributes.pop("units")
                provenance = json.loads(attributes.pop("provenance"))
                axes: dict[str, Any] = dict(case.axes)
                copy = other.add_case(
                    case.name, **axes, **attributes, front=front, provenance=provenance, fields=case.fields
                )
                for index in range(case.shape[0]):
                    copy.write_frame(index, **case.volumes(index))
                if case.orientations is not None:
                    copy.write_orientations(case.orientations)
        except BaseException:
            other.close()
            raise
        return other

    def close(self) -> None:
        """Close without completing; may be called again."""
        if not self._closed:
            self._thread.do(self._close)
            self._closed = True  # before the thread ends: an interrupt may come between
            self._thread.end()

    def _close(self) -> None:
        self._file.close()
        self._disk.close()


@contextmanager
def create_file(
    path: Path | str, kind: str = "laser", *, overwrite: bool = False, compact: bool = False
) -> Iterator[FileWriter]:
    """Write a new file; it appears when the block ends well, and leaves nothing when it does not.

    Args:
        overwrite: replace a file of that name.
        compact: the smallest file instead of the fastest slices, for sets that ship; held in memory until the end.

    Raises:
        DataError: if the place cannot be written, or a file is there already.
    """
    path = Path(path)
    check_target(path, overwrite)
    scraps: list[Path] = []
    writers: list[FileWriter] = []
    try:
        scraps.append(scrap_name(path))
        reserve(scraps[0])
        writers.append(FileWriter(scraps[0], kind, compact=compact))
        yield writers[0]
        if not writers[0].canonical and writers[0].cases:
            scraps.append(scrap_name(path))
            reserve(scraps[1])
            writers.append(writers[0].rewrite(scraps[1]))
        writers[-1].finish()
        discard(scraps[:-1])
        publish(scraps[-1], path)
    except OSError as error:
        raise not_writable(path, error) from None
    finally:
        try:
            discard(scraps)
        finally:
            discard(scraps)  # once more, should an interrupt have broken into the first
            for writer in writers:
                writer.close()

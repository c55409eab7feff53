"""One case of a file of laser tracks while it is written: frames in any order, hashed as they come."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from lasernet.data.patient_file import CalmThread, PatientFile
from lasernet.data.structure import (
    AXES,
    DTYPES,
    FIELDS,
    ORIENTATION,
    UNITS,
    case_hash,
    field_shape,
)
from lasernet.errors import DataError

# Chosen by benchmarks/slices.py: the worst plane of each field within 10 ms. Shuffling helps floats only; whole
# numbers with long runs are both smaller and faster with gzip, everything else is faster with lzf.
CHUNKS = {"temperature": (58, 12, 12), "grain_id": (58, 12, 12), "mask": (58, 12, 12), "ipf": (29, 6, 5)}
FILTERS = {"temperature": "lzf", "grain_id": "gzip", "mask": "gzip", "ipf": "lzf"}
# Through all frames, since solid cells keep their values: a third of the size, and frames cost as much as the case.
COMPACT_CHUNKS = {"temperature": (96, 4, 4), "grain_id": (96, 4, 4), "mask": (96, 4, 4), "ipf": (8, 4, 4)}


class CaseWriter:
    """Takes the frames of one case, in any order."""

    def __init__(
        self,
        group: h5py.Group,
        name: str,
        axes: Mapping[str, NDArray[np.float64]],
        attributes: Mapping[str, Any],
        fields: Sequence[str],
        *,
        compact: bool,
        events: list[tuple[str, int]],
        disk: PatientFile,
        thread: CalmThread,
    ) -> None:
        self.name = name
        self.axes = axes
        self.shape = tuple(len(axes[axis]) for axis in AXES)
        self.attributes = dict(attributes)
        self.fields = tuple(field for field in FIELDS if field in fields and field != "mask")
        self._group, self._compact, self._events = group, compact, events
        self._disk, self._thread = disk, thread
        self._digests: dict[str, dict[int, bytes]] = {field: {} for field in self.fields}
        self._masks: dict[int, NDArray[np.uint8]] = {}
        self.orientations: NDArray[np.float64] | None = None
        events.append((name, -1))
        for axis in AXES:
            dataset = group.create_dataset(axis, data=np.asarray(axes[axis], "<f8"), track_times=False)
            dataset.attrs["unit"] = UNITS[axis]
        self._datasets: dict[str, Any] = {
            field: np.zeros(field_shape(field, self.shape), DTYPES[field]) if compact else self._create(field)
            for field in self.fields
        }

    def write_frame(
        self,
        index: int,
        *,
        temperature: NDArray[Any] | None = None,
        ipf: NDArray[Any] | None = None,
        grain_id: NDArray[Any] | None = None,
        mask: NDArray[Any] | None = None,
    ) -> None:
        """Store one frame.

        Args:
            temperature: K, (X, Y, Z); NaN marks cells without a point when there is no mask.
            ipf: uint8, (9, X, Y, Z).
            grain_id: integers, (X, Y, Z), 0 where molten.
            mask: bool, (X, Y, Z), True where the source has a point; left out, every cell counts. Cells that do
                not count are stored as NaN, 0 and 0, whatever was given there.

        Raises:
            DataError: if a declared field is missing, has another shape, or holds values that it cannot.
        """
        given = {"temperature": temperature, "ipf": ipf, "grain_id": grain_id}
        where = f"frame {index} of case '{self.name}'"
        if not 0 <= index < self.shape[0]:
            raise DataError(f"{where} does not exist; expected 0 to {self.shape[0] - 1}")
        for field, volume in given.items():
            if (volume is None) == (field in self.fields):
                word = "lacks" if volume is None else "brings the undeclared field"
                raise DataError(f"{where} {word} '{field}'; expected {', '.join(self.fields)}")
            if volume is not None and volume.shape != field_shape(field, self.shape)[1:]:
                expected = field_shape(field, self.shape)[1:]
                raise DataError(f"'{field}' of {where} has shape {volume.shape}; expected {expected}")
        valid = self._valid(temperature, mask, where)
        for field, volume in given.items():
            if volume is not None:
                stored = _storable(field, volume, valid, where)
                self._thread.do(partial(self._datasets[field].__setitem__, index, stored))
                self._digests[field][index] = _digest(stored)
        if valid is not None and not valid.all():
            self._masks[index] = np.packbits(valid)
        else:
            self._masks.pop(index, None)
        self._events.append((self.name, index))
        self._disk.raise_problem()

    def write_orientations(self, quaternions: NDArray[Any]) -> None:
        """Store how the crystal of each grain lies: (grains + 1, 4), row i of grain i, w first, from crystal to sample.

        Raises:
            DataError: if the rows are no unit quaternions.
        """
        table = np.ascontiguousarray(quaternions, "<f8")
        if table.ndim != 2 or table.shape[1] != 4 or not np.allclose(np.linalg.norm(table, axis=1), 1, atol=1e-6):
            raise DataError(f"orientations of case '{self.name}' are {table.shape}; expected unit quaternions (n, 4)")
        self.orientations = table

    def finish(self) -> str:
        """Write the mask, if one is needed, and the attributes; return the content hash."""
        self._check_complete()
        if self._compact:
            for field in self.fields:
                volumes, self._datasets[field] = self._datasets[field], self._create(field)
                self._datasets[field][()] = volumes
        if self._masks:
            self._write_mask()
        hashes = {
            field: hashlib.sha256(b"".join(self._digests[field][index] for index in sorted(self._digests[field])))
            for field in self._digests
        }
        described = {}
        for field in FIELDS:
            if field in self._datasets:
                dataset = self._datasets[field]
                dataset.attrs["unit"] = UNITS[field]
                dataset.attrs["sha256"] = hashes[field].hexdigest()
                if field == "ipf":
                    dataset.attrs["scale"] = 1 / 255
                described[field] = (dataset.shape, hashes[field].hexdigest())
        if self.orientations is not None:
            table = self._group.create_dataset(ORIENTATION, data=self.orientations, track_times=False)
            table.attrs["unit"], table.attrs["sha256"] = "1", _digest(self.orientations).hex()
            described[ORIENTATION] = (table.shape, _digest(self.orientations).hex())
        if not self.attributes["group"]:
            joined = "".join(described[field][1] for field in described)
            self.attributes["group"] = "track-" + hashlib.sha256(joined.encode()).hexdigest()[:12]
        content_hash = case_hash(self.attributes, self.axes, described)
        for key, value in sorted({**self.attributes, "content_hash": content_hash}.items()):
            self._group.attrs[key] = value
        return content_hash

    def volumes(self, index: int) -> dict[str, NDArray[Any]]:
        """What was stored of a frame, ready for ``write_frame``."""
        found = {field: self._thread.do(partial(self._datasets[field].__getitem__, index)) for field in self.fields}
        if index in self._masks:
            found["mask"] = self._unpack(index)
        return found

    def _check_complete(self) -> None:
        for field in self.fields:
            missing = [index for index in range(self.shape[0]) if index not in self._digests[field]]
            if missing:
                raise DataError(
                    f"frame {missing[0]} of case '{self.name}' was never written; expected all {self.shape[0]} frames"
                )

    def _valid(
        self, temperature: NDArray[Any] | None, mask: NDArray[Any] | None, where: str
    ) -> NDArray[np.bool_] | None:
        if mask is None:
            return None if temperature is None else ~np.isnan(temperature)
        if mask.shape != self.shape[1:] or mask.dtype != np.bool_:
            raise DataError(
                f"'mask' of {where} is {mask.dtype} of shape {mask.shape}; expected bool of shape {self.shape[1:]}"
            )
        return mask

    def _unpack(self, index: int) -> NDArray[np.bool_]:
        cells = int(np.prod(self.shape[1:]))
        if index not in self._masks:
            return np.ones(self.shape[1:], dtype=np.bool_)
        return np.unpackbits(self._masks[index], count=cells).astype(np.bool_).reshape(self.shape[1:])

    def _write_mask(self) -> None:
        first = self._masks.get(0)
        same = len(self._masks) == self.shape[0] and all(
            first is not None and np.array_equal(first, packed) for packed in self._masks.values()
        )
        dataset = self._create("mask", self.shape[1:] if same else self.shape)
        digests = {}
        for index in range(1 if same else self.shape[0]):
            volume = self._unpack(index)
            dataset[() if same else index] = volume
            digests[index] = _digest(volume)
        self._datasets["mask"], self._digests["mask"] = dataset, digests

    def _create(self, field: str, shape: tuple[int, ...] | None = None) -> h5py.Dataset:
        shape = shape or field_shape(field, self.shape)
        chunk = (COMPACT_CHUNKS if self._compact else CHUNKS)[field]
        compression = "gzip" if self._compact else FILTERS[field]
        frames = shape[0] if self._compact else 1
        lead = {3: (), 4: (frames,), 5: (frames, 9)}[len(shape)]
        return self._group.create_dataset(
            field,
            shape=shape,
            dtype=DTYPES[field],
            chunks=(*lead, *(min(part, size) for part, size in zip(chunk, shape[-3:], strict=True))),
            compression=compression,
            compression_opts=(9 if self._compact else 1) if compression == "gzip" else None,
            shuffle=field == "temperature" or (self._compact and field == "grain_id"),
            fletcher32=True,
            track_times=False,
        )


def _digest(volume: NDArray[Any]) -> bytes:
    return hashlib.sha256(volume.data).digest()


def _fits_32_bits(volume: NDArray[Any]) -> bool:
    if volume.dtype.kind not in "iu":
        return False
    return not volume.size or (int(volume.min()) >= -(2**31) and int(volume.max()) < 2**31)


def _storable(field: str, volume: NDArray[Any], valid: NDArray[np.bool_] | None, where: str) -> NDArray[Any]:
    """The volume in the stored type, with the cells that do not count emptied; C order."""
    kind = np.dtype(DTYPES[field])
    if field == "temperature":
        stored = np.array(volume, dtype=kind, order="C")
        if valid is not None and not valid.all():
            stored[~valid] = np.nan
        counted = stored if valid is None else stored[valid]
        if counted.size and not (np.isfinite(counted).all() and counted.min() > 0):
            raise DataError(f"'temperature' of {where} is not finite and above 0 K in cells that count")
        return stored
    if field == "ipf" and volume.dtype != kind:
        raise DataError(f"'ipf' of {where} is {volume.dtype}; expected uint8, 255 for 1")
    if field == "grain_id" and not _fits_32_bits(volume):
        raise DataError(f"'grain_id' of {where} does not fit 32-bit integers")
    if valid is None or valid.all():
        return np.ascontiguousarray(volume, dtype=kind)
    return np.ascontiguousarray(np.where(valid, volume, 0), dtype=kind)

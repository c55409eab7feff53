"""The HDF5 layout of laser tracks: reading side. ``track_writer`` holds the writing side, ``structure`` the rules."""

from __future__ import annotations

import copy
import json
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from lasernet.data import structure
from lasernet.data.case_writer import CaseWriter
from lasernet.data.container import LAYOUT_VERSION
from lasernet.data.reading import OpenFile, open_checked, read_stored
from lasernet.data.structure import FIELDS, IPF_KEYS
from lasernet.data.track_writer import FileWriter, create_file
from lasernet.errors import DataError, OptionError

__all__ = [
    "FIELDS",
    "IPF_KEYS",
    "LAYOUT_VERSION",
    "Case",
    "CaseWriter",
    "FileWriter",
    "TrackFile",
    "create_file",
    "open_file",
]


class Case:
    """One laser track of a file; the fields stay on disk until they are read."""

    def __init__(self, name: str, group: h5py.Group, path: Path) -> None:
        attributes = group.attrs
        self.name = name
        self._path = path
        self._datasets = {field: group[field] for field in FIELDS if field in group}
        self._orientations = group.get(structure.ORIENTATION)
        self.fields: tuple[str, ...] = tuple(self._datasets)
        self.x, self.y, self.z, self.t = (
            np.asarray(group[axis][()], dtype=np.float64) for axis in ("x", "y", "z", "t")
        )
        self.shape = (len(self.t), len(self.x), len(self.y), len(self.z))
        self.material = str(attributes["material"])
        self.solidus = float(attributes["solidus"])
        self.liquidus = float(attributes["liquidus"])
        self.front = (float(attributes["front_low"]), float(attributes["front_high"]))
        self.scan_velocity = np.asarray(attributes["scan_velocity"], dtype=np.float64)
        self.ipf_key = str(attributes["ipf_key"])
        self.group = str(attributes["group"])
        self.provenance: dict[str, object] = json.loads(attributes["provenance"])
        self.content_hash = str(attributes["content_hash"])
        self._levels: NDArray[np.bool_] | None = None  # the kept ones along z, if not all

    def top(self, share: float) -> Case:
        """The same case without the cells below the upper share of its height (see :func:`top_levels`).

        Raises:
            OptionError: if no cell is left.
        """
        kept = top_levels(self.z, share)
        case = copy.copy(self)
        case._levels, case.z = kept, self.z[kept]
        case.shape = (*self.shape[:3], len(case.z))
        return case

    def read(self, field: str, index: Any) -> NDArray[Any]:
        """A part of a field as it is stored, by a numpy-like index such as ``(t, slice(None), y)``; never cut.

        Raises:
            DataError: if the case has no such field, or its stored bytes are damaged.
        """
        dataset = self._datasets.get(field)
        if dataset is None:
            raise DataError(
                f"{self._path.name}: case '{self.name}' has no field '{field}' (found: {', '.join(self.fields)}); "
                "import a source that holds it"
            )
        return read_stored(dataset, index, f"{self._path.name}: '{field}' of case '{self.name}'")

    @property
    def orientations(self) -> NDArray[np.float64] | None:
        """Unit quaternions (w, x, y, z) from crystal to sample, row i of grain i; None where the source has none."""
        if self._orientations is None:
            return None
        return np.asarray(read_stored(self._orientations, (), f"{self._path.name}: orientations of '{self.name}'"))

    def frame(self, field: str, t: int) -> NDArray[Any]:
        """The whole volume of a field at one frame; a mask without time is the same at every frame."""
        if field == "mask" and "mask" in self._datasets and self._datasets["mask"].ndim == 3:
            return self._kept(self.read(field, ()))
        return self._kept(self.read(field, t))

    def _kept(self, volume: NDArray[Any]) -> NDArray[Any]:
        return volume if self._levels is None else volume[..., self._levels]

    def valid(self, t: int) -> NDArray[np.bool_]:
        """Cells of frame ``t`` for which the source has a point, (X, Y, Z)."""
        if "mask" not in self.fields:
            return np.ones(self.shape[1:], dtype=np.bool_)
        return np.asarray(self.frame("mask", t), dtype=np.bool_)

    def molten(self, t: int) -> NDArray[np.bool_]:
        """Liquid cells of frame ``t``, (X, Y, Z): by grain id or, without ids, by all nine colors being 0."""
        by_id = "grain_id" in self.fields
        liquid = self.frame("grain_id", t) == 0 if by_id else ~self.frame("ipf", t).any(axis=0)
        return np.asarray(liquid & self.valid(t), dtype=np.bool_)


TrackFile = OpenFile[Case]


def top_levels(z: NDArray[np.float64], share: float) -> NDArray[np.bool_]:
    """Which levels of cells have their centers in the upper ``share`` of the height, from lowest to highest face.

    By coordinate, so that the order of the levels does not matter; z points up.

    Args:
        z: m, of equally spaced cell centers.
        share: in (0, 1].

    Raises:
        OptionError: for another share, or one in which no center lies.
    """
    if not 0 < share <= 1:
        raise OptionError(f"--crop-depth {share}: expected a share of the height above 0 and up to 1, as 0.3")
    height = float(np.ptp(z)) / max(1, len(z) - 1) * len(z)
    depth = (z.max() - z) / height + 0.5 / len(z) if height else np.full(len(z), 0.5)  # of centers below the top face
    kept: NDArray[np.bool_] = depth <= share + 1e-6 / len(z)
    if not kept.any():
        raise OptionError(
            f"--crop-depth {share}: no cell lies in that share of {len(z)} levels; "
            f"expected at least {0.5 / len(z):.3g}; keep more"
        )
    return kept


def open_file(path: Path | str, *, kind: str = "laser", check: bool = True) -> TrackFile:
    """Open a file of laser tracks for reading.

    Args:
        kind: what the file must hold.
        check: let a child process look at the structure first. False only for a file that this program has
            already opened with the check, as in the workers of a data loader.

    Raises:
        DataError: if the file is missing, of another kind, damaged, or reaches outside itself.
    """
    return open_checked(Path(path), Path(structure.__file__), kind, partial(OpenFile, Case), check=check)

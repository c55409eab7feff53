"""Flows through microstructures as items: whole volumes, or single slices, with whole groups in train, val and test."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lasernet.data.flow_file import FlowCase, FlowFile, open_flow_file
from lasernet.data.flow_structure import FIELDS, UNITS, VECTORS
from lasernet.data.splits import SPLITS, divide, hash_items
from lasernet.errors import DataError, OptionError
from lasernet.physics.flow import signed_distance

Batch = dict[str, Tensor]
ITEM = np.dtype([("case", "<i4"), ("slice", "<i4"), ("group", "<i4")])
ANSWERS = ("target", "velocity", "pressure", "permeability")  # of a batch: what a model must not see
TARGETS = {"flow": "velocity", "flow-pressure": "pressure"}
DISTANCE = "distance"  # input: signed distance to the nearest wall, m, above 0 in the fluid
OBLIQUE = 1e-6  # share of the gradient across the main direction that counts as none


class FlowData:
    """Files of flows, split into train, val and test by group, all of them turned so that the fluid is driven along +x.

    A flow that is driven along y is mirrored in the diagonal of x and y, one that is driven backward is reversed: both
    are symmetries of creeping flow.

    Args:
        files: HDF5 files of flows in the toolkit's layout.
        task: ``flow`` (target: velocity) or ``flow-pressure`` (target: pressure).
        inputs: derived fields that a model wants: ``distance``.

    Raises:
        DataError: if a file holds something else, or the flows do not fit together.
        OptionError: if the options leave nothing to train on.
    """

    def __init__(
        self,
        files: Sequence[Path],
        task: str = "flow",
        inputs: Sequence[str] = (),
        *,
        items: Annotated[
            Literal["volumes", "slices"], "an item is a block, or one slice with its own 2D flow"
        ] = "volumes",
        split_ratio: Annotated[str, "train,val,test shares of the flows; a group stays whole"] = "70,15,15",
        split_by: Annotated[Literal["random", "order"], "shuffle the groups, or cut them in file order"] = "random",
        split_seed: Annotated[int, "seed of --split-by random"] = 2024,
        preload: Annotated[bool, "hold the flows in memory"] = True,
    ) -> None:
        unknown = [name for name in inputs if name != DISTANCE]
        if unknown:
            raise OptionError(f"the {task} task has no derived field '{unknown[0]}'; expected {DISTANCE}")
        self.task, self.inputs, self.preload, self.whole = task, tuple(inputs), preload, items == "volumes"
        self.files = [Path(file) for file in files]
        self.shelves = _open_shelves(self.files, preload=preload)
        self.case_names = [
            shelf.name if len(self.files) == 1 else f"{shelf.path.stem}/{shelf.name}" for shelf in self.shelves
        ]
        self.fields = self._common_fields()
        self.shape = self._common_shape()
        self.hash = hashlib.sha256("".join(shelf.content_hash for shelf in self.shelves).encode()).hexdigest()
        self._items = self._cut(split_ratio, split_seed if split_by == "random" else None)
        self.split_hash = hash_items(self._items)

    def split(self, name: str) -> FlowSplit:
        """The flows of one split; ``all`` joins the three."""
        if name == "all":
            return FlowSplit(self, np.sort(np.concatenate([self._items[part] for part in SPLITS])))
        return FlowSplit(self, self._items[name])

    @property
    def target(self) -> str:
        """The field that is asked for."""
        return TARGETS[self.task]

    @property
    def spec(self) -> dict[str, dict[str, object]]:
        """Channels, unit and shape of each field of a batch."""
        shape = self.shape if self.whole else (1, *self.shape[1:])
        return {
            name: {"channels": 3 if name in VECTORS else 1, "unit": UNITS[name], "shape": shape} for name in self.fields
        }

    def _common_fields(self) -> tuple[str, ...]:
        """The fields of batches: what all cases hold.

        Raises:
            DataError: naming a case without the field that is asked for.
        """
        wanted = self.target if self.whole else self._flat_name(self.target)
        for shelf, name in zip(self.shelves, self.case_names, strict=True):
            if wanted not in shelf.fields:
                raise DataError(
                    f"case '{name}' has no field '{wanted}' (found: {', '.join(shelf.fields)}), which the task needs; "
                    "generate or import a file that holds it"
                )
        names = FIELDS if self.whole else ("mask", "velocity", "pressure")
        stored = {name: name if self.whole else self._flat_name(name) for name in names}
        return tuple(name for name in names if all(stored[name] in shelf.fields for shelf in self.shelves))

    def _flat_name(self, field: str) -> str:
        """What a field of a slice by itself is called in files."""
        flat = all(shelf.shape[0] == 1 for shelf in self.shelves)
        return field if flat or field == "mask" else f"{field}_2d"

    def _common_shape(self) -> tuple[int, int, int]:
        shapes = sorted({shelf.shape if self.whole else (1, *shelf.shape[1:]) for shelf in self.shelves})
        if len(shapes) > 1:
            listed = ", ".join(" x ".join(map(str, shape)) for shape in shapes[:4])
            raise DataError(
                f"the flows have different sizes ({listed}; z, y, x with the flow along x); expected one size in all "
                "files; train on one size at a time"
            )
        return self.shelves[0].shape

    def _cut(self, ratio: str, seed: int | None) -> dict[str, NDArray[np.void]]:
        keys = [shelf.group for shelf in self.shelves]
        numbers = {key: number for number, key in enumerate(dict.fromkeys(keys))}
        counts = [1 if self.whole else shelf.shape[0] for shelf in self.shelves]
        items = np.zeros(sum(counts), dtype=ITEM)
        items["case"] = np.repeat(np.arange(len(self.shelves)), counts)
        items["slice"] = np.concatenate([np.arange(count) for count in counts])
        items["group"] = np.repeat([numbers[key] for key in keys], counts)
        return divide(items, ratio=ratio, seed=seed, what="flow")


class FlowSplit:
    """The flows of one split; ``fetch`` makes batches.

    Attributes:
        items: structured array with ``case``, ``slice`` (0 for volumes) and ``group`` of every item.
    """

    def __init__(self, data: FlowData, items: NDArray[np.void]) -> None:
        self.data = data
        self.items = items

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, rows: int | Sequence[int]) -> Batch:
        return self.fetch([rows] if isinstance(rows, int) else rows)

    def fetch(self, rows: Sequence[int]) -> Batch:
        """The flows in ``rows`` as one batch, in SI units.

        Fields are (B, C, Z, Y, X), components x, y, z: ``mask`` (bool, True in the fluid), ``velocity``, ``pressure``
        and, of volumes, those of every slice by itself as ``velocity_2d`` and ``pressure_2d``, as far as the files
        hold them; ``target``. Of each item (B,): ``gradient`` along x, ``viscosity``, ``faces`` (whether velocities
        lie on faces, and the block is periodic), ``item``; (B, 3): ``spacing`` and ``permeability`` (NaN where it is
        unknown; along x, y, z); (B,): ``permeability_error``.
        """
        chosen = np.asarray(rows, dtype=np.int64)
        data = self.data
        found = [self._one(data.shelves[item["case"]], int(item["slice"])) for item in self.items[chosen]]
        batch = {name: torch.from_numpy(np.stack([one[name] for one in found])) for name in found[0]}
        batch["target"] = batch[data.target]
        batch["item"] = torch.from_numpy(chosen)
        return batch

    def _one(self, shelf: Shelf, position: int) -> dict[str, NDArray[Any]]:
        where: Any = slice(None) if self.data.whole else slice(position, position + 1)
        names = {name: name if self.data.whole else self.data._flat_name(name) for name in self.data.fields}
        found = {name: shelf.field(stored, where) for name, stored in names.items()}
        found |= {name: shelf.field(name, where) for name in self.data.inputs}
        known = shelf.numbers if self.data.whole or shelf.shape[0] == 1 else {**shelf.numbers, **UNKNOWN}
        return {**found, **known}


UNKNOWN = {"permeability": np.full(3, np.nan, np.float32), "permeability_error": np.float32(np.nan)}  # of one slice


class Shelf:
    """One flow, turned so that it is driven along +x: its fields, from memory or from disk.

    Attributes:
        shape: (Z, Y, X).
        turned: whether it was driven along y.
        numbers: what a batch holds of it beside fields.
    """

    def __init__(self, path: Path, name: str, file: FlowFile, *, preload: bool) -> None:
        self.path, self.name = path, name
        self._file, self._pid = file, os.getpid()
        case = file.cases[name]
        self.content_hash, self.group, self.fields = case.content_hash, case.group, case.fields
        drive = case.gradient[case.axis]
        across = np.abs(np.delete(case.gradient, case.axis)).max()
        if case.axis == 2 or across > OBLIQUE * abs(drive):
            raise DataError(
                f"{path.name}: case '{name}' is driven by {', '.join(f'{g:g}' for g in case.gradient)} Pa/m along x, "
                "y, z; expected a gradient along x or along y"
            )
        self.turned, self._sign = case.axis == 1, np.float32(np.sign(drive))
        order = [1, 0, 2] if self.turned else [0, 1, 2]
        slices, rows, columns = case.shape
        self.shape = (slices, columns, rows) if self.turned else (slices, rows, columns)
        known = case.permeability if case.permeability is not None else np.full(3, np.nan)
        error = np.nan if case.permeability_error is None else case.permeability_error
        self.numbers: dict[str, Any] = {
            "spacing": case.spacing[order].astype(np.float32),
            "gradient": np.float32(abs(drive)),
            "viscosity": np.float32(case.viscosity),
            "faces": np.bool_(case.location == "faces"),
            "permeability": known[order].astype(np.float32),
            "permeability_error": np.float32(error),
        }
        self._held = {field: self._turn(field, case.read(field)) for field in case.fields} if preload else None
        self._distance: NDArray[np.float32] | None = None

    def field(self, name: str, where: slice) -> NDArray[Any]:
        """Slices of a field, (C, Z, Y, X)."""
        if name == DISTANCE:
            return self._signed_distance()[:, where]
        if self._held is not None:
            return self._held[name][:, where]
        vector = name in VECTORS
        return self._turn(name, self._open().read(name, (slice(None), where) if vector else where))

    def _turn(self, name: str, values: NDArray[Any]) -> NDArray[Any]:
        """A field (C, Z, Y, X) as seen when +x is the way of the flow."""
        values = values if name in VECTORS else values[None]
        if self.turned:
            values = values.swapaxes(-1, -2)
            values = values[[1, 0, 2]] if name in VECTORS else values
        return np.ascontiguousarray(values if name == "mask" or self._sign > 0 else self._sign * values)

    def _signed_distance(self) -> NDArray[np.float32]:
        if self._distance is not None:
            return self._distance
        fluid = self.field("mask", slice(None))[0]
        spacing = self.numbers["spacing"]
        found = signed_distance(fluid, spacing[1::-1], periodic=bool(self.numbers["faces"]))[None]
        if self._held is not None:
            self._distance = found
        return found

    def _open(self) -> FlowCase:
        if self._pid != os.getpid():  # an HDF5 handle must not be shared with a forked worker
            self._file, self._pid = open_flow_file(self.path, check=False), os.getpid()
        return self._file.cases[self.name]


def _open_shelves(files: Sequence[Path], *, preload: bool) -> list[Shelf]:
    shelves = []
    for path in files:
        file = open_flow_file(path)
        shelves += [Shelf(path, name, file, preload=preload) for name in file.cases]
        if preload:
            file.close()
    if not shelves:
        raise DataError("no file named; expected at least one file of flows")
    return shelves

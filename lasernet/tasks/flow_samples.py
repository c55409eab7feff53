"""Predicted flows as files: HDF5 in the data layout, so that they can be data again, or volumes for ParaView."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lasernet.data.flow_file import create_flow_file
from lasernet.data.flows import FlowData, FlowSplit
from lasernet.errors import OptionError
from lasernet.physics.flow import permeability
from lasernet.tasks.base import Answering, Request

ENDINGS = (".h5", ".hdf5", ".vti")


def sample(run: Answering, open: Callable[[], FlowData], folder: Path, request: Request) -> Path:
    """Predict items and write them: HDF5 in the data layout, or the first one as a volume for ParaView."""
    if request.seed is not None:
        raise OptionError(f"--seed {request.seed}: this model predicts, it draws nothing; leave --seed out")
    if request.options:
        raise OptionError(f"--{next(iter(request.options))}: this model predicts, it has no sampling options")
    name = request.split or "test"
    split = open().split(name)
    rows = _rows(len(split), request.n, request.item, name)
    target = request.out if request.out is not None else folder / f"samples{run.mark and '-' + run.mark}.h5"
    if target.suffix not in ENDINGS:
        raise OptionError(f"--out {target}: expected a name that ends in .h5 or .vti")
    if target.suffix == ".vti":
        return _write_volume(run, split, rows[0], target)
    return write_flows(run, split, rows, target, overwrite=request.out is None)


def _rows(count: int, n: int, item: int | None, split: str) -> list[int]:
    if item is not None:
        if not 0 <= item < count:
            raise OptionError(f"--item {item}: the {split} split has items 0 to {count - 1}")
        return [item]
    if not count:
        raise OptionError(f"--split {split}: it holds no flows; choose another")
    return list(range(min(n, count)))


def write_flows(
    run: Answering, split: FlowSplit, rows: Sequence[int], target: Path, *, overwrite: bool = False
) -> Path:
    """Predicted flows in the data layout, driven along the axis along which the originals are."""
    data = split.data
    with create_flow_file(target, overwrite=overwrite) as out:
        for row in rows:
            item = split.items[row]
            shelf = data.shelves[int(item["case"])]
            name = data.case_names[int(item["case"])].replace("/", "-")
            batch = split.fetch([row])
            fields = {key: batch[key][0].numpy() for key in data.fields}
            fields[data.target] = run.predict(batch)[0].float().cpu().numpy()
            viscosity, gradient = float(batch["viscosity"][0]), float(batch["gradient"][0])
            drive, order = (gradient, 0.0, 0.0), (0, 1, 2)
            known: tuple[float, ...] | None = None
            if "velocity" in fields and data.target == "velocity":
                known = permeability(fields["velocity"], viscosity, gradient)
            if shelf.turned:
                fields = {key: values.swapaxes(-1, -2) for key, values in fields.items()}
                fields = {key: v[[1, 0, 2]] if len(v) == 3 else v for key, v in fields.items()}
                drive, order = (0.0, gradient, 0.0), (1, 0, 2)
            spacing = batch["spacing"][0].double().numpy()[list(order)]
            out.add_case(
                name if data.whole else f"{name}-slice{int(item['slice']):04d}",
                {key: np.ascontiguousarray(v if len(v) == 3 else v[0]) for key, v in fields.items()},
                spacing=_triple(spacing),
                viscosity=viscosity,
                gradient=drive,
                location="faces" if bool(batch["faces"][0]) else "centers",
                permeability=None if known is None else _triple([known[place] for place in order]),
                group=shelf.group,
                provenance={"predicted_by": run.run.model_name, "source": shelf.content_hash, **run.asked},
            )
    return target


def write_vti(run: Answering, split: FlowSplit, anchor: np.void, folder: Path) -> list[Path]:
    """Truth, prediction and error of one flow for ParaView."""
    row = int(np.flatnonzero(split.items == anchor)[0])
    name = split.data.case_names[int(anchor["case"])].replace("/", "-")
    stem = name if split.data.whole else f"{name}-slice{int(anchor['slice']):04d}"
    return [_write_volume(run, split, row, folder / f"{stem}.vti")]


def _write_volume(run: Answering, split: FlowSplit, row: int, target: Path) -> Path:
    """Fields on the lattice of the cells, the flow along +x.

    Velocities on faces are written as they are stored: component a of a point is that of the lower face of its cell.
    """
    from lasernet.viz.vtk import write_vti as write

    batch = split.fetch([row])
    answer = run.predict(batch)[0].float().cpu().numpy()
    truth = batch["target"][0].numpy()
    fields: dict[str, NDArray[Any]] = {"prediction": answer, "truth": truth, "error": answer - truth}
    fields["fluid"] = batch["mask"][0].numpy()[0]
    spacing = _triple(batch["spacing"][0].double().numpy())
    turned = {name: values.swapaxes(-1, -3) for name, values in fields.items()}  # (X, Y, Z), as VTK counts
    origin = (spacing[0] / 2, spacing[1] / 2, spacing[2] / 2)
    return write(target, turned, origin=origin, spacing=spacing)


def _triple(values: Sequence[float] | NDArray[np.float64]) -> tuple[float, float, float]:
    x, y, z = (float(value) for value in values)
    return x, y, z


VOLUMES = {"vti": write_vti}

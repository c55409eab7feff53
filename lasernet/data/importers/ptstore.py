"""Processed ``.pt`` stores of LASERNet, first and second version, read without ever running what they contain."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lasernet.data import container
from lasernet.data.container import Refused
from lasernet.data.importers.grid import add_track, colors, ids_agree, planes, require_temperatures
from lasernet.data.importers.tensor_files import (
    MEMORY,
    SECONDS,
    check_records,
    load_tensors,
    require_tensor,
    tensor_shape,
)
from lasernet.data.importers.tracks import Settings
from lasernet.data.quarantine import check_in_child, require_regular_file
from lasernet.data.track_writer import create_file
from lasernet.errors import DataError

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)

EXACT_F16 = 2048  # whole numbers above it are rounded in half precision


@dataclass
class _Store:
    """Tensors of a store, still on disk, with one view for both versions."""

    version: int
    temperature: torch.Tensor  # (T, X, Y, Z)
    microstructure: torch.Tensor  # (T, X, Y, Z, 10) in version 1, (T, 10, X, Y, Z) in version 2
    mask: torch.Tensor | None  # (T, X, Y, Z)
    axes: list[NDArray[np.float64]]
    timesteps: list[int]

    def colors(self, frame: int) -> NDArray[np.float32]:
        """Nine IPF channels and the orientation index of a frame, (10, X, Y, Z)."""
        values = self.microstructure[frame].float().numpy()
        return np.moveaxis(values, -1, 0) if self.version == 1 else values


def import_pt_store(directory: Path, out: Path, settings: Settings) -> None:
    """Convert a processed store into one file with one case.

    Frames that hold nothing but 0 K are dropped: the second version leaves such a slot for the frame it skips.

    Raises:
        DataError: if a tensor is missing, lies about its shape or holds impossible values, or a file holds more
            than tensors.
    """
    for name in ("temperature.pt", "microstructure.pt"):
        if not (directory / name).exists():
            raise DataError(f"'{directory}' has no {name}; expected a processed LASERNet store; check the path")
    files = _files(directory)
    size = sum(require_regular_file(path).st_size for path in files.values())
    arguments = [str(directory.absolute()), str(MEMORY + 2 * size)]
    try:
        for path in files.values():
            check_records(path)
        check_in_child(Path(__file__), arguments, name=".pt store", timeout=SECONDS)
        store = load_store(directory)
    except Refused as problem:
        raise DataError(f".pt store: {problem}") from None
    kept = [index for index in range(len(store.temperature)) if store.temperature[index].any()]
    if len(kept) < len(store.temperature):
        log.info("%d empty frames are dropped", len(store.temperature) - len(kept))
    if len(store.timesteps) not in (len(kept), len(store.temperature)) or not kept:
        raise DataError(
            f".pt store: {len(kept)} frames hold a temperature, and {len(store.timesteps)} time steps are named; "
            "expected one each; process the source again"
        )
    every = len(store.timesteps) == len(store.temperature)
    numbers = [store.timesteps[index] for index in kept] if every else store.timesteps
    if any(second <= first for first, second in pairwise(numbers)):
        raise DataError(".pt store: the time steps do not increase; expected the frames in order; process it again")
    with_ids = _ids_usable(store, kept)
    axes = [planes(axis, name, "coordinates") for axis, name in zip(store.axes, "xyz", strict=True)]
    for axis, found, name in zip(store.axes, axes, "xyz", strict=True):
        if not np.array_equal(axis, found):
            raise DataError(f".pt store: the coordinates '{name}' are not in increasing order; process it again")
    notes: dict[str, object] = {"store_version": store.version}
    if store.temperature.element_size() == 2:
        notes["precision"] = "float16 in the source: temperatures to 1 K above 1024 K"
    with create_file(out, overwrite=settings.overwrite, compact=settings.compact) as writer:
        case = add_track(writer, settings, axes, numbers, importer="lasernet-pt", with_ids=with_ids, notes=notes)
        for index, frame in enumerate(kept):
            case.write_frame(index, **_volumes(store, frame, settings.downsample, with_ids=with_ids))
            if settings.progress:
                settings.progress(index + 1, len(kept))


def _volumes(store: _Store, frame: int, downsample: int, *, with_ids: bool) -> dict[str, NDArray[Any]]:
    where = f".pt store, frame {frame}"
    temperature = store.temperature[frame].float().numpy()
    mask = temperature != 0 if store.mask is None else store.mask[frame].numpy()
    require_temperatures(temperature[mask], where)
    values = store.colors(frame)
    ipf = np.empty((9, *mask.shape), dtype=np.uint8)
    for channel in range(9):
        ipf[channel] = colors(np.where(mask, values[channel], np.float32(0)), f"IPF channel {channel}", where)
    keep = (slice(None, None, downsample),) * 3
    volumes: dict[str, NDArray[Any]] = {
        "temperature": temperature[keep],
        "mask": np.ascontiguousarray(mask[keep]),
        "ipf": ipf[(slice(None), *keep)],
    }
    if with_ids:
        volumes["grain_id"] = values[9][keep].astype(np.int32)
    return volumes


def _ids_usable(store: _Store, kept: list[int]) -> bool:
    """Whether the tenth channel is an exact index that is 0 exactly where the colors are."""
    half = store.microstructure.element_size() == 2
    limit = EXACT_F16 if half else 2**24
    for frame in kept:
        values = store.colors(frame)
        mask = values[9] == values[9] if store.mask is None else store.mask[frame].numpy()
        ids = np.where(mask, values[9], 0)
        if not np.isfinite(ids).all() or np.abs(ids).max(initial=0) > limit or (ids != np.rint(ids)).any():
            log.warning("orientation indices are not exact in the source; the file gets no grain_id")
            return False
        if not ids_agree(ids, np.rint(np.where(mask, values[:9], 0) * 255).astype(np.uint8), 0):
            log.warning("orientation indices are not 0 exactly where the colors are; the file gets no grain_id")
            return False
    return True


def _files(directory: Path) -> dict[str, Path]:
    names = ("temperature", "microstructure", "coordinates", "mask")
    return {name: directory / f"{name}.pt" for name in names if (directory / f"{name}.pt").exists()}


def load_store(directory: Path) -> _Store:
    """Map the tensors of a store and check their types, shapes and storage; reads no values but coordinates.

    Raises:
        Refused: what was found, what was expected.
    """
    loaded = {name: load_tensors(path) for name, path in _files(directory).items()}
    temperature, microstructure = loaded["temperature"], loaded["microstructure"]
    if isinstance(temperature, Mapping):
        return _second_version(temperature, microstructure)
    return _first_version(temperature, microstructure, loaded.get("coordinates"), loaded.get("mask"))


def _first_version(temperature: Any, microstructure: Any, coordinates: Any, mask: Any) -> _Store:
    if not isinstance(coordinates, Mapping):
        raise Refused("no coordinates.pt with a dict beside temperature.pt; expected x, y, z and timesteps")
    shape = tensor_shape(temperature, "temperature.pt", 4)
    require_tensor(temperature, "temperature.pt", ("float32",), shape)
    require_tensor(microstructure, "microstructure.pt", ("float32",), (*shape, 10))
    if mask is not None:
        require_tensor(mask, "mask.pt", ("bool",), shape)
    axes, timesteps = _coordinates(coordinates, shape, "coordinates.pt")
    return _Store(1, temperature, microstructure, mask, axes, timesteps)


def _second_version(temperature: Any, microstructure: Any) -> _Store:
    if not isinstance(microstructure, Mapping):
        raise Refused("temperature.pt holds a dict and microstructure.pt does not; expected both of one version")
    volume = temperature.get("data")
    shape = tensor_shape(volume, "data of temperature.pt", 5)
    grid = (shape[0], *shape[2:])
    require_tensor(volume, "data of temperature.pt", ("float16", "float32"), (shape[0], 1, *shape[2:]))
    channels = (shape[0], 10, *shape[2:])
    require_tensor(microstructure.get("data"), "data of microstructure.pt", ("float16", "float32"), channels)
    mask = temperature.get("mask")
    if mask is not None:
        require_tensor(mask, "mask of temperature.pt", ("bool",), grid)
    axes, timesteps = _coordinates(temperature, grid, "temperature.pt")
    return _Store(2, volume[:, 0], microstructure["data"], mask, axes, timesteps)


def _coordinates(
    found: Mapping[Any, Any], shape: tuple[int, ...], where: str
) -> tuple[list[NDArray[np.float64]], list[int]]:
    axes = []
    for name, size in zip("xyz", shape[1:], strict=True):
        require_tensor(found.get(name), f"'{name}' of {where}", ("float32", "float64"), (size,))
        axis = found[name].double().numpy()
        if not np.isfinite(axis).all():
            raise Refused(f"'{name}' of {where} is not finite")
        axes.append(axis)
    steps = found.get("timesteps")
    count = tensor_shape(steps, f"'timesteps' of {where}", 1)
    require_tensor(steps, f"'timesteps' of {where}", ("int32", "int64"), count)
    return axes, [int(step) for step in steps.tolist()]  # type: ignore[union-attr]


if __name__ == "__main__":
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    sys.exit(
        container.limited(
            lambda: (load_store(Path(sys.argv[1])), None)[1], memory=int(sys.argv[2]), seconds=int(SECONDS)
        )
    )

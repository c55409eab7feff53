"""Image stacks in foreign HDF5 files, read through by a child process before this one opens them."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from lasernet.data.container import Refused, check_dataset, limited, members
from lasernet.data.importers.stacks import Array
from lasernet.data.quarantine import check_in_child, require_regular_file
from lasernet.errors import DataError

log = logging.getLogger(__name__)

SIGNATURE = b"\x89HDF\r\n\x1a\n"
TOGETHER = 200  # files that one child looks at
MOST_KEYS = 10_000
SECONDS = 60
BYTES_PER_SECOND = 10 << 20  # slower reading counts as hanging
BLOCK = 32 << 20  # bytes
MEMORY = 2 << 30  # bytes of the child process


def h5_arrays(files: Sequence[Path], key: str | None) -> list[Array]:
    """One data set of each file.

    Args:
        key: name of the data set, "group/name" inside a group; left out, the first by name.

    Raises:
        DataError: if a file is no HDF5, is damaged, reaches outside itself or holds no such data set.
    """
    for path in files:
        require_regular_file(path)
        with path.open("rb") as stream:
            if stream.read(len(SIGNATURE)) != SIGNATURE:
                raise DataError(f"{path.name} is no HDF5 file; expected image stacks; remove it or name its format")
    found = []
    for first in range(0, len(files), TOGETHER):
        found += _look(list(files[first : first + TOGETHER]), key)
    several = [(path, entry) for path, entry in zip(files, found, strict=True) if len(entry["keys"]) > 1]
    if several and key is None:
        path, entry = several[0]
        log.warning(
            "%s holds %s; '%s' is taken, as in all files (--key chooses another)",
            path.name, ", ".join(entry["keys"][:5]), entry["key"],
        )  # fmt: skip
    keys = {entry["key"] for entry in found}
    if len(keys) > 1:
        odd = next(index for index, entry in enumerate(found) if entry["key"] != found[0]["key"])
        log.info("data sets differ in name: '%s' in %s, '%s' in %s", found[0]["key"], files[0].name,
                 found[odd]["key"], files[odd].name)  # fmt: skip
    return [_array(path, entry) for path, entry in zip(files, found, strict=True)]


def _array(path: Path, entry: dict[str, Any]) -> Array:
    return Array(
        name=path.name,
        file=path,
        shape=tuple(int(size) for size in entry["shape"]),
        dtype=np.dtype(str(entry["dtype"])),
        low=float(entry["low"]),
        high=float(entry["high"]),
        read=partial(_read, path, str(entry["key"])),
    )


def _read(path: Path, key: str, index: tuple[slice, ...]) -> NDArray[Any]:
    try:
        with h5py.File(path, "r") as file:
            values: NDArray[Any] = file[key][index]
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        raise DataError(
            f"{path.name} cannot be read ({str(error)[:120]}); expected an image stack; get it again"
        ) from None
    return values


def _look(files: Sequence[Path], key: str | None) -> list[dict[str, Any]]:
    """What a child process finds in some files; on trouble it halves them until the culprit is alone and named."""
    size = sum(path.stat().st_size for path in files)
    seconds = SECONDS + size // BYTES_PER_SECOND
    arguments = [str(seconds), key or "", *(str(path.absolute()) for path in files)]
    try:
        answer = check_in_child(Path(__file__), arguments, name=files[0].name, timeout=2 * seconds)
        found = answer["files"]
        if not isinstance(found, list) or len(found) != len(files):
            raise DataError(f"{files[0].name}: the checking process gave no answer; expected one for each file")
        return found
    except DataError:
        if len(files) == 1:
            raise
        half = len(files) // 2
        return _look(files[:half], key) + _look(files[half:], key)


def inspect_stack(path: str, key: str | None) -> dict[str, object]:
    """Which data set of a file holds the images, and between which values they lie; reads all of it.

    Raises:
        Refused: what was found, what was expected.
    """
    with h5py.File(path, "r") as file:
        if h5py.h5a.exists(file.id, b"format") and str(file.attrs["format"])[:20] == "lasernet":
            raise Refused(_own(str(file.attrs.get("kind", ""))))
        names = sorted(file)
        if len(names) > MOST_KEYS:
            raise Refused(f"it holds {len(names)} items; expected at most {MOST_KEYS}")
        items = dict(members(file, "the file", MOST_KEYS, set()))
        keys = [name for name, item in items.items() if isinstance(item, h5py.Dataset)]
        dataset = _choose(items, keys, key)
        what = f"'{dataset.name[1:]}'"
        if dataset.dtype.kind not in "biuf" or not 2 <= len(dataset.shape or ()) <= 4 or 0 in dataset.shape:
            raise Refused(f"{what} is {dataset.dtype} of shape {dataset.shape}; expected images as numbers")
        check_dataset(dataset, what, dataset.dtype.str, (dataset.shape,), os.path.getsize(path))
        low, high = _extent(dataset, what)
        shape, kind = list(dataset.shape), dataset.dtype.str
        return {"key": dataset.name[1:], "keys": keys, "shape": shape, "dtype": kind, "low": low, "high": high}


def _own(kind: str) -> str:
    if kind == "laser":
        return (
            "it is a file of laser tracks written by lasernet; expected foreign image stacks; cut boundary maps of its "
            "grains with --format boundaries --plane xy"
        )
    return f"it is a file of {kind[:20] or 'data'} written by lasernet; it needs no import; use it as --data"


def _choose(items: dict[str, Any], keys: Sequence[str], key: str | None) -> h5py.Dataset:
    listed = ", ".join(list(items)[:8])[:160] or "nothing"
    if key is None:
        if not keys:
            raise Refused(f"no data set at its top (found: {listed}); expected images; name one by --key GROUP/NAME")
        return items[keys[0]]
    item: Any = None
    inside = items
    for part in key.strip("/").split("/"):
        item = inside.get(part)
        if item is None:
            raise Refused(f"it has no '{key[:100]}' (found: {', '.join(list(inside)[:8])[:160]}); choose another --key")
        inside = dict(members(item, f"'{part}'", MOST_KEYS, set())) if isinstance(item, h5py.Group) else {}
    if not isinstance(item, h5py.Dataset):
        raise Refused(
            f"'{key[:100]}' is a group (found in it: {', '.join(list(inside)[:8])[:160]}); name a data set in it"
        )
    return item


def _extent(dataset: h5py.Dataset, what: str) -> tuple[float, float]:
    """Lowest and highest value; whole rows of chunks are read at a time."""
    step = dataset.chunks[0] if dataset.chunks else 1
    row = dataset.nbytes // dataset.shape[0]
    step *= max(1, BLOCK // max(1, step * row))
    low, high = np.inf, -np.inf
    for first in range(0, dataset.shape[0], step):
        values = dataset[first : first + step]
        low, high = min(low, float(values.min())), max(high, float(values.max()))
        if not (np.isfinite(values.min()) and np.isfinite(values.max())):
            raise Refused(f"{what} holds values that are not finite; expected gray values; repair it")
    return low, high


if __name__ == "__main__":
    seconds, chosen, paths = int(sys.argv[1]), sys.argv[2] or None, sys.argv[3:]
    sys.exit(
        limited(lambda: {"files": [inspect_stack(path, chosen) for path in paths]}, memory=MEMORY, seconds=seconds)
    )

"""What any HDF5 file of the toolkit's layout must look like, whatever it holds, checked without trusting it.

The rules of each kind (``structure``: laser tracks, ``image_structure``: image sets) build on these. They run as
scripts in a child process with limits, because a damaged file can crash or hang the HDF5 library itself; ``reading``
starts it. So none of them imports more than h5py, numpy and this file, which as a script only says what kind a file
claims to be.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import h5py
import numpy as np

LAYOUT_VERSION = 1
ALLOWED_FILTERS = {1: "gzip", 2: "shuffle", 3: "fletcher32", 32000: "lzf"}
MAX_CASES = 10_000
MAX_CHUNK = 64 << 20
MAX_TEXT = 1 << 20
MEMORY = 1 << 30  # bytes of the child process
CPU_SECONDS = 15


class Refused(Exception):
    """The file does not follow the layout; the text says where and what was expected."""


def file_hash(kind: str, cases: Mapping[str, str]) -> str:
    """SHA-256 of the names and content hashes of all cases."""
    described = [kind, LAYOUT_VERSION, sorted(cases.items())]
    return hashlib.sha256(json.dumps(described, separators=(",", ":")).encode()).hexdigest()


def claimed_kind(file: h5py.File) -> str:
    """What kind of data a file says it holds.

    Raises:
        Refused: if it is no file of this layout and version.
    """
    if text(file, "format", "the file") != "lasernet":
        raise Refused("the attribute 'format' is not 'lasernet'; expected a file written by lasernet")
    version = number(file, "layout_version", (), "the file")
    if version != LAYOUT_VERSION:
        raise Refused(f"layout_version is {version:g}; this lasernet reads {LAYOUT_VERSION}; upgrade lasernet")
    return text(file, "kind", "the file")


def check_container(path: str, kind: str, check_case: Callable[[h5py.Group, str, set[object], int], str]) -> None:
    """Refuse a file that is not exactly of this layout.

    Args:
        check_case: (group, name for messages, objects seen so far, bytes of the file) → content hash of the case.

    Raises:
        Refused: what was found where, what was expected.
    """
    with h5py.File(path, "r") as file:
        found = claimed_kind(file)
        if found != kind:
            raise Refused(f"it holds '{found[:40]}' data; expected '{kind}' data; choose another file")
        seen: set[object] = set()
        root = dict(members(file, "the file", 1, seen))
        if list(root) != ["cases"] or not isinstance(root["cases"], h5py.Group):
            raise Refused("expected exactly one group 'cases' at the top")
        hashes = {}
        for name, case in members(root["cases"], "'cases'", MAX_CASES, seen):
            if not isinstance(case, h5py.Group):
                raise Refused(f"'cases/{name}' is no group")
            if not name.isprintable() or len(name) > 200:
                raise Refused("a case has an unprintable or overlong name")
            hashes[name] = check_case(case, f"case '{name}'", seen, os.path.getsize(path))
        if not hashes:
            raise Refused("it holds no case; expected at least one")
        if text(file, "content_hash", "the file") != file_hash(kind, hashes):
            raise Refused("the content hash of the file does not fit its cases; the file was changed or damaged")


def check_dataset(
    dataset: h5py.Dataset, what: str, dtype: str, shapes: tuple[tuple[int, ...], ...], file_size: int
) -> None:
    """Refuse a dataset of another type or shape, or whose values do not all lie in the file.

    Raises:
        Refused: what was found, what was expected.
    """
    if dataset.dtype != np.dtype(dtype):
        raise Refused(f"{what} is stored as {dataset.dtype}; expected {np.dtype(dtype).name}")
    if dataset.shape not in shapes:
        raise Refused(f"{what} has shape {dataset.shape}; expected {' or '.join(map(str, shapes))}")
    plan = dataset.id.get_create_plist()
    if plan.get_external_count():
        raise Refused(f"{what} is kept in another file; expected all data inside")
    storage, declared = plan.get_layout(), math.prod(dataset.shape) * dataset.dtype.itemsize
    stored = dataset.id.get_storage_size()
    if stored > file_size:
        raise Refused(f"{what} claims {stored} stored bytes in a file of {file_size}")
    if storage in (h5py.h5d.CONTIGUOUS, h5py.h5d.COMPACT):
        offset = dataset.id.get_offset() or 0
        if stored != declared or offset + stored > file_size:
            raise Refused(f"{what} declares {declared} bytes, and {stored} are stored; the file is incomplete")
        return
    if storage != h5py.h5d.CHUNKED:
        raise Refused(f"{what} is a virtual dataset; expected all data inside")
    for position in range(plan.get_nfilters()):
        code = plan.get_filter(position)[0]
        if code not in ALLOWED_FILTERS or position > 3:
            raise Refused(f"{what} uses the filter {code}; expected only {', '.join(ALLOWED_FILTERS.values())}")
    chunk = plan.get_chunk()
    if math.prod(chunk) * dataset.dtype.itemsize > MAX_CHUNK:
        raise Refused(f"{what} has chunks of more than {MAX_CHUNK >> 20} MiB")
    if declared > 2000 * stored and declared > 256 << 20:
        raise Refused(f"{what} declares {declared} bytes, but only {stored} are stored")
    expected = math.prod(-(-size // part) for size, part in zip(dataset.shape, chunk, strict=True))
    if dataset.id.get_num_chunks() != expected:
        raise Refused(f"{what} has {dataset.id.get_num_chunks()} stored chunks; expected {expected}")


def members(group: h5py.Group, where: str, limit: int, seen: set[object]) -> Iterator[tuple[str, Any]]:
    """Members that truly lie in this group: plain hard links, each object once."""
    if len(group) > limit:
        raise Refused(f"{where} holds {len(group)} items; expected at most {limit}")
    for name in sorted(group):
        if type(group.get(name, getlink=True)) is not h5py.HardLink:
            raise Refused(f"'{name}' in {where} is a link to another place; expected all data inside the file")
        item = group[name]
        address = h5py.h5o.get_info(item.id).addr
        if address in seen:
            raise Refused(f"'{name}' in {where} is the same object as another; expected each once")
        seen.add(address)
        yield name, item


def text(item: Any, name: str, where: str) -> str:
    """An attribute that is text, of at most ``MAX_TEXT`` characters."""
    value = _attribute(item, name, where)
    if isinstance(value, bytes):
        value = value.decode()
    if not isinstance(value, str) or len(value) > MAX_TEXT:
        raise Refused(f"the attribute '{name}' of {where} is no text")
    return value


def number(item: Any, name: str, shape: tuple[int, ...], where: str) -> Any:
    """An attribute that is finite: a float for shape (), else a float64 array."""
    value = np.asarray(_attribute(item, name, where))
    if value.shape != shape or value.dtype.kind not in "fiu" or not np.isfinite(value).all():
        raise Refused(f"the attribute '{name}' of {where} is no finite number of shape {shape}")
    return value.astype(np.float64) if shape else float(value)


def check_provenance(provenance: str, where: str) -> None:
    """Refuse a provenance that is not one JSON object."""
    try:
        fine = isinstance(json.loads(provenance), dict)
    except (ValueError, RecursionError):
        fine = False
    if not fine:
        raise Refused(f"the provenance of {where} is no JSON object")


def limited(work: Callable[[], Mapping[str, object] | None], memory: int = MEMORY, seconds: int = CPU_SECONDS) -> int:
    """Do ``work`` within limits of this process and print one JSON object: its answer, or {"refused": why}."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        for limit, value in (
            (resource.RLIMIT_CORE, 0),
            (resource.RLIMIT_FSIZE, 0),
            (resource.RLIMIT_DATA, memory),
            (resource.RLIMIT_CPU, seconds),
        ):
            resource.setrlimit(limit, (value, value))
    answer: dict[str, object] = {}
    try:
        answer |= work() or {}
    except Refused as problem:
        answer["refused"] = str(problem)
    except MemoryError:
        answer["refused"] = "reading its structure needs more memory than it may; the file is damaged"
    except Exception as problem:  # h5py raises nearly every type on damaged files
        answer["refused"] = f"the file is damaged ({type(problem).__name__}: {str(problem)[:200]})"
    print(json.dumps(answer))
    return 0


def _attribute(item: Any, name: str, where: str) -> Any:
    key = name.encode()
    if not h5py.h5a.exists(item.id, key):
        raise Refused(f"{where} has no attribute '{name}'")
    if h5py.h5a.open(item.id, key).get_storage_size() > MAX_TEXT:
        raise Refused(f"the attribute '{name}' of {where} is too large")
    return item.attrs[name]


def _tell_kind() -> dict[str, object]:
    with h5py.File(sys.argv[1], "r") as file:
        return {"kind": claimed_kind(file)}


if __name__ == "__main__":
    sys.exit(limited(_tell_kind))

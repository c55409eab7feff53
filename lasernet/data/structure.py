"""What an HDF5 file of this layout must look like, checked without trusting it.

``layout.open_file`` runs this file as a script in a child process with limits, because a damaged file can crash or
hang the HDF5 library itself. So nothing of the package is imported here, only h5py and numpy.
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
from numpy.typing import NDArray

LAYOUT_VERSION = 1
IPF_KEYS = ("tsl", "tsl-sqrt", "exaca", "orix", "unknown")
AXES = ("t", "x", "y", "z")
DTYPES = {"temperature": "<f4", "ipf": "|u1", "grain_id": "<i4", "mask": "|b1"}
FIELDS = tuple(DTYPES)  # the canonical order
UNITS = {"temperature": "K", "ipf": "1", "grain_id": "1", "mask": "1", "t": "s", "x": "m", "y": "m", "z": "m"}
TEXTS = ("material", "ipf_key", "group", "provenance", "content_hash", "units")
NUMBERS = {"solidus": (), "liquidus": (), "front_low": (), "front_high": (), "scan_velocity": (3,)}

REGULAR = 0.02  # of a step: how far a grid line may lie from an equally spaced one
ALLOWED_FILTERS = {1: "gzip", 2: "shuffle", 3: "fletcher32", 32000: "lzf"}
MAX_CASES = 10_000
MAX_CHUNK = 64 << 20
MAX_AXIS = 1 << 20
MAX_TEXT = 1 << 20
MEMORY = 1 << 30  # bytes of the child process
CPU_SECONDS = 15


class Refused(Exception):
    """The file does not follow the layout; the text says where and what was expected."""


def field_shape(field: str, grid: tuple[int, ...]) -> tuple[int, ...]:
    """Shape of a field on the grid (T, X, Y, Z)."""
    return (grid[0], 9, *grid[1:]) if field == "ipf" else grid


def irregularity(axis: NDArray[np.float64]) -> float:
    """Largest distance of a grid line from the equally spaced ones, in steps; inf unless strictly increasing."""
    if len(axis) < 2:
        return 0.0
    steps = np.diff(axis)
    if not (steps > 0).all():
        return math.inf
    step = (axis[-1] - axis[0]) / (len(axis) - 1)
    return float(np.abs(axis - (axis[0] + step * np.arange(len(axis)))).max() / step)


def case_hash(
    attributes: Mapping[str, object], axes: Mapping[str, NDArray[np.float64]], fields: Mapping[str, tuple[object, str]]
) -> str:
    """SHA-256 of a case's content: fields as (shape, hash), coordinates and physical attributes.

    Chunks, filters and provenance do not enter.
    """
    described = {
        "fields": {name: [list(fields[name][0]), fields[name][1]] for name in fields},  # type: ignore[call-overload]
        "axes": {name: hashlib.sha256(np.asarray(axes[name], "<f8").tobytes()).hexdigest() for name in AXES},
        "numbers": {
            name: [float(value).hex() for value in np.atleast_1d(np.asarray(attributes[name], "<f8"))]
            for name in NUMBERS
        },
        "texts": {name: str(attributes[name]) for name in ("material", "ipf_key", "group")},
    }
    return hashlib.sha256(json.dumps(described, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def file_hash(kind: str, cases: Mapping[str, str]) -> str:
    """SHA-256 of the names and content hashes of all cases."""
    described = [kind, LAYOUT_VERSION, sorted(cases.items())]
    return hashlib.sha256(json.dumps(described, separators=(",", ":")).encode()).hexdigest()


def check_file(path: str, kind: str) -> None:
    """Refuse a file that is not exactly of this layout.

    Raises:
        Refused: what was found where, what was expected.
    """
    with h5py.File(path, "r") as file:
        if _text(file, "format", "the file") != "lasernet":
            raise Refused("the attribute 'format' is not 'lasernet'; expected a file written by lasernet")
        version = _number(file, "layout_version", (), "the file")
        if version != LAYOUT_VERSION:
            raise Refused(f"layout_version is {version:g}; this lasernet reads {LAYOUT_VERSION}; upgrade lasernet")
        found = _text(file, "kind", "the file")
        if found != kind:
            raise Refused(f"it holds '{found}' data; expected '{kind}'; choose another file")
        seen: set[object] = set()
        root = dict(_members(file, "the file", 1, seen))
        if list(root) != ["cases"] or not isinstance(root["cases"], h5py.Group):
            raise Refused("expected exactly one group 'cases' at the top")
        hashes = {}
        for name, case in _members(root["cases"], "'cases'", MAX_CASES, seen):
            if not isinstance(case, h5py.Group):
                raise Refused(f"'cases/{name}' is no group")
            if not name.isprintable() or len(name) > 200:
                raise Refused("a case has an unprintable or overlong name")
            hashes[name] = _check_case(case, f"case '{name}'", seen, os.path.getsize(path))
        if not hashes:
            raise Refused("it holds no case; expected at least one")
        if _text(file, "content_hash", "the file") != file_hash(kind, hashes):
            raise Refused("the content hash of the file does not fit its cases; the file was changed or damaged")


def _check_case(case: h5py.Group, where: str, seen: set[object], file_size: int) -> str:
    members = dict(_members(case, where, len(AXES) + len(FIELDS), seen))
    for name, item in members.items():
        if name not in AXES + FIELDS:
            raise Refused(f"{where} holds '{name}', which the layout does not know")
        if not isinstance(item, h5py.Dataset):
            raise Refused(f"'{name}' of {where} is no dataset")
    missing = [name for name in AXES if name not in members]
    if missing or not (set(members) & {"temperature", "ipf", "grain_id"}):
        raise Refused(f"{where} has no '{missing[0] if missing else 'temperature, ipf or grain_id'}'")
    axes = {name: _check_axis(members[name], name, where, file_size) for name in AXES}
    grid = tuple(len(axes[name]) for name in AXES)
    fields = {}
    for name in FIELDS:
        if name in members:
            shape = field_shape(name, grid)
            shapes = (shape, shape[1:]) if name == "mask" else (shape,)
            _check_dataset(members[name], f"'{name}' of {where}", DTYPES[name], shapes, file_size)
            if name == "ipf" and abs(_number(members[name], "scale", (), f"'ipf' of {where}") - 1 / 255) > 1e-12:
                raise Refused(f"'ipf' of {where} has another scale than 1/255")
            fields[name] = (members[name].shape, _text(members[name], "sha256", f"'{name}' of {where}"))
    attributes: dict[str, object] = {name: _text(case, name, where) for name in TEXTS}
    attributes |= {name: _number(case, name, shape, where) for name, shape in NUMBERS.items()}
    check_physics(attributes, where)
    stored = attributes["content_hash"]
    if stored != case_hash(attributes, axes, fields):
        raise Refused(
            f"the content hash of {where} does not fit its attributes and coordinates; the file was changed or "
            "damaged; import or generate it again"
        )
    return str(stored)


def check_physics(attributes: Mapping[str, Any], where: str) -> None:
    """Refuse attributes that no material has."""
    if not 0 < attributes["solidus"] < attributes["liquidus"] <= 1e5:
        raise Refused(
            f"{where} has solidus {attributes['solidus']:g} K and liquidus {attributes['liquidus']:g} K; "
            "expected 0 < solidus < liquidus"
        )
    if not 0 < attributes["front_low"] < attributes["front_high"] <= 1e5:
        raise Refused(
            f"{where} has a front band from {attributes['front_low']:g} to {attributes['front_high']:g} K; "
            "expected 0 < low < high"
        )
    if attributes["ipf_key"] not in IPF_KEYS:
        raise Refused(f"{where} has ipf_key '{attributes['ipf_key'][:40]}'; expected one of {', '.join(IPF_KEYS)}")
    if not (attributes["material"] and attributes["group"]):
        raise Refused(f"{where} has an empty material or group")
    provenance = attributes["provenance"]
    try:
        fine = isinstance(json.loads(provenance), dict)
    except (ValueError, RecursionError):
        fine = False
    if not fine:
        raise Refused(f"the provenance of {where} is no JSON object")


def check_axes(axes: Mapping[str, NDArray[np.float64]], where: str) -> None:
    """Refuse coordinates that are not finite, increasing and (in space) equally spaced."""
    for name, axis in axes.items():
        off = irregularity(axis) if np.isfinite(axis).all() else math.inf
        if off > (REGULAR if name != "t" else sys.float_info.max):
            expected = "finite and increasing" if name == "t" else "finite, increasing and equally spaced"
            raise Refused(f"the coordinates '{name}' of {where} are not {expected}")


def _check_axis(dataset: h5py.Dataset, name: str, where: str, file_size: int) -> NDArray[np.float64]:
    shape = dataset.shape
    if shape is None or len(shape) != 1 or not 1 <= shape[0] <= MAX_AXIS:
        raise Refused(f"'{name}' of {where} has shape {shape}; expected 1 to {MAX_AXIS} coordinates")
    _check_dataset(dataset, f"'{name}' of {where}", "<f8", (shape,), file_size)
    axis: NDArray[np.float64] = np.asarray(dataset[()], dtype=np.float64)
    check_axes({name: axis}, where)
    return axis


def _check_dataset(
    dataset: h5py.Dataset, what: str, dtype: str, shapes: tuple[tuple[int, ...], ...], file_size: int
) -> None:
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
    for number in range(plan.get_nfilters()):
        code = plan.get_filter(number)[0]
        if code not in ALLOWED_FILTERS or number > 3:
            raise Refused(f"{what} uses the filter {code}; expected only {', '.join(ALLOWED_FILTERS.values())}")
    chunk = plan.get_chunk()
    if math.prod(chunk) * dataset.dtype.itemsize > MAX_CHUNK:
        raise Refused(f"{what} has chunks of more than {MAX_CHUNK >> 20} MiB")
    if declared > 2000 * stored and declared > 256 << 20:
        raise Refused(f"{what} declares {declared} bytes, but only {stored} are stored")
    expected = math.prod(-(-size // part) for size, part in zip(dataset.shape, chunk, strict=True))
    if dataset.id.get_num_chunks() != expected:
        raise Refused(f"{what} has {dataset.id.get_num_chunks()} stored chunks; expected {expected}")


def _members(group: h5py.Group, where: str, limit: int, seen: set[object]) -> Iterator[tuple[str, Any]]:
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


def _attribute(item: Any, name: str, where: str) -> Any:
    key = name.encode()
    if not h5py.h5a.exists(item.id, key):
        raise Refused(f"{where} has no attribute '{name}'")
    if h5py.h5a.open(item.id, key).get_storage_size() > MAX_TEXT:
        raise Refused(f"the attribute '{name}' of {where} is too large")
    return item.attrs[name]


def _text(item: Any, name: str, where: str) -> str:
    value = _attribute(item, name, where)
    if isinstance(value, bytes):
        value = value.decode()
    if not isinstance(value, str) or len(value) > MAX_TEXT:
        raise Refused(f"the attribute '{name}' of {where} is no text")
    return value


def _number(item: Any, name: str, shape: tuple[int, ...], where: str) -> Any:
    value = np.asarray(_attribute(item, name, where))
    if value.shape != shape or value.dtype.kind not in "fiu" or not np.isfinite(value).all():
        raise Refused(f"the attribute '{name}' of {where} is no finite number of shape {shape}")
    return value.astype(np.float64) if shape else float(value)


def limited(work: Callable[[], None], memory: int = MEMORY, seconds: int = CPU_SECONDS) -> int:
    """Do ``work`` within limits of this process and print one JSON object: {} or {"refused": why}."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        for limit, value in (
            (resource.RLIMIT_CORE, 0),
            (resource.RLIMIT_FSIZE, 0),
            (resource.RLIMIT_DATA, memory),
            (resource.RLIMIT_CPU, seconds),
        ):
            resource.setrlimit(limit, (value, value))
    answer = {}
    try:
        work()
    except Refused as problem:
        answer["refused"] = str(problem)
    except MemoryError:
        answer["refused"] = "reading its structure needs more memory than it may; the file is damaged"
    except Exception as problem:  # h5py raises nearly every type on damaged files
        answer["refused"] = f"the file is damaged ({type(problem).__name__}: {str(problem)[:200]})"
    print(json.dumps(answer))
    return 0


if __name__ == "__main__":
    sys.exit(limited(lambda: check_file(sys.argv[1], sys.argv[2])))

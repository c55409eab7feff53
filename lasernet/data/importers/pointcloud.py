"""CSV point clouds of LASERNet: one file per frame, one row per point of a regular grid."""

from __future__ import annotations

import csv
import gzip
import io
import logging
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.csv
from numpy.typing import NDArray

from lasernet.data.importers.frames import frame_number
from lasernet.data.importers.grid import add_track, colors, ids_agree, name_of, place, planes, require_temperatures
from lasernet.data.importers.tracks import Settings
from lasernet.data.quarantine import require_regular_file
from lasernet.data.track_writer import create_file
from lasernet.errors import DataError

log = logging.getLogger(__name__)

POINTS = ("Points:0", "Points:1", "Points:2")
COLORS = tuple(f"ipf_{axis}:{channel}" for axis in "xyz" for channel in range(3))
NEEDED = (*POINTS, "T", *COLORS)
IDS = "ori_inds"
BLOCK = 16 << 20  # bytes of text parsed at a time
PLANES = 1 << 16  # along one axis
FULL_ENOUGH = 0.5  # of the grid's points must be in every frame


class _UnusableIds(Exception):
    """A frame whose orientation index cannot stand for the grains."""


@dataclass
class _Points:
    """The rows of one frame: codes of coordinates (their values apart) and what was measured there."""

    values: list[NDArray[np.float64]]  # of each axis, by code
    blocks: list[tuple[list[NDArray[np.uint16]], NDArray[np.float32], NDArray[np.uint8], NDArray[np.int32] | None]]
    rows: int


def import_point_clouds(files: Sequence[Path], out: Path, settings: Settings) -> None:
    """Convert frames, in the order given, into one file with one case.

    Raises:
        DataError: names the file and what is wrong with it.
    """
    try:
        _convert(files, out, settings, with_ids=_has_ids(files))
    except _UnusableIds as problem:
        log.warning("%s; the file gets no grain_id, and molten cells are those with all colors 0", problem)
        _convert(files, out, settings, with_ids=False)


def _has_ids(files: Sequence[Path]) -> bool:
    found = [IDS in _header(path) for path in files]
    if any(found) and not all(found):
        log.warning("%s has no column %s: the file gets no grain_id", files[found.index(False)].name, IDS)
    return all(found)


def _convert(files: Sequence[Path], out: Path, settings: Settings, *, with_ids: bool) -> None:
    numbers = [frame_number(path) if len(files) > 1 else max(frame_number(path), 0) for path in files]
    axes: list[NDArray[np.float64]] | None = None
    with create_file(out, overwrite=settings.overwrite, compact=settings.compact) as writer:
        for index, path in enumerate(files):
            where = name_of(path)
            points = _read(path, with_ids=with_ids)
            if axes is None:
                axes = [planes(values, name, where) for values, name in zip(points.values, POINTS, strict=True)]
                _require_dense(points.rows, axes, where)
                case = add_track(
                    writer, settings, axes, numbers, importer="lasernet-csv", with_ids=with_ids, notes={"unit": "m, K"}
                )
            _require_dense(points.rows, axes, where)
            case.write_frame(index, **_volumes(points, axes, where, settings.downsample))
            if settings.progress:
                settings.progress(index + 1, len(files))


def _require_dense(rows: int, axes: Sequence[NDArray[np.float64]], where: str) -> None:
    size = [len(axis) for axis in axes]
    cells = size[0] * size[1] * size[2]
    if rows < FULL_ENOUGH * cells:
        raise DataError(
            f"{where} has {rows} points on a grid of {size[0]} x {size[1]} x {size[2]}; expected at least "
            f"{FULL_ENOUGH:.0%} of its points; remove stray points or export the whole grid"
        )
    if rows > cells:
        raise DataError(
            f"{where} has {rows} points on a grid of {size[0]} x {size[1]} x {size[2]}; expected each point once; "
            "remove doubled points"
        )


def _volumes(
    points: _Points, axes: Sequence[NDArray[np.float64]], where: str, downsample: int
) -> dict[str, NDArray[Any]]:
    """Scatter the rows into the grid; frees them on the way."""
    shape = tuple(len(axis) for axis in axes)
    cells = shape[0] * shape[1] * shape[2]
    found = np.zeros(cells, dtype=np.bool_)
    temperature = np.full(cells, np.nan, dtype=np.float32)
    ipf = np.zeros((9, cells), dtype=np.uint8)
    ids: NDArray[np.int32] | None = None
    index_of = [place(points.values[axis], axes[axis], POINTS[axis], where) for axis in range(3)]
    while points.blocks:
        codes, block_temperature, block_ipf, block_ids = points.blocks.pop()
        cell = (index_of[0][codes[0]] * shape[1] + index_of[1][codes[1]]) * shape[2] + index_of[2][codes[2]]
        found[cell] = True
        temperature[cell] = block_temperature
        for channel in range(9):
            ipf[channel][cell] = block_ipf[channel]
        if block_ids is not None:
            ids = np.zeros(cells, dtype=np.int32) if ids is None else ids
            ids[cell] = block_ids
    if int(found.sum()) != points.rows:
        raise DataError(
            f"{where} has {points.rows - int(found.sum())} doubled points; expected each point once; remove them"
        )
    keep = (slice(None, None, downsample),) * 3
    volumes: dict[str, NDArray[Any]] = {
        "mask": found.reshape(shape)[keep],
        "temperature": temperature.reshape(shape)[keep],
        "ipf": ipf.reshape(9, *shape)[(slice(None), *keep)],
    }
    if not volumes["mask"].any():
        raise DataError(f"{where} has no point on the planes that downsampling keeps; choose a smaller --downsample")
    if ids is not None:
        volumes["grain_id"] = ids.reshape(shape)[keep]
    return volumes


def _read(path: Path, *, with_ids: bool) -> _Points:
    """All rows of a frame, checked value by value but not yet for their grid."""
    where = name_of(path)
    columns = [*NEEDED, IDS] if with_ids else list(NEEDED)
    codes: list[dict[float, int]] = [{}, {}, {}]
    blocks = []
    rows = 0
    for batch in _batches(path, columns):
        rows += batch.num_rows
        coded = [_encode(batch.column(axis), codes[axis], POINTS[axis], where) for axis in range(3)]
        temperature = batch.column(3).to_numpy()
        require_temperatures(temperature, where)
        ipf = np.empty((9, batch.num_rows), dtype=np.uint8)
        for channel, column in enumerate(COLORS):
            ipf[channel] = colors(batch.column(4 + channel).to_numpy(), column, where)
        blocks.append((coded, temperature.copy(), ipf, _ids(batch.column(13), ipf, where) if with_ids else None))
    if not rows:
        raise DataError(f"{where} has a header and no rows; expected one row per point; export it again")
    return _Points([np.fromiter(known, np.float64, len(known)) for known in codes], blocks, rows)


def _encode(column: pa.Array, known: dict[float, int], name: str, where: str) -> NDArray[np.uint16]:
    """Coordinates as codes into ``known``, which grows; a regular grid has few different values."""
    encoded = pa.compute.dictionary_encode(column)
    values = encoded.dictionary.to_numpy()
    if not np.isfinite(values).all():
        raise DataError(f"{where}: {name} holds a value that is not finite; expected m; repair or remove the row")
    table = np.array([known.setdefault(value, len(known)) for value in values.tolist()], dtype=np.int64)
    if len(known) > PLANES:
        raise DataError(
            f"{where}: {name} has more than {PLANES} different values; expected the planes of a regular grid; "
            "round the coordinates or resample the points"
        )
    indices: NDArray[Any] = encoded.indices.to_numpy()
    codes: NDArray[np.uint16] = table.astype(np.uint16)[indices]
    return codes


def _ids(column: pa.Array, ipf: NDArray[np.uint8], where: str) -> NDArray[np.int32]:
    values = column.to_numpy()
    if not np.isfinite(values).all():
        raise DataError(f"{where}: {IDS} holds a value that is not finite; expected whole numbers; repair the row")
    if (np.abs(values) >= 2**31).any() or (values != np.rint(values)).any():
        raise _UnusableIds(f"{where}: {IDS} holds values that are no 32-bit whole numbers")
    ids: NDArray[np.int32] = values.astype(np.int32)
    if not ids_agree(ids, ipf, 0):
        raise _UnusableIds(f"{where}: {IDS} is not 0 exactly where the colors are 0")
    return ids


def _batches(path: Path, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Typed record batches with the columns in the order asked for.

    Raises:
        DataError: for anything that is no table of numbers.
    """
    where = name_of(path)
    _header(path)
    try:
        with _open(path) as stream:
            reader = pa.csv.open_csv(
                pa.PythonFile(_Clean(stream, where), mode="r"),
                read_options=pa.csv.ReadOptions(block_size=BLOCK, use_threads=False),
                parse_options=pa.csv.ParseOptions(newlines_in_values=False),
                convert_options=pa.csv.ConvertOptions(
                    include_columns=list(columns),
                    # float64 for ids: float32 is exact to 2^24 only
                    column_types={
                        name: pa.float64() if name in POINTS or name == IDS else pa.float32() for name in columns
                    },
                    null_values=[],
                    strings_can_be_null=False,
                ),
            )
            yield from reader
    except (pa.ArrowException, OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        text = " ".join(str(error).split())[:160] or type(error).__name__
        raise DataError(
            f"{where} is no sound table ({text}); expected rows of {len(columns)} numbers and points as decimal "
            "marks; export or copy it again"
        ) from None


def _header(path: Path) -> list[str]:
    """Column names, checked.

    Raises:
        DataError: if the file is empty, unreadable, or a column is missing or doubled.
    """
    require_regular_file(path)
    where = name_of(path)
    try:
        with _open(path) as stream:
            start = stream.read(1 << 16)
    except (OSError, EOFError, zlib.error) as error:
        reason = str(error)[:120]
        raise DataError(f"cannot read {where} ({reason}); expected CSV or gzipped CSV; copy it again") from None
    if not start:
        raise DataError(f"{where} is empty; expected a header and rows; export it again")
    if start[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in start:
        raise DataError(f"{where} is UTF-16 or binary; expected plain CSV text; save it as UTF-8")
    try:
        line = start.decode("utf-8-sig", errors="strict" if len(start) < 1 << 16 else "ignore").splitlines()[0]
        names = next(csv.reader(io.StringIO(line)), [])
    except (UnicodeDecodeError, IndexError, csv.Error):
        raise DataError(f"{where} does not begin with a header of column names; save it as UTF-8 CSV") from None
    for name in (*NEEDED, IDS):
        count = names.count(name)
        if count > 1 or (count == 0 and name != IDS):
            fault = f"has the column '{name}' {count} times" if count else f"has no column '{name}'"
            cure = "rename it, and separate columns by commas" if count == 0 else "remove one"
            found = ", ".join(names)[:160]
            raise DataError(f"{where} {fault} (found: {found}); expected {', '.join(NEEDED)} once each; {cure}")
    extra = sorted(set(names) - {*NEEDED, IDS})
    if extra:
        log.info("%s: columns not read: %s", where, ", ".join(extra))
    return names


def _open(path: Path) -> io.BufferedIOBase:
    """The text of a file as bytes, decompressed if it is gzipped whatever its name."""
    stream = path.open("rb")
    try:
        gzipped = stream.read(2) == b"\x1f\x8b"
        stream.seek(0)
        return _Gunzip(stream) if gzipped else stream
    except BaseException:
        stream.close()
        raise


class _Gunzip(gzip.GzipFile):
    """A gzip reader that closes the file below it."""

    def __init__(self, stream: io.BufferedIOBase) -> None:
        self._below = stream
        super().__init__(fileobj=stream, mode="rb")

    def close(self) -> None:
        super().close()
        self._below.close()


class _Clean(io.RawIOBase):
    """A byte stream that refuses NUL bytes, which a number parser may take for an end."""

    def __init__(self, stream: io.BufferedIOBase, where: str) -> None:
        self._stream, self._where = stream, where

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        if b"\0" in data:
            raise OSError("it holds NUL bytes")
        return data

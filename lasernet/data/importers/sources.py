"""What a source is: a directory, a pattern, a file or an archive, and the format of what lies in it."""

from __future__ import annotations

import glob
import logging
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from lasernet.data.importers.archive import is_archive, unpacked
from lasernet.data.importers.frames import PREFERRED, in_order
from lasernet.errors import DataError

log = logging.getLogger(__name__)

ENDINGS = {
    "lasernet-csv": (".csv", ".csv.gz"),
    "images": (".png", ".tif", ".tiff"),
    "micrographs": (".png", ".tif", ".tiff"),
    "h5-stacks": (".h5", ".hdf5"),
    "npy": (".npy",),
    "boundaries": (".h5", ".hdf5"),
}
DETECTED = ("lasernet-csv", "images", "h5-stacks", "npy")
STORES = {  # formats whose source is a directory: files that it, or a folder in it, is known by
    "lasernet-pt": ("temperature.pt",),
    "flow-pt": ("domain.pt", "x/domain.pt", "y/domain.pt"),
}
FORMATS = ("auto", "lasernet-csv", *STORES, "images", "h5-stacks", "npy", "boundaries", "micrographs")


@contextmanager
def opened_source(source: str, format: str, out: Path) -> Iterator[tuple[str, list[Path]]]:
    """The format of a source and its files in order; an archive is unpacked beside ``out`` for as long.

    Raises:
        DataError: if nothing of the format is there.
    """
    path = Path(source).expanduser()
    if path.is_file() and is_archive(path.name):
        with unpacked(path, out) as place:
            yield _find_in_directory(_single_folder(place), format, path.name)
    else:
        yield find_files(source, format)


def find_files(source: str, format: str = "auto") -> tuple[str, list[Path]]:
    """The format of a source and its files: frames by number, images in natural order, the directory of .pt files.

    Raises:
        DataError: if nothing of a known format is there.
    """
    path = Path(source).expanduser()
    if not os.path.lexists(path) and glob.has_magic(source):
        found = sorted(Path(match) for match in glob.glob(str(path), recursive=True))
        found = [match for match in found if not match.is_dir()]
        if not found:
            raise DataError(f"no file fits '{source}'; expected names such as {PREFERRED}3.csv; check the pattern")
        return _ordered(_format_of(found, format, f"'{source}'"), found)
    if not path.exists():
        raise DataError(f"there is no '{source}'; expected a directory, a file or a pattern; check the path")
    if path.is_dir():
        return _find_in_directory(path, format, f"'{path}'")
    if path.name.lower().endswith(".pt") or format in STORES:
        return format if format in STORES else _store(path.parent) or "lasernet-pt", [path.parent]
    kind = format if format != "auto" else _kind(path) or "lasernet-csv"
    return kind, [path]


def _find_in_directory(path: Path, format: str, where: str) -> tuple[str, list[Path]]:
    """Files of one format at the top of a directory."""
    store = format if format in STORES else _store(path) if format == "auto" else None
    if store is not None:
        return store, [path]
    try:
        files = sorted(item for item in path.iterdir() if not item.name.startswith("."))
    except OSError as error:
        raise DataError(f"cannot list {where} ({error.strerror}); check its permissions") from None
    named = [item for item in files if item.name.startswith(PREFERRED) and _kind(item) == "lasernet-csv"]
    if named and format in ("auto", "lasernet-csv"):
        tables = [item for item in files if _kind(item) == "lasernet-csv"]
        if len(named) < len(tables):
            log.info("%d other tables in %s are left out", len(tables) - len(named), where)
        return "lasernet-csv", in_order(named)
    kind = _format_of([item for item in files if _kind(item)], format, where)
    chosen = [item for item in files if item.name.lower().endswith(ENDINGS[kind])]
    if not chosen:
        folders = [item.name for item in files if item.is_dir()]
        inside = f"; folders in it, such as '{folders[0]}', are not searched" if folders else ""
        raise DataError(
            f"no files {' or '.join(ENDINGS[kind])} in {where}{inside}; expected them at its top; name the folder that "
            f"holds them, or a pattern such as '**/*{ENDINGS[kind][0]}'"
        )
    if len(chosen) < len(files):
        log.info("%d other files and folders in %s are left out", len(files) - len(chosen), where)
    return _ordered(kind, chosen)


def _format_of(files: Sequence[Path], format: str, where: str) -> str:
    """The format asked for, or the one format of all files.

    Raises:
        DataError: if there is none, or more than one.
    """
    if format != "auto":
        return format
    kinds = [kind for kind in DETECTED if any(_kind(path) == kind for path in files)]
    if len(kinds) > 1:
        raise DataError(f"{where} holds files of the formats {', '.join(kinds)}; expected one; choose it with --format")
    if not kinds and files:  # a pattern: tables of any name
        return "lasernet-csv"
    if not kinds:
        raise DataError(
            f"no point cloud, image or flow in {where}; expected files such as {PREFERRED}3.csv or .csv.gz, "
            "temperature.pt with microstructure.pt, domain.pt with U.pt, or .h5, .png, .tif or .npy images; check the "
            "path"
        )
    return kinds[0]


def _kind(path: Path) -> str | None:
    """Format by the ending of a name; None for others."""
    return next((kind for kind in DETECTED if path.name.lower().endswith(ENDINGS[kind])), None)


def _store(path: Path) -> str | None:
    """The format of the store that a directory is; None if it is none."""
    return next((kind for kind, names in STORES.items() if any((path / name).exists() for name in names)), None)


def _ordered(kind: str, files: Sequence[Path]) -> tuple[str, list[Path]]:
    return kind, in_order(files) if kind == "lasernet-csv" else sorted(files, key=natural)


def natural(path: Path) -> tuple[object, ...]:
    """A key that sorts numbers in names by value: 2.png before 10.png."""
    parts = re.split(r"(\d+)", str(path))
    return (*((int(part), "") if part.isdecimal() else (-1, part) for part in parts), str(path))


def _single_folder(place: Path) -> Path:
    """The folder that holds everything that an archive brought."""
    while True:
        items = [item for item in place.iterdir() if not item.name.startswith(".") and item.name != "__MACOSX"]
        if len(items) != 1 or not items[0].is_dir():
            return place
        place = items[0]

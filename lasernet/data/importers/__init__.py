"""Foreign formats turned into the one layout."""

from __future__ import annotations

import glob
import logging
import math
import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from lasernet.data.materials import (
    DEFAULT_SCAN_SPEED,
    DEFAULT_TIME_STEP,
    Material,
    choose_material,
    warn_assumed,
)
from lasernet.data.structure import IPF_KEYS
from lasernet.errors import DataError, OptionError
from lasernet.registry import suggestion

log = logging.getLogger(__name__)

FORMATS = ("auto", "lasernet-csv", "lasernet-pt")
ARCHIVES = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.xz", ".tar.bz2", ".7z")
PREFERRED = "Alldata_withpoints_"


@dataclass(frozen=True)
class Settings:
    """What the user said about a source, with the gaps filled."""

    name: str
    material: Material
    time_step: float  # s
    scan_speed: float  # m/s along +x
    ipf_key: str
    downsample: int
    assumed: tuple[str, ...]
    overwrite: bool
    compact: bool
    progress: Callable[[int, int], None] | None
    notes: dict[str, object]


def import_source(
    source: str,
    out: Path,
    *,
    format: str = "auto",
    material: str | None = None,
    t_solidus: float | None = None,
    t_liquidus: float | None = None,
    time_step: float | None = None,
    scan_speed: float | None = None,
    downsample: int = 1,
    name: str | None = None,
    ipf_key: str = "unknown",
    overwrite: bool = False,
    compact: bool = False,
    progress: Callable[[int, int], None] | None = None,
    notes: dict[str, object] | None = None,
) -> Path:
    """Convert a directory, a glob pattern or one file of a known format into a file of the one layout.

    Args:
        time_step: s between frames whose file numbers differ by 1.
        scan_speed: m/s, along +x.
        downsample: keep exactly every n-th plane of the grid along each axis.
        name: of the case; left out, "track", so that the result does not depend on where the source lies.
        ipf_key: which formula made the colors.
        overwrite: replace ``out`` if it is there.
        compact: the smallest file instead of the fastest slices; held in memory until the end.
        progress: called with (frames done, frames in all).
        notes: added to the provenance.

    Returns:
        ``out``.

    Raises:
        OptionError: if an option is impossible.
        DataError: if the source is missing, damaged or of no known format; nothing is left behind.
    """
    if format not in FORMATS:
        raise OptionError(f"no format '{format}'; {suggestion(format, list(FORMATS))}")
    if ipf_key not in IPF_KEYS:
        raise OptionError(f"no ipf key '{ipf_key}'; {suggestion(ipf_key, list(IPF_KEYS))}")
    if downsample < 1:
        raise OptionError(f"downsample is {downsample}; expected 1 or more; 2 keeps every second plane")
    _require_positive("time step", time_step)
    _require_positive("scan speed", scan_speed, zero=True)
    kind, files = find_frames(source, format)
    chosen, assumed_material = choose_material(material, t_solidus, t_liquidus)
    assumed = ["material"] if assumed_material else []
    if time_step is None:
        time_step = DEFAULT_TIME_STEP
        assumed.append("time step")
        warn_assumed("time step", f"{time_step * 1e6:g} µs", "--time-step")
    if scan_speed is None:
        scan_speed = DEFAULT_SCAN_SPEED
        assumed.append("scan speed")
        warn_assumed("scan speed", f"{scan_speed:g} m/s along +x", "--scan-speed")
    settings = Settings(
        name=name or "track",
        material=chosen,
        time_step=float(time_step),
        scan_speed=float(scan_speed),
        ipf_key=ipf_key,
        downsample=int(downsample),
        assumed=tuple(assumed),
        overwrite=overwrite,
        compact=compact,
        progress=progress,
        notes=dict(notes or {}),
    )
    out = Path(out)
    if kind == "lasernet-csv":
        from lasernet.data.importers.pointcloud import import_point_clouds

        import_point_clouds(files, out, settings)
    else:
        from lasernet.data.importers.ptstore import import_pt_store

        import_pt_store(files[0], out, settings)
    return out


def find_frames(source: str, format: str = "auto") -> tuple[str, list[Path]]:
    """The format of a source and its files: frames in order of their number, or the directory of a .pt store.

    Raises:
        DataError: if nothing of a known format is there.
    """
    path = Path(source).expanduser()
    if not os.path.lexists(path) and glob.has_magic(source):
        found = [Path(match) for match in glob.glob(str(path))]
        if not found:
            raise DataError(f"no file fits '{source}'; expected names such as {PREFERRED}3.csv; check the pattern")
        return "lasernet-csv", in_order(found)
    if not path.exists():
        raise DataError(f"there is no '{source}'; expected a directory, a file or a pattern; check the path")
    if path.is_dir():
        return _find_in_directory(path, format)
    lowered = path.name.lower()
    if lowered.endswith(ARCHIVES):
        raise DataError(f"{path.name} is an archive, which is not read yet; unpack it and import the directory")
    if lowered.endswith((".h5", ".hdf5")):
        raise DataError(f"{path.name} is HDF5; expected CSV point clouds or a .pt store; lasernet's own need no import")
    if lowered.endswith(".pt") or format == "lasernet-pt":
        return "lasernet-pt", [path.parent]
    return "lasernet-csv", [path]


def _find_in_directory(path: Path, format: str) -> tuple[str, list[Path]]:
    if format == "lasernet-pt" or (format == "auto" and (path / "temperature.pt").exists()):
        return "lasernet-pt", [path]
    try:
        names = sorted(item.name for item in path.iterdir())
    except OSError as error:
        raise DataError(f"cannot list '{path}' ({error.strerror}); check its permissions") from None
    tables = [name for name in names if name.lower().endswith((".csv", ".csv.gz")) and not name.startswith(".")]
    chosen = [name for name in tables if name.startswith(PREFERRED)] or tables
    if not chosen:
        raise DataError(
            f"no point cloud in '{path}'; expected files such as {PREFERRED}3.csv or .csv.gz, or temperature.pt and "
            "microstructure.pt; check the path"
        )
    if len(chosen) < len(tables):
        log.info("%d other tables in %s are left out", len(tables) - len(chosen), path.name)
    return "lasernet-csv", in_order([path / name for name in chosen])


def frame_number(path: Path) -> int:
    """The last integer in a file's name, before its endings; −1 without one."""
    stem = re.sub(r"(\.csv|\.txt)?(\.gz)?$", "", path.name, flags=re.IGNORECASE)
    numbers = re.findall(r"\d+", stem)
    return int(numbers[-1][-15:]) if numbers else -1


def in_order(paths: Iterable[Path]) -> list[Path]:
    """Frames by number; numbers must be there, differ, and be equally spaced.

    Raises:
        DataError: if a number is missing or doubled.
    """
    files = sorted(paths, key=lambda path: (frame_number(path), path.name))
    if len(files) == 1:
        return files
    numbers = [frame_number(path) for path in files]
    if numbers[0] < 0:
        raise DataError(f"{files[0].name} has no frame number; expected one, as in {PREFERRED}3.csv; rename it")
    steps = [second - first for first, second in pairwise(numbers)]
    if 0 in steps:
        first = steps.index(0)
        raise DataError(
            f"{files[first].name} and {files[first + 1].name} are both frame {numbers[first]}; "
            "expected each frame once; remove one"
        )
    for position, step in enumerate(steps):
        if step != min(steps):
            raise DataError(
                f"frame {numbers[position] + min(steps)} is missing between {files[position].name} and "
                f"{files[position + 1].name}; expected equally spaced numbers; add it or import a part"
            )
    if steps[0] != 1:
        log.info("frame numbers advance by %d; times follow the numbers", steps[0])
    return files


def times(numbers: Iterable[int], time_step: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Time of each frame in s: its number times the time step; a lone frame without a number is at 0."""
    return np.array([max(number, 0) for number in numbers], dtype=np.float64) * time_step


def _require_positive(what: str, value: float | None, *, zero: bool = False) -> None:
    if value is not None and not (math.isfinite(value) and (value > 0 or (zero and value == 0))):
        raise OptionError(f"the {what} is {value:g}; expected a number above 0 in SI units; correct it")

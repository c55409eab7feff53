"""Laser tracks from point clouds or stores: what the user said about them, with the gaps filled."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lasernet.data.materials import DEFAULT_SCAN_SPEED, DEFAULT_TIME_STEP, Material, choose_material, warn_assumed
from lasernet.data.structure import IPF_KEYS
from lasernet.errors import OptionError
from lasernet.registry import suggestion


@dataclass(frozen=True)
class TrackOptions:
    """What the user says about a source of laser tracks.

    Attributes:
        material: gives solidus and liquidus.
        t_solidus, t_liquidus: K.
        time_step: s between frames whose file numbers differ by 1.
        scan_speed: m/s, along +x.
        downsample: keep exactly every n-th plane of the grid along each axis.
        ipf_key: which formula made the colors.
        compact: the smallest file instead of the fastest slices; held in memory until the end.
    """

    material: str | None = None
    t_solidus: float | None = None
    t_liquidus: float | None = None
    time_step: float | None = None
    scan_speed: float | None = None
    downsample: int = 1
    ipf_key: str = "unknown"
    compact: bool = False

    def __post_init__(self) -> None:
        if self.ipf_key not in IPF_KEYS:
            raise OptionError(f"no ipf key '{self.ipf_key}'; {suggestion(self.ipf_key, list(IPF_KEYS))}")
        if self.downsample < 1:
            raise OptionError(f"downsample is {self.downsample}; expected 1 or more; 2 keeps every second plane")
        _require_positive("time step", self.time_step)
        _require_positive("scan speed", self.scan_speed, zero=True)


@dataclass(frozen=True)
class Settings:
    """The same with the gaps filled, for the importers of the formats."""

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


def import_track(
    format: str,
    files: Sequence[Path],
    out: Path,
    options: TrackOptions,
    *,
    name: str = "track",
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
    notes: dict[str, object] | None = None,
) -> None:
    """Convert the frames of one laser track, or the directory of a store, into one file with one case.

    Args:
        format: lasernet-csv or lasernet-pt.

    Raises:
        OptionError: if a material is not known or contradicts itself.
        DataError: names the file and what is wrong with it.
    """
    material, assumed_material = choose_material(options.material, options.t_solidus, options.t_liquidus)
    assumed = ["material"] if assumed_material else []
    time_step, scan_speed = options.time_step, options.scan_speed
    if time_step is None:
        time_step = DEFAULT_TIME_STEP
        assumed.append("time step")
        warn_assumed("time step", f"{time_step * 1e6:g} µs", "--time-step")
    if scan_speed is None:
        scan_speed = DEFAULT_SCAN_SPEED
        assumed.append("scan speed")
        warn_assumed("scan speed", f"{scan_speed:g} m/s along +x", "--scan-speed")
    settings = Settings(
        name=name,
        material=material,
        time_step=float(time_step),
        scan_speed=float(scan_speed),
        ipf_key=options.ipf_key,
        downsample=int(options.downsample),
        assumed=tuple(assumed),
        overwrite=overwrite,
        compact=options.compact,
        progress=progress,
        notes=dict(notes or {}),
    )
    if format == "lasernet-csv":
        from lasernet.data.importers.pointcloud import import_point_clouds

        import_point_clouds(files, out, settings)
    else:
        from lasernet.data.importers.ptstore import import_pt_store

        import_pt_store(files[0], out, settings)


def _require_positive(what: str, value: float | None, *, zero: bool = False) -> None:
    if value is not None and not (math.isfinite(value) and (value > 0 or (zero and value == 0))):
        raise OptionError(f"the {what} is {value:g}; expected a number above 0 in SI units; correct it")

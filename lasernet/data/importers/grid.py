"""From points or arrays to the frames of a regular grid: the part that all importers share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lasernet.data.case_writer import CaseWriter
from lasernet.data.importers.frames import times
from lasernet.data.importers.tracks import Settings
from lasernet.data.structure import REGULAR, irregularity
from lasernet.data.track_writer import FileWriter
from lasernet.errors import DataError

SAME = 1e-6  # of a typical coordinate: values that differ by less are one plane, printed or rounded twice
PRINTED = 1e-3  # of a step: how far the planes of a later frame may lie from those of the first
HOTTEST = 1e5  # K


def planes(values: NDArray[np.float64], axis: str, where: str) -> NDArray[np.float64]:
    """The planes of a grid along one axis, from all different coordinates of its points.

    Raises:
        DataError: if they are not equally spaced.
    """
    values = np.sort(values)
    apart = np.concatenate([[True], np.diff(values) > SAME * np.median(np.abs(values))])
    found: NDArray[np.float64] = values[apart]
    if len(found) < 2:
        return found
    if irregularity(found) > REGULAR:
        steps = np.diff(found)
        usual = float(np.median(steps))
        odd = int(np.abs(steps - usual).argmax())
        raise DataError(
            f"{where}: {axis} is no regular grid of {len(found)} planes: from {found[odd]:.7g} to {found[odd + 1]:.7g} "
            f"the step is {steps[odd]:.4g}, elsewhere {usual:.4g}; expected equal steps; export the points of one "
            "regular grid"
        )
    return found


def place(values: NDArray[np.float64], grid: NDArray[np.float64], axis: str, where: str) -> NDArray[np.int64]:
    """Index of the plane on which each coordinate lies.

    Raises:
        DataError: if one lies on none.
    """
    index = np.zeros(len(values), dtype=np.int64) if len(grid) == 1 else _nearest(values, grid)
    step = grid[1] - grid[0] if len(grid) > 1 else np.abs(grid[0])
    off = np.abs(values - grid[index]) > np.maximum(PRINTED * step, SAME * np.abs(grid[index]))
    if off.any():
        raise DataError(
            f"{where}: {axis} {values[off][0]:.7g} is not on the grid of the first frame ({grid[0]:.7g} to "
            f"{grid[-1]:.7g}, {len(grid)} planes); expected one grid for all frames; import different grids apart"
        )
    return index


def _nearest(values: NDArray[np.float64], grid: NDArray[np.float64]) -> NDArray[np.int64]:
    step = (grid[-1] - grid[0]) / (len(grid) - 1)
    index: NDArray[np.int64] = np.clip(np.rint((values - grid[0]) / step), 0, len(grid) - 1).astype(np.int64)
    return index


def colors(values: NDArray[Any], column: str, where: str) -> NDArray[np.uint8]:
    """IPF values in [0, 1] as bytes.

    Raises:
        DataError: if a value lies outside.
    """
    low, high = float(values.min(initial=0)), float(values.max(initial=0))
    if not (low >= -1e-6 and high <= 1 + 1e-6):  # also refuses NaN
        raise DataError(
            f"{where}: {column} runs from {low:.6g} to {high:.6g}; expected IPF colors in [0, 1]; scale or repair them"
        )
    scaled: NDArray[np.uint8] = np.rint(values * values.dtype.type(255)).astype(np.uint8)
    return scaled


def require_temperatures(values: NDArray[Any], where: str) -> None:
    """Refuse temperatures that are no temperatures in K.

    Raises:
        DataError: if a value is not finite, not above 0, or too hot.
    """
    if len(values):
        low, high = float(values.min()), float(values.max())
        if not (low > 0 and high <= HOTTEST):  # also refuses NaN
            raise DataError(
                f"{where}: T runs from {low:.6g} to {high:.6g}; expected K, above 0 and up to {HOTTEST:g}; "
                "convert or repair the temperatures"
            )


def ids_agree(ids: NDArray[Any], ipf: NDArray[np.uint8], channels: int) -> bool:
    """Whether an orientation index is 0 exactly where all colors are 0, so that it can say what is molten."""
    return bool(((ids == 0) == ~ipf.any(axis=channels)).all())


def add_track(
    out: FileWriter,
    settings: Settings,
    axes: Sequence[NDArray[np.float64]],
    numbers: Sequence[int],
    *,
    importer: str,
    with_ids: bool,
    notes: dict[str, object],
) -> CaseWriter:
    """Declare the case of an imported track."""
    provenance: dict[str, object] = {
        "importer": importer,
        "frames": list(numbers),
        "downsample": settings.downsample,
        "material_source": settings.material.source,
        **notes,
        **settings.notes,
    }
    if settings.assumed:
        provenance["assumed"] = list(settings.assumed)
    if with_ids:
        provenance["grain_id"] = "orientation index ori_inds: grains of one orientation share it"
    x, y, z = (axis[:: settings.downsample] for axis in axes)
    return out.add_case(
        settings.name,
        x=x,
        y=y,
        z=z,
        t=times(numbers, settings.time_step),
        material=settings.material.name,
        solidus=settings.material.solidus,
        liquidus=settings.material.liquidus,
        front=settings.material.front,
        scan_velocity=(settings.scan_speed, 0.0, 0.0),
        ipf_key=settings.ipf_key,
        provenance=provenance,
        fields=("temperature", "ipf", "grain_id") if with_ids else ("temperature", "ipf"),
    )


def name_of(path: Path) -> str:
    """A file's name as messages print it."""
    return path.name if path.name.isprintable() else repr(path.name)

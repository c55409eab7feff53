"""Maps of grain boundaries cut from laser tracks, where a laser has melted the metal and grains have grown anew."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, find_objects, gaussian_filter

from lasernet.data.image_writer import ImageSetWriter
from lasernet.data.layout import Case, open_file
from lasernet.errors import DataError, OptionError

log = logging.getLogger(__name__)

NORMAL = {"xy": 2, "xz": 1, "yz": 0}  # the axis that a plane does not show
SQUARE = 0.01  # how far the sides of a cell may differ


@dataclass(frozen=True)
class BoundaryOptions:
    """How boundary maps are cut and drawn.

    Attributes:
        plane: of the slices.
        patch: cells, side of the squares cut out.
        stride: cells between patches of one slice; left out, they touch.
        magnify: pixels per cell.
        boundary_width: px of the magnified image, w of gray = 1 − exp(−(e/w)²).
        smooth: cells, standard deviation of the neighborhood whose most weighty grain a pixel takes, which rounds the
            steps of the grid and swallows specks; 0 keeps every cell.
        solidified: share of a patch's cells that must have been molten and solid again.
    """

    plane: Literal["xy", "xz", "yz"]
    patch: int = 32
    stride: int | None = None
    magnify: int = 2
    boundary_width: float = 1.5
    smooth: float = 0.0
    solidified: float = 0.9

    def __post_init__(self) -> None:
        if self.plane not in NORMAL:
            raise OptionError(f"no plane '{self.plane}'; expected {', '.join(NORMAL)}")
        for name in ("patch", "stride", "magnify"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise OptionError(f"{name} is {value}; expected 1 or more")
        if not (math.isfinite(self.boundary_width) and self.boundary_width > 0):
            raise OptionError(f"the boundary width is {self.boundary_width:g} px; expected more than 0")
        if not 0 <= self.smooth <= 10:
            raise OptionError(f"smooth is {self.smooth:g} cells; expected 0 (as they are) to 10")
        if not 0 < self.solidified <= 1:
            raise OptionError(f"solidified is {self.solidified:g}; expected a share above 0 and up to 1")


@dataclass(frozen=True)
class _Grains:
    """The last frame of a track.

    Attributes:
        labels: 0 where there is no solid, else from 1 on, (X, Y, Z).
        regrown: solid now and molten before, (X, Y, Z).
        cell: m.
    """

    name: str
    group: str
    labels: NDArray[np.int32]
    regrown: NDArray[np.bool_]
    cell: float


def import_boundaries(
    files: Sequence[Path],
    out: Path,
    options: BoundaryOptions,
    *,
    name: str = "images",
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
    notes: dict[str, object] | None = None,
) -> None:
    """Cut boundary maps with their grains out of the last frames of laser tracks.

    A patch is solid throughout. With tracks of several substrates, all patches of one substrate share a group. A single
    one is parted into slabs of slices, with slices left out between them, because neighbors show the same grains.

    Raises:
        DataError: if a file holds no laser track, or no patch fits.
    """
    tracks = [track for path in files for track in _read(path, options.plane)]
    parts = (
        _by_group(tracks, options.plane)
        if len({track.group for track in tracks}) > 1
        else _by_slab(tracks, options.plane)
    )
    cells = {round(track.cell, 12) for track in tracks}
    provenance = {
        "importer": "boundaries",
        "tracks": [track.name for track in tracks],
        "cell_sizes": [track.cell for track in tracks],
        **{key: value for key, value in asdict(options).items() if value is not None},
        **(notes or {}),
    }
    pixel_size = cells.pop() / options.magnify if len(cells) == 1 else 0.0
    writer = ImageSetWriter(
        out, overwrite=overwrite, name=name, periodic=False, pixel_size=pixel_size, provenance=provenance, labelled=True
    )
    with writer:
        for done, (track, positions, group) in enumerate(parts):
            for position in positions:
                images, labels = _cut(track, position, options)
                if len(images):
                    writer.write(images, labels=labels, groups=np.full(len(images), group, dtype=np.int32))
            log.info("%s: %d patches so far", track.name, writer.count)
            if progress:
                progress(done + 1, len(parts))
        if not writer.count:
            raise DataError(
                f"no patch of {options.patch} x {options.patch} cells is solid and {options.solidified:.0%} regrown "
                f"in any {options.plane} slice; expected one at least; choose a smaller --patch or --solidified"
            )


def _read(path: Path, plane: str) -> list[_Grains]:
    with open_file(path) as file:
        return [_last_frame(case, plane, path.name) for case in file.cases.values()]


def _last_frame(case: Case, plane: str, where: str) -> _Grains:
    where = f"{where}, case '{case.name}'"
    if not {"grain_id", "ipf"} & set(case.fields):
        raise DataError(f"{where} has neither grain_id nor ipf; expected grains; import a source that holds them")
    axes = [axis for place, axis in enumerate((case.x, case.y, case.z)) if place != NORMAL[plane]]
    if min(len(axis) for axis in axes) < 2:
        raise DataError(f"{where} has a single row of cells in {plane}; expected a plane; choose another --plane")
    sides = [float(axis[-1] - axis[0]) / (len(axis) - 1) for axis in axes]
    if abs(sides[0] - sides[1]) > SQUARE * max(sides):
        raise DataError(
            f"{where} has cells of {sides[0]:g} x {sides[1]:g} m in {plane}; expected squares; choose another --plane"
        )
    last = case.shape[0] - 1
    melted = np.zeros(case.shape[1:], dtype=np.bool_)
    for frame in range(last):
        melted |= case.molten(frame)
    solid = case.valid(last) & ~case.molten(last)
    if "grain_id" in case.fields:
        codes = np.asarray(case.frame("grain_id", last), dtype=np.int64)
    else:
        log.info("%s has no grain_id: cells of one color are one grain", where)
        codes = np.zeros(case.shape[1:], dtype=np.int64)
        for channel in case.frame("ipf", last)[:7]:  # 7 bytes fit 63 bits
            codes = codes * 256 + channel
    labels = np.zeros(case.shape[1:], dtype=np.int32)
    labels[solid] = np.unique(codes[solid], return_inverse=True)[1] + 1
    return _Grains(where, case.group, labels, melted & solid, sum(sides) / 2)


def _by_group(tracks: Sequence[_Grains], plane: str) -> list[tuple[_Grains, Sequence[int], int]]:
    """Tracks, the slices of each and its group: one for each substrate."""
    numbers = {name: number for number, name in enumerate(dict.fromkeys(track.group for track in tracks))}
    return [(track, range(track.labels.shape[NORMAL[plane]]), numbers[track.group]) for track in tracks]


def _by_slab(tracks: Sequence[_Grains], plane: str) -> list[tuple[_Grains, Sequence[int], int]]:
    """Tracks of one substrate in slabs of slices; slabs and the gaps between them are a grain wide."""
    axis = NORMAL[plane]
    width = max(1, math.ceil(max(_grain_width(track, axis) for track in tracks)))
    shown = [np.flatnonzero(track.regrown.any(axis=tuple({0, 1, 2} - {axis}))) for track in tracks]
    first = min((int(found[0]) for found in shown if len(found)), default=0)
    last = max((int(found[-1]) for found in shown if len(found)), default=-1)
    parts: list[tuple[_Grains, Sequence[int], int]] = []
    starts = range(first, last + 1, 2 * width)
    for group, start in enumerate(starts):
        parts += [(track, range(start, min(start + width, last + 1)), group) for track in tracks]
    log.info(
        "one substrate: %d slabs of %d %s slices, a grain wide, with as many left out in between",
        len(starts),
        width,
        plane,
    )
    if len(starts) < 3:
        log.warning(
            "%d groups of patches are too few for three splits; add tracks, or choose another plane", len(starts)
        )
    return parts


def _grain_width(track: _Grains, axis: int) -> float:
    """Mean extent of the regrown grains along an axis in cells, each cell counting once."""
    labels = np.where(track.regrown, track.labels, 0)
    cells = np.bincount(labels.ravel())
    boxes = find_objects(labels)
    widths = [
        (box[axis].stop - box[axis].start, cells[place + 1]) for place, box in enumerate(boxes) if box is not None
    ]
    total = sum(count for _, count in widths)
    return float(sum(width * count for width, count in widths) / total) if total else 1.0


def _cut(track: _Grains, position: int, options: BoundaryOptions) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """Patches of one slice and their grains, numbered from 1 in each, (n, H, W)."""
    axis, size = NORMAL[options.plane], options.patch * options.magnify
    labels = np.moveaxis(track.labels, axis, 0)[position].T
    regrown = np.moveaxis(track.regrown, axis, 0)[position].T
    corners = list(_corners(np.not_equal(labels, 0), regrown, options))
    images = np.empty((len(corners), size, size), dtype=np.uint8)
    cut = np.empty((len(corners), size, size), dtype=np.int32)
    if corners:
        large = labels.repeat(options.magnify, axis=0).repeat(options.magnify, axis=1)
        if options.smooth:
            large = smooth_labels(large, options.smooth * options.magnify)
        gray = np.rint(255 * boundary_gray(large, options.boundary_width)).astype(np.uint8)
        for place, (row, column) in enumerate(corners):
            top, left = row * options.magnify, column * options.magnify
            window = (slice(top, top + size), slice(left, left + size))
            images[place] = gray[window]
            cut[place] = np.unique(large[window], return_inverse=True)[1].reshape(size, size) + 1
    return images, cut


def _corners(
    solid: NDArray[np.bool_], regrown: NDArray[np.bool_], options: BoundaryOptions
) -> Iterator[tuple[int, int]]:
    """Upper left cells of the patches of a slice, row by row, at least a stride apart."""
    size, stride = options.patch, options.stride or options.patch
    if min(solid.shape) < size:
        return
    enough = math.ceil(options.solidified * size * size - 1e-9)
    fits = (_sums(solid, size) == size * size) & (_sums(regrown, size) >= enough)
    next_row = 0
    for row in np.flatnonzero(fits.any(axis=1)).tolist():
        if row >= next_row:
            next_row, next_column = row + stride, 0
            for column in np.flatnonzero(fits[row]).tolist():
                if column >= next_column:
                    next_column = column + stride
                    yield row, column


def _sums(mask: NDArray[np.bool_], size: int) -> NDArray[np.int64]:
    """True cells in each square of ``size`` × ``size``."""
    total = np.pad(mask.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    sums: NDArray[np.int64] = total[size:, size:] - total[:-size, size:] - total[size:, :-size] + total[:-size, :-size]
    return sums


def smooth_labels(labels: NDArray[np.int32], sigma: float) -> NDArray[np.int32]:
    """Each pixel takes the grain of the largest Gaussian weight around it; pixels without a grain stay.

    Args:
        labels: 0 where there is no grain, (H, W).
        sigma: px.
    """
    best = np.zeros(labels.shape)
    result = labels.copy()
    reach = math.ceil(4 * sigma)
    for place, box in enumerate(find_objects(labels)):
        if box is not None:
            near = tuple(slice(max(0, side.start - reach), side.stop + reach) for side in box)
            weight = gaussian_filter((labels[near] == place + 1).astype(np.float64), sigma, mode="nearest", truncate=4)
            wins = (weight > best[near]) & (labels[near] > 0)
            best[near][wins] = weight[wins]
            result[near][wins] = place + 1
    return result


def boundary_gray(labels: NDArray[np.int32], width: float) -> NDArray[np.float64]:
    """1 − exp(−(e/width)²) with e the exact distance from a pixel's center to the nearest edge between two grains.

    Args:
        labels: 0 where there is no grain, (H, W); its edges are no grain boundaries.
        width: px.
    """
    height, breadth = labels.shape
    edge = np.ones((2 * height + 1, 2 * breadth + 1), dtype=np.bool_)  # half pixels: centers at odd places
    right = (labels[:, 1:] != labels[:, :-1]) & (labels[:, 1:] > 0) & (labels[:, :-1] > 0)
    below = (labels[1:] != labels[:-1]) & (labels[1:] > 0) & (labels[:-1] > 0)
    for part in (0, 1, 2):  # both ends and the middle of an edge, one of which is nearest to any center
        edge[part : part + 2 * height - 1 : 2, 2:-1:2] &= ~right
        edge[2:-1:2, part : part + 2 * breadth - 1 : 2] &= ~below
    if edge.all():
        return np.ones(labels.shape)
    distance = distance_transform_edt(edge)[1::2, 1::2] / 2
    gray: NDArray[np.float64] = 1 - np.exp(-((distance / width) ** 2))
    return gray

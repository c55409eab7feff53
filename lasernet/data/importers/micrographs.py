"""Micrographs of fibers as binary masks of the fluid, one case a section: geometries whose flow is to be found."""

from __future__ import annotations

import hashlib
import logging
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lasernet.data.container import MAX_CASES
from lasernet.data.flow_file import create_flow_file
from lasernet.data.flow_structure import MAX_SIDE
from lasernet.data.importers.pictures import picture_arrays
from lasernet.data.importers.stacks import Array
from lasernet.errors import DataError, OptionError

log = logging.getLogger(__name__)

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class MicrographOptions:
    """What the user says about micrographs.

    Attributes:
        pixel_size: m, of the source, and of the depth of a section.
        threshold: gray value above which a pixel is bright; left out, the source has two values only.
        fibers: which of bright and dark they are.
        height: px, that sections are brought to, by nearest neighbors, so that they stay binary.
        patch: px, side of the squares that sections are cut into after that; left out, they stay whole.
        group_by: what never lies in two splits: all that comes from one file, or all together, which is right where the
            files are sections of one specimen.
        viscosity: Pa s; ``gradient``: Pa/m, along x: of the flow that is to be found.
    """

    pixel_size: float = 0.521e-6
    threshold: float | None = None
    fibers: Literal["bright", "dark"] = "bright"
    height: int | None = None
    patch: int | None = None
    group_by: Literal["source", "file"] = "source"
    viscosity: float = 0.5
    gradient: float = 1e5

    def __post_init__(self) -> None:
        for name, most in (("pixel_size", 1.0), ("viscosity", 1e12), ("gradient", math.inf)):
            value = getattr(self, name)
            if not (0 < value <= most and value < math.inf):
                raise OptionError(f"{name} is {value:g}; expected a number above 0 in SI units; correct it")
        for name in ("height", "patch"):
            value = getattr(self, name)
            if value is not None and not 1 <= value <= MAX_SIDE:
                raise OptionError(f"{name} is {value}; expected 1 to {MAX_SIDE} pixels")
        if self.threshold is not None and not math.isfinite(self.threshold):
            raise OptionError(f"threshold is {self.threshold:g}; expected a gray value")
        for name, choices in (("fibers", ("bright", "dark")), ("group_by", ("source", "file"))):
            if getattr(self, name) not in choices:
                raise OptionError(f"{name} is '{getattr(self, name)}'; expected {choices[0]} or {choices[1]}")


def import_micrographs(
    files: Sequence[Path],
    out: Path,
    options: MicrographOptions,
    *,
    name: str = "micrograph",
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
    notes: dict[str, object] | None = None,
) -> None:
    """Convert the pages of micrographs, in the order given, into one file of flows that holds masks alone.

    Rows of a picture become y, columns x; the depth of a section is that of a pixel.

    Args:
        files: PNG or TIFF, of one page or many.
        name: begins the names of the cases.

    Raises:
        DataError: names the file and what is wrong with it.
    """
    pages = picture_arrays(files)
    bright = _bright_above(pages, options.threshold)
    count = sum(math.prod(size // (options.patch or size) for size in _size(page, options)) for page in pages)
    if not 0 < count <= MAX_CASES:
        raise DataError(
            f"the micrographs give {count} sections or patches; expected 1 to {MAX_CASES}; choose another --patch, or "
            "import some of them"
        )
    written, empty = 0, 0
    with create_flow_file(out, overwrite=overwrite) as writer:
        for done, (page, fluid, group) in enumerate(_sections(pages, bright, options)):
            mask = resampled(fluid, _size(page, options))
            x, y = (options.pixel_size * fluid.shape[axis] / mask.shape[axis] for axis in (1, 0))
            for row, column, part in _parts(mask, options.patch):
                if part.all() or not part.any():
                    empty += 1
                    continue
                place = {"row": row, "column": column} if options.patch else {}
                said = {"importer": "micrographs", "page": done, "fibers": options.fibers, "bright_above": bright}
                writer.add_case(
                    f"{name}-{written:05d}",
                    {"mask": part[None]},
                    spacing=(x, y, options.pixel_size),
                    viscosity=options.viscosity,
                    gradient=(options.gradient, 0.0, 0.0),
                    location="centers",
                    group=group,
                    provenance={**said, **place, **(notes or {})},
                )
                written += 1
            if progress:
                progress(done + 1, len(pages))
    if empty:
        log.info("%d patches that show one phase alone are left out", empty)


def _sections(pages: Sequence[Array], bright: float, options: MicrographOptions) -> Iterator[tuple[Array, Mask, str]]:
    """Every page with its mask, True in the fluid, and its group, which is named by the first mask in it.

    Raises:
        DataError: if a page shows one phase alone, or grays where no threshold was said.
    """
    groups: dict[Path | None, str] = {}
    low, high = _range(pages)
    for page in pages:
        values = page.read(())
        if options.threshold is None and not ((values == low) | (values == high)).all():
            raise DataError(
                f"{page.name} holds gray values between {low:g} and {high:g}; expected these two alone; say which are "
                "bright with --threshold"
            )
        fluid = (values > bright) == (options.fibers == "dark")
        if fluid.all() or not fluid.any():
            raise DataError(
                f"{page.name} shows {'no fibers' if fluid.all() else 'nothing but fibers'}; expected both phases; "
                "choose another --threshold or --fibers, or leave the file out"
            )
        key = page.file if options.group_by == "file" else None
        digest = hashlib.sha256(np.packbits(fluid).data).hexdigest()[:16]
        yield page, fluid, groups.setdefault(key, f"micrograph-{digest}")


def _bright_above(pages: Sequence[Array], threshold: float | None) -> float:
    """The gray value above which pixels are bright; without a threshold, between the darkest and the brightest.

    Raises:
        DataError: if the threshold lies outside of all values.
    """
    low, high = _range(pages)
    if threshold is not None:
        if not low <= threshold < high:
            raise DataError(
                f"the gray values run from {low:g} to {high:g}, and the threshold is {threshold:g}; expected one "
                "between; choose another --threshold"
            )
        return threshold
    return (low + high) / 2


def _range(pages: Sequence[Array]) -> tuple[float, float]:
    """The darkest and the brightest gray value of all pages."""
    return min(page.low for page in pages), max(page.high for page in pages)


def _size(page: Array, options: MicrographOptions) -> tuple[int, int]:
    """Rows and columns of a page after it has been brought to the height.

    Raises:
        DataError: if it is too large, or smaller than a patch.
    """
    rows, columns = page.shape
    height = options.height or rows
    size = (height, max(1, round(columns * height / rows)))
    if not (options.patch or 1) <= min(size) <= max(size) <= MAX_SIDE:
        raise DataError(
            f"{page.name} comes to {size[0]} x {size[1]} px; expected {options.patch or 1} to {MAX_SIDE} a side; "
            "choose another --height or --patch"
        )
    return size


def resampled(mask: Mask, size: tuple[int, int]) -> Mask:
    """A mask (H, W) with other numbers of pixels: each takes the value of the old pixel that its center lies in."""
    rows, columns = (
        np.minimum((np.arange(new) + 0.5) * old / new, old - 1).astype(np.intp)
        for old, new in zip(mask.shape, size, strict=True)
    )
    return np.asarray(mask[np.ix_(rows, columns)])


def _parts(mask: Mask, patch: int | None) -> Iterator[tuple[int, int, Mask]]:
    """Squares that touch, row by row, with the place of their upper left pixel; or the whole mask."""
    if patch is None:
        yield 0, 0, mask
        return
    for row in range(0, mask.shape[0] - patch + 1, patch):
        for column in range(0, mask.shape[1] - patch + 1, patch):
            yield row, column, mask[row : row + patch, column : column + patch]

"""Image sets from pictures, arrays and HDF5 stacks: one gray scale for all, cut into patches where asked."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lasernet.data.image_writer import ImageSetWriter
from lasernet.data.importers.stacks import Array, Stack, as_stacks, gray_range
from lasernet.errors import DataError, OptionError

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ImageOptions:
    """What the user says about a source of images.

    Attributes:
        patch: px, side of the squares cut out after shrinking; left out, the images stay whole.
        stride: px between patches; left out, they touch.
        shrink: each square of this many pixels a side becomes one, its mean.
        invert: the source has bright boundaries.
        periodic: opposite edges of an image meet.
        pixel_size: m, of the source's pixels; 0 where it is not known.
        value_range: which values are black and white.
        group_by: what never lies in two splits: an image, or all images of a file.
        image_axis: of an array of three axes, which one numbers the images.
        key: data set of each HDF5 file.
    """

    patch: int | None = None
    stride: int | None = None
    shrink: int = 1
    invert: bool = False
    periodic: bool = False
    pixel_size: float = 0.0
    value_range: tuple[float, float] | None = None
    group_by: Literal["image", "file"] = "image"
    image_axis: Literal["first", "last"] | None = None
    key: str | None = None

    def __post_init__(self) -> None:
        for name in ("patch", "stride", "shrink"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise OptionError(f"{name} is {value}; expected 1 or more pixels")
        if self.stride is not None and self.patch is None:
            raise OptionError("a stride without patches; expected both; add --patch 64, or leave --stride out")
        if self.periodic and self.patch is not None:
            raise OptionError("patches of a periodic image are not periodic; leave out --periodic or --patch")
        if not 0 <= self.pixel_size <= 1:
            raise OptionError(f"the pixel size is {self.pixel_size:g} m; expected 0 (unknown) to 1; correct it")
        if self.value_range is not None:
            low, high = self.value_range
            if not (np.isfinite(low) and np.isfinite(high) and low < high):
                raise OptionError(f"the value range is {low:g} to {high:g}; expected black below white, as 0,4095")
        for name, choices in (("group_by", ("image", "file")), ("image_axis", ("first", "last", None))):
            if getattr(self, name) not in choices:
                raise OptionError(f"{name} is '{getattr(self, name)}'; expected {choices[0]} or {choices[1]}")


def import_images(
    format: str,
    files: Sequence[Path],
    out: Path,
    options: ImageOptions,
    *,
    name: str = "images",
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
    notes: dict[str, object] | None = None,
) -> None:
    """Convert images of one format, in the order given, into one image set.

    Every file is read through before the first byte is written.

    Args:
        format: images, h5-stacks or npy.

    Raises:
        DataError: names the file and what is wrong with it.
    """
    stacks = as_stacks(_arrays(format, files, options.key), image_axis=options.image_axis, numpy_order=format == "npy")
    black, white = gray_range([stack.array for stack in stacks], options.value_range)
    height, width = _require_sizes(stacks, options)
    provenance = {
        "importer": format,
        "files": len(files),
        "source_images": sum(stack.count for stack in stacks),
        "black": black,
        "white": white,
        **{key: value for key, value in asdict(options).items() if value not in (None, False) and key != "value_range"},
        **(notes or {}),
    }
    log.info("%d images of %d x %d px", sum(stack.count for stack in stacks), height, width)
    writer = ImageSetWriter(
        out,
        overwrite=overwrite,
        name=name,
        periodic=options.periodic,
        pixel_size=options.pixel_size * options.shrink,
        provenance=provenance,
    )
    groups = _Groups(options.group_by)
    with writer:
        for done, stack in enumerate(stacks):
            for block in stack.blocks():
                for image in block if options.patch else [block]:
                    gray = _bytes(image if image.ndim == 3 else image[None], black, white, options)
                    cut = gray if options.patch is None else _patches(gray[0], options.patch, options.stride)
                    writer.write(cut, groups=groups.of(stack, len(gray), len(cut)))
            if progress:
                progress(done + 1, len(stacks))


def _arrays(format: str, files: Sequence[Path], key: str | None) -> list[Array]:
    if format == "h5-stacks":
        from lasernet.data.importers.h5_stacks import h5_arrays

        return h5_arrays(files, key)
    from lasernet.data.importers.pictures import npy_arrays, picture_arrays

    return npy_arrays(files) if format == "npy" else picture_arrays(files)


class _Groups:
    """Numbers the groups as the images come."""

    def __init__(self, group_by: str) -> None:
        self._by_file = group_by == "file"
        self._next = 0
        self._files: dict[Path, int] = {}

    def of(self, stack: Stack, images: int, patches: int) -> NDArray[np.int32]:
        """Groups of the patches of some images; several images only where each is one patch."""
        if self._by_file:
            group = self._files.setdefault(stack.array.file, len(self._files))
            return np.full(patches, group, dtype=np.int32)
        numbers = np.arange(self._next, self._next + images, dtype=np.int32)
        self._next += images
        return np.repeat(numbers, patches // images)


def _require_sizes(stacks: Sequence[Stack], options: ImageOptions) -> tuple[int, int]:
    """Refuse images that are too small, or of different sizes where they stay whole; returns the size of the first."""
    patch, shrink = options.patch, options.shrink
    ragged = [stack for stack in stacks if stack.height % shrink or stack.width % shrink]
    if ragged:
        stack = ragged[0]
        if options.periodic:
            raise DataError(
                f"{stack.name} has {stack.height} x {stack.width} px, no multiple of {shrink}; expected one, as a cut "
                "image is not periodic; choose another --shrink, or leave out --periodic"
            )
        log.info("%d sources such as %s are no multiple of %d px: right and lower rests are left out", len(ragged),
                 stack.name, shrink)  # fmt: skip
    for stack in stacks:
        if min(stack.height, stack.width) // shrink < (patch or 1):
            raise DataError(
                f"{stack.name} has {stack.height} x {stack.width} px{f', shrunk by {shrink}' if shrink > 1 else ''}; "
                f"expected at least {patch or 1} x {patch or 1}; leave it out, or choose a smaller --patch or --shrink"
            )
        if patch is None and (stack.height, stack.width) != (stacks[0].height, stacks[0].width):
            raise DataError(
                f"{stack.name} has {stack.height} x {stack.width} px, {stacks[0].name} {stacks[0].height} x "
                f"{stacks[0].width}; expected one size for all; cut patches with --patch 64"
            )
    return stacks[0].height, stacks[0].width


def _bytes(values: NDArray[Any], black: float, white: float, options: ImageOptions) -> NDArray[np.uint8]:
    """Gray bytes of raw images (n, H, W), shrunk before they are rounded."""
    gray: NDArray[Any] = values.astype(np.float32 if values.dtype.itemsize <= 2 else np.float64)
    gray -= black
    gray *= 255 / (white - black)
    if options.shrink > 1:
        gray = shrink_images(gray, options.shrink)
    result: NDArray[np.uint8] = np.clip(np.rint(gray), 0, 255).astype(np.uint8)
    return 255 - result if options.invert else result


def shrink_images(images: NDArray[Any], factor: int) -> NDArray[Any]:
    """Means over squares of ``factor`` × ``factor`` pixels, (n, H, W) → (n, H // factor, W // factor)."""
    height, width = images.shape[1] // factor, images.shape[2] // factor
    whole = images[:, : height * factor, : width * factor]
    means: NDArray[Any] = whole.reshape(len(images), height, factor, width, factor).mean(axis=(2, 4))
    return means


def _patches(image: NDArray[np.uint8], size: int, stride: int | None) -> NDArray[np.uint8]:
    """All squares on a grid that starts at the upper left corner, row by row, (n, size, size)."""
    step = stride or size
    views = np.lib.stride_tricks.sliding_window_view(image, (size, size))[::step, ::step]
    return np.ascontiguousarray(views.reshape(-1, size, size))

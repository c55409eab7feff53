"""Many small gray images as one picture: every pixel an equal square, nothing smoothed, one gray scale for all."""

from __future__ import annotations

import math
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from lasernet.atomic import write_bytes
from lasernet.errors import DataError, OptionError
from lasernet.viz.style import INK, pixel_font

Gray = NDArray[np.uint8]
SIDE = 800  # pixels: about the longer side of a montage whose scale is left out
PAPER, EDGE = 255, 205  # of the page, and of the line around each image, where grains are as white as paper
GAP = 2
LINE = 22  # pixels: of a label


def montage(
    images: NDArray[np.generic], *, columns: int | None = None, gap: int = GAP, scale: int | None = None
) -> Gray:
    """Images in rows, from left to right and from top to bottom, row 0 of each on top.

    Args:
        images: (N, H, W), uint8 or a float in [0, 1].
        columns: left out: as many as make about a square.
        gap: white pixels between images, before they are enlarged.
        scale: pixels of the picture along one pixel of an image; left out: as makes about 800 in all.

    Returns:
        (rows (H + gap) − gap, columns (W + gap) − gap), all times scale; places without an image are white.

    Raises:
        DataError: if the images are none, have another shape, or values outside of their range.
        OptionError: if columns or scale is not positive, or gap is negative.
    """
    gray = as_gray(images)
    count, height, width = gray.shape
    across = min(_columns(count) if columns is None else columns, count)
    if across < 1 or gap < 0:
        raise OptionError(
            f"a montage of {columns} columns and gap {gap} cannot be drawn; choose at least 1 column and a gap from 0"
        )
    down = -(-count // across)
    sheet = np.full((down * (height + gap), across * (width + gap)), PAPER, dtype=np.uint8)
    for number, image in enumerate(gray):
        row, column = divmod(number, across)
        sheet[row * (height + gap) :, column * (width + gap) :][:height, :width] = image
    sheet = sheet[: sheet.shape[0] - gap, : sheet.shape[1] - gap]
    return enlarge(sheet, fitting_scale(sheet.shape) if scale is None else scale)


def as_gray(images: NDArray[np.generic]) -> Gray:
    """Images (N, H, W) as uint8, floats in [0, 1] rounded to 255 steps.

    Raises:
        DataError: if they are none, have another shape, or values outside of their range.
    """
    if images.ndim != 3 or images.size == 0:
        raise DataError(f"images of shape {images.shape} cannot be drawn; expected (N, H, W), without empty axes")
    if images.dtype == np.uint8:
        return images.astype(np.uint8, copy=False)
    if not np.issubdtype(images.dtype, np.floating):
        raise DataError(f"images of type {images.dtype} cannot be drawn; expected uint8, or floats from 0 to 1")
    values = images.astype(np.float64)
    low, high = float(values.min()), float(values.max())
    if not (low >= -1e-6 and high <= 1 + 1e-6):
        raise DataError(f"images have values from {low:.4g} to {high:.4g}; expected floats from 0 to 1: clip them")
    return np.rint(255 * np.clip(values, 0, 1)).astype(np.uint8)


def enlarge(image: Gray, scale: int) -> Gray:
    """Every pixel of an image, or of several, (…, H, W), repeated along both axes."""
    if scale < 1:
        raise OptionError(f"images cannot be enlarged {scale} times; choose a scale of at least 1")
    return image.repeat(scale, axis=-2).repeat(scale, axis=-1)


def fitting_scale(shape: tuple[int, ...], side: int = SIDE) -> int:
    """The whole number that brings the longer side of an image to about so many pixels, at least to four fifths."""
    return math.ceil(0.8 * side / max(shape))


def _columns(count: int) -> int:
    return math.ceil(math.sqrt(count))


def write_montage(
    images: NDArray[np.generic],
    path: Path | str,
    *,
    labels: Sequence[str] | None = None,
    title: str | None = None,
    columns: int | None = None,
    scale: int | None = None,
    gap: int = GAP,
) -> Path:
    """Write images, (N, H, W), as a gray PNG on a white margin; the same images give the same bytes.

    A thin gray line bounds each image, unless the gap is 0. Without labels and title all is made of blocks of
    ``scale`` × ``scale`` equal pixels.

    Args:
        labels: a few words under each image, cut off where they are wider than it.
        title: a line above all.
        columns, scale: as of `montage`.
        gap: white pixels between images and around all, before they are enlarged.

    Raises:
        DataError: if the images cannot be drawn, or there are not as many labels.
        OptionError: if the name of the file does not end in .png, or columns or scale is not positive.
    """
    _refuse_suffix(Path(path))
    gray = as_gray(images)
    if labels is not None and len(labels) != len(gray):
        raise DataError(f"{len(labels)} labels for {len(gray)} images; expected one label each")
    framed = _framed(gray) if gap else gray
    sheet = montage(framed, columns=columns, gap=gap, scale=1)
    zoom = fitting_scale(sheet.shape) if scale is None else scale
    if labels is None:
        picture = enlarge(sheet, zoom)
    else:
        tall = np.pad(enlarge(framed, zoom), ((0, 0), (0, LINE), (0, 0)), constant_values=PAPER)
        for cell, label in zip(tall, labels, strict=True):
            cell[-LINE:] = _strip(label, cell.shape[1])
        picture = montage(tall, columns=columns, gap=gap * zoom, scale=1)
    page = np.pad(picture, gap * zoom, constant_values=PAPER)
    return write_png(page if title is None else with_heading(page, title, left=gap * zoom), path)


def _framed(gray: Gray) -> Gray:
    return np.pad(gray, ((0, 0), (1, 1), (1, 1)), constant_values=EDGE)


def _strip(label: str, width: int) -> Gray:
    strip = Image.new("L", (width, LINE), PAPER)
    ImageDraw.Draw(strip).text((0, LINE // 2 + 1), label, fill=INK, font=pixel_font(14), anchor="lm")
    return np.asarray(strip)


def with_heading(page: Gray, text: str, *, left: int, size: int = 20) -> Gray:
    """A page, (H, W), with a line of text above it, (H + 3/2 size, W), in smaller type where it is too long."""
    while size > 8 and left + pixel_font(size).getlength(text) > page.shape[1]:
        size -= 1
    high = size * 3 // 2
    head = Image.new("L", (page.shape[1], high), PAPER)
    ImageDraw.Draw(head).text((left, high), text, fill=INK, font=pixel_font(size), anchor="ld")
    return np.concatenate([np.asarray(head), page])


def real_and_generated(
    real: NDArray[np.generic],
    generated: NDArray[np.generic],
    path: Path | str,
    *,
    columns: int | None = None,
    scale: int | None = None,
    headings: tuple[str, str] = ("real (held out)", "generated"),
) -> Path:
    """Write two equally large sets of images beside each other, both with black at 0 and white at 1.

    Args:
        real, generated: (N, H, W), uint8 or floats in [0, 1].
        columns, scale: of each side, as of `montage`.

    Raises:
        DataError: if the sets differ in shape, or cannot be drawn.
    """
    _refuse_suffix(Path(path))
    if real.shape != generated.shape:
        raise DataError(f"real images {real.shape} and generated ones {generated.shape}; expected one shape (N, H, W)")
    sides = [montage(_framed(as_gray(images)), columns=columns, scale=scale) for images in (real, generated)]
    room = 40
    parts = [with_heading(np.pad(side, ((8, 0), (0, 0)), constant_values=PAPER), text, left=0, size=24)
             for side, text in zip(sides, headings, strict=True)]  # fmt: skip
    middle = np.full((parts[0].shape[0], room), PAPER, dtype=np.uint8)
    page = np.pad(np.concatenate([parts[0], middle, parts[1]], axis=1), room // 2, constant_values=PAPER)
    return write_png(page, path)


def write_png(image: Gray, path: Path | str) -> Path:
    """Write an image, (H, W) or (H, W, 3) uint8, without date or software: equal images give equal bytes.

    Raises:
        OptionError: if the name of the file does not end in .png.
    """
    target = Path(path)
    _refuse_suffix(target)
    content = BytesIO()
    Image.fromarray(image).save(content, format="PNG", compress_level=6)
    target.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(target, content.getvalue())
    return target


def _refuse_suffix(path: Path) -> None:
    if path.suffix.lower() != ".png":
        raise OptionError(f"no grid of images can be written as '{path.name}'; end the name in .png")

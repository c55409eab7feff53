"""PNG and TIFF pictures and NumPy arrays, checked while they are read."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from lasernet.data.importers.stacks import Array
from lasernet.data.quarantine import require_regular_file
from lasernet.errors import DataError

log = logging.getLogger(__name__)

FORMATS = ("PNG", "TIFF")
MOST_PAGES = 100_000
REDUCED = 254  # TIFF tag whose lowest bit marks a smaller copy of another page
GRAY = ("1", "L", "I;16", "I;16B", "I;16L", "I;16N", "I", "F")
COLORED = ("LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr")
ROWS = 1 << 22  # values of an array looked at together


def picture_arrays(files: Sequence[Path]) -> list[Array]:
    """Every page of every picture as one image, (H, W).

    Raises:
        DataError: if a file is no sound PNG or TIFF.
    """
    arrays: list[Array] = []
    colored, reduced = [], 0
    for path in files:
        pages, modes, skipped = _pages(path)
        arrays += pages
        reduced += skipped
        colored += [path.name] if set(modes) & set(COLORED) else []
    if colored:
        log.info("%d pictures are in color, such as %s; their luminance is taken", len(colored), colored[0])
    if reduced:
        log.info("%d pages are smaller copies of others and left out", reduced)
    return arrays


def _pages(path: Path) -> tuple[list[Array], list[str], int]:
    require_regular_file(path)
    arrays, modes, skipped = [], [], 0
    count = 1
    page = 0
    while page < count:
        values, count, mode, copy = _decode(path, page)
        if copy:
            skipped += 1
        else:
            name = path.name if count == 1 else f"{path.name}, page {page + 1}"
            modes.append(mode)
            arrays.append(_described(name, path, values, partial(_read_page, path, page)))
        page += 1
    if not arrays:
        raise DataError(f"{path.name} holds no page but smaller copies; expected pictures; export it again")
    return arrays, modes, skipped


def _read_page(path: Path, page: int, index: tuple[slice, ...]) -> NDArray[Any]:
    return _decode(path, page)[0][index]


def _decode(path: Path, page: int) -> tuple[NDArray[Any], int, str, bool]:
    """Gray values of a page, the number of pages, the mode, and whether the page is a smaller copy of another."""
    if ImageFile.LOAD_TRUNCATED_IMAGES:
        raise DataError("Pillow is set to accept truncated pictures; expected it not to; reset LOAD_TRUNCATED_IMAGES")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=FORMATS) as picture:
                count = int(getattr(picture, "n_frames", 1))
                if count > MOST_PAGES:
                    raise DataError(f"{path.name} has {count} pages; expected at most {MOST_PAGES}; split it")
                picture.seek(page)
                tags = getattr(picture, "tag_v2", {})
                copy = bool(int(tags.get(REDUCED, 0)) & 1) if count > 1 else False
                picture.load()
                return _gray(picture, path.name), count, picture.mode, copy
    except DataError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise DataError(
            f"{path.name} declares more than {Image.MAX_IMAGE_PIXELS} pixels; expected micrographs; cut it into parts"
        ) from None
    except Exception as error:  # the decoders raise nearly every type on damaged files
        text = " ".join(str(error).split()).replace(str(path), path.name)[:120] or type(error).__name__
        raise DataError(
            f"{path.name} is no sound PNG or TIFF ({text}); expected a complete picture; save or copy it again"
        ) from None


def _gray(picture: Image.Image, name: str) -> NDArray[Any]:
    """Gray values of a loaded picture in their own type; colors as their luminance (ITU-R BT.601)."""
    mode = picture.mode
    if mode == "1":
        return np.asarray(picture.convert("L"))
    if mode in GRAY:
        return np.asarray(picture)
    if mode not in COLORED:
        raise DataError(f"{name} is a picture of mode {mode}; expected gray or RGB; convert it")
    if mode in ("LA", "PA", "RGBA") or "transparency" in picture.info:
        if np.asarray(picture.convert("RGBA"))[..., 3].min() < 255:
            raise DataError(f"{name} has transparent pixels; expected a gray value everywhere; flatten the picture")
        picture = picture.convert("RGBA").convert("RGB")
    return np.asarray(picture.convert("RGB").convert("L"))


def npy_arrays(files: Sequence[Path]) -> list[Array]:
    """The array of each ``.npy`` file, mapped and never unpickled.

    Raises:
        DataError: if a file is no plain array of numbers, or its size is not what its header says.
    """
    return [_described(path.name, path, _map(path), partial(_read_npy, path)) for path in files]


def _read_npy(path: Path, index: tuple[slice, ...]) -> NDArray[Any]:
    return np.array(_map(path)[index])


def _map(path: Path) -> NDArray[Any]:
    size = require_regular_file(path).st_size
    try:
        values = np.lib.format.open_memmap(path, mode="r")
    except Exception as error:  # damaged headers raise nearly every type
        text = " ".join(str(error).split())[:120] or type(error).__name__
        raise DataError(f"{path.name} is no sound .npy ({text}); expected an array of numbers; save it again") from None
    if values.dtype.kind not in "biuf" or values.dtype.itemsize > 8 or 0 in values.shape:
        raise DataError(
            f"{path.name} holds {values.dtype} of shape {values.shape}; expected images as numbers; save it again"
        )
    if values.offset + values.nbytes != size:
        raise DataError(
            f"{path.name} has {size} bytes, and its header says {values.offset + values.nbytes}; expected a whole "
            "array; save it again"
        )
    return values


def _described(name: str, path: Path, values: NDArray[Any], read: Any) -> Array:
    flat = values.reshape(-1) if values.ndim < 3 else values
    step = max(1, ROWS // max(1, flat[:1].size))
    low, high = np.inf, -np.inf
    for first in range(0, len(flat), step):
        part = np.asarray(flat[first : first + step])
        low, high = min(low, float(part.min())), max(high, float(part.max()))
        if not np.isfinite(part).all():
            raise DataError(f"{name} holds values that are not finite; expected gray values; repair it")
    return Array(name, path, values.shape, values.dtype, low, high, read)

"""How samples grew during training: one grid of the same latent draws, a frame an epoch, as an animation."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from lasernet.errors import DataError, OptionError
from lasernet.viz.animate import encode_gif, write_gif
from lasernet.viz.montage import PAPER, Gray, enlarge, fitting_scale, write_montage
from lasernet.viz.style import INK, pixel_font

FRAMES = 60
LARGEST = 3_000_000  # bytes
SIDE = 540  # pixels: about the longer side of the animation
HOLD = 2.0  # s that the last frame stays longer
HEAD = 26  # pixels above the grid, for its number
LEVELS = (64, 32, 16)  # of gray, tried one after the other until the file is small enough


def write_frame(images: NDArray[np.generic], folder: Path | str, *, number: int, unit: str = "step") -> Path:
    """Write the grid of one moment of training, (N, H, W), as ``folder/<unit>-<number>.png``."""
    return write_montage(images, Path(folder) / f"{unit}-{number:07d}.png")


def frame_files(folder: Path | str, *, unit: str = "step") -> list[Path]:
    """The frames that `write_frame` left in a folder, in the order of their numbers."""
    named = re.compile(rf"{re.escape(unit)}-(\d+)\.png")
    found = {path: match for path in Path(folder).iterdir() if (match := named.fullmatch(path.name))}
    return sorted(found, key=lambda path: int(found[path][1]))


def growth_animation(
    frames: Sequence[Path | str],
    path: Path | str,
    *,
    labels: Sequence[str] | None = None,
    fps: float = 8.0,
    hold: float = HOLD,
    most: int = FRAMES,
    largest: int = LARGEST,
) -> Path:
    """Write frames, gray PNG files in their order, as an endless GIF with the number of each above it.

    Of more than ``most`` frames evenly spaced ones are shown, the first and the last among them. Frames enlarged pixel
    by pixel are shown smaller, still pixel by pixel. Grays are rounded, and every second frame is left out, until the
    file has at most ``largest`` bytes.

    Args:
        labels: what is written above each frame; left out: the name of its file, ``step-0000120.png`` as "step 120".
        hold: s, how much longer the last frame stays.

    Raises:
        DataError: if there is no frame, or frames cannot be read or differ in size, or labels are not as many.
        OptionError: if fps is not positive.
    """
    files = [Path(frame) for frame in frames]
    words = [_label(file) for file in files] if labels is None else list(labels)
    if not fps > 0:
        raise OptionError(f"--fps {fps} cannot be played; choose a number above 0")
    if not files or len(words) != len(files) or most < 1:
        raise DataError(
            f"{len(files)} frames with {len(words)} labels, at most {most} shown; expected at least one frame, "
            "one label each, and room for one"
        )
    chosen = _evenly(len(files), most)
    grids = [_read(files[number]) for number in chosen]
    for number, grid in zip(chosen, grids, strict=True):
        if grid.shape != grids[0].shape:
            raise DataError(
                f"frame {files[number]} has {grid.shape} pixels and {files[chosen[0]].name} {grids[0].shape}; "
                "expected one size: remove the frames of the other run"
            )
    grids = _resized(grids)
    pages = [_page(grid, words[number]) for number, grid in zip(chosen, grids, strict=True)]
    return _write_within(pages, Path(path), fps=fps, hold=hold, largest=largest)


def _evenly(count: int, most: int) -> list[int]:
    if count <= most:
        return list(range(count))
    return sorted({round(at) for at in np.linspace(count - 1, 0, most)})  # one: the last


def _label(path: Path) -> str:
    match = re.fullmatch(r"(.*?)[-_ ]*0*(\d+)", path.stem)
    return f"{match[1].replace('_', ' ')} {int(match[2]):,}".strip().replace(",", " ") if match else path.stem


def _read(path: Path) -> Gray:
    try:
        with Image.open(path, formats=["PNG"]) as file:
            return np.asarray(file.convert("L"))
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(f"frame {path} cannot be read ({error}); expected a PNG image: remove it") from None


def _resized(grids: Sequence[Gray]) -> list[Gray]:
    """Grids with their whole-number enlargement exchanged for one that suits an animation."""
    factor = next(
        (n for n in range(16, 1, -1) if all(_is_enlarged(grid, n) for grid in grids)), 1
    )  # of all: noise shows it, a plain frame fits any
    small = [grid[::factor, ::factor] for grid in grids]
    scale = min(factor, fitting_scale(small[0].shape, SIDE))
    return [enlarge(grid, scale) for grid in small]


def _is_enlarged(grid: Gray, factor: int) -> bool:
    if grid.shape[0] % factor or grid.shape[1] % factor:
        return False
    return np.array_equal(grid, enlarge(grid[::factor, ::factor], factor))


def _page(grid: Gray, label: str) -> Gray:
    head = Image.new("L", (grid.shape[1], HEAD), PAPER)
    left = int(np.flatnonzero((grid < PAPER).any(axis=0))[0]) if (grid < PAPER).any() else 0
    ImageDraw.Draw(head).text((left, HEAD - 3), label, fill=INK, font=pixel_font(16), anchor="ld")
    return np.concatenate([np.asarray(head), grid])


def _write_within(pages: list[Gray], path: Path, *, fps: float, hold: float, largest: int) -> Path:
    for levels in LEVELS:
        some = encode_gif(_colors(pages[:: len(pages) // 8 + 1], levels), fps=fps)
        if len(some) * len(pages) <= largest * -(-len(pages) // (len(pages) // 8 + 1)):
            colors = _colors(pages, levels)
            if len(encode_gif(colors, fps=fps, hold=hold)) <= largest:
                return write_gif(colors, path, fps=fps, hold=hold)
    if len(pages) > 1:
        return _write_within(pages[::-2][::-1], path, fps=max(fps / 2, 1.0), hold=hold, largest=largest)
    return write_gif(_colors(pages, LEVELS[-1]), path, fps=fps, hold=hold)


def _colors(pages: Sequence[Gray], levels: int) -> list[Gray]:
    return [np.repeat(_rounded(page, levels)[..., None], 3, axis=2) for page in pages]


def _rounded(page: Gray, levels: int) -> Gray:
    """Grays rounded to evenly spaced levels from black to white."""
    return np.rint(np.rint(page / 255.0 * (levels - 1)) * (255.0 / (levels - 1))).astype(np.uint8)

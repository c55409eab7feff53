"""One slice through time as a GIF: truth over prediction, in colors that stay flat."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.colors import Normalize, to_rgb
from PIL import GifImagePlugin, Image, ImageDraw

from lasernet.atomic import write_bytes
from lasernet.errors import DataError, OptionError
from lasernet.viz.frames import DIRECTIONS, temperature_limits
from lasernet.viz.panels import MICRO, Plane
from lasernet.viz.style import INK, MASKED, QUIET, TEMPERATURE_MAP, pixel_font

WIDTH, HEIGHT = 720, 320  # the most pixels of a slice, as near as whole pixels per cell come
PALETTE = 256
EMPTY = "#F2F2F2"


def slice_animation(
    truth: np.ndarray,
    prediction: Sequence[np.ndarray | None],
    path: Path | str,
    *,
    times: np.ndarray,
    plane: Plane,
    direction: str = "Z",
    temperature: np.ndarray | None = None,
    liquidus: float | None = None,
    valid: np.ndarray | None = None,
    fps: float = 4.0,
    title: str = "",
) -> Path:
    """Write the frames of one slice, truth above and prediction below, as an animated GIF.

    Args:
        truth: IPF values in [0, 1], (T, 9, H, W), or temperatures in K, (T, 1, H, W).
        prediction: the same for each frame, (C, H, W), or None where there is none ("truth only").
        times: s, (T,).
        direction: whose colors are shown: X, Y or Z.
        temperature, liquidus: K, (T, H, W) and a number: draws the liquidus as a white line.
        valid: cells with data, (H, W) or (T, H, W) bool; left out: all.
    """
    frames, channels, *shape = truth.shape
    if len(prediction) != frames or len(times) != frames or channels not in (1, 9):
        raise DataError(
            f"truth {truth.shape}, {len(prediction)} predictions and {len(times)} times; "
            "expected (T, 9 or 1, H, W), T predictions or None, and T times"
        )
    if direction.upper() not in DIRECTIONS:
        raise OptionError(f"no IPF direction named '{direction}'; choose X, Y or Z")
    everywhere = np.ones(shape, dtype=bool)
    known = np.broadcast_to(everywhere if valid is None else valid.astype(bool), (frames, *shape))
    limits = temperature_limits(*truth[:, 0], valid=np.asarray(known.all(axis=0))) if channels == 1 else (0.0, 1.0)
    columns = max(1, round(min(WIDTH, HEIGHT * plane.aspect((shape[0], shape[1]))) / shape[1]))
    scale = max(1, round(columns * plane.spacing[0] / plane.spacing[1])), columns

    def panel(field: np.ndarray | None, frame: int) -> Image.Image:
        if field is None:
            return _empty_panel((shape[0] * scale[0], shape[1] * scale[1]))
        image = _colors(field, known[frame], direction=direction, limits=limits)[::-1]  # row 0 is the lowest
        image = image.repeat(scale[0], axis=0).repeat(scale[1], axis=1)
        if temperature is not None and liquidus is not None:
            image[_crossing(temperature[frame][::-1], liquidus, scale)] = 255
        return Image.fromarray(image)

    what = f"IPF-{direction.upper()}" if channels == 9 else f"T, {limits[0]:.0f} to {limits[1]:.0f} K"
    notes = [*(["black: molten"] if channels == 9 else []), *(["gray: no data"] if not known.all() else [])]
    if temperature is not None and liquidus is not None:
        notes.append(f"white line: liquidus {liquidus:.0f} K")
    images = []
    for frame in range(frames):
        clock = f"t = {times[frame] * MICRO:.1f} µs"
        panels = [panel(truth[frame], frame), panel(prediction[frame], frame)]
        bar = columns / (plane.spacing[1] * MICRO)
        images.append(_page(panels, head=(title, clock), what=what, note=",  ".join(notes), pixels_per_micron=bar))
    return write_gif(images, path, fps=fps)


def _colors(field: np.ndarray, known: np.ndarray, *, direction: str, limits: tuple[float, float]) -> np.ndarray:
    if field.shape[0] == 9:
        first = 3 * DIRECTIONS.index(direction.upper())
        colors = np.moveaxis(field[first : first + 3], 0, -1)
    else:
        colors = matplotlib.colormaps[TEMPERATURE_MAP](Normalize(*limits, clip=True)(field[0]))[..., :3]
    gray = np.array(to_rgb(MASKED))
    shown = (known & np.isfinite(field).all(axis=0))[..., None]
    image: np.ndarray = np.rint(255 * np.clip(np.where(shown, np.nan_to_num(colors), gray), 0, 1)).astype(np.uint8)
    return image


def _crossing(values: np.ndarray, level: float, scale: tuple[int, int]) -> np.ndarray:
    """Pixels, one wide, at which values given per cell and interpolated linearly rise over a level."""
    fine = values.astype(np.float64)
    for axis, factor in enumerate(scale):
        at = (np.arange(fine.shape[axis] * factor) + 0.5) / factor - 0.5
        low = np.clip(np.floor(at).astype(int), 0, fine.shape[axis] - 1)
        high = np.minimum(low + 1, fine.shape[axis] - 1)
        weight = np.expand_dims(np.clip(at - low, 0, 1), 1 - axis)
        fine = np.take(fine, low, axis=axis) * (1 - weight) + np.take(fine, high, axis=axis) * weight
    above = fine > level
    edge = np.zeros_like(above)
    edge[:-1] |= above[:-1] & ~above[1:]
    edge[1:] |= above[1:] & ~above[:-1]
    edge[:, :-1] |= above[:, :-1] & ~above[:, 1:]
    edge[:, 1:] |= above[:, 1:] & ~above[:, :-1]
    return edge


def _empty_panel(size: tuple[int, int]) -> Image.Image:
    image = Image.new("RGB", (size[1], size[0]), EMPTY)
    ImageDraw.Draw(image).text((size[1] / 2, size[0] / 2), "truth only", fill=QUIET, font=pixel_font(14), anchor="mm")
    return image


def _page(
    panels: Sequence[Image.Image], *, head: tuple[str, str], what: str, note: str, pixels_per_micron: float
) -> np.ndarray:
    """Panels below each other with their names, a clock above and a scale bar below, (H, W, 3) uint8."""
    margin, line, width = 12, 24, panels[0].width
    room = max(width, 420)  # for the words, where the slice is narrow
    height = 2 * margin + line * (len(panels) + 2) + sum(image.height for image in panels)
    page = Image.new("RGB", (room + 2 * margin, height), "white")
    pen = ImageDraw.Draw(page)
    pen.text((margin, margin), head[0], fill=INK, font=pixel_font(15), anchor="la")
    pen.text((margin + room, margin), head[1], fill=INK, font=pixel_font(15), anchor="ra")
    top = margin + line
    for name, image in zip(("truth", "prediction"), panels, strict=True):
        pen.text((margin, top + line - 5), f"{name}  ({what})", fill=INK, font=pixel_font(13), anchor="ls")
        page.paste(image, (margin, top + line))
        top += line + image.height
    length = next(
        size for size in (500, 200, 100, 50, 20, 10, 5, 2, 1, 0.5, 0.1, 0.0) if size * pixels_per_micron <= width / 3
    )
    middle = top + line // 2 + 4
    pen.text((margin, middle), note, fill=INK, font=pixel_font(12), anchor="lm")
    pen.text((margin + room, middle), f"{length:g} µm", fill=INK, font=pixel_font(12), anchor="rm")
    right = margin + room - 62
    pen.rectangle((right - round(length * pixels_per_micron), middle - 2, right, middle + 1), fill=INK)
    return np.asarray(page)


def write_gif(images: Sequence[np.ndarray], path: Path | str, *, fps: float, hold: float = 0.0) -> Path:
    """Write images as `encode_gif` makes them a GIF."""
    content = encode_gif(images, fps=fps, hold=hold)
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(target, content)
    return target


def encode_gif(images: Sequence[np.ndarray], *, fps: float, hold: float = 0.0) -> bytes:
    """An endless GIF: every image one frame, colors exact as long as a frame has at most 256 of them.

    Frames with more colors keep their most frequent ones exactly; the others take the nearest of a palette. Nothing
    is dithered, equal frames are not merged, and the same images give the same bytes.

    Args:
        images: (H, W, 3) uint8, all of one size.
        fps: frames per second; a GIF counts in hundredths of a second.
        hold: s, how much longer the last frame stays.

    Raises:
        DataError: if there is no image, or they differ in shape.
    """
    if not images or any(image.shape != images[0].shape or image.dtype != np.uint8 for image in images):
        raise DataError("the images of an animation differ in shape or are none; expected (H, W, 3) uint8, all alike")
    if not fps > 0:
        raise OptionError(f"--fps {fps} cannot be played; choose a number above 0")
    durations = [10 * max(2, round(100 / fps))] * len(images)  # ms; viewers slow down what is above 50 per second
    durations[-1] += 10 * round(100 * hold)
    height, width = images[0].shape[:2]
    content = BytesIO()
    content.write(b"GIF89a" + width.to_bytes(2, "little") + height.to_bytes(2, "little") + b"\x70\x00\x00")
    content.write(b"\x21\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00")  # play forever
    for image, duration in zip(images, durations, strict=True):
        for block in GifImagePlugin.getdata(quantize(image), duration=duration, include_color_table=True):
            content.write(block)
    content.write(b";")
    return content.getvalue()


def quantize(image: np.ndarray) -> Image.Image:
    """An image, (H, W, 3) uint8, with its own palette of at most 256 colors, without dithering."""
    packed = image[..., 0].astype(np.int32) << 16 | image[..., 1].astype(np.int32) << 8 | image[..., 2]
    codes, index, counts = np.unique(packed, return_inverse=True, return_counts=True)
    colors = np.stack([codes >> 16, codes >> 8 & 255, codes & 255], axis=1).astype(np.uint8)
    palette, nearest = colors, np.arange(len(colors))
    if len(colors) > PALETTE:
        order = np.argsort(-counts, kind="stable")
        kept, rest = order[: PALETTE // 2], order[PALETTE // 2 :]
        pixels = np.repeat(colors[rest], counts[rest], axis=0)[None]
        reduced = Image.fromarray(pixels).quantize(PALETTE // 2, Image.Quantize.MEDIANCUT, kmeans=2)
        table = np.array(reduced.getpalette(), dtype=np.uint8).reshape(-1, 3)
        palette = np.concatenate([colors[kept], table])[:PALETTE]
        nearest = np.empty(len(colors), dtype=np.int64)
        nearest[kept] = np.arange(len(kept))
        for start in range(0, len(rest), 4096):
            some = rest[start : start + 4096]
            apart = colors[some, None].astype(np.int32) - palette[None].astype(np.int32)
            nearest[some] = np.square(apart).sum(axis=-1).argmin(axis=1)
    result = Image.fromarray(nearest[index].reshape(image.shape[:2]).astype(np.uint8))
    result.putpalette(palette.tobytes())
    return result

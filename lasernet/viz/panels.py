"""Slices of a volume as panels with physical axes: equal scales, µm, the second axis of the slice to the right."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from matplotlib import patheffects
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from lasernet.viz.style import DPI, MASKED, MASKED_HATCH, PAGE, new_figure

Style = Literal["solid", "dashed"]
MICRO = 1e6
WIDE = 5.0  # width over height of a slice from which on panels are stacked instead of set side by side


@dataclass(frozen=True)
class Plane:
    """Where a slice (H, W) lies.

    Attributes:
        spacing: m, between rows and between columns.
        origin: m, center of the cell in row 0, column 0.
        axes: names of the row axis and the column axis.
    """

    spacing: tuple[float, float]
    origin: tuple[float, float] = (0.0, 0.0)
    axes: tuple[str, str] = ("z", "x")

    def extent(self, shape: tuple[int, int]) -> tuple[float, float, float, float]:
        """Left, right, bottom and top edge in µm."""
        low = [MICRO * (o - s / 2) for o, s in zip(self.origin, self.spacing, strict=True)]
        high = [a + MICRO * s * n for a, s, n in zip(low, self.spacing, shape, strict=True)]
        return low[1], high[1], low[0], high[0]

    def aspect(self, shape: tuple[int, int]) -> float:
        """Width over height."""
        return shape[1] * self.spacing[1] / (shape[0] * self.spacing[0])

    def centers(self, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        """Centers of the rows and of the columns in µm."""
        rows, columns = (
            MICRO * (o + s * np.arange(n)) for o, s, n in zip(self.origin, self.spacing, shape, strict=True)
        )
        return rows, columns

    def window(self, rows: slice, columns: slice) -> Plane:
        """The plane of a part of the slice."""
        origin = (
            self.origin[0] + rows.start * self.spacing[0],
            self.origin[1] + columns.start * self.spacing[1],
        )
        return Plane(spacing=self.spacing, origin=origin, axes=self.axes)


@dataclass(frozen=True)
class Sheet:
    """Equal panels in rows and columns, laid out to the pixel.

    Attributes:
        panels: (rows, columns) of axes.
        width, height: inches of one panel.
    """

    figure: Figure
    panels: np.ndarray
    width: float
    height: float

    def place(self, left: float, top: float, width: float, height: float) -> Axes:
        """Axes at inches from the left and the upper edge of the figure."""
        return place(self.figure, left, top, width, height)


def place(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Axes at inches from the left and the upper edge of a figure, on whole pixels."""
    full_width, full_height = figure.get_size_inches()
    left, top, width, height = (round(inches * DPI) / DPI for inches in (left, top, width, height))
    bounds = (left / full_width, 1 - (top + height) / full_height, width / full_width, height / full_height)
    return figure.add_axes(bounds)


def panel_size(shape: tuple[int, int], plane: Plane, *, width: float, height: float = 2.4) -> tuple[float, float]:
    """The largest panel within about so many inches on which all cells are equally many pixels wide, if they can be."""
    fitting = min(width, height * plane.aspect(shape))
    pixels = fitting * DPI / shape[1]
    if pixels >= 1.5:
        whole = round(pixels) if round(pixels) <= 1.07 * pixels else int(pixels)
        fitting = whole * shape[1] / DPI
    return fitting, fitting / plane.aspect(shape)


def sheet(
    shape: tuple[int, int],
    plane: Plane,
    *,
    rows: int,
    columns: int,
    left: float = 0.62,
    right: float = 0.72,
    top: float = 0.3,
    bottom: float = 0.36,
    between_rows: float | Sequence[float] = 0.1,
    between_columns: float = 0.1,
    footer: float = 0.0,
    width: float = PAGE,
    height: float = 2.4,
) -> Sheet:
    """Panels for slices of one shape (H, W), as large as the page allows.

    Args:
        left, right, top, bottom: inches around the panels.
        between_rows: inches between rows, one number or one per gap.
        footer: inches left free below the panels and their labels.
        width, height: inches of the page, and the most that one panel may be high.
    """
    gaps = [between_rows] * (rows - 1) if isinstance(between_rows, int | float) else list(between_rows)
    room = (width - left - right - (columns - 1) * between_columns) / columns
    panel_width, panel_height = panel_size(shape, plane, width=room, height=height)
    used = left + columns * panel_width + (columns - 1) * between_columns + right
    figure = new_figure(used, top + rows * panel_height + sum(gaps) + bottom + footer)
    panels = np.empty((rows, columns), dtype=object)
    for row in range(rows):
        at = top + row * panel_height + sum(gaps[:row])
        for column in range(columns):
            start = left + column * (panel_width + between_columns)
            panels[row, column] = place(figure, start, at, panel_width, panel_height)
    return Sheet(figure, panels, panel_width, panel_height)


def prepare(axes: Axes, shape: tuple[int, int], plane: Plane, *, rows: bool = True, columns: bool = True) -> None:
    """Set limits, ticks and labels; what no image covers is hatched gray: there is no data.

    Args:
        rows, columns: whether this panel carries the labels of that axis.
    """
    left, right, bottom, top = plane.extent(shape)
    axes.set(xlim=(left, right), ylim=(bottom, top), aspect="auto")
    axes.patch.set(facecolor=MASKED, edgecolor=MASKED_HATCH, hatch="//////", linewidth=0.0)
    size = axes.get_window_extent()
    width, height = size.width / DPI, size.height / DPI
    axes.xaxis.set_major_locator(MaxNLocator(max(2, int(width / 0.55)), steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_locator(MaxNLocator(max(2, int(height / 0.26)), steps=[1, 2, 5, 10], min_n_ticks=2))
    axes.tick_params(labelleft=rows, labelbottom=columns)
    if rows:
        axes.set_ylabel(f"{plane.axes[0]} (µm)")
    if columns:
        axes.set_xlabel(f"{plane.axes[1]} (µm)")


def paint_colors(axes: Axes, colors: np.ndarray, plane: Plane, *, valid: np.ndarray | None = None) -> AxesImage:
    """Draw three channels in [0, 1], (3, H, W), as red, green and blue."""
    shape = colors.shape[-2:]
    image = np.empty((*shape, 4), dtype=np.uint8)
    image[..., :3] = np.rint(255 * np.clip(np.nan_to_num(np.moveaxis(colors, 0, -1)), 0, 1))
    image[..., 3] = 255 * _shown(colors, valid)
    return axes.imshow(image, extent=plane.extent(shape), origin="lower", interpolation="nearest", aspect="auto")


def paint_values(
    axes: Axes,
    values: np.ndarray,
    plane: Plane,
    *,
    colormap: str,
    limits: tuple[float, float],
    valid: np.ndarray | None = None,
) -> AxesImage:
    """Draw a scalar, (H, W)."""
    shown = np.ma.masked_where(~_shown(values[None], valid), values)
    return axes.imshow(
        shown,
        extent=plane.extent(values.shape),
        origin="lower",
        interpolation="nearest",
        aspect="auto",
        cmap=colormap,
        vmin=limits[0],
        vmax=limits[1],
    )


def _shown(channels: np.ndarray, valid: np.ndarray | None) -> np.ndarray:
    finite: np.ndarray = np.isfinite(channels).all(axis=0)
    return finite if valid is None else finite & valid.astype(bool)


def outline(
    axes: Axes,
    region: np.ndarray,
    plane: Plane,
    *,
    color: str,
    casing: str | None = None,
    style: Style = "solid",
    width: float = 0.9,
) -> None:
    """Draw the border of a region, (H, W) bool, along the edges of its cells."""
    fine = np.kron(np.pad(region.astype(np.float32), 1, mode="edge"), np.ones((4, 4), dtype=np.float32))
    if fine.min() == fine.max():
        return
    step = [MICRO * s / 4 for s in plane.spacing]
    left, _, bottom, _ = plane.extent(region.shape)
    x = left + step[1] * (np.arange(fine.shape[1]) - 3.5)
    y = bottom + step[0] * (np.arange(fine.shape[0]) - 3.5)
    lines = axes.contour(x, y, fine, levels=[0.5], colors=[color], linestyles=[style], linewidths=[width])
    if casing is not None:
        lines.set_path_effects([patheffects.withStroke(linewidth=width + 0.9, foreground=casing)])


ISOTHERM_CASING = "#00000090"


def isotherms(
    axes: Axes,
    temperature: np.ndarray,
    plane: Plane,
    *,
    solidus: float,
    liquidus: float,
    valid: np.ndarray | None = None,
) -> None:
    """Draw where a temperature, (H, W) in K, crosses the solidus (dashed) and the liquidus (solid)."""
    if min(temperature.shape) < 2:
        return
    values = np.ma.masked_where(~_shown(temperature[None], valid), temperature)
    if values.count() == 0:
        return
    rows, columns = plane.centers(temperature.shape)
    for level, line in ((solidus, "dashed"), (liquidus, "solid")):
        if values.min() < level < values.max():
            drawn = axes.contour(
                columns, rows, values, levels=[level], colors=["#FFFFFF"], linestyles=[line], linewidths=[0.9]
            )
            drawn.set_path_effects([patheffects.withStroke(linewidth=1.7, foreground=ISOTHERM_CASING)])


def colorbar(
    figure: Figure,
    mappable: ScalarMappable,
    beside: Iterable[Axes],
    *,
    label: str,
    gap: float = 0.06,
    width: float = 0.09,
) -> Axes:
    """Set a color scale to the right of panels, from the top of the highest to the bottom of the lowest."""
    boxes = [axes.get_position() for axes in beside]
    full = figure.get_size_inches()[0]
    bottom, top = min(box.y0 for box in boxes), max(box.y1 for box in boxes)
    axes = figure.add_axes((max(box.x1 for box in boxes) + gap / full, bottom, width / full, top - bottom))
    bar = figure.colorbar(mappable, cax=axes)
    bar.set_label(label, labelpad=4.0)
    bar.outline.set_linewidth(0.6)
    if isinstance(bar.solids, QuadMesh):
        bar.solids.set_edgecolor("face")
    height = (top - bottom) * figure.get_size_inches()[1]
    bar.locator = MaxNLocator(max(2, min(6, int(height / 0.2))), steps=[1, 2, 5, 10])
    bar.update_ticks()
    return axes


def line_sample(label: str, *, color: str, style: Style = "solid", casing: str | None = None) -> Line2D:
    """A line for a legend, drawn as `outline` draws it."""
    line = Line2D([], [], color=color, linestyle=style, linewidth=1.0, label=label)
    if casing is not None:
        line.set_path_effects([patheffects.withStroke(linewidth=2.2, foreground=casing)])
    return line


def isotherm_samples(*, solidus: float, liquidus: float) -> list[Line2D]:
    """The legend's entries for what `isotherms` draws."""
    return [
        line_sample(f"liquidus {liquidus:.0f} K", color="white", casing="black"),
        line_sample(f"solidus {solidus:.0f} K", color="white", casing="black", style="dashed"),
    ]


def patch_sample(label: str, *, color: str, hatch: str | None = None, edge: str = "none") -> Patch:
    """A filled square for a legend."""
    return Patch(facecolor=color, edgecolor=edge, hatch=hatch, label=label, linewidth=0.4)


def masked_sample() -> Patch:
    """The legend's entry for cells without data."""
    return patch_sample("no data", color=MASKED, hatch="//////", edge=MASKED_HATCH)


def legend(figure: Figure, samples: Sequence[Artist], *, left: float, top: float, columns: int = 1) -> None:
    """Set a legend with its upper left corner at inches from the left and the upper edge of the figure."""
    width, height = figure.get_size_inches()
    figure.legend(
        handles=list(samples),
        loc="upper left",
        bbox_to_anchor=(left / width, 1 - top / height),
        ncols=columns,
        borderaxespad=0.0,
        borderpad=0.0,
        handlelength=2.2,
        columnspacing=1.6,
    )


def headroom(title: str | None) -> float:
    """Inches above the panels: for their own titles, and for the title of the figure if there is one."""
    return 0.24 if title is None else 0.24 + 0.2 * (1 + title.count("\n"))


def write_title(figure: Figure, title: str | None) -> None:
    """Write the title of a figure at its upper left corner."""
    if title is not None:
        width, height = figure.get_size_inches()
        figure.text(0.08 / width, 1 - 0.06 / height, title, ha="left", va="top", fontsize=8.5)


def upper_limit(*values: np.ndarray, valid: np.ndarray | None = None, least: float = 1e-6) -> float:
    """The end of a color scale that starts at 0: the largest valid value, rounded up to two figures."""
    high = least
    for value in values:
        shown = value[np.isfinite(value) if valid is None else np.isfinite(value) & valid.astype(bool)]
        high = max(high, float(shown.max(initial=0.0)))
    unit = 10.0 ** (np.floor(np.log10(high)) - 1)
    return float(np.ceil(high / unit - 1e-9) * unit)


def window_around(region: np.ndarray, plane: Plane, *, margin: int = 3, flattest: float = 6.0) -> tuple[slice, slice]:
    """Rows and columns around a region; the whole slice if the region is empty."""
    if not region.any():
        return slice(0, region.shape[0]), slice(0, region.shape[1])
    spans = []
    for axis in (0, 1):
        touched = np.flatnonzero(region.any(axis=1 - axis))
        spans.append([max(0, int(touched[0]) - margin), min(region.shape[axis], int(touched[-1]) + 1 + margin)])
    sizes = [(high - low) * step for (low, high), step in zip(spans, plane.spacing, strict=True)]
    for axis in (0, 1):
        fewest = round(sizes[1 - axis] / flattest / plane.spacing[axis])
        spans[axis] = _widen(*spans[axis], at_least=fewest, length=region.shape[axis])
    return slice(*spans[0]), slice(*spans[1])


def _widen(low: int, high: int, *, at_least: int, length: int) -> list[int]:
    missing = max(0, min(at_least, length) - (high - low))
    low = max(0, low - missing // 2)
    high = min(length, max(high, low + min(at_least, length)))
    return [max(0, min(low, high - min(at_least, length))), high]

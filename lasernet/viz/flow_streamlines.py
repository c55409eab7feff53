"""The way the fluid takes in a slice: streamlines over the speed, in truth and prediction."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from lasernet.viz.flow_panels import BAR, BETWEEN, COLUMNS, LEFT, fitted, solid_sample
from lasernet.viz.flow_units import prefixed
from lasernet.viz.panels import (
    Plane,
    colorbar,
    headroom,
    legend,
    line_sample,
    paint_values,
    place,
    prepare,
    upper_limit,
    write_title,
)
from lasernet.viz.style import DPI, FIELD_MAP, PAGE, new_figure, save, styled

LINE = "#FFFFFF"
PER_INCH = 0.55  # density of lines, in the measure of streamplot
SLOWEST = 1e-9  # share of the mean speed below which there is no direction to follow


@styled
def streamline_panels(
    truth: np.ndarray,
    prediction: np.ndarray,
    path: Path | str,
    *,
    plane: Plane,
    fluid: np.ndarray,
    title: str | None = None,
) -> Path:
    """Speed in a slice, and streamlines of the velocity within the slice.

    Args:
        truth, prediction: m/s in cell centers, components x, y, z, (3, H, W).
        fluid: cells outside of solids, (H, W) bool.
    """
    shape = fluid.shape
    speeds = [np.linalg.norm(velocity, axis=0) for velocity in (truth, prediction)]
    largest = max(float(np.max(speed, where=fluid, initial=0.0)) for speed in speeds)
    factor, unit = prefixed(largest, "m/s")
    end = upper_limit(np.array([factor * largest]))
    wide = plane.aspect(shape) >= 2.0
    rows, columns = (2, 1) if wide else (1, 2)
    room = (PAGE - LEFT - BAR - (columns - 1) * BETWEEN) / columns
    width, height = fitted(plane.aspect(shape), width=room, height=4.0)
    top, gap = headroom(title), 0.24
    figure = new_figure(PAGE, top + rows * height + (rows - 1) * gap + 0.62)
    panels = [
        place(figure, LEFT + column * (width + BETWEEN), top + row * (height + gap), width, height)
        for row in range(rows)
        for column in range(columns)
    ]
    for number, (axes, velocity, speed) in enumerate(zip(panels, (truth, prediction), speeds, strict=True)):
        prepare(axes, shape, plane, rows=wide or number == 0, columns=not wide or number == 1)
        drawn = paint_values(axes, factor * speed, plane, colormap=FIELD_MAP, limits=(0.0, end), valid=fluid)
        _streamlines(axes, velocity, plane, fluid)
        axes.set_title(COLUMNS[number], loc="left")
    colorbar(figure, drawn, panels[0 if wide else 1 :], label=f"$|v|$ ({unit})")
    samples = [line_sample("streamline of $v_x, v_y$", color=LINE, casing="#555555"), solid_sample()]
    legend(figure, samples, left=LEFT, top=figure.get_size_inches()[1] - 0.2, columns=2)
    write_title(figure, title)
    return save(figure, path)


def _streamlines(axes: Axes, velocity: np.ndarray, plane: Plane, fluid: np.ndarray) -> None:
    """Lines that end where solids or the edges of the slice begin."""
    if min(fluid.shape) < 2:
        return
    rows, columns = plane.centers(fluid.shape)
    speed = np.hypot(velocity[0], velocity[1])
    mean = float(speed[fluid].mean()) if fluid.any() else 0.0
    if not mean > 0:
        return
    still = ~fluid | (speed < SLOWEST * mean)
    along, across = (np.ma.masked_where(still, part / mean) for part in (velocity[0], velocity[1]))
    limits = axes.get_xlim(), axes.get_ylim()
    size = axes.get_window_extent()
    density = (PER_INCH * size.width / DPI, PER_INCH * size.height / DPI)
    axes.streamplot(columns, rows, along, across, color=LINE, density=density, linewidth=0.55, arrowsize=0.5)
    axes.set(xlim=limits[0], ylim=limits[1])

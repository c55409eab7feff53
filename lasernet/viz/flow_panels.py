"""One slice of a predicted flow beside the truth: velocity components, speed or pressure, and where they err."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, FuncFormatter

from lasernet.viz.flow_units import percent, prefixed
from lasernet.viz.panels import (
    Plane,
    colorbar,
    headroom,
    legend,
    paint_values,
    patch_sample,
    place,
    prepare,
    upper_limit,
    write_title,
)
from lasernet.viz.style import DIFFERENCE_MAP, DPI, FIELD_MAP, MASKED, MASKED_HATCH, PAGE, new_figure, save, styled

SIGNED_MAP = "RdBu_r"
COLUMNS = ("truth", "prediction", "prediction − truth")
LEFT, BETWEEN, BAR = 0.66, 0.1, 0.84  # inches: before the panels, between two of them, and for a color scale
SHORT = 0.85  # inches of a color scale beside which there is room for its unit and its ends only
FAINTEST = 1e-3  # share of the truth's scale at which the scale of errors ends at least


@dataclass(frozen=True)
class Field:
    """One row of panels.

    Attributes:
        name: as a label says it, such as ``$v_x$``.
        truth, prediction: of a slice, SI units, (H, W).
        unit: without a prefix.
        signed: whether values of both signs are expected; else the scale starts at 0.
        note: written above the row.
        least: the color scale ends there at least.
    """

    name: str
    truth: np.ndarray
    prediction: np.ndarray
    unit: str
    signed: bool = True
    note: str = ""
    least: float = 0.0


@styled
def velocity_panels(
    truth: np.ndarray,
    prediction: np.ndarray,
    path: Path | str,
    *,
    plane: Plane,
    fluid: np.ndarray,
    lift: tuple[float, float],
    title: str | None = None,
) -> Path:
    """Components and magnitude of the velocity in a slice: truth, prediction and their difference.

    Each row has a color scale of its own, for v_z is often a hundred times smaller than v_x.

    Args:
        truth, prediction: m/s in cell centers, components x, y, z, (3, H, W).
        fluid: cells outside of solids, (H, W) bool.
        lift: root mean square of v_z over the mean of the true v_x, of the whole flow, in truth and prediction.
    """
    speeds = [np.linalg.norm(velocity, axis=0) for velocity in (truth, prediction)]
    least = FAINTEST * float(np.max(speeds[0], where=fluid, initial=0.0))
    told = f"rms $v_z$ / mean true $v_x$: {percent(lift[0])} in truth, {percent(lift[1])} in the prediction"
    rows = [
        Field(f"$v_{axis}$", truth[part], prediction[part], "m/s", note=told if axis == "z" else "", least=least)
        for part, axis in enumerate("xyz")
    ]
    rows.append(Field("$|v|$", speeds[0], speeds[1], "m/s", signed=False, least=least))
    return save(_draw(rows, plane, fluid, title), path)


@styled
def pressure_panels(
    truth: np.ndarray,
    prediction: np.ndarray,
    path: Path | str,
    *,
    plane: Plane,
    fluid: np.ndarray,
    title: str | None = None,
) -> Path:
    """The pressure in a slice, without the mean gradient that drives the flow: truth, prediction and difference.

    Args:
        truth, prediction: Pa, (H, W).
        fluid: cells outside of solids, (H, W) bool.
    """
    return save(_draw([Field("$p$", truth, prediction, "Pa")], plane, fluid, title), path)


def fitted(aspect: float, *, width: float, height: float) -> tuple[float, float]:
    """Width and height of the largest panel of this aspect within so many inches.

    Flows are smooth, so that panels need no whole pixels per cell, and fill the page at any number of cells.
    """
    return min(width, height * aspect), min(width / aspect, height)


def _draw(rows: Sequence[Field], plane: Plane, fluid: np.ndarray, title: str | None) -> Figure:
    shape = fluid.shape
    width, height = fitted(plane.aspect(shape), width=(PAGE - LEFT - BETWEEN - 2 * BAR) / 3, height=2.4)
    gaps = [0.34 if field.note else 0.1 for field in rows[1:]]
    top = headroom(title)
    figure = new_figure(PAGE, top + len(rows) * height + sum(gaps) + 0.62)
    for number, field in enumerate(rows):
        at = top + number * height + sum(gaps[:number])
        lefts = (LEFT, LEFT + width + BETWEEN, LEFT + 2 * width + BETWEEN + BAR)
        panels = [place(figure, left, at, width, height) for left in lefts]
        for column, axes in enumerate(panels):
            prepare(axes, shape, plane, rows=column == 0, columns=number == len(rows) - 1)
            if number == 0:
                axes.set_title(COLUMNS[column], loc="left")
            elif column == 0:
                axes.set_title(field.note, loc="left", pad=6.0)
        panels[0].set_ylabel(f"{field.name}\n{plane.axes[0]} (µm)")
        _paint(figure, panels, field, plane, fluid)
    legend(figure, [solid_sample()], left=LEFT, top=figure.get_size_inches()[1] - 0.2)
    write_title(figure, title)
    return figure


def _paint(figure: Figure, panels: Sequence[Axes], field: Field, plane: Plane, fluid: np.ndarray) -> None:
    both = [np.where(fluid, values, 0.0) for values in (field.truth, field.prediction)]
    factor, unit = prefixed(max(field.least, *(float(np.abs(values).max()) for values in both)), field.unit)
    both = [factor * values for values in both]
    error = both[1] - both[0]
    end = upper_limit(*(np.abs(values) for values in both), least=max(factor * field.least, 1e-6))
    far = upper_limit(np.abs(error), least=FAINTEST * end)
    for axes, values in zip(panels, both, strict=False):
        limits, colors = ((-end, end), SIGNED_MAP) if field.signed else ((0.0, end), FIELD_MAP)
        drawn = paint_values(axes, values, plane, colormap=colors, limits=limits, valid=fluid)
    missed = paint_values(panels[2], error, plane, colormap=DIFFERENCE_MAP, limits=(-far, far), valid=fluid)
    short = panels[0].get_window_extent().height / DPI < SHORT
    for axes, image, name in ((panels[1], drawn, field.name), (panels[2], missed, f"Δ{field.name}")):
        bar = colorbar(figure, image, [axes], label=unit if short else f"{name} ({unit})")
        if short:
            bar.yaxis.set_major_locator(FixedLocator(sorted({0.0, *image.get_clim()})))
            bar.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}".replace("-", "−")))


def solid_sample() -> Patch:
    """The legend's entry for solid cells."""
    return patch_sample("solid", color=MASKED, hatch="//////", edge=MASKED_HATCH)

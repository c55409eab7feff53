"""One predicted frame beside the truth: grain colors, temperature, errors and gradients of a slice."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.image import AxesImage

from lasernet.viz.panels import (
    MICRO,
    WIDE,
    Plane,
    Sheet,
    colorbar,
    headroom,
    isotherm_samples,
    isotherms,
    legend,
    line_sample,
    masked_sample,
    outline,
    paint_colors,
    paint_values,
    patch_sample,
    prepare,
    sheet,
    upper_limit,
    write_title,
)
from lasernet.viz.style import DIFFERENCE_MAP, ERROR_MAP, FIELD_MAP, TEMPERATURE_MAP, save, styled

MELT_EDGE, TRUE_MELT_EDGE = "#FFFFFF", "#56F0FF"
DIRECTIONS = ("X", "Y", "Z")


def predicted_melt(prediction: np.ndarray, *, threshold: float = 0.5) -> np.ndarray:
    """Cells that a prediction of IPF colors, (9, H, W) in [0, 1], leaves dark: all nine channels below a threshold.

    IPF keys scale the strongest channel of a color to about 1, so that half of it lies midway between melt and grain.
    """
    dark: np.ndarray = np.nan_to_num(prediction).max(axis=0) < threshold
    return dark


@styled
def prediction_panels(
    truth: np.ndarray,
    prediction: np.ndarray,
    path: Path | str,
    *,
    plane: Plane,
    temperature: np.ndarray,
    solidus: float,
    liquidus: float,
    molten: np.ndarray,
    valid: np.ndarray | None = None,
    title: str | None = None,
) -> Path:
    """Truth, prediction and absolute error of the IPF colors of one slice, and the temperature they were given.

    Args:
        truth, prediction: IPF values in [0, 1], (9, H, W): three channels for each of the directions X, Y and Z.
        temperature: K at the predicted frame, (H, W).
        solidus, liquidus: K.
        molten: cells that are molten in truth, (H, W) bool.
        valid: cells with data, (H, W) bool; left out: all.

    Returns:
        The path.
    """
    shape = temperature.shape
    errors = np.abs(prediction - truth).reshape(3, 3, *shape).mean(axis=1)
    known = np.ones(shape, dtype=bool) if valid is None else valid.astype(bool)
    limits = (0.0, upper_limit(*errors, valid=known, least=0.01))
    melt = predicted_melt(prediction) & known
    stacked = plane.aspect(shape) >= WIDE
    page, heat = (_stacked_page if stacked else _square_page)(shape, plane, title)
    grid = page.panels[:9, 0].reshape(3, 3) if stacked else page.panels[:3]

    for row, direction in enumerate(DIRECTIONS):
        channels = slice(3 * row, 3 * row + 3)
        for column, (name, colors, melts) in enumerate(
            (("truth", truth, molten), ("prediction", prediction, melt), ("absolute error", None, molten))
        ):
            axes = grid[row, column]
            prepare(axes, shape, plane, rows=stacked or column == 0, columns=not stacked and row == 2)
            if colors is None:
                drawn = paint_values(axes, errors[row], plane, colormap=ERROR_MAP, limits=limits, valid=known)
                outline(axes, melts & known, plane, color="#333333", width=0.6)
            else:
                paint_colors(axes, colors[channels], plane, valid=known)
                outline(axes, melts & known, plane, color=MELT_EDGE, casing="black")
                if name == "prediction":
                    outline(axes, molten & known, plane, color=TRUE_MELT_EDGE, style="dashed", width=0.8)
            if stacked:
                axes.set_title(f"IPF-{direction}  {name}", loc="left")
            elif row == 0:
                axes.set_title(name)
            if not stacked and column == 0:
                axes.set_ylabel(f"IPF-{direction}\n{plane.axes[0]} (µm)")
        if stacked:
            colorbar(page.figure, drawn, [grid[row, 2]], label="|Δ|")
    if not stacked:
        colorbar(page.figure, drawn, grid[:, 2], label="mean |Δ| of 3 channels")

    _draw_temperature(page, heat, temperature, plane=plane, solidus=solidus, liquidus=liquidus, valid=known)
    samples: list[Artist] = [
        patch_sample("molten: IPF 0, black", color="black"),
        line_sample("edge of the melt shown", color=MELT_EDGE, casing="black"),
        line_sample("true melt, over the prediction", color=TRUE_MELT_EDGE, casing="black", style="dashed"),
        *isotherm_samples(solidus=solidus, liquidus=liquidus),
        *([] if known.all() else [masked_sample()]),
    ]
    _add_legend(page, heat, samples, stacked=stacked)
    write_title(page.figure, title)
    return save(page.figure, path)


def _stacked_page(shape: tuple[int, int], plane: Plane, title: str | None) -> tuple[Sheet, Axes]:
    page = sheet(
        shape, plane, rows=10, columns=1, between_rows=([0.2, 0.2, 0.28] * 3)[:9], top=headroom(title), footer=0.36
    )
    return page, page.panels[9, 0]


def _square_page(shape: tuple[int, int], plane: Plane, title: str | None) -> tuple[Sheet, Axes]:
    page = sheet(shape, plane, rows=4, columns=3, between_rows=[0.1, 0.1, 0.62], top=headroom(title), height=1.5)
    for spare in page.panels[3, 1:]:
        spare.remove()
    return page, page.panels[3, 0]


def _draw_temperature(
    page: Sheet,
    axes: Axes,
    temperature: np.ndarray,
    *,
    plane: Plane,
    solidus: float,
    liquidus: float,
    valid: np.ndarray,
) -> None:
    shape = temperature.shape
    prepare(axes, shape, plane)
    low, high = temperature_limits(temperature, valid=valid)
    drawn = paint_values(axes, temperature, plane, colormap=TEMPERATURE_MAP, limits=(low, high), valid=valid)
    isotherms(axes, temperature, plane, solidus=solidus, liquidus=liquidus, valid=valid)
    axes.set_title("temperature of the predicted frame", loc="left")
    colorbar(page.figure, drawn, [axes], label="T (K)")


def temperature_limits(*temperatures: np.ndarray, valid: np.ndarray) -> tuple[float, float]:
    """The shared color scale of temperatures: whole hundreds of kelvin around the valid cells."""
    values = np.concatenate([field[valid & np.isfinite(field)] for field in temperatures])
    if values.size == 0:
        return 0.0, 1.0
    low = 100.0 * np.floor(float(values.min()) / 100)
    return low, max(low + 100.0, 100.0 * np.ceil(float(values.max()) / 100))


def _add_legend(page: Sheet, heat: Axes, samples: list[Artist], *, stacked: bool) -> None:
    width, height = page.figure.get_size_inches()
    box = heat.get_position()
    if stacked:
        legend(page.figure, samples, left=box.x0 * width, top=height - 0.36, columns=3)
    else:
        legend(page.figure, samples, left=box.x1 * width + 0.85, top=(1 - box.y1) * height, columns=2)


@styled
def temperature_panels(
    truth: np.ndarray,
    prediction: np.ndarray,
    path: Path | str,
    *,
    plane: Plane,
    solidus: float,
    liquidus: float,
    valid: np.ndarray | None = None,
    title: str | None = None,
) -> Path:
    """Truth and prediction of the temperature of one slice on one scale, and their difference.

    Args:
        truth, prediction: K, (H, W).
        solidus, liquidus: K.
        valid: cells with data, (H, W) bool; left out: all.
    """
    known = np.ones(truth.shape, dtype=bool) if valid is None else valid.astype(bool)
    limits = temperature_limits(truth, prediction, valid=known)
    error = prediction - truth
    end = upper_limit(np.abs(error), valid=known, least=0.1)
    page, panels = _row_or_stack(truth.shape, plane, title=title, footer=0.2)
    for axes, name, values in zip(panels, ("truth", "prediction"), (truth, prediction), strict=False):
        drawn = paint_values(axes, values, plane, colormap=TEMPERATURE_MAP, limits=limits, valid=known)
        isotherms(axes, values, plane, solidus=solidus, liquidus=liquidus, valid=known)
        axes.set_title(name, loc="left")
    differences = paint_values(panels[2], error, plane, colormap=DIFFERENCE_MAP, limits=(-end, end), valid=known)
    panels[2].set_title("prediction − truth", loc="left")
    _scales(page, panels, [drawn, drawn, differences], ["T (K)", "T (K)", "ΔT (K)"])
    samples = [*isotherm_samples(solidus=solidus, liquidus=liquidus), *([] if known.all() else [masked_sample()])]
    legend(page.figure, samples, left=0.62, top=page.figure.get_size_inches()[1] - 0.2, columns=3)
    write_title(page.figure, title)
    return save(page.figure, path)


def _row_or_stack(
    shape: tuple[int, int], plane: Plane, *, title: str | None, count: int = 3, footer: float = 0.0
) -> tuple[Sheet, list[Axes]]:
    """Panels with their own color scales: side by side, or, where a slice is wide, one above the other."""
    if plane.aspect(shape) >= 2.0:
        page = sheet(
            shape, plane, rows=count, columns=1, between_rows=0.24, top=headroom(title), footer=footer, right=0.8
        )
        panels = list(page.panels[:, 0])
    else:
        page = sheet(shape, plane, rows=1, columns=count, between_columns=0.72, top=headroom(title), footer=footer)
        panels = list(page.panels[0])
    stacked = page.panels.shape[1] == 1
    for number, axes in enumerate(panels):
        prepare(axes, shape, plane, rows=stacked or number == 0, columns=not stacked or number == count - 1)
    return page, panels


def _scales(page: Sheet, panels: list[Axes], drawn: list[AxesImage], labels: list[str]) -> None:
    for axes, image, label in zip(panels, drawn, labels, strict=True):
        colorbar(page.figure, image, [axes], label=label)


@styled
def error_map(
    truth: np.ndarray,
    predictions: Mapping[str, np.ndarray],
    path: Path | str,
    *,
    plane: Plane,
    unit: str = "",
    valid: np.ndarray | None = None,
    molten: np.ndarray | None = None,
    title: str | None = None,
) -> Path:
    """Where predictions err: the root of the mean squared error over the channels, on one scale for all of them.

    Args:
        truth: (C, H, W).
        predictions: (C, H, W) of each model, by its name.
        unit: of the field; empty for IPF values.
        valid: cells with data, (H, W) bool; left out: all.
        molten: cells molten in truth, outlined, (H, W) bool.
    """
    shape = truth.shape[-2:]
    known = np.ones(shape, dtype=bool) if valid is None else valid.astype(bool)
    errors = {name: np.sqrt(np.square(field - truth).mean(axis=0)) for name, field in predictions.items()}
    limits = (0.0, upper_limit(*errors.values(), valid=known, least=0.01))
    columns = 1 if plane.aspect(shape) >= 2.0 or len(errors) == 1 else min(3, len(errors))
    rows = -(-len(errors) // columns)
    page = sheet(shape, plane, rows=rows, columns=columns, between_rows=0.24, top=headroom(title))
    for spare in page.panels.flat[len(errors) :]:
        spare.remove()
    panels = list(page.panels.flat[: len(errors)])
    for number, (axes, (name, error)) in enumerate(zip(panels, errors.items(), strict=True)):
        prepare(axes, shape, plane, rows=number % columns == 0, columns=number + columns >= len(errors))
        drawn = paint_values(axes, error, plane, colormap=ERROR_MAP, limits=limits, valid=known)
        if molten is not None:
            outline(axes, molten.astype(bool) & known, plane, color="#333333", width=0.6)
        axes.set_title(name, loc="left")
    label = "RMS error" + (f" ({unit})" if unit else "")
    last = panels[columns - 1 :: columns] or panels
    short = len(last) == 1 and page.height < 0.9
    colorbar(page.figure, drawn, last, label="RMSE" + (f" ({unit})" if unit else "") if short else label)
    write_title(page.figure, title)
    return save(page.figure, path)


def mean_gradient(field: np.ndarray, *, spacing: tuple[float, float], valid: np.ndarray | None = None) -> np.ndarray:
    """Magnitude of the gradient, averaged over the channels; NaN where a cell or a neighbor it needs has no data.

    Args:
        field: (C, H, W).
        spacing: m, between rows and between columns.
        valid: (H, W) bool; left out: all.

    Returns:
        Units of the field per m, (H, W).
    """
    values = field.astype(np.float64)
    if valid is not None:
        values = np.where(valid, values, np.nan)
    squares = np.zeros_like(values)
    for axis, step in ((-2, spacing[0]), (-1, spacing[1])):
        if values.shape[axis] > 1:
            squares += np.square(np.gradient(values, step, axis=axis))
    magnitude: np.ndarray = np.where(np.isfinite(values), np.sqrt(squares), np.nan).mean(axis=0)
    return magnitude


@styled
def gradient_maps(
    truth: np.ndarray,
    prediction: np.ndarray,
    path: Path | str,
    *,
    plane: Plane,
    unit: str = "",
    valid: np.ndarray | None = None,
    title: str | None = None,
) -> Path:
    """How sharp a prediction is: the mean gradient of truth and prediction, and their difference.

    A blurred prediction shows thin lines of too little gradient (negative difference) along the grain boundaries.

    Args:
        truth, prediction: (C, H, W).
        unit: of the field; empty for IPF values.
        valid: cells with data, (H, W) bool; left out: all.
    """
    shape = truth.shape[-2:]
    of_truth, of_prediction = (
        mean_gradient(field, spacing=plane.spacing, valid=valid) / MICRO for field in (truth, prediction)
    )
    difference = of_prediction - of_truth
    high = upper_limit(of_truth, of_prediction)
    end = upper_limit(np.abs(difference))
    page, panels = _row_or_stack(shape, plane, title=title)
    drawn = [
        paint_values(axes, values, plane, colormap=FIELD_MAP, limits=(0.0, high))
        for axes, values in zip(panels, (of_truth, of_prediction), strict=False)
    ]
    drawn.append(paint_values(panels[2], difference, plane, colormap=DIFFERENCE_MAP, limits=(-end, end)))
    means = [
        float(np.nanmean(values)) if np.isfinite(values).any() else float("nan") for values in (of_truth, of_prediction)
    ]
    panels[0].set_title(f"truth  (mean {means[0]:.3g})", loc="left")
    panels[1].set_title(f"prediction  (mean {means[1]:.3g})", loc="left")
    panels[2].set_title("prediction − truth", loc="left")
    per = f"{unit or '1'}/µm"
    _scales(page, panels, drawn, [f"|∇| ({per})", f"|∇| ({per})", f"Δ|∇| ({per})"])
    write_title(page.figure, title)
    return save(page.figure, path)

"""Rows of metrics.jsonl as series: columns of numbers, lines with gaps, logarithmic axes where they help."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, LogFormatterSciNotation, LogLocator, NullFormatter

from lasernet.viz.style import CYCLE

Rows = Sequence[Mapping[str, object]]


def column(rows: Rows, name: str) -> np.ndarray:
    """A column of rows; NaN where it is missing, not a number or not finite."""
    values = [row.get(name) for row in rows]
    return np.array([float(v) if isinstance(v, int | float) and np.isfinite(v) else np.nan for v in values])


def numeric_columns(rows: Rows) -> list[str]:
    """The columns that hold at least one finite number, in the order in which they first appear."""
    names = dict.fromkeys(name for row in rows for name in row)
    return [name for name in names if np.isfinite(column(rows, name)).any()]


def has(runs: Mapping[str, Rows], *columns: str) -> bool:
    """Whether any run has a finite number in any of these columns."""
    return any(np.isfinite(column(rows, name)).any() for rows in runs.values() for name in columns)


def epochs(rows: Rows) -> np.ndarray:
    """The epoch of each row: as recorded, else counted from 1."""
    numbers = column(rows, "epoch")
    return np.where(np.isfinite(numbers), numbers, np.arange(1, len(rows) + 1))


def places(rows: Rows, *, by_step: bool) -> np.ndarray:
    """Where each row stands: at its step, or at its epoch."""
    return column(rows, "step") if by_step else epochs(rows)


def phases(rows: Rows) -> list[str]:
    """The phases that a run trained in turn, by their losses; none where one loss trained everything."""
    names = numeric_columns(rows)
    if "train_loss" in names:
        return []
    return [match[1] for name in names if (match := re.fullmatch(r"train_(.+)_loss", name))]


def draw_line(
    axes: Axes,
    at: np.ndarray,
    values: np.ndarray,
    *,
    color: str,
    width: float,
    label: str = "",
    style: str | tuple[int, tuple[int, ...]] = "-",
) -> None:
    """A line with gaps where values are not finite, and dots where they stand alone."""
    known = np.isfinite(values)
    neighbors = np.concatenate([[False], known[:-1]]) | np.concatenate([known[1:], [False]])
    alone = known & ~neighbors  # a line through one point is invisible
    axes.plot(at, values, color=color, linewidth=width, label=label or "_", linestyle=style)
    axes.plot(at[alone], values[alone], ".", color=color, markersize=3.0, label="_")


def logarithmic(axes: Axes, values: np.ndarray, *, along: Literal["x", "y"] = "y") -> None:
    """Set a logarithmic axis for values of one sign, labeled between the powers of ten where these are few."""
    axis = axes.xaxis if along == "x" else axes.yaxis
    set_scale = axes.set_xscale if along == "x" else axes.set_yscale
    small, large = float(np.abs(values).min()), float(np.abs(values).max())
    between = LogLocator(subs=(1.0, 2.0, 5.0) if large < 40 * small else (1.0, 3.0))
    if values.max() < 0:
        set_scale("function", functions=(_negative_log, _negative_power))
        ticks = -np.array(between.tick_values(small, large))
        axis.set_major_locator(FixedLocator([tick for tick in ticks if -large <= tick <= -small]))
        axis.set_major_formatter(lambda value, _: f"{value:g}".replace("-", "−"))
    else:
        set_scale("log")
        few = large < 100 * small
        axis.set_major_locator(between if few else LogLocator())
        axis.set_major_formatter((lambda value, _: f"{value:g}") if few else LogFormatterSciNotation())
    axis.set_minor_formatter(NullFormatter())


def _negative_log(values: np.ndarray) -> np.ndarray:
    logarithms: np.ndarray = -np.log10(np.maximum(-np.asarray(values, dtype=float), 1e-300))
    return logarithms


def _negative_power(values: np.ndarray) -> np.ndarray:
    powers: np.ndarray = -(10.0 ** -np.asarray(values, dtype=float))
    return powers


def choose_scale(axes: Axes, values: np.ndarray, *, along: Literal["x", "y"] = "y") -> None:
    """A logarithmic axis for values of one sign that span more than a factor of three, a linear one for others.

    Values of both signs with far outliers have an axis that is logarithmic outside of their middle.
    """
    known = values[np.isfinite(values)]
    if not known.size:
        return
    middle, largest = float(np.median(np.abs(known))), float(np.abs(known).max())
    if known.min() * known.max() > 0:
        if largest > 3 * np.abs(known).min():
            logarithmic(axes, known, along=along)
    elif known.min() < 0 and 0 < 10 * middle < largest:
        linear = 10.0 ** np.ceil(np.log10(middle))
        (axes.set_xscale if along == "x" else axes.set_yscale)("symlog", linthresh=linear, linscale=1.0)
        axis = axes.xaxis if along == "x" else axes.yaxis
        axis.set_major_formatter(lambda value, _: f"{value:g}".replace("-", "−"))


def name_runs(figure: Figure, names: Sequence[str], *, top: float) -> None:
    """A legend of runs by their colors, three in a line, at inches from the upper edge of the figure."""
    width, height = figure.get_size_inches()
    figure.legend(
        [Line2D([], [], color=CYCLE[number % len(CYCLE)]) for number in range(len(names))],
        names,
        loc="upper left",
        bbox_to_anchor=(0.6 / width, 1 - top / height),
        ncols=3,
        borderpad=0,
        borderaxespad=0,
    )

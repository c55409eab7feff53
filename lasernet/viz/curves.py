"""How training went: losses, learning rate and sharpness by epoch, of one run or of several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogFormatterSciNotation, LogLocator, MaxNLocator, NullFormatter

from lasernet.viz.panels import place
from lasernet.viz.style import CYCLE, INK, PAGE, QUIET, new_figure, save, styled

Rows = Sequence[Mapping[str, object]]
TRAIN, VALIDATION, RATE = "train_loss", "val_loss", "lr"
SHARPNESS = ("gradient_prediction", "gradient_target")


@styled
def loss_curves(runs: Mapping[str, Rows], path: Path | str) -> Path:
    """Draw the rows of one or several metrics.jsonl.

    A panel whose columns no run has is left out; values that are missing, null or not finite leave gaps.

    Args:
        runs: rows with ``epoch``, ``train_loss``, ``val_loss``, ``lr`` and, where a run monitors sharpness,
            ``train_gradient_prediction`` and ``train_gradient_target`` (or ``val_``), by the name of the run.
    """
    drawers = [(_has(runs, TRAIN, VALIDATION), _draw_losses), (_has(runs, RATE), _draw_rates)]
    drawers.append((any(_sharpness(rows) is not None for rows in runs.values()), _draw_sharpness))
    chosen = [draw for wanted, draw in drawers if wanted] or [_draw_losses]
    left, gap, top, bottom, high = 0.62, 0.64, 0.32, 0.38, 1.9
    small = 1.5
    large = PAGE - left - 0.12 - (small + gap) * (len(chosen) - 1)
    several = len(runs) > 1
    names_room = 0.16 * (-(-len(runs) // 3)) + 0.06 if several else 0.0
    figure = new_figure(PAGE, top + high + bottom + names_room)
    at = left
    for number, draw in enumerate(chosen):
        width = large if number == 0 else small
        axes = place(figure, at, top, width, high)
        draw(axes, runs)
        axes.set_xlabel("epoch")
        first, last = axes.get_xlim()
        if last - first < 1.0:
            axes.set_xlim(round((first + last) / 2) - 1, round((first + last) / 2) + 1)
        axes.xaxis.set_major_locator(MaxNLocator(6 if number == 0 else 4, integer=True, steps=[1, 2, 5, 10]))
        axes.spines[["top", "right"]].set_visible(False)
        at += width + gap
    if several:
        _name_runs(figure, list(runs), top=top + high + bottom)
    return save(figure, path)


def _has(runs: Mapping[str, Rows], *columns: str) -> bool:
    return any(np.isfinite(_column(rows, name)).any() for rows in runs.values() for name in columns)


def _column(rows: Rows, name: str) -> np.ndarray:
    values = [row.get(name) for row in rows]
    return np.array([float(v) if isinstance(v, int | float) and np.isfinite(v) else np.nan for v in values])


def _epochs(rows: Rows) -> np.ndarray:
    epochs = _column(rows, "epoch")
    return np.where(np.isfinite(epochs), epochs, np.arange(1, len(rows) + 1))


def _draw_line(
    axes: Axes, epochs: np.ndarray, values: np.ndarray, *, color: str, width: float, label: str = ""
) -> None:
    known = np.isfinite(values)
    neighbors = np.concatenate([[False], known[:-1]]) | np.concatenate([known[1:], [False]])
    alone = known & ~neighbors  # a line through one point is invisible
    axes.plot(epochs, values, color=color, linewidth=width, label=label or "_")
    axes.plot(epochs[alone], values[alone], ".", color=color, markersize=3.0, label="_")


def _draw_losses(axes: Axes, runs: Mapping[str, Rows]) -> None:
    single = len(runs) == 1
    seen = []
    for number, rows in enumerate(runs.values()):
        epochs, train, validation = _epochs(rows), _column(rows, TRAIN), _column(rows, VALIDATION)
        seen += [train, validation]
        of_train, of_validation = (CYCLE[0], CYCLE[1]) if single else (CYCLE[number % len(CYCLE)],) * 2
        _draw_line(axes, epochs, train, color=of_train, width=1.2 if single else 0.5, label="train" if single else "")
        _draw_line(axes, epochs, validation, color=of_validation, width=1.2, label="validation" if single else "")
        if np.isfinite(validation).any():
            best = int(np.nanargmin(validation))
            label = f"best: {validation[best]:.4g} in epoch {epochs[best]:g}" if single else "_"
            axes.plot(
                epochs[best],
                validation[best],
                "*",
                markersize=7,
                markerfacecolor=of_validation,
                markeredgecolor=INK,
                markeredgewidth=0.5,
                linestyle="none",
                label=label,
                zorder=4,
            )
    values = np.concatenate(seen) if seen else np.zeros(0)
    values = values[np.isfinite(values)]
    if values.size and values.min() > 0 and values.max() > 3 * values.min():
        _logarithmic(axes, values)
    axes.set_title("loss" if single else "loss (thick: validation, thin: train, star: best)", loc="left")
    if single and values.size:
        axes.legend(loc="upper right")


def _logarithmic(axes: Axes, values: np.ndarray) -> None:
    axes.set_yscale("log")
    if values.max() < 30 * values.min():  # less than a decade and a half: label between the powers of ten
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    else:
        axes.yaxis.set_major_formatter(LogFormatterSciNotation())
    axes.yaxis.set_minor_formatter(NullFormatter())


def _draw_rates(axes: Axes, runs: Mapping[str, Rows]) -> None:
    rates = []
    for number, rows in enumerate(runs.values()):
        rate = _column(rows, RATE)
        rates.append(rate)
        _draw_line(axes, _epochs(rows), rate, color=CYCLE[number % len(CYCLE)] if len(runs) > 1 else INK, width=1.0)
    values = np.concatenate(rates)
    values = values[np.isfinite(values)]
    if values.size and values.min() > 0 and values.max() > 3 * values.min():
        _logarithmic(axes, values)
    else:
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:.3g}")
    axes.set_title("learning rate", loc="left")


def _sharpness(rows: Rows) -> np.ndarray | None:
    """Mean gradient of the prediction over that of the target, by epoch; None where it was not recorded."""
    for part in ("val", "train"):
        prediction, target = (_column(rows, f"{part}_{name}") for name in SHARPNESS)
        known = np.isfinite(prediction) & np.isfinite(target) & (target > 0)
        if known.any():
            return np.where(known, prediction / np.where(known, target, 1.0), np.nan)
    return None


def _draw_sharpness(axes: Axes, runs: Mapping[str, Rows]) -> None:
    axes.axhline(1.0, color=QUIET, linewidth=0.8, linestyle=(0, (3, 2)))
    for number, rows in enumerate(runs.values()):
        ratio = _sharpness(rows)
        if ratio is not None:
            _draw_line(
                axes, _epochs(rows), ratio, color=CYCLE[number % len(CYCLE)] if len(runs) > 1 else INK, width=1.0
            )
    low, high = axes.get_ylim()
    axes.set_ylim(min(low, 0.0), max(high, 1.08))
    axes.set_title("mean gradient,\nprediction / truth", loc="left")


def _name_runs(figure: Figure, names: Sequence[str], *, top: float) -> None:
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

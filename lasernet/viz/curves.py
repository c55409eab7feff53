"""How training went: losses, learning rate and sharpness by epoch, of one run or of several."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from lasernet.viz.panels import place
from lasernet.viz.phase_curves import phase_curves
from lasernet.viz.series import Rows, column, draw_line, epochs, has, logarithmic, name_runs, phases
from lasernet.viz.style import CYCLE, INK, PAGE, QUIET, new_figure, save, styled

TRAIN, VALIDATION, RATE = "train_loss", "val_loss", "lr"
SHARPNESS = ("gradient_prediction", "gradient_target")


@styled
def loss_curves(runs: Mapping[str, Rows], path: Path | str) -> Path:
    """Draw the rows of one or several metrics.jsonl.

    A panel whose columns no run has is left out; values that are missing, null or not finite leave gaps. If one of the
    runs trains in phases, all are drawn by `lasernet.viz.phase_curves`.

    Args:
        runs: rows with ``epoch``, ``train_loss``, ``val_loss``, ``lr`` and, where a run monitors sharpness,
            ``train_gradient_prediction`` and ``train_gradient_target`` (or ``val_``), by the name of the run.
    """
    if any(phases(rows) for rows in runs.values()):
        return phase_curves(runs, path)
    drawers = [(has(runs, TRAIN, VALIDATION), _draw_losses), (has(runs, RATE), _draw_rates)]
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
        name_runs(figure, list(runs), top=top + high + bottom)
    return save(figure, path)


def _draw_losses(axes: Axes, runs: Mapping[str, Rows]) -> None:
    single = len(runs) == 1
    seen = []
    for number, rows in enumerate(runs.values()):
        at, train, validation = epochs(rows), column(rows, TRAIN), column(rows, VALIDATION)
        seen += [train, validation]
        of_train, of_validation = (CYCLE[0], CYCLE[1]) if single else (CYCLE[number % len(CYCLE)],) * 2
        draw_line(axes, at, train, color=of_train, width=1.2 if single else 0.5, label="train" if single else "")
        draw_line(axes, at, validation, color=of_validation, width=1.2, label="validation" if single else "")
        if np.isfinite(validation).any():
            best = int(np.nanargmin(validation))
            label = f"best: {validation[best]:.4g} in epoch {at[best]:g}" if single else "_"
            axes.plot(
                at[best],
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
        logarithmic(axes, values)
    axes.set_title("loss" if single else "loss (thick: validation, thin: train, star: best)", loc="left")
    if single and values.size:
        axes.legend(loc="upper right")


def _draw_rates(axes: Axes, runs: Mapping[str, Rows]) -> None:
    rates = []
    for number, rows in enumerate(runs.values()):
        rate = column(rows, RATE)
        rates.append(rate)
        draw_line(axes, epochs(rows), rate, color=CYCLE[number % len(CYCLE)] if len(runs) > 1 else INK, width=1.0)
    values = np.concatenate(rates)
    values = values[np.isfinite(values)]
    if values.size and values.min() > 0 and values.max() > 3 * values.min():
        logarithmic(axes, values)
    else:
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:.3g}")
    axes.set_title("learning rate", loc="left")


def _sharpness(rows: Rows) -> np.ndarray | None:
    """Mean gradient of the prediction over that of the target, by epoch; None where it was not recorded."""
    for part in ("val", "train"):
        prediction, target = (column(rows, f"{part}_{name}") for name in SHARPNESS)
        known = np.isfinite(prediction) & np.isfinite(target) & (target > 0)
        if known.any():
            return np.where(known, prediction / np.where(known, target, 1.0), np.nan)
    return None


def _draw_sharpness(axes: Axes, runs: Mapping[str, Rows]) -> None:
    axes.axhline(1.0, color=QUIET, linewidth=0.8, linestyle=(0, (3, 2)))
    for number, rows in enumerate(runs.values()):
        ratio = _sharpness(rows)
        if ratio is not None:
            draw_line(axes, epochs(rows), ratio, color=CYCLE[number % len(CYCLE)] if len(runs) > 1 else INK, width=1.0)
    low, high = axes.get_ylim()
    axes.set_ylim(min(low, 0.0), max(high, 1.08))
    axes.set_title("mean gradient,\nprediction / truth", loc="left")

"""What predicted flows say about permeability: against the true one, and by how much they miss it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator

from lasernet.viz.flow_units import percent
from lasernet.viz.panels import headroom, place, write_title
from lasernet.viz.style import CYCLE, PAGE, QUIET, new_figure, save, styled

SQUARE_MICRO = 1e12
BANDS = (0.01, 0.05)
MARKS = "osD^vP*"
TICKS = (1, 5, 25, 100, 1000, 10000)  # %, of errors of either sign; the scale is linear between -1 and 1
FARTHEST = 10.0  # times the range of the truth: what lies beyond is drawn on the edge


@styled
def permeability_parity(
    truth: np.ndarray,
    answers: Mapping[str, np.ndarray],
    path: Path | str,
    *,
    truth_error: np.ndarray,
    title: str | None = None,
) -> Path:
    """Predicted against true permeability along the flow, and the relative error, with lines at 1 % and 5 %.

    In the first panel a predicted permeability below a tenth of the least true one, or above ten times the largest,
    lies on the edge; the legend counts such.

    Args:
        truth: m², above 0, (N,).
        answers: m², (N,), by name; the first is the run's.
        truth_error: relative error of the truth by its grid, (N,), NaN where it is unknown; drawn as bars.
    """
    left, gap, high, bottom, right = 0.66, 0.8, 2.6, 0.4, 0.12
    top = headroom(title)
    room = 0.16 * len(answers) + 0.1
    figure = new_figure(PAGE, top + high + bottom + room)
    parity = place(figure, left, top, high, high)
    errors = place(figure, left + high + gap, top, PAGE - left - high - gap - right, high)
    known = np.where(np.isfinite(truth_error), truth_error, 0.0)
    true = SQUARE_MICRO * truth
    shown = {name: SQUARE_MICRO * values for name, values in answers.items()}
    _draw_parity(parity, true, shown, known)
    _draw_errors(errors, true, shown, known)
    handles = [
        parity.plot([], [], MARKS[i % len(MARKS)], color=CYCLE[i % len(CYCLE)], markersize=4)[0]
        for i in range(len(shown))
    ]
    names = [_told(name, values, true) for name, values in shown.items()]
    if known.any():
        handles.append(parity.errorbar([], [], yerr=[], color=QUIET, linewidth=1.0)[2][0])
        names.append(f"error of the truth, by its grid: mean {percent(float(np.nanmean(truth_error)))}")
    tall = figure.get_size_inches()[1]
    anchor = (left / PAGE, 1 - (top + high + bottom) / tall)
    figure.legend(handles, names, loc="upper left", bbox_to_anchor=anchor, borderaxespad=0, borderpad=0)
    write_title(figure, title)
    return save(figure, path)


def _told(name: str, values: np.ndarray, true: np.ndarray) -> str:
    missed = np.abs(values / true - 1)
    told = f"{name}: |error| median {percent(float(np.median(missed)))}, mean {percent(float(missed.mean()))}"
    beyond = int(((values < true.min() / FARTHEST) | (values > FARTHEST * true.max())).sum())
    return f"{told}; {beyond} on the edge" if beyond else told


def _draw_parity(axes: Axes, true: np.ndarray, shown: Mapping[str, np.ndarray], known: np.ndarray) -> None:
    every = np.clip(np.concatenate([true, *shown.values()]), true.min() / FARTHEST, FARTHEST * true.max())
    low, high = every.min() / 1.25, every.max() * 1.25
    line = np.array([low, high])
    for band in BANDS:
        axes.fill_between(line, line * (1 - band), line * (1 + band), color=QUIET, alpha=0.22, linewidth=0)
    axes.plot(line, line, color=QUIET, linewidth=0.8)
    for index, (_, values) in reversed(list(enumerate(shown.items()))):
        color = CYCLE[index % len(CYCLE)]
        inside = np.clip(values, low, high)
        axes.errorbar(true, inside, xerr=true * known, fmt="none", ecolor=QUIET, elinewidth=0.6)
        axes.plot(
            true, inside, MARKS[index % len(MARKS)], color=color, markersize=3.5, clip_on=False,
            markeredgecolor="white", markeredgewidth=0.3,
        )  # fmt: skip
    axes.set(xscale="log", yscale="log", xlim=(low, high), ylim=(low, high))
    axes.set_xlabel("true permeability (µm²)")
    axes.set_ylabel("predicted permeability (µm²)")
    axes.set_title("bands: ±1 % and ±5 %", loc="left")
    for axis in (axes.xaxis, axes.yaxis):
        _plain_ticks(axis, low, high)
    axes.spines[["top", "right"]].set_visible(False)


def _draw_errors(axes: Axes, true: np.ndarray, shown: Mapping[str, np.ndarray], known: np.ndarray) -> None:
    low, high = true.min() / 1.1, true.max() * 1.1
    for band in BANDS:
        axes.axhspan(-100 * band, 100 * band, color=QUIET, alpha=0.22, linewidth=0)
    axes.axhline(0, color=QUIET, linewidth=0.8)
    axes.vlines(true, -100 * known, 100 * known, color=QUIET, linewidth=1.0)
    for index, values in reversed(list(enumerate(shown.values()))):
        color, mark = CYCLE[index % len(CYCLE)], MARKS[index % len(MARKS)]
        axes.plot(
            true, 100 * (values / true - 1), mark, color=color, markersize=3.5, markeredgecolor="white",
            markeredgewidth=0.3,
        )  # fmt: skip
    axes.set_yscale("symlog", linthresh=1.0, linscale=0.5)
    worst = max(5.0, *(float(np.abs(100 * (values / true - 1)).max()) for values in shown.values()))
    axes.set(xscale="log", xlim=(low, high), ylim=(-1.4 * worst, 1.4 * worst))
    ticks = [tick for tick in TICKS if tick <= 1.4 * worst]
    axes.set_yticks([-tick for tick in reversed(ticks)] + [0] + ticks)
    axes.set_yticks([], minor=True)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:+g}".replace("-", "−") if value else "0"))
    axes.set_xlabel("true permeability (µm²)")
    axes.set_ylabel("error of the permeability (%)")
    _plain_ticks(axes.xaxis, low, high)
    axes.spines[["top", "right"]].set_visible(False)


def _plain_ticks(axis: Axis, low: float, high: float) -> None:
    """Plain numbers on a logarithmic axis, also where it spans less than a decade."""
    marks = LogLocator(subs=(1.0, 2.0, 5.0) if high / low < 40 else (1.0,))
    axis.set_major_locator(marks if high / low > 8 else MaxNLocator(5, steps=[1, 2, 5, 10]))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_locator(LogLocator(subs=()))

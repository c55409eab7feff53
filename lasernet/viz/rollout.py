"""Errors that grow as predictions are made from predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from lasernet.viz.panels import place
from lasernet.viz.series import choose_scale, draw_line
from lasernet.viz.style import CYCLE, PAGE, new_figure, save, styled

Curves = Mapping[str, Mapping[str, Sequence[float | None]]]
COLUMNS = 4  # of the legend


@styled
def error_against_horizon(curves: Curves, path: Path | str, *, unit: str = "", title: str = "") -> Path:
    """Draw mean squared errors 1, 2, … frames ahead, a panel for each region.

    Args:
        curves: errors by horizon, by region, by name; the first name is the model and is drawn thick.
        unit: of the errors.
    """
    regions = list(next(iter(curves.values())))
    left, gap, top, high, bottom = 0.62, 0.62, 0.42, 1.9, 0.38
    rows = -(-len(curves) // COLUMNS)
    width = (PAGE - left - 0.12 - gap * (len(regions) - 1)) / len(regions)
    height = top + high + bottom + 0.16 * rows + 0.08
    figure = new_figure(PAGE, height)
    for number, region in enumerate(regions):
        axes = place(figure, left + number * (width + gap), top, width, high)
        seen = []
        for index, (color, thick, style) in enumerate(_lines(len(curves))):
            values = np.array([np.nan if v is None else v for v in list(curves.values())[index][region]], dtype=float)
            seen.append(values)
            ahead = np.arange(1, len(values) + 1)
            draw_line(axes, ahead, values, color=color, width=thick, style=style)
            axes.plot(ahead, values, ".", color=color, markersize=2 + 2 * thick, label="_")
            axes.set_xlim(0.8, len(values) + 0.2)
        choose_scale(axes, np.concatenate(seen))
        axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, steps=[1, 2, 5, 10]))
        axes.set_xlabel("frames ahead")
        axes.set_title(f"{region}: mean squared error{f' ({unit})' if unit else ''}", loc="left")
        axes.spines[["top", "right"]].set_visible(False)
    handles = [Line2D([], [], color=c, linewidth=w, linestyle=s) for c, w, s in _lines(len(curves))]
    anchor = (left / PAGE, (0.16 * rows + 0.06) / height)
    figure.legend(handles, list(curves), loc="upper left", bbox_to_anchor=anchor, ncols=COLUMNS, borderaxespad=0)
    if title:
        figure.text(left / PAGE, 1 - 0.14 / height, title, va="center", ha="left", fontsize=8.5)
    return save(figure, path)


def _lines(count: int) -> list[tuple[str, float, Literal["-", "--"]]]:
    """Color, width and style of each line: the first thick, the others thin, dashed when the colors are used up."""
    others = CYCLE[1:]
    lines: list[tuple[str, float, Literal["-", "--"]]] = [(CYCLE[0], 2.0, "-")]
    for index in range(count - 1):
        lines.append((others[index % len(others)], 0.9, "-" if index < len(others) else "--"))
    return lines

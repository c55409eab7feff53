"""What an answer costs against how wrong it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from lasernet.viz.panels import place
from lasernet.viz.style import CYCLE, PAGE, QUIET, new_figure, save, styled

Point = tuple[str, float, float]  # name, seconds, error
MARKS = "osD^vP*"


@styled
def error_against_time(
    panels: Mapping[str, Mapping[str, Sequence[Point]]], path: Path | str, *, unit: str, title: str = ""
) -> Path:
    """Draw points of error and time, a panel for each quantity, families by color; on both axes less is better.

    A staircase joins the answers that no other beats in both. An error of 0 lies on the lower edge.

    Args:
        panels: points by family, by the name of the error.
        unit: of what the time is spent on, such as ``s per frame``.
    """
    left, gap, top, high, bottom, width = 0.62, 0.72, 0.42, 2.6, 0.75, 0.0
    width = (PAGE - left - 0.2 - gap * (len(panels) - 1)) / len(panels)
    height = top + high + bottom
    figure = new_figure(PAGE, height)
    families = list(dict.fromkeys(name for families in panels.values() for name in families))
    for number, (quantity, points) in enumerate(panels.items()):
        axes = place(figure, left + number * (width + gap), top, width, high)
        _draw(axes, points, families)
        axes.set_xlabel(unit)
        axes.set_title(quantity, loc="left")
        axes.spines[["top", "right"]].set_visible(False)
    handles = [
        axes.plot([], [], MARKS[i % len(MARKS)], color=CYCLE[i % len(CYCLE)], markersize=4)[0]
        for i in range(len(families))
    ]
    anchor = (left / PAGE, 0.32 / height)
    figure.legend(handles, families, loc="upper left", bbox_to_anchor=anchor, ncols=4, borderaxespad=0)
    if title:
        figure.text(left / PAGE, 1 - 0.14 / height, title, va="center", ha="left", fontsize=8.5)
    return save(figure, path)


def _draw(axes: Axes, points: Mapping[str, Sequence[Point]], families: Sequence[str]) -> None:
    every = [point for group in points.values() for point in group]
    positive = [error for _, _, error in every if error > 0]
    floor = 0.5 * min(positive)
    x = [10 ** (np.log10(least_and_most(every)[i]) + side) for i, side in ((0, -0.25), (1, 0.7))]
    axes.set(xscale="log", yscale="log", xlim=x, ylim=(0.8 * floor, 2 * max(positive)))
    for name, group in points.items():
        index = families.index(name)
        for label, seconds, error in group:
            y = max(error, floor)
            axes.plot(seconds, y, MARKS[index % len(MARKS)], color=CYCLE[index % len(CYCLE)], markersize=4)
            text = label if error > 0 else f"{label}: 0"
            axes.annotate(text, (seconds, y), xytext=(4, 2), textcoords="offset points", fontsize=5.5)
    front = unbeaten([(seconds, max(error, floor)) for _, seconds, error in every])
    axes.step(*zip(*front, strict=True), where="post", color=QUIET, linewidth=0.8, zorder=0)


def least_and_most(points: Sequence[Point]) -> tuple[float, float]:
    """The shortest and the longest time."""
    times = [seconds for _, seconds, _ in points]
    return min(times), max(times)


def unbeaten(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Those points for which no other is as good in both numbers and better in one, by the first number."""
    best: list[tuple[float, float]] = []
    for point in sorted(set(points)):
        if not best or point[1] < best[-1][1]:
            best.append(point)
    return best

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
    left, gap, names, top, high, bottom = 0.62, 0.62, 1.15, 0.42, 2.6, 0.75
    width = (PAGE - left - gap * (len(panels) - 1)) / len(panels) - names
    height = top + high + bottom
    figure = new_figure(PAGE, height)
    families = list(dict.fromkeys(name for families in panels.values() for name in families))
    for number, (quantity, points) in enumerate(panels.items()):
        axes = place(figure, left + number * (width + names + gap), top, width, high)
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
    x = [10 ** (np.log10(least_and_most(every)[i]) + side) for i, side in ((0, -0.25), (1, 0.25))]
    axes.set(xscale="log", yscale="log", xlim=x, ylim=(0.8 * floor, 2 * max(positive)))
    for name, group in points.items():
        index = families.index(name)
        for _, seconds, error in group:
            y = max(error, floor)
            axes.plot(seconds, y, MARKS[index % len(MARKS)], color=CYCLE[index % len(CYCLE)], markersize=4)
    front = unbeaten([(seconds, max(error, floor)) for _, seconds, error in every])
    axes.step(*zip(*front, strict=True), where="post", color=QUIET, linewidth=0.8, zorder=0)
    _name(axes, every, floor)


def _name(axes: Axes, points: Sequence[Point], floor: float) -> None:
    """Names in a column to the right, in the order of the errors, each joined to its point."""
    ordered = sorted(points, key=lambda point: (point[2], -point[1]))
    to_axes = axes.transData + axes.transAxes.inverted()
    places = [to_axes.transform((seconds, max(error, floor))) for _, seconds, error in ordered]
    heights = spread([float(y) for _, y in places], gap=0.052, top=1.0)
    for (label, _, error), (x, y), height in zip(ordered, places, heights, strict=True):
        axes.annotate(
            label if error > 0 else f"{label}: 0",
            (float(x), float(y)),
            xytext=(1.05, height),
            xycoords="axes fraction",
            textcoords="axes fraction",
            fontsize=5.5,
            va="center",
            arrowprops={
                "arrowstyle": "-", "color": QUIET, "linewidth": 0.3, "shrinkA": 0, "shrinkB": 2.5, "relpos": (0, 0.5),
            },
        )  # fmt: skip


def spread(heights: Sequence[float], *, gap: float, top: float = float("inf")) -> list[float]:
    """Rising heights moved apart by at least a gap, by as little as possible in the sum of squares, none above a top.

    Heights that touch move as one block around their mean (pool-adjacent-violators on heights − index·gap).
    """
    blocks: list[tuple[float, int]] = []  # mean of height − index·gap, how many
    for index, height in enumerate(heights):
        block = (height - index * gap, 1)
        while blocks and blocks[-1][0] > block[0]:
            mean, count = blocks.pop()
            total = count + block[1]
            block = ((mean * count + block[0] * block[1]) / total, total)
        blocks.append(block)
    means = [mean for mean, count in blocks for _ in range(count)]
    highest = top - (len(means) - 1) * gap
    return [min(mean, highest) + index * gap for index, mean in enumerate(means)]


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

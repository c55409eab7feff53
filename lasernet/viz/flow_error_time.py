"""What an answer costs against how wrong it is, with a solver that can be stopped at any time beside models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from lasernet.viz.panels import headroom, place, write_title
from lasernet.viz.style import CYCLE, PAGE, QUIET, new_figure, save, styled
from lasernet.viz.tradeoff import MARKS, unbeaten


@styled
def error_time(
    points: Mapping[str, Sequence[tuple[float, float]]],
    path: Path | str,
    *,
    error: str = "NMSE of the velocity",
    time: str = "CPU seconds per flow",
    title: str | None = None,
) -> Path:
    """Draw error over time on two logarithmic axes; less is better on both.

    Points of a name that has several are joined in the order of time: a solver after more and more iterations. A
    staircase joins those that no other beats in both. An error of 0 lies on the lower edge.

    Args:
        points: (seconds, error), seconds above 0, by name.
        error, time: names of the axes.
    """
    every = [point for group in points.values() for point in group]
    positive = [found for _, found in every if found > 0] or [1.0]
    seconds = [spent for spent, _ in every]
    floor = 0.5 * min(positive)
    left, high, bottom, names = 0.66, 2.9, 0.42, 2.2
    top = headroom(title)
    figure = new_figure(PAGE, top + high + bottom)
    axes = place(figure, left, top, PAGE - left - names, high)
    axes.set(xscale="log", yscale="log")
    axes.set(xlim=(min(seconds) / 1.8, max(seconds) * 1.8), ylim=(0.8 * floor, 2 * max(positive)))
    front = unbeaten([(spent, max(found, floor)) for spent, found in every])
    axes.step(
        *zip(*front, strict=True), where="post", color=QUIET, linewidth=0.8, zorder=0, label="the best for the time"
    )
    for index, (name, group) in enumerate(points.items()):
        ordered = np.array(sorted(group))
        several = len(ordered) > 1
        axes.plot(
            ordered[:, 0],
            np.maximum(ordered[:, 1], floor),
            MARKS[(index + index // len(CYCLE)) % len(MARKS)],
            linestyle="-" if several else "none",
            color=CYCLE[index % len(CYCLE)],
            markersize=3.5 if several else 5.5,
            label=name,
        )
    axes.set_xlabel(time)
    axes.set_ylabel(error)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="upper left", bbox_to_anchor=(1.02, 1.0), borderaxespad=0)
    write_title(figure, title)
    return save(figure, path)

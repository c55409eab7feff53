"""How speeds are distributed: the slow fluid along walls, the fast fluid between them, and what leaves the slices."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from lasernet.viz.panels import headroom, place, write_title
from lasernet.viz.style import CYCLE, PAGE, new_figure, save, styled

BINS = 60


@styled
def velocity_distribution(
    speeds: Mapping[str, np.ndarray], lifts: Mapping[str, np.ndarray], path: Path | str, *, title: str | None = None
) -> Path:
    """Probability densities of the speed and of v_z, on a logarithmic axis.

    Args:
        speeds, lifts: |v| and v_z of fluid cells over the mean true speed of their flow, (N,), by name; the first is
            the truth.
    """
    left, gap, high, bottom, right = 0.66, 0.7, 2.1, 0.4, 0.12
    top = headroom(title)
    width = (PAGE - left - gap - right) / 2
    figure = new_figure(PAGE, top + high + bottom)
    panels = [place(figure, left + number * (width + gap), top, width, high) for number in range(2)]
    for axes, series, label in zip(panels, (speeds, lifts), ("$|v|$", "$v_z$"), strict=True):
        _draw(axes, series, signed=series is lifts)
        axes.set_xlabel(f"{label} / mean true speed")
        axes.set_ylabel("probability density")
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].legend(loc="upper right", borderaxespad=0.2)
    write_title(figure, title)
    return save(figure, path)


def _draw(axes: Axes, series: Mapping[str, np.ndarray], *, signed: bool) -> None:
    end = max(float(np.abs(values).max(initial=0.0)) for values in series.values())
    edges = np.linspace(-end if signed else 0.0, end, BINS + 1) if end > 0 else np.linspace(-1.0, 1.0, BINS + 2)
    for index, (name, values) in enumerate(series.items()):
        density, _ = np.histogram(values, edges, density=True)
        shown = np.where(density > 0, density, np.nan)
        width, alpha = (2.2, 0.75) if index == 0 else (1.1, 1.0)
        color = CYCLE[index % len(CYCLE)]
        axes.stairs(shown, edges, baseline=None, color=color, label=name, linewidth=width, alpha=alpha)
    axes.set(yscale="log", xlim=(edges[0], edges[-1]))

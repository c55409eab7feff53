"""Whether samples have what was asked for: measured against requested numbers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.ticker import MaxNLocator

from lasernet.errors import DataError
from lasernet.viz.panels import headroom, place, write_title
from lasernet.viz.style import CYCLE, INK, QUIET, new_figure, save, styled

HIGH = 2.5  # inches of a panel
DOT = 42.0  # points² of the dot of the most frequent pair


@styled
def conditioning(
    requested: np.ndarray,
    measured: Mapping[str, np.ndarray],
    path: Path | str,
    *,
    quantity: str = "grains",
    title: str | None = None,
) -> Path:
    """Draw measured against requested numbers: a dot's area counts samples, the line is their mean at each request.

    R² is 1 − Σ (measured − requested)² / Σ (requested − mean)², so 1 is met only on the dashed identity.

    Args:
        requested: (N,).
        measured: (N,) each, by the name of the way of measuring; one panel each.

    Raises:
        DataError: if there is none, or lengths differ.
    """
    wanted = np.asarray(requested, dtype=np.float64)
    values = {name: np.asarray(found, dtype=np.float64) for name, found in measured.items()}
    for name, found in values.items():
        if found.shape != wanted.shape or wanted.ndim != 1:
            raise DataError(f"{wanted.shape} requests and {found.shape} measurements ({name}); expected (N,) of both")
    if not values or not wanted.size or not all(np.isfinite(each).all() for each in (wanted, *values.values())):
        raise DataError("no finite pair of requested and measured numbers; expected at least one of each")
    left, right, gap, bottom = 0.52, 0.12, 0.42, 0.38
    top = headroom(title)
    figure = new_figure(left + len(values) * (HIGH + gap) - gap + right, top + HIGH + bottom)
    every = np.concatenate([wanted, *values.values()])
    room = max(1.0, 0.05 * float(np.ptp(every)))
    span = float(every.min()) - room, float(every.max()) + room
    for number, (name, found) in enumerate(values.items()):
        axes = place(figure, left + number * (HIGH + gap), top, HIGH, HIGH)
        pairs, counts = np.unique(np.stack([wanted, found]), axis=1, return_counts=True)
        axes.plot(span, span, color=QUIET, linewidth=0.8, linestyle=(0, (4, 2)), zorder=1)
        axes.scatter(
            pairs[0], pairs[1], s=DOT * counts / counts.max(), color=CYCLE[0], alpha=0.55, linewidths=0, zorder=2
        )
        asked = np.unique(wanted)
        means = [found[wanted == one].mean() for one in asked]
        axes.plot(asked, means, color=CYCLE[1], linewidth=1.2, zorder=3, marker="." if len(asked) == 1 else "")
        axes.set(xlim=span, ylim=span, aspect="equal")
        axes.set_title(name, loc="left")
        lines = score_lines(wanted, found)
        axes.text(0.04, 0.97, "\n".join(lines), transform=axes.transAxes, va="top", fontsize=6.5, color=INK)
        axes.set_xlabel(f"requested {quantity}")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(MaxNLocator(6, integer=True, steps=[1, 2, 5, 10]))
        axes.tick_params(labelleft=number == 0)
        axes.spines[["top", "right"]].set_visible(False)
        if number == 0:
            axes.set_ylabel(f"measured {quantity}")
    write_title(figure, title)
    return save(figure, path)


def score_lines(requested: np.ndarray, measured: np.ndarray) -> list[str]:
    """R², mean absolute error, bias and number of samples, as words."""
    error = measured - requested
    spread = float(np.square(requested - requested.mean()).sum())
    squared = f"{1 - float(np.square(error).sum()) / spread:.3f}" if spread > 0 else "–"
    words = [f"R² = {squared}", f"mean |error| = {np.abs(error).mean():.2f}", f"bias = {error.mean():+.2f}"]
    return [line.replace("-", "−") for line in (*words, f"n = {error.size}")]

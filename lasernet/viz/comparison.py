"""The same part of the same slice as several answerers see it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from lasernet.viz.frames import DIRECTIONS
from lasernet.viz.front import ACTIVE_EDGE
from lasernet.viz.panels import (
    Plane,
    headroom,
    legend,
    line_sample,
    outline,
    paint_colors,
    prepare,
    sheet,
    window_around,
    write_title,
)
from lasernet.viz.style import save, styled


@styled
def comparison_figure(
    panels: Mapping[str, np.ndarray],
    path: Path | str,
    *,
    plane: Plane,
    active: np.ndarray,
    valid: np.ndarray,
    direction: str = "Z",
    columns: int = 2,
    title: str = "",
) -> Path:
    """Draw IPF colors around the active cells, a panel for each name; the first is the truth.

    Under each other answer's name stands its MSE over the active cells, of all nine channels.

    Args:
        panels: IPF values in [0, 1], (9, H, W), by name.
        active: cells molten at t where a decision is made, (H, W) bool; outlined.
        valid: cells with data, (H, W) bool.
        direction: whose colors are shown: X, Y or Z.
    """
    first = 3 * DIRECTIONS.index(direction)
    inside = active & valid
    rows, cut = window_around(inside, plane, margin=6)
    part, shape = plane.window(rows, cut), (rows.stop - rows.start, cut.stop - cut.start)
    count = -(-len(panels) // columns)
    page = sheet(
        shape, part, rows=count, columns=columns, top=headroom(title) + 0.1, between_rows=0.3, between_columns=0.14,
        right=0.15, footer=0.3, height=1.7,
    )  # fmt: skip
    truth = next(iter(panels.values()))
    for number, (name, colors) in enumerate(panels.items()):
        row, column = divmod(number, columns)
        axes = page.panels[row, column]
        below = number + columns >= len(panels)
        prepare(axes, shape, part, rows=column == 0, columns=below)
        paint_colors(axes, colors[first : first + 3, rows, cut].clip(0, 1), part, valid=valid[rows, cut])
        outline(axes, inside[rows, cut], part, color=ACTIVE_EDGE, casing="black", width=0.7)
        error = np.square(colors - truth).mean(axis=0)[inside]
        told = f"   MSE {error.mean():.4f}" if number and error.size else ""
        axes.set_title(f"{name}{told}", loc="left")
    for spare in page.panels.flat[len(panels) :]:
        spare.remove()
    height = float(page.figure.get_size_inches()[1])
    samples = [line_sample("cells that may have frozen", color=ACTIVE_EDGE, casing="black")]
    legend(page.figure, samples, left=0.62, top=height - 0.24)
    write_title(page.figure, f"{title}, IPF-{direction}" if title else f"IPF-{direction}")
    return save(page.figure, path)

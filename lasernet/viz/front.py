"""The solidification front of one predicted frame: where the melt decides which grain it becomes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.patches import Rectangle

from lasernet.errors import OptionError
from lasernet.viz.frames import DIRECTIONS, temperature_limits
from lasernet.viz.panels import (
    Plane,
    colorbar,
    headroom,
    isotherm_samples,
    isotherms,
    legend,
    line_sample,
    masked_sample,
    outline,
    paint_colors,
    paint_values,
    panel_size,
    patch_sample,
    place,
    prepare,
    upper_limit,
    window_around,
    write_title,
)
from lasernet.viz.style import ERROR_MAP, PAGE, TEMPERATURE_MAP, new_figure, save, styled

ACTIVE_EDGE, NEW_EDGE, ASIDE = "#56F0FF", "#3CFF6E", "#E9E9E9"


@styled
def front_figure(
    truth: np.ndarray,
    prediction: np.ndarray,
    path: Path | str,
    *,
    plane: Plane,
    temperature: np.ndarray,
    solidus: float,
    liquidus: float,
    active: np.ndarray,
    newly_solid: np.ndarray,
    scores: Mapping[str, float],
    direction: str = "Z",
    valid: np.ndarray | None = None,
    name: str = "",
) -> Path:
    """Temperature with the active region, and below, inside it: truth, prediction and squared error.

    The lower panels show the part of the slice around the active region; what is not active is pale.

    Args:
        truth, prediction: IPF values in [0, 1], (9, H, W).
        temperature: K at the predicted frame, (H, W).
        solidus, liquidus: K.
        active: cells molten at t where a decision is made, (H, W) bool.
        newly_solid: cells molten at t and solid at t + 1, (H, W) bool.
        scores: MSE by region, told above the temperature.
        direction: whose colors are shown: X, Y or Z; the error is the mean over all nine channels.
        valid: cells with data, (H, W) bool; left out: all.
        name: the title.

    Raises:
        OptionError: if the direction is none of the three.
    """
    if direction.upper() not in DIRECTIONS:
        raise OptionError(f"no IPF direction named '{direction}'; choose X, Y or Z")
    first = 3 * DIRECTIONS.index(direction.upper())
    shape = temperature.shape
    known = np.ones(shape, dtype=bool) if valid is None else valid.astype(bool)
    inside = active.astype(bool) & known
    fresh = newly_solid.astype(bool) & known
    rows, columns = window_around(inside, plane)
    part, inner = plane.window(rows, columns), (rows.stop - rows.start, columns.stop - columns.start)
    squares = np.square(prediction - truth).mean(axis=0)

    told = ",  ".join(
        f"{key.replace('_', ' ')} {value:.4f}" if np.isfinite(value) else f"{key} –" for key, value in scores.items()
    )
    stacked = part.aspect(inner) >= 3.0
    left, right, gap, top = 0.62, 0.78, 0.1, headroom(name)
    room = PAGE - left - right
    wide, high = panel_size(shape, plane, width=room, height=1.9)
    small, low = panel_size(inner, part, width=room if stacked else (room - 2 * gap) / 3, height=1.9)
    across, down = (small, 3 * low + 0.48) if stacked else (3 * small + 2 * gap, low)
    beside = across - wide > 2.4  # then the legend has room to the right of the temperature
    lower = top + high + (0.6 if beside else 0.78)
    figure = new_figure(left + max(wide, across) + right, lower + down + 0.36)

    heat = place(figure, left, top, wide, high)
    prepare(heat, shape, plane)
    limits = temperature_limits(temperature, valid=known)
    drawn = paint_values(heat, temperature, plane, colormap=TEMPERATURE_MAP, limits=limits, valid=known)
    isotherms(heat, temperature, plane, solidus=solidus, liquidus=liquidus, valid=known)
    outline(heat, inside, plane, color=ACTIVE_EDGE, casing="black")
    outline(heat, fresh, plane, color=NEW_EDGE, casing="black", width=0.7)
    edges = part.extent(inner)
    frame = Rectangle((edges[0], edges[2]), edges[1] - edges[0], edges[3] - edges[2], fill=False, ec="white", lw=0.6)
    heat.add_patch(frame)
    heat.set_title(f"temperature of the predicted frame      MSE  {told}", loc="left")
    colorbar(figure, drawn, [heat], label="T (K)")

    end = upper_limit(squares, valid=inside, least=1e-3)
    for number, label in enumerate((f"truth, IPF-{direction.upper()}", "prediction", "squared error")):
        if stacked:
            axes = place(figure, left, lower + number * (low + 0.24), small, low)
        else:
            axes = place(figure, left + number * (small + gap), lower, small, low)
        prepare(axes, inner, part, rows=stacked or number == 0, columns=not stacked or number == 2)
        cut = (rows, columns)
        if number < 2:
            colors = (truth, prediction)[number][first : first + 3]
            aside = np.array(to_rgb(ASIDE))[:, None, None]
            paint_colors(axes, np.where(inside, colors, aside)[:, *cut], part, valid=known[cut])
            outline(axes, fresh[cut], part, color=NEW_EDGE, width=0.8)
        else:
            nothing = np.broadcast_to(np.array(to_rgb(ASIDE))[:, None, None], (3, *inner))
            paint_colors(axes, nothing, part, valid=known[cut])
            shown = paint_values(axes, squares[cut], part, colormap=ERROR_MAP, limits=(0.0, end), valid=inside[cut])
            outline(axes, fresh[cut], part, color=NEW_EDGE, casing="#555555", width=0.6)
            colorbar(figure, shown, [axes], label="⟨e²⟩ of 9 channels" if low > 1.0 else "⟨e²⟩")
        axes.set_title(label, loc="left")

    samples = [
        line_sample("active region", color=ACTIVE_EDGE, casing="black"),
        line_sample("newly solid", color=NEW_EDGE, casing="black"),
        *isotherm_samples(solidus=solidus, liquidus=liquidus),
        patch_sample("not active", color=ASIDE, edge="#999999"),
        *([] if known.all() else [masked_sample()]),
    ]
    if beside:
        legend(figure, samples, left=left + wide + 0.9, top=top)
    else:
        legend(figure, samples, left=left, top=top + high + 0.4, columns=6)
    write_title(figure, name)
    return save(figure, path)

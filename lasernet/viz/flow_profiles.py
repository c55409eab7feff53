"""Flux and mean pressure along the flow: what goes through each cross-section."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from lasernet.viz.flow_units import prefixed
from lasernet.viz.panels import MICRO, headroom, place, write_title
from lasernet.viz.style import CYCLE, PAGE, QUIET, new_figure, save, styled

NARROWEST = 0.05  # share of a conserved quantity that its axis shows at least above and below its mean


@styled
def profile_figure(
    profiles: Mapping[str, np.ndarray],
    path: Path | str,
    *,
    places: np.ndarray,
    open_share: np.ndarray,
    label: str,
    unit: str,
    conserved: bool,
    title: str | None = None,
) -> Path:
    """Draw a quantity of each cross-section over x, and below it the share of fluid there.

    Args:
        profiles: SI units, (X,), by name; the first is the truth.
        places: of the cross-sections, m, (X,).
        open_share: of the cross-sections, (X,).
        label, unit: of the quantity, the unit without a prefix.
        conserved: whether the truth should be constant: then its mean ± 5 % are always in view, and each name comes
            with the standard deviation over the mean.
    """
    left, right, high, low, gap, bottom = 0.66, 0.12, 1.8, 0.6, 0.12, 0.4
    top = headroom(title)
    figure = new_figure(PAGE, top + high + gap + low + bottom)
    width = PAGE - left - right
    upper = place(figure, left, top, width, high)
    lower = place(figure, left, top + high + gap, width, low)
    factor, prefix = prefixed(max(float(np.abs(values).max()) for values in profiles.values()), unit)
    for index, (name, values) in enumerate(profiles.items()):
        told = f"{name}{_spread(values)}" if conserved else name
        width, alpha = (2.2, 0.75) if index == 0 else (1.1, 1.0)
        color = CYCLE[index % len(CYCLE)]
        upper.plot(MICRO * places, factor * values, color=color, label=told, linewidth=width, alpha=alpha)
    if conserved:
        _keep_in_view(upper, factor * float(next(iter(profiles.values())).mean()))
    else:
        upper.axhline(0, color=QUIET, linewidth=0.6, zorder=0)
    upper.tick_params(labelbottom=False)
    upper.set_ylabel(f"{label} ({prefix})")
    upper.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=4, borderaxespad=0.1, borderpad=0)
    half = _half(places)
    edges = MICRO * np.append(places - half, places[-1] + half)
    lower.stairs(open_share, edges, fill=True, color=QUIET, alpha=0.5, linewidth=0)
    lower.set(ylim=(0, 1), yticks=[0, 0.5, 1])
    lower.set_ylabel("fluid")
    lower.set_xlabel("x (µm)")
    for axes in (upper, lower):
        axes.set_xlim(edges[0], edges[-1])
        axes.spines[["top", "right"]].set_visible(False)
    write_title(figure, title)
    return save(figure, path)


def _half(places: np.ndarray) -> float:
    return float(places[1] - places[0]) / 2 if len(places) > 1 else 0.5 / MICRO


def _spread(values: np.ndarray) -> str:
    mean = float(values.mean())
    return f" (spread {float(values.std() / abs(mean)):.1e} of its mean)" if mean else ""


def _keep_in_view(axes: Axes, mean: float) -> None:
    low, high = axes.get_ylim()
    room = NARROWEST * abs(mean)
    axes.set_ylim(min(low, mean - room), max(high, mean + room))

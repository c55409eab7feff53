"""Statistics of generated images over those of real ones, with the difference that two real sets have as a band."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from lasernet.errors import DataError
from lasernet.viz.panels import headroom, legend, place, write_title
from lasernet.viz.style import CYCLE, INK, PAGE, QUIET, new_figure, save, styled

Sets = Mapping[str, np.ndarray]
GENERATED, REAL, AGAIN, AT = "generated", "real", "real_again", "at"
BINS = 40
TAIL = 0.0005  # share of samples beyond either end of an axis; the outermost bins hold them
BAND = "#C9C9C9"


@dataclass(frozen=True)
class Panel:
    """How one statistic is drawn.

    Attributes:
        kind: ``curve`` over lags, or ``samples`` of a distribution.
    """

    title: str
    along: str
    kind: Literal["curve", "samples"] = "samples"


PANELS = {
    "two_point": Panel("two-point correlation", "lag (px)", "curve"),
    "lineal_path": Panel("lineal path", "length (px)", "curve"),
    "chord_length": Panel("chord length", "length (px)"),
    "boundary_fraction": Panel("boundary fraction", "fraction of an image"),
    "grains_strict": Panel("grains per image, gray > 0.5", "grains"),
    "grains_tolerant": Panel("grains per image, gray > 0.7", "grains"),
    "grain_size": Panel("grain size", "d / ⟨d⟩"),
    "grain_area": Panel("grain area", "A / ⟨A⟩"),
    "neighbors": Panel("neighbors per grain", "neighbors"),
    "solidity": Panel("solidity", "area / area of the convex hull"),
}


@styled
def set_statistics(
    statistics: Mapping[str, Sets],
    path: Path | str,
    *,
    notes: Mapping[str, str] | None = None,
    title: str | None = None,
) -> Path:
    """Draw descriptors of a generated set over those of a real one; below each, the difference of the two.

    The gray band is as wide as the largest difference between two disjoint real sets of the same size, at each place
    and its two neighbors on either side: what lies inside cannot be told from chance.

    Args:
        statistics: ``{name: {"generated": …, "real": …, "real_again": …}}``; a key of `PANELS` says how it is drawn,
            any other name is drawn as samples. Samples are (N,) each, of any number; curves (K,), over
            ``"at"`` (K,) or else over 0 … K − 1. ``real_again`` may be left out: then there is no band.
        notes: a few words at the right end of a panel's title, such as its score.

    Raises:
        DataError: if there is no statistic, or one lacks a set, or has an empty one or curves that differ in length.
    """
    if not statistics:
        raise DataError("no statistic to draw; expected at least one, with a generated and a real set")
    series = {name: _series(name, sets) for name, sets in statistics.items()}
    columns = min(3, len(series))
    down = -(-len(series) // columns)
    left, right, gap, high, low, apart, between, bottom = 0.52, 0.12, 0.5, 1.15, 0.36, 0.06, 0.62, 0.38
    top = headroom(title) + 0.22
    width = (PAGE - left - right - gap * (columns - 1)) / columns
    figure = new_figure(PAGE, top + down * (high + apart + low) + (down - 1) * between + bottom)
    for number, (name, one) in enumerate(series.items()):
        row, column = divmod(number, columns)
        x, y = left + column * (width + gap), top + row * (high + apart + low + between)
        upper = place(figure, x, y, width, high)
        lower = place(figure, x, y + high + apart, width, low)
        _draw(upper, one)
        _draw_difference(lower, one)
        panel = _panel(name)
        upper.set_title(panel.title, loc="left")
        if notes and name in notes:
            upper.set_ylim(top=1.2 * upper.get_ylim()[1])
            upper.text(
                0.98, 0.97, notes[name], transform=upper.transAxes, ha="right", va="top", fontsize=6.0, linespacing=1.3
            )
        lower.set_xlabel(panel.along)
    banded = any(one.again is not None for one in series.values())
    legend(figure, _samples(banded), left=left, top=top - 0.4, columns=3)
    write_title(figure, title)
    return save(figure, path)


@dataclass(frozen=True)
class Series:
    """One statistic of both sets, as values at places or as shares in bins.

    Attributes:
        edges: (K + 1,) of bins, or None for a curve.
        at: (K,), places or middles of bins.
        again: of the second real set, or None.
    """

    edges: np.ndarray | None
    at: np.ndarray
    generated: np.ndarray
    real: np.ndarray
    again: np.ndarray | None


def _panel(name: str) -> Panel:
    return PANELS.get(name, Panel(name.replace("_", " "), "value"))


def _series(name: str, sets: Sets) -> Series:
    missing = [key for key in (GENERATED, REAL) if key not in sets]
    if missing:
        raise DataError(f"statistic '{name}' has no '{missing[0]}' (found: {', '.join(sets)}); expected both sets")
    given = {key: np.asarray(values, dtype=np.float64) for key, values in sets.items()}
    for key, values in given.items():
        if values.ndim != 1 or values.size == 0 or not np.isfinite(values).all():
            raise DataError(
                f"'{key}' of statistic '{name}' has shape {values.shape}, or holds values that are not finite; "
                "expected at least one finite number, (N,)"
            )
    if _panel(name).kind == "samples":
        return _binned(given)
    at = given.get(AT, np.arange(given[REAL].size, dtype=np.float64))
    if len({values.size for values in (at, *given.values())}) != 1:
        raise DataError(
            f"the curves of statistic '{name}' have {', '.join(f'{v.size} ({k})' for k, v in given.items())} values; "
            "expected equally many"
        )
    return Series(None, at, given[GENERATED], given[REAL], given.get(AGAIN))


def _binned(given: Mapping[str, np.ndarray]) -> Series:
    """Probability densities in common bins, around whole numbers where all samples are whole."""
    samples = {key: given[key] for key in (GENERATED, REAL, AGAIN) if key in given}
    pooled = np.concatenate(list(samples.values()))
    low, high = np.quantile(samples[REAL], (TAIL, 1 - TAIL))
    of_other = np.quantile(samples[GENERATED], (TAIL, 1 - TAIL))
    low, high = min(low, of_other[0]), max(high, of_other[1])
    if np.array_equal(pooled, np.rint(pooled)):
        step = max(1, int(np.ceil((high - low + 1) / BINS)))
        edges = np.arange(np.floor(low) - 0.5, np.ceil(high) + 0.5 + step, step)
    else:
        edges = np.linspace(low, high if high > low else low + 1.0, BINS + 1)
    inside = 1e-9 * (edges[-1] - edges[0])
    densities = {
        key: np.histogram(np.clip(values, edges[0], edges[-1] - inside), bins=edges)[0] / values.size / np.diff(edges)
        for key, values in samples.items()
    }
    middles = (edges[1:] + edges[:-1]) / 2
    return Series(edges, middles, densities[GENERATED], densities[REAL], densities.get(AGAIN))


def _draw(axes: Axes, one: Series) -> None:
    if one.edges is None:
        axes.plot(one.at, one.real, color=INK, linewidth=1.0)
        axes.plot(one.at, one.generated, color=CYCLE[1], linewidth=1.1, linestyle=(0, (4, 1.5)))
        axes.set_xlim(one.at[0], one.at[-1] if len(one.at) > 1 else one.at[0] + 1)
    else:
        axes.stairs(one.real, one.edges, fill=True, color="#E4E4E4")
        axes.stairs(one.real, one.edges, color=INK, linewidth=0.8)
        axes.stairs(one.generated, one.edges, color=CYCLE[1], linewidth=1.1)
        axes.set_xlim(one.edges[0], one.edges[-1])
        axes.set_ylim(bottom=0.0, top=1.15 * max(one.real.max(), one.generated.max()) or 1.0)
    axes.tick_params(labelbottom=False)
    axes.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    axes.spines[["top", "right"]].set_visible(False)


def _draw_difference(axes: Axes, one: Series) -> None:
    apart = one.generated - one.real
    floor = np.zeros_like(apart) if one.again is None else floor_band(one.again - one.real)
    if one.edges is None:
        axes.fill_between(one.at, -floor, floor, color=BAND, linewidth=0)
        axes.plot(one.at, apart, color=CYCLE[1], linewidth=1.0)
        axes.set_xlim(one.at[0], one.at[-1] if len(one.at) > 1 else one.at[0] + 1)
    else:
        axes.stairs(floor, one.edges, baseline=-floor, fill=True, color=BAND, linewidth=0)
        axes.stairs(apart, one.edges, color=CYCLE[1], linewidth=0.9, baseline=None)
        axes.set_xlim(one.edges[0], one.edges[-1])
    axes.axhline(0.0, color=QUIET, linewidth=0.5, zorder=0.5)
    reach = 1.2 * max(float(np.abs(apart).max()), float(floor.max())) or 1.0
    axes.set_ylim(-reach, reach)
    digits = 10.0 ** np.floor(np.log10(reach / 1.2))
    tick = np.floor(reach / 1.05 / digits) * digits if reach / 1.05 >= digits else reach / 1.2
    axes.set_yticks([-tick, 0.0, tick], [f"−{tick:.1g}", "0", f"+{tick:.1g}"])
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    axes.spines[["top", "right"]].set_visible(False)


def floor_band(difference: np.ndarray, *, reach: int = 2) -> np.ndarray:
    """Half width of the band: the largest magnitude of a difference, (K,), among each place and its neighbors."""
    padded = np.pad(np.abs(difference), reach, mode="edge")
    windows: np.ndarray = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1).max(axis=1)
    return windows


def _samples(banded: bool) -> list[Line2D | Patch]:
    samples: list[Line2D | Patch] = [
        Patch(facecolor="#E4E4E4", edgecolor=INK, linewidth=0.8, label="real (held out)"),
        Line2D([], [], color=CYCLE[1], linewidth=1.1, label="generated; below: generated − real"),
    ]
    if banded:
        samples.append(Patch(color=BAND, linewidth=0, label="real − real, two disjoint sets"))
    return samples

"""Flows cut along the third axis, through the place where the flow leaves its slice fastest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lasernet.viz.flow_panels import BAR, BETWEEN, COLUMNS, FAINTEST, LEFT, fitted, solid_sample
from lasernet.viz.flow_units import prefixed
from lasernet.viz.panels import (
    Plane,
    colorbar,
    headroom,
    legend,
    line_sample,
    paint_values,
    place,
    prepare,
    upper_limit,
    write_title,
)
from lasernet.viz.style import DIFFERENCE_MAP, FIELD_MAP, PAGE, new_figure, save, styled

FLATTEST = 2.6  # width over height of a cut beyond which its z is stretched
LEVELS = (0.25, 0.5, 0.75)  # of the largest |v_z| in truth
UP, DOWN, CASING = "#FFFFFF", "#FFB3A7", "#000000A0"
TALLEST = 2.6  # inches that a panel may be high


@dataclass(frozen=True)
class Cut:
    """A plane of cells that holds the z axis.

    Attributes:
        fields: velocities of truth and prediction, m/s, (2, 3, Z, W).
        fluid: (Z, W) bool.
        told: where it lies.
    """

    plane: Plane
    fields: np.ndarray
    fluid: np.ndarray
    told: str


def strongest_lift(velocity: np.ndarray, fluid: np.ndarray) -> tuple[int, int, int]:
    """Cell (z, y, x) of the largest |v_z| in the fluid, of velocities (3, Z, Y, X)."""
    z, y, x = np.unravel_index(np.argmax(np.where(fluid, np.abs(velocity[2]), -1.0)), fluid.shape)
    return int(z), int(y), int(x)


def cuts(
    truth: np.ndarray, prediction: np.ndarray, *, fluid: np.ndarray, spacing: tuple[float, float, float]
) -> list[Cut]:
    """The planes xz and yz through the place of the largest true |v_z|.

    Args:
        truth, prediction: m/s in cell centers, (3, Z, Y, X).
        fluid: (Z, Y, X) bool.
        spacing: along x, y, z, m.
    """
    _, y, x = strongest_lift(truth, fluid)
    both = np.stack([truth, prediction])
    wide, deep, high = spacing
    planes = [Plane((high, step), (0.0, step / 2), ("z", name)) for name, step in (("x", wide), ("y", deep))]
    return [
        Cut(planes[0], both[:, :, :, y], fluid[:, y], f"y = {1e6 * (y + 0.5) * deep:.1f} µm"),
        Cut(planes[1], both[..., x], fluid[..., x], f"x = {1e6 * (x + 0.5) * wide:.1f} µm"),
    ]


@styled
def section_panels(
    truth: np.ndarray,
    prediction: np.ndarray,
    path: Path | str,
    *,
    fluid: np.ndarray,
    spacing: tuple[float, float, float],
    title: str | None = None,
) -> Path:
    """Planes xz and yz through the place of the largest true |v_z|: speed with contours of v_z, and the error of v_z.

    Where a plane is thin along z, it is stretched, and the axis says by how much.

    Args:
        truth, prediction: m/s in cell centers, (3, Z, Y, X), at least two cells along each axis.
        fluid: (Z, Y, X) bool.
        spacing: along x, y, z, m.
    """
    shown = cuts(truth, prediction, fluid=fluid, spacing=spacing)
    scales = _Scales.of(shown)
    width = (PAGE - LEFT - BETWEEN - 2 * BAR) / 3
    aspects = [cut.plane.aspect(cut.fluid.shape) / _stretch(cut) for cut in shown]
    sizes = [fitted(aspect, width=width, height=TALLEST) for aspect in aspects]
    top, gap = headroom(title), 0.6
    figure = new_figure(PAGE, top + sum(high for _, high in sizes) + gap + 0.62)
    at = top
    for cut, (wide, high) in zip(shown, sizes, strict=True):
        lefts = (LEFT, LEFT + wide + BETWEEN, LEFT + 2 * wide + BETWEEN + BAR)
        _draw(figure, [place(figure, left, at, wide, high) for left in lefts], cut, scales)
        at += high + gap
    of = ", ".join(f"{100 * level:.0f}" for level in LEVELS) + " % of " + scales.told
    samples = [
        line_sample(f"$v_z$ > 0: {of}", color=UP, casing="black"),
        line_sample("$v_z$ < 0", color=DOWN, casing="black", style="dashed"),
        solid_sample(),
    ]
    legend(figure, samples, left=LEFT, top=figure.get_size_inches()[1] - 0.2, columns=3)
    write_title(figure, title)
    return save(figure, path)


@dataclass(frozen=True)
class _Scales:
    """What both cuts share: the largest speed, |v_z| in truth and error of v_z, m/s."""

    speed: float
    lift: float
    error: float

    @classmethod
    def of(cls, shown: Sequence[Cut]) -> _Scales:
        fields = np.concatenate([cut.fields[..., cut.fluid] for cut in shown], axis=-1)  # (2, 3, N)
        return cls(
            speed=float(np.linalg.norm(fields, axis=1).max(initial=0.0)),
            lift=float(np.abs(fields[0, 2]).max(initial=0.0)),
            error=float(np.abs(fields[1, 2] - fields[0, 2]).max(initial=0.0)),
        )

    @property
    def told(self) -> str:
        factor, unit = prefixed(self.lift, "m/s")
        return f"{factor * self.lift:.3g} {unit}"


def _draw(figure: Figure, panels: Sequence[Axes], cut: Cut, scales: _Scales) -> None:
    for column, axes in enumerate(panels):
        prepare(axes, cut.fluid.shape, cut.plane, rows=column == 0)
        if (stretch := _stretch(cut)) > 1:
            axes.set_xlabel(f"{cut.plane.axes[1]} (µm), z stretched {stretch:g}×")
    factor, unit = prefixed(scales.speed, "m/s")
    limits = (0.0, upper_limit(np.array([factor * scales.speed])))
    for axes, velocity, name in zip(panels, cut.fields, COLUMNS, strict=False):
        speed = factor * np.linalg.norm(velocity, axis=0)
        drawn = paint_values(axes, speed, cut.plane, colormap=FIELD_MAP, limits=limits, valid=cut.fluid)
        _contours(axes, velocity[2], cut, scales.lift)
        axes.set_title(f"{name}, {cut.told}", loc="left")
    colorbar(figure, drawn, [panels[1]], label=f"$|v|$ ({unit})")
    factor, unit = prefixed(max(scales.error, FAINTEST * scales.speed), "m/s")
    far = upper_limit(np.array([factor * scales.error]), least=max(factor * FAINTEST * scales.speed, 1e-6))
    error = factor * (cut.fields[1, 2] - cut.fields[0, 2])
    missed = paint_values(panels[2], error, cut.plane, colormap=DIFFERENCE_MAP, limits=(-far, far), valid=cut.fluid)
    panels[2].set_title(COLUMNS[2], loc="left")
    colorbar(figure, missed, [panels[2]], label=f"Δ$v_z$ ({unit})")


def _stretch(cut: Cut) -> float:
    """Of the z axis, a number of two figures."""
    return max(1.0, float(f"{cut.plane.aspect(cut.fluid.shape) / FLATTEST:.2g}"))


def _contours(axes: Axes, values: np.ndarray, cut: Cut, lift: float) -> None:
    rows, columns = cut.plane.centers(values.shape)
    shown = np.ma.masked_where(~cut.fluid, values)
    if not lift > 0 or shown.count() == 0:
        return
    for sign, color, style in ((1, UP, "solid"), (-1, DOWN, "dashed")):
        levels = sorted(sign * lift * level for level in LEVELS)
        if shown.min() < levels[-1] and shown.max() > levels[0]:
            drawn = axes.contour(
                columns, rows, shown, levels=levels, colors=[color], linestyles=[style], linewidths=[0.8]
            )
            drawn.set_path_effects([patheffects.withStroke(linewidth=1.6, foreground=CASING)])

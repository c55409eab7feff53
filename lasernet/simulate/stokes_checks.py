"""The flow solver against exact permeabilities of periodic arrays, and against the laws that any such flow obeys.

Cylinders: collocation with 14 to 80 modes, which agrees to 0.04 % with Sangani & Acrivos 1982 where they have numbers
(square, across). Spheres: the series of Sangani & Acrivos 1982 for the drag on body-centered arrays.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lasernet.physics.flow import divergence_ratio, flux_spread
from lasernet.simulate.stokes import cut_walls, solve_stokes

Floats = NDArray[np.float64]
Check = dict[str, object]
ACROSS = {  # permeability over radius² by share of solid, flow at right angles to the cylinders
    "square": {
        0.1: 1.26516, 0.2: 0.304849, 0.3: 0.101787, 0.4: 0.0360449, 0.5: 0.0117983, 0.6: 0.00296897, 0.7: 3.31973e-4,
    },
    "hexagonal": {
        0.1: 1.25004, 0.2: 0.30711, 0.3: 0.108189, 0.4: 0.0422778, 0.5: 0.0164385, 0.6: 0.00580740, 0.7: 0.00162026,
    },
}  # fmt: skip
ALONG = {
    "square": {0.1: 2.55311, 0.3: 0.235190, 0.5: 0.0444514, 0.7: 0.00941896},
    "hexagonal": {0.1: 2.50020, 0.3: 0.217887, 0.5: 0.0352825, 0.7: 0.00487589},
}
SPHERES = (  # drag over Stokes's = Σ qₙ χⁿ with χ³ = share of solid over √3π/8
    1.0, 1.575834, 2.483254, 3.233022, 4.022864, 4.650320, 5.281412, 5.826374, 6.258376, 6.544504, 6.878396, 7.190839,
    7.268068, 7.304025, 7.301217, 7.236410, 7.298014, 7.369849, 7.109497, 6.228418, 5.235796, 4.476874, 3.541982,
    2.939353, 3.935484, 5.179097, 3.959872, 2.227627, 3.393390, 4.491369, 2.200686,
)  # fmt: skip
DENSEST = np.sqrt(3) * np.pi / 8  # share of solid at which the spheres of a body-centered array touch
WITHIN = 0.005  # at most 0.002 was seen; staircase walls are 1 to 40 % off
TOLERANCE, MOST = 1e-4, 600


def check_stokes() -> list[Check]:
    """Every check, each as {"name", "value", "reference", "tolerance", "ok"}."""
    found = []
    for lattice, table in ACROSS.items():
        for share, exact in table.items():
            found.append(_permeability(f"{lattice}/across", lattice, share, exact))
    for lattice, table in ALONG.items():
        for share, exact in table.items():
            found.append(_permeability(f"{lattice}/along", lattice, share, exact, axis=0))
    for share in (0.4, 0.7):
        exact = ACROSS["square"][share]
        found.append(_permeability("square/shifted by (0.3, 0.7) cells", "square", share, exact, shift=(0.3, 0.7)))
        found.append(_permeability("square/turned by 45°", "turned", share, exact))
    return [*found, *_check_spheres(), *_check_laws()]


def _permeability(
    name: str, lattice: str, share: float, exact: float, *, axis: int = 1, shift: tuple[float, float] = (0.0, 0.0)
) -> Check:
    distance, spacing, radius = cylinders(lattice, share, 256 if share > 0.65 else 128, shift=shift)
    flow = solve_stokes(cut_walls(distance, spacing), spacing, axis, tolerance=TOLERANCE, most=MOST)
    value = float(flow.velocity[axis].mean()) / radius**2
    return check(f"permeability/{name}/{share:g}", value / exact, 1.0, WITHIN)


def cylinders(
    lattice: str, share: float, cells: int, *, shift: tuple[float, float] = (0.0, 0.0)
) -> tuple[Floats, tuple[float, float, float], float]:
    """Distances at the faces of one layer of a unit cell with cylinders along its first axis, (3, 1, rows, cells).

    Args:
        lattice: ``square`` (one cylinder in a square cell), ``turned`` (two in a square cell: the same lattice turned
            by 45°) or ``hexagonal`` (two in a cell of height √3).
        share: of solid.
        cells: along the width, 1.
        shift: of the cylinders, in cells.

    Returns:
        The distances, the spacing along each axis, and the radius.
    """
    height, count = {"square": (1.0, 1), "turned": (1.0, 2), "hexagonal": (np.sqrt(3), 2)}[lattice]
    rows = 2 * round(cells * height / 2)
    size = (float(height) / rows, 1.0 / cells)
    radius = float(np.sqrt(share * height / (count * np.pi)))
    centers = [(0.0, 0.0), (height / 2, 0.5)][:count]

    def distance(row: float, column: float) -> Floats:
        y, x = (np.arange(rows) + row - shift[0]) * size[0], (np.arange(cells) + column - shift[1]) * size[1]
        away = [np.hypot(_wrapped(y - b, height)[:, None], _wrapped(x - a, 1.0)[None]) for b, a in centers]
        return np.asarray(np.min(away, axis=0) - radius)

    faces = np.stack([distance(0.5, 0.5), distance(0.0, 0.5), distance(0.5, 0.0)])
    return faces[:, None], (size[1], *size), radius


def _wrapped(difference: NDArray[np.floating], period: float) -> Floats:
    return np.asarray((difference + period / 2) % period - period / 2)


def _check_spheres() -> list[Check]:
    """Two spheres in a unit cube: the force on each is 6πμa times the mean velocity times the drag."""
    found = []
    for share in (0.2, 0.4):
        radius = (3 * share / (8 * np.pi)) ** (1 / 3)
        cells = 48
        faces = (
            np.stack([np.minimum(*(_from(center, cells, axis) for center in (0.0, 0.5))) for axis in range(3)]) - radius
        )
        spacing = (1 / cells,) * 3
        flow = solve_stokes(cut_walls(faces, spacing), spacing, 2, tolerance=1e-3, most=MOST)
        drag = float(np.polynomial.polynomial.polyval((share / DENSEST) ** (1 / 3), SPHERES))
        exact = 1 / (2 * 6 * np.pi * radius * drag)
        value = float(flow.velocity[2].mean()) / exact
        found.append(check(f"permeability/body-centered spheres/{share:g}", value, 1.0, WITHIN))
    return found


def _from(center: float, cells: int, axis: int) -> Floats:
    """Distance from the point (c, c, c) and its periodic images at the faces of an axis in a unit cube."""
    along = [_wrapped((np.arange(cells) + 0.5 * (axis != other)) / cells - center, 1.0) ** 2 for other in range(3)]
    return np.asarray(np.sqrt(along[0][:, None, None] + along[1][None, :, None] + along[2][None, None]))


def _check_laws() -> list[Check]:
    """No divergence, one flux through every section, rest in solids, and mirrored walls mirror the flow."""
    distance, spacing, _ = cylinders("hexagonal", 0.5, 64, shift=(3.3, 7.6))
    walls = cut_walls(distance, spacing)
    flow = solve_stokes(walls, spacing, 2, tolerance=TOLERANCE, most=MOST)
    velocity, sizes = flow.velocity[::-1], spacing[::-1]  # x, y, z
    mean = float(flow.velocity[2].mean())
    slip = float(np.abs(flow.velocity[walls.solid]).max()) / mean
    mirrored = np.stack([distance[0][..., ::-1], distance[1][..., ::-1], np.roll(distance[2][..., ::-1], 1, axis=-1)])
    other = solve_stokes(cut_walls(mirrored, spacing), spacing, 2, tolerance=TOLERANCE, most=MOST)
    back = np.roll(other.velocity[2][..., ::-1], 1, axis=-1)
    return [
        check("flow/divergence over gradient", divergence_ratio(velocity, sizes), 0.0, 1e-12),
        check("flow/flux through sections, relative spread", flux_spread(velocity, 0), 0.0, 1e-6),
        check("flow/velocity in solids over the mean", slip, 0.0, 2e-3),
        check("flow/mirror image", float(np.abs(back - flow.velocity[2]).max()) / mean, 0.0, 1e-3),
    ]


def check(name: str, value: float, reference: float, tolerance: float) -> Check:
    """One row: whether a value lies within a tolerance of its reference."""
    ok = abs(value - reference) <= tolerance
    return {"name": name, "value": value, "reference": reference, "tolerance": tolerance, "ok": ok}

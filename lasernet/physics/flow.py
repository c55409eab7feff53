"""What holds for a creeping flow on a periodic grid with velocities on the faces of the cells.

Fields are (3, Z, Y, X) with components x, y, z; component a of a cell lies on its lower face along a.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]


def open_faces(fluid: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Faces between two fluid cells, (3, Z, Y, X); all others are walls or solid."""
    return np.stack([fluid & np.roll(fluid, 1, axis_of(part)) for part in range(3)])


def axis_of(component: int) -> int:
    """The axis of an array (Z, Y, X) along which a component x, y, z points."""
    return 2 - component


def divergence(velocity: Floats, spacing: Sequence[float]) -> Floats:
    """Of every cell, 1/s, (Z, Y, X).

    Args:
        velocity: m/s.
        spacing: along x, y, z, m.
    """
    return np.asarray(
        sum((np.roll(velocity[part], -1, axis_of(part)) - velocity[part]) / spacing[part] for part in range(3))
    )


def divergence_ratio(velocity: Floats, spacing: Sequence[float]) -> float:
    """Root of the mean square of the divergence over that of all differences between neighboring faces."""
    squares = 0.0
    for component in range(3):
        for part in range(3):
            step = (np.roll(velocity[component], -1, axis_of(part)) - velocity[component]) / spacing[part]
            squares += float((step.astype(np.float64) ** 2).mean())
    found = divergence(velocity.astype(np.float64), spacing)
    return float(np.sqrt((found**2).mean() / squares)) if squares > 0 else 0.0


def slip(velocity: Floats, fluid: NDArray[np.bool_]) -> float:
    """Root of the mean square of the velocity on faces that are not open, over the mean speed along the main flow."""
    closed = ~open_faces(fluid)
    if not closed.any():
        return 0.0
    main = max(abs(float(part.mean(dtype=np.float64))) for part in velocity)
    found = float(np.sqrt((velocity[closed].astype(np.float64) ** 2).mean()))
    return found / main if main > 0 else float(found > 0)


def flux_spread(velocity: Floats, component: int) -> float:
    """Standard deviation over the mean of the flux through the cross-sections along a component."""
    others = tuple(axis for axis in range(3) if axis != axis_of(component))
    flux = velocity[component].sum(axis=others, dtype=np.float64)
    return float(flux.std() / abs(flux.mean())) if flux.mean() else 0.0


def permeability(velocity: Floats, viscosity: float, gradient: float) -> tuple[float, float, float]:
    """Darcy's law: μ⟨u⟩/g for the mean over the whole cell, x, y, z, m².

    Args:
        viscosity: Pa s.
        gradient: by which the mean pressure falls along the main flow, Pa/m.
    """
    x, y, z = (viscosity * float(part.mean(dtype=np.float64)) / gradient for part in velocity)
    return x, y, z

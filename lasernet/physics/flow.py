"""What holds for a creeping flow on a periodic grid with velocities on the faces of the cells.

Fields are (3, Z, Y, X) with components x, y, z; component a of a cell lies on its lower face along a.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

Floats = NDArray[np.floating]


def open_faces(fluid: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Faces between two fluid cells, (3, Z, Y, X); all others are walls or solid."""
    return np.stack([fluid & np.roll(fluid, 1, axis_of(part)) for part in range(3)])


def axis_of(component: int) -> int:
    """The axis of an array (Z, Y, X) along which a component x, y, z points."""
    return 2 - component


def at_centers(velocity: Floats) -> Floats:
    """Velocities on lower faces as they are in the centers of the cells: means of two faces, (3, Z, Y, X)."""
    return np.stack([(part + np.roll(part, -1, axis_of(number))) / 2 for number, part in enumerate(velocity)])


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


def largest_leak(velocity: Floats, spacing: Sequence[float]) -> float:
    """Largest net flux out of a cell over the mean flux through a cell along the main flow."""
    volume = float(np.prod(np.asarray(spacing, dtype=np.float64)))
    leak = float(np.abs(divergence(velocity.astype(np.float64), spacing)).max()) * volume
    through = max(
        abs(float(part.mean(dtype=np.float64))) * volume / size for part, size in zip(velocity, spacing, strict=True)
    )
    return leak / through if through > 0 else float(leak > 0)


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


def signed_distance(fluid: NDArray[np.bool_], spacing: Sequence[float], *, periodic: bool) -> NDArray[np.float32]:
    """Of the center of every cell to that of the nearest cell of the other kind in its slice, (Z, Y, X).

    Above 0 in the fluid and below in solids; in a slice of one kind alone, the slice's diagonal.

    Args:
        spacing: along y and x, in the unit of the result.
        periodic: whether the slice goes on beyond its ends.
    """
    found = np.empty(fluid.shape, dtype=np.float32)
    rows, columns = fluid.shape[1:]
    far = float(np.hypot(rows * spacing[0], columns * spacing[1]))
    reach = ((rows // 2, rows // 2), (columns // 2, columns // 2)) if periodic else ((0, 0), (0, 0))
    for number, layer in enumerate(fluid):
        if layer.all() or not layer.any():
            found[number] = far if layer.all() else -far
            continue
        wide = np.pad(layer, reach, mode="wrap")
        within = (slice(reach[0][0], reach[0][0] + rows), slice(reach[1][0], reach[1][0] + columns))
        outside, inside = (distance_transform_edt(kind, sampling=spacing)[within] for kind in (wide, ~wide))
        found[number] = outside - inside
    return found

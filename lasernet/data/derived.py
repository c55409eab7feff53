"""Fields computed from the whole volume of one frame, for models that name them in ``inputs``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lasernet.errors import DataError, OptionError
from lasernet.physics.nearest import advect, nearest_solid
from lasernet.registry import suggestion


@dataclass(frozen=True)
class Volume:
    """One frame of one case, and where the scan goes from there.

    Attributes:
        ipf: uint8, (9, X, Y, Z).
        temperature: K, (X, Y, Z).
        molten, valid: bool, (X, Y, Z).
        spacing: m, along x, y and z.
        velocity: of the scan, m/s, (3,).
        time_step: s, to the next frame.
        before: the frame before this one, for fields that look at it; None where there is none.
    """

    ipf: NDArray[np.uint8]
    temperature: NDArray[np.float32]
    molten: NDArray[np.bool_]
    valid: NDArray[np.bool_]
    spacing: tuple[float, float, float]
    velocity: NDArray[np.float64]
    time_step: float
    before: Volume | None = None

    @property
    def solid(self) -> NDArray[np.bool_]:
        """Cells that are there and not molten."""
        return self.valid & ~self.molten

    @property
    def travel(self) -> list[float]:
        """Cells by which the scan moves along x, y and z until the next frame."""
        cells = [
            float(speed) * self.time_step / width for speed, width in zip(self.velocity, self.spacing, strict=True)
        ]
        if not np.isfinite(cells).all():
            raise DataError(
                f"scan velocity is {tuple(map(float, self.velocity))} m/s, time step {self.time_step} s; advected "
                "fields need finite numbers; give --scan-speed and --time-step to 'lasernet data import'"
            )
        return cells


def nearest_ipf_3d(frame: Volume) -> NDArray[np.uint8]:
    """Color of the nearest solid cell, (9, X, Y, Z): a solid cell's own; 0 if nothing is solid."""
    indices, _ = nearest_solid(frame.solid, frame.spacing)
    return np.stack([channel[indices] for channel in frame.ipf])


def solid_distance_3d(frame: Volume) -> NDArray[np.float32]:
    """Distance to the nearest solid cell in m, (X, Y, Z): the volume's diagonal if nothing is solid."""
    _, distance = nearest_solid(frame.solid, frame.spacing)
    diagonal = float(np.linalg.norm(np.multiply(frame.solid.shape, frame.spacing)))
    return np.minimum(distance, diagonal).astype(np.float32)


def advected_ipf(frame: Volume) -> NDArray[np.float32]:
    """Colors in [0, 1] moved along with the scan, (9, X, Y, Z)."""
    return advect(frame.ipf.astype(np.float32) / 255, frame.travel, valid=frame.valid)


def advected_temperature(frame: Volume) -> NDArray[np.float32]:
    """Temperature in K moved along with the scan, (X, Y, Z)."""
    return advect(frame.temperature, frame.travel, valid=frame.valid)


def temperature_drift(frame: Volume) -> NDArray[np.float32]:
    """What moving along with the scan does not explain of the last change, K, (X, Y, Z).

    The temperature minus that of the frame before, moved; 0 in a first frame and where either is missing.
    """
    if frame.before is None:
        return np.zeros_like(frame.temperature)
    drift = frame.temperature - advected_temperature(frame.before)
    return np.where(frame.valid & frame.before.valid, drift, np.float32(0))


DERIVED: dict[str, Callable[[Volume], NDArray[np.generic]]] = {
    field.__name__: field
    for field in (nearest_ipf_3d, solid_distance_3d, advected_ipf, advected_temperature, temperature_drift)
}
WITH_FRAME_BEFORE = ("temperature_drift",)  # the others look at one frame only


def derive(
    name: str,
    *,
    ipf: NDArray[np.uint8],
    temperature: NDArray[np.float32],
    molten: NDArray[np.bool_],
    valid: NDArray[np.bool_],
    spacing: tuple[float, float, float],
    velocity: NDArray[np.float64],
    time_step: float,
    before: Volume | None = None,
) -> NDArray[np.generic]:
    """The derived field ``name`` of one frame; arguments as in :class:`Volume`.

    Returns:
        (9, X, Y, Z) colors, uint8 where they are copies and float32 in [0, 1] where interpolated, or (X, Y, Z).

    Raises:
        OptionError: if there is no such field.
        DataError: if the field needs a scan velocity or time step that is not known.
    """
    if name not in DERIVED:
        raise OptionError(f"no derived field named '{name}'; {suggestion(name, list(DERIVED))}")
    return DERIVED[name](Volume(ipf, temperature, molten, valid, spacing, velocity, time_step, before))

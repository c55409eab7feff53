"""One published flow in the terms of the layout: gradient and periodic pressure in Pa, spacing, units checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lasernet.data.container import Refused
from lasernet.physics.flow import axis_of, permeability

if TYPE_CHECKING:
    from lasernet.data.importers.flow_pt import FlowPtOptions
    from lasernet.data.importers.flow_pt_store import Sample

SIZES = (1e-7, 1e-2)  # m, of a block
RELATIVE = (1e-9, 1.0)  # permeability over the area of the block: from tight packings to an empty channel
SAME_UNITS = 10.0  # largest factor between the permeability published and that of the fields
MOST_IN_SOLID = 0.1  # share of the squared velocity: above it, the mask means something else
ACROSS = 1e-3  # largest z component over the largest of all where single slices were solved


@dataclass(frozen=True)
class Case:
    """A flow as ``flow_file`` stores it.

    Attributes:
        fields: mask, velocity, and velocity_2d and pressure where they were published.
        spacing: m, x, y, z; ``gradient``: Pa/m; ``permeability``: m².
        in_solid: share of the squared velocity that was found in solid cells.
        ratio: of the permeability published over that of the fields.
    """

    fields: dict[str, NDArray[Any]]
    spacing: tuple[float, float, float]
    gradient: tuple[float, float, float]
    permeability: tuple[float, float, float]
    in_solid: float
    ratio: float | None
    provenance: dict[str, object]


def as_case(sample: Sample, drive: str, where: str, options: FlowPtOptions) -> Case:
    """A sample with its pressure parted into gradient and periodic part, and 0 in solid cells.

    Without pressure, the gradient is what the user says, else that of Darcy's law and the permeability published.

    Args:
        drive: x or y.
        where: the sample, for messages.

    Raises:
        Refused: if the flow goes another way, or units other than SI explain the values.
    """
    axis, spacing = "xyz".index(drive), _spacing(sample, options.slice_distance, where)
    velocity, in_solid = _in_fluid(sample.velocity, sample.fluid, where)
    if len(sample.fluid) == 1:
        velocity = _flat(velocity, "U.pt", where)
    fields: dict[str, NDArray[Any]] = {"mask": sample.fluid, "velocity": velocity}
    if sample.velocity_2d is not None:
        fields["velocity_2d"] = _flat(_in_fluid(sample.velocity_2d, sample.fluid, where)[0], "U_2d.pt", where)
    mean = [float(values.mean(dtype=np.float64)) for values in velocity]
    if not (mean[axis] > 0 and mean[axis] >= max(abs(mean[0]), abs(mean[1]))):
        raise Refused(
            f"the mean velocity of {where} is {mean[0]:.3g}, {mean[1]:.3g} m/s along x and y; expected a flow along "
            f"+{drive}; check which folder holds which direction"
        )
    known: dict[str, object] = {"drive": drive}
    if sample.pressure is not None:
        total = options.density * sample.pressure
        gradient, periodic, constant = split_pressure(total, sample.fluid, axis, spacing[axis], where)
        fields["pressure"] = periodic.astype(np.float32)
        known |= {"gradient_from": "p.pt", "density": options.density, "pressure_constant": constant}
    elif options.gradient is not None:
        gradient, known["gradient_from"] = options.gradient, "the user"
    elif sample.permeability is not None and sample.permeability > 0:
        gradient, known["gradient_from"] = options.viscosity * mean[axis] / sample.permeability, "permeability.pt"
    else:
        raise Refused(f"{where} has neither pressure nor permeability; expected p.pt; say --gradient, Pa/m")
    found = permeability(velocity, options.viscosity, gradient)
    if sample.permeability is not None:
        known["permeability_published"] = sample.permeability
    return Case(
        fields,
        spacing,
        (gradient * (axis == 0), gradient * (axis == 1), 0.0),
        found,
        in_solid,
        _check_units(found[axis], sample, where),
        known,
    )


def split_pressure(
    total: NDArray[np.float64], fluid: NDArray[np.bool_], axis: int, step: float, where: str = "the flow"
) -> tuple[float, NDArray[np.float64], float]:
    """Parts of a pressure p = constant − g x + periodic, with x from the block's lower end to the cells' centers.

    The gradient g is the difference between the means over the fluid of the first and the last layer of cells across
    the drive, over the distance of their centers.

    Args:
        total: Pa, (Z, Y, X).
        axis: of the drive, 0 for x, 1 for y.
        step: distance of the cells along it, m.

    Returns:
        g, Pa/m; the periodic part, Pa, with a mean of 0 over the fluid, and 0 in solid cells; the constant, Pa.

    Raises:
        Refused: if there is no fluid at an end, or the pressure does not fall.
    """
    place = axis_of(axis)
    count = total.shape[place]
    ends = [np.take(fluid, end, place) for end in (0, -1)]
    if count < 2 or not all(cells.any() for cells in ends):
        raise Refused(f"{where} has no fluid at an end of the block; expected flow from one end to the other")
    first, last = (float(np.take(total, end, place)[cells].mean()) for end, cells in zip((0, -1), ends, strict=True))
    gradient = (first - last) / ((count - 1) * step)
    if not gradient > 0:
        raise Refused(
            f"the pressure of {where} goes from {first:.4g} to {last:.4g} Pa along +{'xyz'[axis]}; expected it to "
            "fall; check which folder holds which direction"
        )
    centers = (np.arange(count) + 0.5) * step
    rest = total + gradient * centers.reshape([-1 if number == place else 1 for number in range(3)])
    constant = float(rest[fluid].mean())
    return gradient, np.where(fluid, rest - constant, 0.0), constant


def _spacing(sample: Sample, slice_distance: float | None, where: str) -> tuple[float, float, float]:
    """Of the cells along x, y, z, m: the lengths of the block over their numbers."""
    if not all(SIZES[0] <= size <= SIZES[1] for size in sample.size):
        raise Refused(
            f"dxyz.pt says {', '.join(f'{size:.4g}' for size in sample.size)} for {where}; expected the lengths of the "
            f"block along x, y, z, {SIZES[0]:g} to {SIZES[1]:g} m"
        )
    slices, rows, columns = sample.fluid.shape
    x, y, z = sample.size.tolist()
    return x / columns, y / rows, slice_distance or z / slices


def _in_fluid(velocity: NDArray[np.float32], fluid: NDArray[np.bool_], where: str) -> tuple[NDArray[np.float32], float]:
    """A velocity with 0 in solid cells, and the share of its square that was there."""
    if not fluid.any():
        raise Refused(f"domain.pt is 0 everywhere in {where}; expected 1 in the fluid")
    squares = (velocity.astype(np.float64) ** 2).sum(0)
    lost, whole = float(squares[~fluid].sum()), float(squares.sum())
    if lost > MOST_IN_SOLID * whole:
        raise Refused(
            f"{100 * lost / whole:.3g} % of the flow of {where} is where domain.pt is 0; expected 1 in the fluid"
        )
    return np.where(fluid, velocity, np.float32(0)), lost / whole if whole > 0 else 0.0


def _flat(velocity: NDArray[np.float32], what: str, where: str) -> NDArray[np.float32]:
    """The flow of single slices, with a z component of exactly 0."""
    if np.abs(velocity[2]).max() > ACROSS * np.abs(velocity).max():
        raise Refused(f"{what} has a z component in {where}; expected 0 in the flow of single slices")
    velocity[2] = 0
    return velocity


def _check_units(found: float, sample: Sample, where: str) -> float | None:
    """The permeability published over the one found, where it is known.

    Raises:
        Refused: if other units than SI explain either.
    """
    advice = "check --density, --viscosity and the units: m, m/s, m²/s², m²"
    relative = found / float(sample.size[0] * sample.size[1])
    if not RELATIVE[0] < relative < RELATIVE[1]:
        raise Refused(
            f"{where} has a permeability of {found:.3g} m² by Darcy's law; expected {RELATIVE[0]:g} to {RELATIVE[1]:g} "
            f"times the area of the block; {advice}"
        )
    if sample.permeability is None:
        return None
    ratio = sample.permeability / found
    if not 1 / SAME_UNITS < ratio < SAME_UNITS:
        raise Refused(
            f"permeability.pt says {sample.permeability:.3g} m² for {where}, Darcy's law {found:.3g}; expected the "
            f"same; {advice}"
        )
    return ratio

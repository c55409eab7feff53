"""Creeping flow through a periodic cell with solids in it: forces on solid faces that bring the fluid to rest there.

Velocities live on the faces of the cells (component a of a cell on its lower face along axis a), pressures in the
centers. The flow that forces F and a mean pressure gradient drive in an otherwise empty periodic cell is one product in
Fourier space with the discrete Green operator, so it is free of divergence to rounding. F is found by conjugate
gradients: it is what is needed for the velocity to vanish on all solid faces. Methods: fictitious domains with Lagrange
multipliers (Glowinski, Pan & Périaux 1994) on the grid of Harlow & Welch 1965.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from lasernet.errors import DataError, OptionError

Floats = NDArray[np.floating]
LEAST_ARM = 1e-3  # of the distance to a neighbor, at which a wall is taken to be if it is nearer
LEAST_CUT = 1e-3  # in units of 1/h²: a weaker pull of a wall is that of a wall on the neighbor itself


@dataclass(frozen=True)
class Walls:
    """Which faces the fluid is held at, and how firmly.

    Attributes:
        held: bool, (d, *shape): a force acts on these faces. Axis 0: component, in the order of the axes.
        compliance: velocity that a unit force leaves over 1/μ, in m², (d, *shape); 0 in solids. None: 0 everywhere.
    """

    held: NDArray[np.bool_]
    compliance: NDArray[np.float64] | None = None

    @property
    def solid(self) -> NDArray[np.bool_]:
        """Faces at which the velocity is 0, (d, *shape)."""
        return self.held if self.compliance is None else self.held & (self.compliance == 0)


def voxel_walls(fluid: NDArray[np.bool_]) -> Walls:
    """Faces of the cells that are solid: no fluid passes them.

    Args:
        fluid: cells that are open, (*shape).
    """
    return Walls(np.stack([~(fluid & np.roll(fluid, 1, axis)) for axis in range(fluid.ndim)]))


def cut_walls(distance: Floats, spacing: Sequence[float]) -> Walls:
    """Walls that cut the grid anywhere, second-order accurate, from signed distances at the faces.

    A wall at the share θ of the way to a neighbor along the grid pulls with μu(1/θ − 1)/h² more than the neighbor at
    rest would: a force that is proportional to the velocity, so the face is held with a compliance.

    Args:
        distance: to the nearest wall, below 0 in solids, (d, *shape): at the faces of each component.
        spacing: of the cells along each axis, in the unit of the distance.
    """
    solid = distance < 0
    pull = np.zeros(distance.shape)
    for axis, size in enumerate(spacing):
        for side in (1, -1):
            beyond = np.roll(distance, side, axis + 1)
            crossed = ~solid & (beyond < 0)
            arm = np.divide(distance, distance - beyond, out=np.ones(distance.shape), where=crossed)
            pull += (1 / np.clip(arm, LEAST_ARM, 1) - 1) / size**2
    cut = ~solid & (pull > LEAST_CUT / min(spacing) ** 2)
    compliance = np.divide(1.0, pull, out=np.zeros(distance.shape), where=cut)
    return Walls(solid | cut, compliance)


@dataclass(frozen=True)
class StokesFlow:
    """A flow in units of the driving gradient g, the viscosity μ and meters.

    Attributes:
        velocity: on the lower faces of the cells, in g·m²/μ, (d, *shape), components in the order of the axes.
        pressure: its periodic part, in g·m, (*shape); the mean gradient comes on top of it.
        forces: on the held faces, in g, (d, *shape); a start for another solution.
        slip: root of the mean square of what the walls' condition is missed by, over the mean velocity along g.
        iterations: of the conjugate gradients.
        converged: whether the slip is within twice the tolerance: rounding lets it drift from what iterations count.
    """

    velocity: Floats
    pressure: Floats
    forces: Floats
    slip: float
    iterations: int
    converged: bool


def solve_stokes(
    walls: Walls,
    spacing: Sequence[float],
    axis: int,
    *,
    tolerance: float = 1e-3,
    most: int = 400,
    precision: type[np.floating] = np.float64,
    start: Floats | None = None,
) -> StokesFlow:
    """The flow that a unit pressure gradient drives along an axis.

    Args:
        spacing: of the cells along each axis, m.
        axis: along which the pressure falls.
        tolerance: of the slip.
        most: iterations.
        precision: ``numpy.float32`` halves the time; slips below 1e-4 need float64.
        start: forces of a similar flow.

    Raises:
        DataError: if there is nothing for the gradient to push against along some axis, or no fluid.
        OptionError: if the sizes do not fit.
    """
    shape = walls.held.shape[1:]
    if len(spacing) != len(shape) or walls.held.shape[0] != len(shape) or not 0 <= axis < len(shape):
        raise OptionError(f"walls of shape {walls.held.shape} with {len(spacing)} spacings, driven along axis {axis}")
    counts = walls.held.reshape(len(shape), -1).sum(axis=1)
    if not counts.all():
        raise DataError(
            "no solid cells along some axis; expected some in the cell, or the fluid would speed up for ever"
        )
    if walls.solid.all():
        raise DataError("no fluid cells; expected an open cell")
    unit = min(spacing)
    system = _System(walls, [size / unit for size in spacing], unit, np.dtype(precision))
    force = np.zeros(len(shape))
    force[axis] = 1.0
    forces, iterations = _conjugate_gradients(system, force, tolerance, most, start)
    flow, waves = system.driven(forces)
    velocity, missed = system.at_rest(flow, forces)
    pressure = scipy.fft.irfftn(waves, s=shape)
    mean = float(np.abs(velocity[axis].mean(dtype=np.float64)))
    slip = missed / mean if mean > 0 else float("inf")
    return StokesFlow(velocity * unit**2, pressure * unit, forces, slip, iterations, slip <= 2 * tolerance)


class _System:
    """The linear operators of one set of walls, lengths in the smallest spacing."""

    def __init__(self, walls: Walls, spacing: Sequence[float], unit: float, precision: np.dtype[np.floating]) -> None:
        self.shape, self.spacing = walls.held.shape[1:], spacing
        self.held, self.precision = walls.held, precision
        self.counts = walls.held.reshape(len(spacing), -1).sum(axis=1).reshape(self._one_each)
        self.compliance: Floats | None = None
        self.share: Floats | None = None  # of a force's own effect that the preconditioner takes for the grid's
        if walls.compliance is not None:
            self.compliance = (walls.compliance / unit**2).astype(precision)
            stiffness = sum(2 / size**2 for size in spacing)
            self.share = (1 / np.sqrt(1 + self.compliance * stiffness)).astype(precision)

    @property
    def _one_each(self) -> tuple[int, ...]:
        return (len(self.spacing), *(1 for _ in self.shape))

    @cached_property
    def _symbols(self) -> tuple[list[NDArray[np.complexfloating]], Floats]:
        """Of the difference along each axis (cell to lower face), and of the inverse of minus the Laplacian."""
        kind = np.result_type(self.precision, np.complex64)
        symbols = []
        for axis, (count, size) in enumerate(zip(self.shape, self.spacing, strict=True)):
            angles = 2 * np.pi * np.arange(count if axis < len(self.shape) - 1 else count // 2 + 1) / count
            form = [-1 if other == axis else 1 for other in range(len(self.shape))]
            symbols.append(((1 - np.exp(-1j * angles)) / size).reshape(form))
        laplacian = np.asarray(sum(np.abs(symbol) ** 2 for symbol in symbols))
        laplacian.flat[0] = 1.0
        inverse = 1 / laplacian
        inverse.flat[0] = 0.0  # the mean is left to the balance of forces
        return [symbol.astype(kind) for symbol in symbols], inverse.astype(self.precision)

    def driven(self, forces: Floats) -> tuple[Floats, NDArray[np.complexfloating]]:
        """The flow of zero mean that forces drive, and the Fourier transform of its pressure."""
        symbols, inverse = self._symbols
        waves = [scipy.fft.rfftn(one) for one in forces]
        potential = sum(np.conj(symbol) * wave for symbol, wave in zip(symbols, waves, strict=True)) * inverse
        flow = np.stack(
            [
                scipy.fft.irfftn((wave - symbol * potential) * inverse, s=self.shape)
                for symbol, wave in zip(symbols, waves, strict=True)
            ]
        )
        return flow, potential

    def balanced(self, forces: Floats) -> tuple[Floats, Floats]:
        """Forces on held faces alone, the mean of each component taken off; and that mean."""
        forces = np.where(self.held, forces, 0)
        total = forces.reshape(len(self.spacing), -1).sum(axis=1, dtype=np.float64).reshape(self._one_each)
        mean = np.asarray((total / self.counts).astype(self.precision))
        return np.where(self.held, forces - mean, 0), mean

    def apply(self, forces: Floats) -> tuple[Floats, Floats]:
        """What forces do to the walls' condition, and the mean flow that would bring the walls to rest, reversed."""
        flow = self.driven(forces)[0]
        return self.balanced(flow if self.compliance is None else flow + self.compliance * forces)

    def precondition(self, residual: Floats) -> Floats:
        """Nearly the inverse: minus the Laplacian of what is missed on the held faces."""
        scaled = residual if self.share is None else self.share * residual
        found = np.zeros_like(scaled)
        for axis, size in enumerate(self.spacing, start=1):
            found += (2 * scaled - np.roll(scaled, 1, axis) - np.roll(scaled, -1, axis)) / self.precision.type(size**2)
        return self.balanced(found if self.share is None else self.share * found)[0]

    def at_rest(self, flow: Floats, forces: Floats) -> tuple[Floats, float]:
        """The flow with the mean that brings the walls to rest, and the root of the mean square of what is missed."""
        missed, mean = self.balanced(flow if self.compliance is None else flow + self.compliance * forces)
        return flow - mean, self.size(missed)

    def size(self, on_held: Floats) -> float:
        """Root of the mean square over the held faces."""
        return float(np.sqrt(_dot(on_held, on_held) / self.counts.sum()))


def _conjugate_gradients(
    system: _System, force: Floats, tolerance: float, most: int, start: Floats | None
) -> tuple[Floats, int]:
    """Forces on the held faces that balance the gradient and bring the fluid to rest there, and the iterations."""
    cells = float(np.prod(system.shape))
    balance = -force.reshape(system._one_each) * cells / system.counts
    forces = np.where(system.held, balance, 0).astype(system.precision)
    if start is not None:
        forces += system.balanced(start.astype(system.precision))[0]
    residual, mean = system.apply(forces)
    residual = -residual
    step = system.precondition(residual)
    direction, product = step.copy(), _dot(residual, step)
    iterations = 0
    while iterations < most and product > 0 and system.size(residual) > tolerance * float(np.abs(mean).max()):
        changed, lifted = system.apply(direction)
        length = system.precision.type(product / _dot(direction, changed))
        forces += length * direction
        residual -= length * changed
        mean += length * lifted
        iterations += 1
        step = system.precondition(residual)
        product, before = _dot(residual, step), product
        direction = step + system.precision.type(product / before) * direction
    return forces, iterations


def _dot(first: Floats, second: Floats) -> float:
    return float((first * second).sum(dtype=np.float64))

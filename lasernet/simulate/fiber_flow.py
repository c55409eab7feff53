"""Flow through bundles of fibers: random geometries, and the creeping flow that a pressure gradient drives in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray

from lasernet.errors import DataError, OptionError
from lasernet.physics.flow import permeability
from lasernet.simulate.fibers import Bundle, pack_bundle
from lasernet.simulate.stokes import StokesFlow, cut_walls, solve_stokes, voxel_walls

VERSION = 1  # rises when the same options and seed give other flows
DENSEST = 0.7  # share of solid beyond which random packings with gaps are not found
PRECISION: dict[str, type[np.floating]] = {"single": np.float32, "double": np.float64}
MOST = 2000  # iterations of the solver
PROBES = 3  # slices in which the walls of the cells are compared with the true walls

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class FiberFlow:
    """One flow through one geometry, components in the order x, y, z, on the lower faces of the cells.

    Attributes:
        bundle: the fibers; ``fluid``: cells whose centers are outside of them, (Z, Y, X).
        axis: along which the mean pressure falls: 0 for x, 1 for y.
        spacing: of the cells along x, y, z, m.
        velocity: m/s, (3, Z, Y, X); ``velocity_2d``: of every slice by itself.
        pressure: the periodic part, Pa, (Z, Y, X), 0 on average over the fluid, and in solid cells; ``pressure_2d``: of
            every slice by itself, 0 on average over each.
        permeability: along x, y, z, m².
        error: of the permeability, by which walls along the cells differ from the true walls in some slices.
        slip: of the solution; ``iterations``: it took.
    """

    bundle: Bundle
    fluid: NDArray[np.bool_]
    axis: int
    spacing: tuple[float, float, float]
    velocity: Floats
    velocity_2d: Floats
    pressure: Floats
    pressure_2d: Floats
    permeability: tuple[float, float, float]
    error: float
    slip: float
    iterations: int


class FiberFlows:
    """Creeping flow across bundles of fibers: 3D fields, those of each slice by itself, and permeability.

    Each geometry is a random bundle along z in a periodic cell, with a share of fibers and a sway drawn evenly from
    the ranges given. The fluid sticks to the cells that are solid. By default each geometry is driven along x and then
    along y: two flows of one group, which no split takes apart.
    """

    def __init__(
        self,
        *,
        cells: Annotated[tuple[int, ...], "of the block along x, y and z (the fibers' direction)"] = (256, 256, 11),
        size: Annotated[float, "of the block along x, m"] = 50e-6,
        slice_distance: Annotated[float, "of the cells along z, m"] = 4.5e-6,
        radius: Annotated[float, "of the fibers, about, m"] = 3.5e-6,
        fraction: Annotated[tuple[float, ...], "share of fibers, or lowest:highest"] = (0.3, 0.6),
        sway: Annotated[tuple[float, ...], "largest displacement of wavy fibers, m, or lowest:highest"] = (1e-6, 3e-6),
        path: Annotated[Literal["sine", "zigzag"], "how fibers sway: wavy, or tilted to and fro"] = "sine",
        gap: Annotated[float, "least distance between fibers, m"] = 0.8e-6,
        drive: Annotated[Literal["both", "x", "y"], "direction of the gradient"] = "both",
        gradient: Annotated[float, "by which the mean pressure falls, Pa/m"] = 1e5,
        viscosity: Annotated[float, "of the fluid, Pa s"] = 0.5,
        tolerance: Annotated[float, "largest slip over the mean velocity"] = 1e-3,
        precision: Annotated[Literal["single", "double"], "arithmetic of the solver"] = "single",
    ) -> None:
        """Check the options.

        Raises:
            OptionError: if one is out of range.
        """
        if len(cells) != 3 or min(cells[:2]) < 8 or cells[2] < 1:
            raise OptionError(f"--cells {','.join(map(str, cells))}: expected x,y,z: 8 or more, 8 or more, 1 or more")
        if cells[0] != cells[1]:
            raise OptionError(f"--cells {','.join(map(str, cells))}: expected as many along x as along y")
        for name, value in (
            ("size", size), ("slice-distance", slice_distance), ("radius", radius), ("gap", gap),
            ("gradient", gradient), ("viscosity", viscosity),
        ):  # fmt: skip
            if not 0 < value < np.inf:
                raise OptionError(f"--{name} {value:g}: expected a number above 0")
        for name, values, highest in (("fraction", fraction, DENSEST), ("sway", sway, np.inf)):
            if len(values) not in (1, 2) or not 0 <= values[0] <= values[-1] < np.inf or values[-1] > highest:
                found = ":".join(f"{value:g}" for value in values)
                raise OptionError(f"--{name} {found}: expected one number or lowest:highest, from 0 to {highest:g}")
        if fraction[0] <= 0:
            raise OptionError(f"--fraction {fraction[0]:g}: expected more than 0, for something must hold the fluid")
        if not 1e-6 <= tolerance <= 0.1:
            raise OptionError(f"--tolerance {tolerance:g}: expected 1e-6 to 0.1")
        self.cells = (cells[0], cells[1], cells[2])
        step = size / cells[0]
        self.spacing = (step, step, slice_distance)
        self.size, self.radius, self.gap = size, radius, gap
        self.fraction, self.sway, self.path = fraction, sway, path
        self.axes = {"both": (0, 1), "x": (0,), "y": (1,)}[drive]
        self.gradient, self.viscosity = gradient, viscosity
        self.tolerance, self.precision = tolerance, PRECISION[precision]

    def group_of(self, index: int, *, seed: int) -> str:
        """The group of flow number ``index``: its geometry's."""
        return f"bundle-{seed}-{index // len(self.axes)}"

    def draw(self, index: int, *, seed: int) -> Bundle:
        """The geometry of flow number ``index`` of the set of this seed; it depends on nothing else."""
        key = np.array([seed, index // len(self.axes)], dtype=np.uint64)
        generator = np.random.Generator(np.random.Philox(key=key))
        fraction, sway = (float(generator.uniform(values[0], values[-1])) for values in (self.fraction, self.sway))
        return pack_bundle(
            generator,
            size=self.size,
            height=self.spacing[2] * self.cells[2],
            radius=self.radius,
            fraction=fraction,
            sway=sway,
            zigzag=self.path == "zigzag",
            gap=self.gap,
        )

    def simulate(self, index: int, *, seed: int) -> FiberFlow:
        """Flow number ``index`` of the set of this seed."""
        bundle = self.draw(index, seed=seed)
        axis = self.axes[index % len(self.axes)]
        fluid = self.voxels(bundle)
        slices = [self._solve(layer, axis) for layer in fluid]
        flat = np.zeros((3, *fluid.shape), dtype=self.precision)
        forces, pressure = np.zeros_like(flat), np.zeros(fluid.shape, dtype=self.precision)
        for number, one in enumerate(slices):
            flat[1:, number], forces[1:, number], pressure[number] = one.velocity, one.forces, one.pressure
        flow = self._solve(fluid, axis, start=forces)
        velocity, velocity_2d = (self.gradient / self.viscosity * part[::-1] for part in (flow.velocity, flat))
        return FiberFlow(
            bundle,
            fluid,
            axis,
            self.spacing,
            velocity=velocity,
            velocity_2d=velocity_2d,
            pressure=self.gradient * _in_fluid(flow.pressure, fluid, axis=None),
            pressure_2d=self.gradient * _in_fluid(pressure, fluid, axis=(1, 2)),
            permeability=permeability(velocity.astype(np.float32), self.viscosity, self.gradient),
            error=self._error(bundle, axis, slices),
            slip=flow.slip,
            iterations=flow.iterations,
        )

    def voxels(self, bundle: Bundle) -> NDArray[np.bool_]:
        """Cells whose centers are in the fluid, (Z, Y, X)."""
        centers = np.asarray((np.arange(self.cells[0]) + 0.5) * self.spacing[0], dtype=np.float64)
        heights = np.arange(self.cells[2]) * self.spacing[2]
        return np.stack([bundle.distance(centers, centers, float(z)) > 0 for z in heights])

    def _solve(self, fluid: NDArray[np.bool_], axis: int, start: Floats | None = None) -> StokesFlow:
        """The flow in the whole block or in one slice of it.

        Raises:
            DataError: if it cannot be found to the tolerance.
        """
        dimensions = fluid.ndim
        flow = solve_stokes(
            voxel_walls(fluid), self.spacing[dimensions - 1 :: -1], dimensions - 1 - axis, tolerance=self.tolerance,
            precision=self.precision, most=MOST, start=start,
        )  # fmt: skip
        if not flow.converged:
            raise DataError(
                f"a flow has a slip of {flow.slip:.1e} after {flow.iterations} iterations; expected at most "
                f"{self.tolerance:g}; take --precision double, or a larger --tolerance"
            )
        return flow

    def _error(self, bundle: Bundle, axis: int, slices: list[StokesFlow]) -> float:
        """By how much the mean flow of some slices differs from that with walls where the fibers truly end."""
        edges = np.asarray(np.arange(self.cells[0]) * self.spacing[0], dtype=np.float64)
        centers = edges + self.spacing[0] / 2
        coarse, fine = 0.0, 0.0
        for number in np.unique(np.linspace(0, len(slices) - 1, min(PROBES, len(slices))).round().astype(int)).tolist():
            z = number * self.spacing[2]
            faces = np.stack([bundle.distance(centers, edges, z), bundle.distance(edges, centers, z)])
            sizes = self.spacing[1::-1]
            true = solve_stokes(cut_walls(faces, sizes), sizes, 1 - axis, tolerance=self.tolerance, most=MOST)
            coarse += float(slices[number].velocity[1 - axis].mean(dtype=np.float64))
            fine += float(true.velocity[1 - axis].mean())
        return abs(coarse / fine - 1)


def _in_fluid(pressure: Floats, fluid: NDArray[np.bool_], axis: tuple[int, ...] | None) -> Floats:
    """A pressure without its mean over the fluid, and without what it is inside solids, where it means nothing."""
    mean = pressure.mean(axis=axis, keepdims=True, where=fluid)
    return np.where(fluid, pressure - mean, 0).astype(pressure.dtype)

"""Temperature around a moving laser: what any heat source answers, and the analytic one.

T − T₀ = ∫ P(t−τ)/(ρc) g(x; σ²) g(y; σ²) 2g(z; σz²) dτ with Gaussians g around the place of the beam at t−τ and
σ² = w²/4 + 2ατ, σz² = d² + 2ατ: a Gaussian beam on a half-space (Eagar & Tsai, Weld. J. 62 (1983) 346s), with the
absorption below the surface a half-Gaussian, and transient: any path, any power over time.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lasernet.errors import OptionError
from lasernet.simulate.materials import Material
from lasernet.simulate.scan_path import Path

Floats = NDArray[np.float64]
Region = tuple[slice, slice, slice]
NODES = 2.0  # per unit of the measure in ``AnalyticHeat._panels``: one standard deviation of the passing beam
SPARE_NODES = 3  # of every panel, however short it is
NEGLIGIBLE = 1e-6  # K; a node that adds less everywhere is left out
BLOCK = 4  # cells along each axis that share one bound of the temperature
FAINT = 1e-18  # of factors; the product of two fainter ones could be a denormal number
ROUNDING = 1e-5  # relative; above that of a sum of floats in 32 bits


class Heat(Protocol):
    """A temperature that can be asked for at any time and in any part of a grid.

    Attributes:
        x, y, z: cell centers in m, ascending; x is the scan direction, z[-1] = 0 the surface.
    """

    x: Floats
    y: Floats
    z: Floats

    def field(self, time: float, region: Region) -> NDArray[np.float32]:
        """Temperature in K in that part of the grid at a time in s, (X, Y, Z) of the region."""

    def hot_region(self, time: float, threshold: float) -> Region | None:
        """A box that contains every cell hotter than a threshold in K, not much larger than that; None without any."""


class AnalyticHeat:
    """Transient heat of a moving Gaussian beam in a half-space with constant properties, without latent heat.

    The time integral is a sum over Gauss–Legendre nodes in s = √τ, of which each is a product of three Gaussians, so
    that a frame is one matrix product: T = A(x, n) · [B(y, n) C(z, n)]ᵀ. Panels of nodes end where the path has a
    knot, and their number follows how fast the beam passes: about 0.1 K from the integral at default density.

    Nothing limits how hot a surface beam gets, so what exceeds boiling is cut off there; the energy of that is lost
    without having had an effect on the heat around it. Beams with ``depth`` about as large as half their radius
    need no cut at usual powers.
    """

    def __init__(
        self,
        material: Material,
        *,
        x: ArrayLike,
        y: ArrayLike,
        z: ArrayLike,
        path: Path,
        radius: float = 80e-6,
        depth: float = 40e-6,
        preheat: float = 298.0,
        clip: bool = True,
        walls: tuple[float, float] | None = None,
        density: float = 1.0,
    ) -> None:
        """Prepare the material constants and the grid.

        Args:
            material: its density, effective conductivity and heat capacity, and boiling point are used.
            x, y, z: cell centers, m; z at most 0, the surface.
            path: with the power that is absorbed.
            radius: w of the beam, intensity ∝ exp(−2r²/w²), m.
            depth: standard deviation of the half-Gaussian profile of absorption, m; 0: at the surface.
            preheat: temperature before the first knot of the path, K.
            clip: cut off at boiling.
            walls: y of two adiabatic walls, m, made by mirroring the beam; None: there are none.
            density: factor on the number of nodes.

        Raises:
            OptionError: if a number is out of range, the grid does not ascend or the path leaves the walls.
        """
        self.x, self.y, self.z = check_axes(x, y, z)
        if not (radius > 0 and depth >= 0 and preheat > 0 and density > 0):
            raise OptionError(
                f"beam radius {radius:g} m, depth {depth:g} m, preheat {preheat:g} K, density of nodes {density:g}; "
                "expected numbers above 0, depth 0 or more"
            )
        ends = [self.y[0], self.y[-1], path.y.min(), path.y.max()]
        if walls is not None and not (walls[0] < walls[1] and walls[0] <= min(ends) and max(ends) <= walls[1]):
            raise OptionError(f"walls at y = {walls[0]:g} and {walls[1]:g} m; expected grid and path between them")
        self.path, self.walls = path, walls
        self.preheat, self.limit = preheat, material.boiling if clip else np.inf
        self.volumetric_heat = material.density * material.effective_heat_capacity  # J/(m³ K)
        self.diffusivity = material.effective_conductivity / self.volumetric_heat
        self.variance = (radius**2 / 4, depth**2)
        self.density = density
        near = float(np.abs(self.z[self.z < 0]).min(initial=radius / 2))  # a surface beam is seen from there at best
        self._sharpest = min(radius / 2, max(depth, near / 2))

    def field(self, time: float, region: Region) -> NDArray[np.float32]:
        """Temperature in K in that part of the grid at a time in s, (X, Y, Z) of the region."""
        x, y, z = (axis[part] for axis, part in zip((self.x, self.y, self.z), region, strict=True))
        values = self._sum(time, (x, x), (y, y), (z, z))
        values += np.float32(self.preheat)
        return np.minimum(values, np.float32(self.limit), out=values)

    def hot_region(self, time: float, threshold: float) -> Region | None:
        """A box that contains every cell hotter than a threshold in K; None without any.

        Each Gaussian is bounded by its largest value within blocks of cells; so is their sum of products.
        """
        if threshold >= self.limit:
            return None
        starts = [np.arange(0, len(axis), BLOCK) for axis in (self.x, self.y, self.z)]
        low, high = [], []
        for axis, first in zip((self.x, self.y, self.z), starts, strict=True):
            low.append(axis[first])
            high.append(axis[np.minimum(first + BLOCK, len(axis)) - 1])
        bound = self._sum(time, (low[0], high[0]), (low[1], high[1]), (low[2], high[2]))
        hot = bound * np.float32(1 + ROUNDING) + np.float32(NEGLIGIBLE) > threshold - self.preheat
        return bounding_box(hot, BLOCK, (len(self.x), len(self.y), len(self.z)))

    def nodes(self, time: float) -> tuple[Floats, Floats]:
        """Ages τ in s of the nodes, and their weights in J/s · s = J: the energy for which each of them stands."""
        edges = self._panels(time)
        age = edges**2
        piece = np.searchsorted(self.path.t, time - (age[1:] + age[:-1]) / 2, side="right") - 1
        on = self.path.power[piece] > 0
        low, high, piece = edges[:-1][on], edges[1:][on], piece[on]
        measure = self._measure(high, self.path.speed[piece]) - self._measure(low, self.path.speed[piece])
        counts = np.ceil(self.density * (SPARE_NODES + NODES * measure)).astype(int)
        counts = np.where(counts > 16, -(-counts // 8) * 8, counts)  # few kinds of panels
        s, weight = [np.zeros(0)], [np.zeros(0)]
        for count in np.unique(counts):
            same = counts == count
            at, share = legendre(int(count))
            half = (high[same] - low[same])[:, None] / 2
            s.append((low[same][:, None] + half * (1 + at)).ravel())
            weight.append((self.path.power[piece[same]][:, None] * half * share).ravel())
        root = np.concatenate(s)
        return root**2, 2 * root * np.concatenate(weight)

    def _panels(self, time: float) -> Floats:
        """Edges in s = √τ: the knots of the path that have passed, and steps from the sharpest beam on by 4."""
        past = time - self.path.t[self.path.t < time]
        if len(past) == 0:
            return np.zeros(1)
        oldest = float(np.sqrt(past.max()))
        youngest = max(0.0, time - self.path.end) ** 0.5
        spread = self._sharpest / np.sqrt(2 * self.diffusivity)
        steps = spread * 4.0 ** np.arange(max(1, np.ceil(np.log(max(oldest / spread, 1.0)) / np.log(4.0))))
        inside = steps[(steps > youngest) & (steps < oldest)]
        return np.unique(np.concatenate([[youngest], inside, np.sqrt(past)]))

    def _measure(self, s: Floats, speed: Floats) -> Floats:
        """How much the integrand has changed up to s: by travel, in standard deviations, and by spreading, in e-folds.

        The derivative is 2sv/σ + √(2α)/σ with σ² = σ₀² + 2αs².
        """
        width = np.sqrt(self._sharpest**2 + 2 * self.diffusivity * s**2)
        spreading = np.arcsinh(np.sqrt(2 * self.diffusivity) * s / self._sharpest)
        return np.asarray(speed / self.diffusivity * width + spreading)

    def _sum(
        self, time: float, x: tuple[Floats, Floats], y: tuple[Floats, Floats], z: tuple[Floats, Floats]
    ) -> NDArray[np.float32]:
        """Rise, K: for each node the largest within intervals (low, high) of the axes, summed; exact if low = high."""
        from lasernet.simulate.products import ordered_product  # imports numba, which takes a second

        age, energy = self.nodes(time)
        at_x, at_y = self.path.position(time - age)
        in_plane, in_depth = (start + 2 * self.diffusivity * age for start in self.variance)
        peak = 2 * energy / (self.volumetric_heat * (2 * np.pi) ** 1.5 * in_plane * np.sqrt(in_depth))
        along = _bell(*x, at_x, in_plane)
        across = sum((_bell(*y, image, in_plane) for image in self._images(at_y, in_plane)), np.zeros((len(y[0]), 1)))
        down = _bell(*z, np.zeros_like(age), in_depth)
        if not (along.size and across.size and down.size):
            return np.zeros((len(x[0]), len(y[0]), len(z[0])), dtype=np.float32)
        kept = peak * along.max(axis=0) * across.max(axis=0) * down.max(axis=0) > NEGLIGIBLE / max(1, len(age))
        first = _float32(along[:, kept] * peak[kept])
        across, down = np.ascontiguousarray(across.T[kept]), np.ascontiguousarray(down.T[kept])
        second = _float32(across[:, :, None] * down[:, None, :])
        rise = ordered_product(first, second.reshape(len(second), across.shape[1] * down.shape[1]))
        return rise.reshape(len(x[0]), len(y[0]), len(z[0]))

    def _images(self, y: Floats, variance: Floats) -> list[Floats]:
        """The beam and its mirror images in the walls, as many as reach between them within 6 standard deviations."""
        if self.walls is None or not len(y):
            return [y]
        low, high = self.walls
        apart = 2 * (high - low)
        reach = int(np.ceil(6 * np.sqrt(variance.max()) / apart)) + 1
        shifts = apart * np.arange(-reach, reach + 1)
        return [y + shift for shift in shifts] + [2 * low - y + shift for shift in shifts]


@lru_cache
def legendre(count: int) -> tuple[Floats, Floats]:
    """Nodes in (−1, 1) and weights of Gauss–Legendre quadrature."""
    at, weight = np.polynomial.legendre.leggauss(count)
    return at, weight


def check_axes(x: ArrayLike, y: ArrayLike, z: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """The axes of a grid as 64-bit numbers.

    Raises:
        OptionError: if one does not ascend, or the grid reaches above the surface z = 0.
    """
    axes = [np.asarray(axis, dtype=np.float64) for axis in (x, y, z)]
    for name, axis in zip("xyz", axes, strict=True):
        if axis.ndim != 1 or not len(axis) or not np.isfinite(axis).all() or (np.diff(axis) <= 0).any():
            raise OptionError(f"the {name} axis is empty or does not ascend; expected cell centers in m")
    if axes[2][-1] > 0:
        raise OptionError(f"a grid up to z = {axes[2][-1]:g} m; expected 0, the surface, or less")
    return axes[0], axes[1], axes[2]


def bounding_box(marked: NDArray[np.bool_], block: int, shape: tuple[int, int, int]) -> Region | None:
    """The smallest box of cells around all marked blocks of ``block`` cells a side; None without any."""
    if not marked.any():
        return None
    box = []
    for axis, size in enumerate(shape):
        found = np.flatnonzero(marked.any(axis=tuple(other for other in range(3) if other != axis)))
        box.append(slice(int(found[0]) * block, min((int(found[-1]) + 1) * block, size)))
    return box[0], box[1], box[2]


def _bell(low: Floats, high: Floats, center: Floats, variance: Floats) -> Floats:
    """Largest value of exp(−(x−c)²/2σ²) in each interval, (intervals, nodes)."""
    away = np.maximum(np.maximum(low[:, None] - center, center - high[:, None]), 0.0)
    return np.asarray(np.exp(-(away**2) / (2 * variance)))


def _float32(values: Floats) -> NDArray[np.float32]:
    """In 32 bits; what is too small to matter becomes 0, as denormal numbers are slow, also as products of two."""
    return np.where(values > FAINT, values, 0.0).astype(np.float32)

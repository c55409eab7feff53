"""Explicit finite differences of enthalpy on a box of metal: dH/dt = Δθ + q with θ = ∫ k dT.

H is J/m³ above that of the preheated solid. θ (the Kirchhoff variable) and T are looked up in tables of H, so latent
heat and properties that change with temperature need no iteration, and what leaves one cell enters the next
(Voller & Cross, Int. J. Heat Mass Transfer 24 (1981) 545, for the enthalpy method).
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from lasernet.simulate.compiled import compiled
from lasernet.simulate.materials import Material

Floats = NDArray[np.float64]
ENTRIES = 8192
COLDEST = 0.7  # of the preheat temperature, where the tables begin; below, they go on as straight lines
HOTTEST = 4.0  # of the boiling point, where they end if nothing keeps the metal from being hotter
SAFETY = 0.9  # of the largest stable time step


@dataclass(frozen=True)
class EnthalpyTables:
    """T (K) and θ (W/m) at H = lowest + i · step (J/m³), linear between.

    Attributes:
        boiling: H of the liquid at its boiling point, J/m³.
    """

    lowest: float
    step: float
    temperature: Floats
    kirchhoff: Floats
    boiling: float

    @classmethod
    def of(cls, material: Material, *, preheat: float, liquid_factor: float = 1.0) -> EnthalpyTables:
        """Integrate a material's heat capacity, latent heat and conductivity from a preheat temperature (K) on.

        Latent heat is released evenly between solidus and liquidus. Beyond boiling, heat capacity and conductivity
        stay what they are there.
        """
        ends = (COLDEST * preheat, HOTTEST * material.boiling)
        knots = [preheat, material.solidus, material.liquidus, material.boiling]
        fine = np.unique(np.concatenate([np.linspace(*ends, 40_001), knots]))
        middle = (fine[1:] + fine[:-1]) / 2
        mushy = (middle > material.solidus) & (middle < material.liquidus)
        latent = np.where(mushy, material.latent_heat / (material.liquidus - material.solidus), 0.0)
        width = np.diff(fine)
        known = np.minimum(middle, material.boiling)
        heat = material.density * (material.heat_capacity(known) + latent)
        flow = material.conductivity(known, liquid_factor=liquid_factor)
        origin = int(np.searchsorted(fine, preheat))
        enthalpy, kirchhoff = (
            sums - sums[origin] for sums in (np.concatenate([[0.0], np.cumsum(rate * width)]) for rate in (heat, flow))
        )
        step = float(enthalpy[-1] - enthalpy[0]) / ENTRIES
        even = step * (np.arange(ENTRIES) - np.floor(-enthalpy[0] / step))  # an entry at 0, where all cells begin
        return cls(
            float(even[0]),
            step,
            np.interp(even, enthalpy, fine),
            np.interp(even, enthalpy, kirchhoff),
            float(np.interp(material.boiling, fine, enthalpy)),
        )

    @property
    def diffusivity(self) -> float:
        """Largest dθ/dH of the tables, m²/s."""
        return float(np.diff(self.kirchhoff).max() / self.step)


class EnthalpyGrid:
    """The enthalpy of (X, Y, Z) nodes and the steps that change it.

    No heat passes the sides of the box. The last node along z lies in the surface and so owns half a cell. All numbers
    are 64 bits: in 32, the increments of one step are near the rounding of H, and energy drifts.

    Attributes:
        enthalpy: J/m³ above the preheated solid, (X, Y, Z).
        absorbed, evaporated: energy that has come in and that boiling has taken, J.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        spacing: tuple[float, float, float],
        tables: EnthalpyTables,
        *,
        boils: bool,
        threads: int = 1,
    ) -> None:
        """Nodes at the preheat temperature of the tables, ``spacing`` m apart; threads share slabs of x."""
        self.enthalpy: Floats = np.zeros(shape)
        self.spacing, self.tables, self.boils = spacing, tables, boils
        self.absorbed = self.evaporated = 0.0
        self._kirchhoff: tuple[Floats, Floats] = (np.zeros(shape), np.zeros(shape))
        edges = np.linspace(0, shape[0], min(threads, shape[0]) + 1).astype(int).tolist()
        self._slabs = list(pairwise(edges))
        self._pool = ThreadPoolExecutor(threads) if threads > 1 else None
        self.refresh()

    @property
    def cell(self) -> float:
        """Volume of a whole cell, m³."""
        return float(np.prod(self.spacing))

    @property
    def stable_step(self) -> float:
        """Longest time step that is used, s: 0.9 of 1 / (2 max(dθ/dH) Σ 1/h²)."""
        return float(SAFETY / (2 * self.tables.diffusivity * sum(1 / h**2 for h in self.spacing)))

    @property
    def stored(self) -> float:
        """Energy above that of the preheated solid, J."""
        return float((self.enthalpy.sum() - self.enthalpy[:, :, -1].sum() / 2) * self.cell)

    def temperature(self) -> Floats:
        """K, (X, Y, Z)."""
        result = np.empty_like(self.enthalpy)
        look_up(self.enthalpy, self.tables.temperature, self.tables.lowest, 1 / self.tables.step, result)
        return result

    def refresh(self) -> None:
        """Bring θ in line with an enthalpy that was set from outside."""
        look_up(self.enthalpy, self.tables.kirchhoff, self.tables.lowest, 1 / self.tables.step, self._kirchhoff[0])

    def step(self, time_step: float, beams: Sequence[tuple[Floats, Floats, Floats]] = ()) -> None:
        """Advance by a time step (s) and add beams: each the product of energies (J) along x and shares along y, z."""
        old, new = self._kirchhoff
        weights = time_step / np.square(self.spacing)
        volume = np.full(self.enthalpy.shape[2], self.cell)
        volume[-1] /= 2
        for x, y, z in beams:
            self.absorbed += float(x.sum() * y.sum() * z.sum())
            box = tuple(slice(*(np.flatnonzero(part)[[0, -1]] + [0, 1])) for part in (x, y, z))
            rise = z[box[2]] / volume[box[2]]
            self.enthalpy[box] += x[box[0], None, None] * y[None, box[1], None] * rise
        lost = np.zeros(len(old))
        cap = self.tables.boiling if self.boils else np.inf
        table, lowest, per_step = self.tables.kirchhoff, self.tables.lowest, 1 / self.tables.step

        def advance_slab(slab: tuple[int, int]) -> None:
            advance(slab[0], slab[1], self.enthalpy, old, new, weights, table, lowest, per_step, cap, lost)

        list((self._pool.map if self._pool else map)(advance_slab, self._slabs))
        self.evaporated += float(lost.sum() * self.cell)
        self._kirchhoff = (new, old)


@compiled
def entry(table: Floats, position: float) -> float:
    """A table read at a fraction of its index, straight on beyond both ends."""
    low = min(max(int(position), 0), len(table) - 2)
    return float(table[low] + (position - low) * (table[low + 1] - table[low]))


@compiled
def look_up(enthalpy: Floats, table: Floats, lowest: float, per_step: float, result: Floats) -> None:
    """Read a table at every node."""
    for i in range(enthalpy.shape[0]):
        for j in range(enthalpy.shape[1]):
            for k in range(enthalpy.shape[2]):
                result[i, j, k] = entry(table, (enthalpy[i, j, k] - lowest) * per_step)


@compiled
def advance(
    first: int,
    last: int,
    enthalpy: Floats,
    old: Floats,
    new: Floats,
    weights: Floats,
    table: Floats,
    lowest: float,
    per_step: float,
    cap: float,
    lost: Floats,
) -> None:
    """One explicit step of a slab of x: H += Σ weight · (differences of θ), H ≤ cap, then θ(H) into ``new``.

    A slab writes its own nodes and its own entries of ``lost``, so that the result does not depend on how the nodes
    are shared. A missing neighbor is the node itself: no heat flows.
    """
    size_x, size_y, size_z = enthalpy.shape
    top = size_z - 1
    weight_x, weight_y, weight_z = weights[0], weights[1], weights[2]
    for i in range(first, last):
        before, after = max(i - 1, 0), min(i + 1, size_x - 1)
        removed = 0.0
        for j in range(size_y):
            left, right = max(j - 1, 0), min(j + 1, size_y - 1)
            for k in range(size_z):
                here = old[i, j, k]
                flow = weight_x * ((old[before, j, k] - here) + (old[after, j, k] - here))
                flow += weight_y * ((old[i, left, k] - here) + (old[i, right, k] - here))
                below, above = old[i, j, max(k - 1, 0)], old[i, j, min(k + 1, top)]
                part = (below - here) + (above - here)
                flow += weight_z * (2 * part if k == top else part)
                enthalpy[i, j, k] += flow
            for k in range(size_z):
                value = enthalpy[i, j, k]
                if value > cap:
                    removed += (value - cap) * (0.5 if k == top else 1.0)
                    value = cap
                    enthalpy[i, j, k] = value
                new[i, j, k] = entry(table, (value - lowest) * per_step)
        lost[i] = removed

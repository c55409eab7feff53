"""The enthalpy solver against the analytic field, conservation of energy, latent heat, and melting of a half-space.

Neumann's solution of melting between two half-spaces: Carslaw & Jaeger, Conduction of Heat in Solids, 2nd ed., ch. 11.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.special import erfc

from lasernet.simulate.enthalpy import EnthalpyHeat
from lasernet.simulate.enthalpy_grid import EnthalpyGrid, EnthalpyTables
from lasernet.simulate.materials import MATERIALS, constant
from lasernet.simulate.melt_pool import AnalyticHeat
from lasernet.simulate.scan_path import Path

Check = dict[str, object]
EVERYWHERE = (slice(None), slice(None), slice(None))
PREHEAT = 298.0


def check_enthalpy() -> list[Check]:
    """Every check of the solver, each as {"name", "value", "reference", "tolerance", "ok"}."""
    return [*_check_differences(), *_check_boiling(), *_check_latent_heat(), *_check_stefan()]


def _check_differences() -> list[Check]:
    """Finite differences of 5 μm with constant properties against the analytic field, and their energy.

    Second order in the spacing: with σ = 20 to 25 μm of the beam, about (5/25)²/12 of its 4000 K directly under it,
    and ever less away from it. The melt volume is that of whole cells, of which a few hundred lie in its surface.
    """
    material = constant(MATERIALS["316L"], conductivity=28.0, density=7500.0, heat_capacity=700.0)
    x, y, z = np.arange(60) * 5e-6, np.arange(-16, 17) * 5e-6, np.arange(-15, 1) * 5e-6
    path = Path.line((50e-6, 0.0), (300e-6, 0.0), speed=0.8, power=60.0)
    exact = AnalyticHeat(material, radius=50e-6, depth=20e-6, clip=False, x=x, y=y, z=z, path=path).field(
        250e-6, EVERYWHERE
    )
    heat = EnthalpyHeat(
        material, radius=50e-6, depth=20e-6, boils=False, factor=1, record=25e-6, x=x, y=y, z=z, path=path
    )
    error = (heat.field(250e-6, EVERYWHERE) - exact).astype(np.float64)
    volumes = [int((field > 1620).sum()) for field in (error + exact, exact)]
    return [
        check("differences/RMS to the analytic field", np.sqrt(np.mean(error**2)), 0.0, 2.0),
        check("differences/largest", np.abs(error).max(), 0.0, 20.0),
        check("differences/volume above 1620 K", volumes[0] / volumes[1], 1.0, 0.01),
        # Sums of 10⁸ numbers of 64 bits.
        check("differences/energy", heat.energy.error, 0.0, 1e-10),
        check("differences/energy absorbed", heat.energy.absorbed / (60.0 * 250e-6), 1.0, 1e-10),
    ]


def _check_boiling() -> list[Check]:
    """A beam far too strong: nothing gets hotter than boiling, and what the vapor takes is accounted for.

    Temperatures are stored in 32 bits and read from a table: 0.01 K.
    """
    material = MATERIALS["316L"]
    x, y, z = np.arange(40) * 5e-6, np.arange(-15, 16) * 5e-6, np.arange(-12, 1) * 5e-6
    path = Path.line((60e-6, 0.0), (160e-6, 0.0), speed=0.8, power=300.0)
    heat = EnthalpyHeat(material, x=x, y=y, z=z, path=path, radius=50e-6, depth=10e-6, padding=50e-6)
    hottest = max(float(heat.field(time, EVERYWHERE).max()) for time in np.linspace(5e-6, 120e-6, 24))
    return [
        check("boiling/hottest", hottest, material.boiling, 1e-2),
        check("boiling/energy", heat.energy.error, 0.0, 1e-10),
    ]


def _check_latent_heat() -> list[Check]:
    """One cell, heated by a known energy, has the temperature at which its heat capacity and latent heat add up to it.

    An entry of the table is 1 to 3 K wide, and linear within: far less than 0.2 K away from solidus and liquidus.
    """
    found = []
    for name in ("316L", "IN625"):
        material = MATERIALS[name]
        tables = EnthalpyTables.of(material, preheat=PREHEAT)
        middle = (material.solidus + material.liquidus) / 2
        for at, melted in ((1200.0, 0.0), (middle, 0.5), (2500.0, 1.0)):
            knots = [PREHEAT, *(knot for knot in (material.solidus, material.liquidus) if knot < at), at]
            needed = sum(quad(lambda t, m=material: float(m.heat_capacity(t)), *ends)[0] for ends in pairwise(knots))
            energy = material.density * (needed + melted * material.latent_heat)
            grid = EnthalpyGrid((1, 1, 1), (1.0, 1.0, 2.0), tables, boils=True)  # the surface owns half a cell: 1 m³
            grid.step(1e-9, [(np.array([energy]), np.ones(1), np.ones(1))])
            found.append(check(f"latent heat/{name}/{at:g} K", float(grid.temperature()[0, 0, 0]), at, 0.2))
    return found


def _check_stefan() -> list[Check]:
    """Hot liquid against cold solid: the melted depth grows as 2λ√(αt), λ from Neumann's condition.

    T is Tc + (Tm − Tc) erfc(ξ)/erfc(λ) in the solid and Th − (Th − Tm) erfc(−ξ)/erfc(−λ) in the liquid, ξ = x/√(4αt).
    The 2 % are for melting over 2 K instead of at one temperature, and for cells of 1/60 of the depth.
    """
    hot, melts, cold, k, rho, c = 2600.0, 1700.0, 900.0, 30.0, 7500.0, 700.0
    latent = 2.7e5
    material = replace(
        constant(MATERIALS["316L"], conductivity=k, density=rho, heat_capacity=c),
        solidus=melts - 1,
        liquidus=melts + 1,
        latent_heat=latent,
    )
    alpha, h, size = k / (rho * c), 1e-6, 800

    def excess(depth: float) -> float:
        flows = (hot - melts) / erfc(-depth) - (melts - cold) / erfc(depth)
        return float(depth * np.sqrt(np.pi) * latent / c - np.exp(-(depth**2)) * flows)

    factor = float(brentq(excess, -2.0, 2.0))
    grid = EnthalpyGrid((size, 1, 1), (h, 1.0, 1.0), EnthalpyTables.of(material, preheat=cold), boils=True)
    liquid = rho * (c * (hot - cold) + latent)
    grid.enthalpy[: size // 2] = liquid
    grid.refresh()
    steps = 12_000
    for _ in range(steps):
        grid.step(h**2 / (2 * alpha) * 0.9)
    time = steps * h**2 / (2 * alpha) * 0.9
    fraction = material.liquid_fraction(grid.temperature()[:, 0, 0])
    melted = (fraction.sum() - size / 2) * h
    place = (np.arange(size) - size / 2 + 0.5) * h / np.sqrt(4 * alpha * time)
    exact = np.where(
        place > factor,
        cold + (melts - cold) * erfc(place) / erfc(factor),
        hot - (hot - melts) * erfc(-place) / erfc(-factor),
    )
    inside = np.abs(place) < 1.5
    error = np.abs(grid.temperature()[:, 0, 0] - exact)[inside].max()
    return [
        check("Stefan/melted depth", melted / (2 * factor * np.sqrt(alpha * time)), 1.0, 0.02),
        check("Stefan/temperature", error, 0.0, 5.0),
    ]


def check(name: str, value: float, reference: float, tolerance: float) -> Check:
    """One row: whether a value lies within a tolerance of its reference."""
    value = float(value)
    ok = bool(abs(value - reference) <= tolerance)
    name = f"laser/temperature/{name}"
    return {"name": name, "value": value, "reference": reference, "tolerance": tolerance, "ok": ok}

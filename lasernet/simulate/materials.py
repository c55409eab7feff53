"""The metals that tracks are made of: melting, heat and how fast their solid grows, each with its source."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lasernet.errors import OptionError
from lasernet.registry import suggestion

Floats = NDArray[np.float64]
HALVINGS = 60  # of the interval in which the inverse of a growth law is looked for: to the last bit


@dataclass(frozen=True)
class GrowthLaw:
    """How fast a dendrite tip grows into liquid that is colder than liquidus.

    ``power``: V = a ΔTᵇ with coefficients (a, b). ``cubic``: V = a ΔT³ + b ΔT² + c ΔT with coefficients (a, b, c),
    held at its largest value beyond the undercooling where the polynomial turns over.

    Attributes:
        liquidus: K, from which the undercooling of this law counts.
        freezing_range: K below liquidus in which the alloy freezes, as the source of the law has it.
    """

    kind: Literal["power", "cubic"]
    coefficients: tuple[float, ...]
    liquidus: float
    freezing_range: float
    source: str

    def velocity(self, undercooling: ArrayLike) -> Floats:
        """Tip velocity in m/s, 0 at and above liquidus; undercooling in K, any shape."""
        cold = np.clip(np.asarray(undercooling, dtype=np.float64), 0.0, self.largest_undercooling)
        if self.kind == "power":
            factor, exponent = self.coefficients
            return np.asarray(factor * cold**exponent)
        cubic, square, linear = self.coefficients
        return np.asarray(((cubic * cold + square) * cold + linear) * cold)

    def undercooling(self, velocity: ArrayLike) -> Floats:
        """The undercooling in K at which a tip grows with a velocity in m/s, any shape: the inverse of ``velocity``.

        Raises:
            OptionError: if a velocity is negative or faster than the law can be.
        """
        wanted = np.asarray(velocity, dtype=np.float64)
        fastest = float(self.velocity(self.largest_undercooling))
        if not bool(((wanted >= 0) & (wanted <= fastest)).all()):
            raise OptionError(
                f"tip velocities from {wanted.min():g} to {wanted.max():g} m/s; expected 0 to {fastest:g} m/s, which "
                "is as fast as this growth law goes; scan slower or choose another material"
            )
        if self.kind == "power":
            factor, exponent = self.coefficients
            return np.asarray((wanted / factor) ** (1 / exponent))
        low, high = np.zeros_like(wanted), np.full_like(wanted, self.largest_undercooling)
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            slow = self.velocity(middle) < wanted
            low, high = np.where(slow, middle, low), np.where(slow, high, middle)
        return np.asarray((low + high) / 2)

    @property
    def largest_undercooling(self) -> float:
        """K, up to which the velocity rises: that of the maximum of a cubic, all the way to 0 K for a power."""
        if self.kind == "power":
            return self.liquidus
        cubic, square, linear = self.coefficients
        return float((-square - np.sqrt(square**2 - 3 * cubic * linear)) / (3 * cubic)) if cubic < 0 else self.liquidus


@dataclass(frozen=True)
class Material:
    """Everything that the laser generator needs to know of a metal; temperatures in K.

    Polynomials are coefficients (c₀, c₁, …) of c₀ + c₁T + …. The density is one constant: nothing shrinks or flows.
    The effective values are those of a model without latent heat or changing properties (``AnalyticHeat``).
    ``source`` says where solidus and liquidus come from, ``heat_source`` where the values below it do.
    """

    name: str
    solidus: float
    liquidus: float
    source: str
    heat_source: str
    density: float  # kg/m³
    conductivity_solid: tuple[float, ...]  # W/(m K), polynomial
    conductivity_liquid: tuple[float, ...]  # W/(m K), polynomial
    heat_capacity_solid: tuple[float, ...]  # J/(kg K), polynomial
    heat_capacity_liquid: tuple[float, ...]  # J/(kg K), polynomial
    latent_heat: float  # J/kg, of melting
    boiling: float  # K
    vaporization_heat: float  # J/kg
    molar_mass: float  # kg/mol
    effective_conductivity: float  # W/(m K)
    effective_heat_capacity: float  # J/(kg K)
    growth: GrowthLaw

    @property
    def front(self) -> tuple[float, float]:
        """The band in which the solidification front is looked for by default, K."""
        return (self.liquidus - 60.0, self.liquidus)

    def liquid_fraction(self, temperature: ArrayLike) -> Floats:
        """0 up to solidus, 1 from liquidus on, linear between."""
        above = np.asarray(temperature, dtype=np.float64) - self.solidus
        return np.asarray(np.clip(above / (self.liquidus - self.solidus), 0.0, 1.0))

    def conductivity(self, temperature: ArrayLike, *, liquid_factor: float = 1.0) -> Floats:
        """W/(m K): that of the solid, of the liquid times ``liquid_factor``, and between them by liquid fraction."""
        liquid = self.liquid_fraction(temperature)
        solid = evaluate(self.conductivity_solid, temperature)
        melt = liquid_factor * evaluate(self.conductivity_liquid, temperature)
        return np.asarray((1 - liquid) * solid + liquid * melt)

    def heat_capacity(self, temperature: ArrayLike) -> Floats:
        """J/(kg K) without latent heat: that of the solid, of the liquid, and between them by liquid fraction."""
        liquid = self.liquid_fraction(temperature)
        solid = evaluate(self.heat_capacity_solid, temperature)
        return np.asarray((1 - liquid) * solid + liquid * evaluate(self.heat_capacity_liquid, temperature))


def evaluate(polynomial: tuple[float, ...], temperature: ArrayLike) -> Floats:
    """c₀ + c₁T + … at temperatures in K, any shape."""
    at = np.asarray(temperature, dtype=np.float64)
    return np.asarray(np.polynomial.polynomial.polyval(at, np.asarray(polynomial)))


def constant(material: Material, *, conductivity: float, density: float, heat_capacity: float) -> Material:
    """A material whose properties do not change with temperature, without latent heat."""
    return replace(
        material,
        density=density,
        conductivity_solid=(conductivity,),
        conductivity_liquid=(conductivity,),
        effective_conductivity=conductivity,
        heat_capacity_solid=(heat_capacity,),
        heat_capacity_liquid=(heat_capacity,),
        effective_heat_capacity=heat_capacity,
        latent_heat=0.0,
    )


def find_material(name: str) -> Material:
    """The material of that name, whatever its case.

    Raises:
        OptionError: if there is none; the message suggests the closest one.
    """
    for known, material in MATERIALS.items():
        if known.lower() == name.lower():
            return material
    raise OptionError(f"no material named '{name}'; {suggestion(name, list(MATERIALS))}")


STEEL_316L = Material(
    "316L",
    solidus=1696.5,
    liquidus=1723.0,
    source="ExaCA 2.1.0, material file SS316: freezing range 26.5 K below a liquidus of 1723 K. "
    "Equilibrium values are wider: 1670 to 1730 K (C. S. Kim, ANL-75-55, 1975)",
    heat_source="Conductivity and heat capacity: C. S. Kim, ANL-75-55, 1975, polynomials in K. Density: one rounded "
    "value between solid and melt. Molar mass: from the composition. Uncertain: latent heat, boiling and heat of "
    "vaporization, as commonly used in simulations; effective values, chosen so that pools of both models are alike",
    density=7500.0,
    conductivity_solid=(9.248, 0.01571),
    conductivity_liquid=(12.41, 0.003279),
    heat_capacity_solid=(459.0, 0.1328),
    heat_capacity_liquid=(770.0,),
    latent_heat=2.68e5,
    boiling=3090.0,
    vaporization_heat=7.41e6,
    molar_mass=0.0555,
    effective_conductivity=23.0,
    effective_heat_capacity=870.0,
    growth=GrowthLaw(
        "power",
        (7.325e-6, 3.12),
        liquidus=1723.0,
        freezing_range=26.5,
        source="ExaCA 2.1.0, material file SS316: a fit to the tip model of Kurz, Giovanola & Trivedi (1986)",
    ),
)
INCONEL_625 = Material(
    "IN625",
    solidus=1410.0,
    liquidus=1620.0,
    source="ExaCA 2.1.0, material file Inconel625: freezing range 210 K (to the last eutectic) below a "
    "liquidus of 1620 K",
    heat_source="Density, conductivity and heat capacity of the solid: Special Metals data sheet of Inconel 625, "
    "straight lines close to its tables (294 to 1255 K). Uncertain: values of the liquid and latent heat, as commonly "
    "used in simulations; boiling, heat of vaporization and molar mass, those of nickel; effective values, the "
    "conductivity near solidus and the mean heat capacity up to liquidus with the latent heat spread over it",
    density=8440.0,
    conductivity_solid=(5.331, 0.0150),
    conductivity_liquid=(30.05,),
    heat_capacity_solid=(338.98, 0.2437),
    heat_capacity_liquid=(735.0,),
    latent_heat=2.27e5,
    boiling=3186.0,
    vaporization_heat=6.43e6,
    molar_mass=0.0587,
    effective_conductivity=25.0,
    effective_heat_capacity=745.0,
    growth=GrowthLaw(
        "cubic",
        (-1.0302e-7, 1.0533e-4, 2.2196e-3),
        liquidus=1620.0,
        freezing_range=210.0,
        source="ExaCA 2.1.0, material file Inconel625: a fit to the tip model of Kurz, Giovanola & Trivedi (1986)",
    ),
)
MATERIALS = {
    material.name: material
    for material in (
        STEEL_316L,
        INCONEL_625,
        replace(
            STEEL_316L,
            name="steel-1620",
            solidus=1560.0,
            liquidus=1620.0,
            source="the solidification band of the LASERNet evaluation; not the melting range of 316L",
            heat_source=f"316L. {STEEL_316L.heat_source}",
            growth=replace(
                STEEL_316L.growth,
                liquidus=1620.0,
                freezing_range=60.0,
                source=f"the law of 316L, moved to this liquidus. {STEEL_316L.growth.source}",
            ),
        ),
    )
}

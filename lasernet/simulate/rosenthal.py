"""The steady state of a point source that moves over a half-space: closed forms of its isotherms.

T = T₀ + P/(2πkd) · exp(−v(d + ξ)/2α), d the distance from the source and ξ how far ahead of it: Rosenthal, Trans. ASME
68 (1946) 849.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq, minimize_scalar


@dataclass(frozen=True)
class Track:
    """A point source on a half-space: absorbed power (W), speed (m/s), k (W/mK), ρc (J/m³K), ΔT (K) of the isotherm."""

    power: float
    speed: float
    conductivity: float
    volumetric_heat: float
    rise: float

    @property
    def diffusivity(self) -> float:
        return self.conductivity / self.volumetric_heat

    @property
    def tail(self) -> float:
        """From the source back to the end of the isotherm, m."""
        return float(self.power / (2 * np.pi * self.conductivity * self.rise))

    @property
    def cooling_rate(self) -> float:
        """At the end of the tail, K/s."""
        return self.speed * self.rise / self.tail

    @property
    def front(self) -> float:
        """From the source ahead to the isotherm, m: T falls with the distance, so the crossing is bracketed."""
        return float(brentq(lambda distance: self._level(distance) - distance, 1e-9 * self.tail, self.tail, xtol=1e-15))

    @property
    def half_width(self) -> float:
        """Also the depth, m: the largest distance of the isotherm from the line of the source."""

        def negative(distance: float) -> float:
            return float(self._level(distance) ** 2 - distance**2)

        inside = (self.front, self.tail)
        return float(np.sqrt(-minimize_scalar(negative, bounds=inside, method="bounded", options={"xatol": 1e-12}).fun))

    def _level(self, distance: float) -> float:
        """How far ahead of the source the isotherm lies where it is at this distance from it, m."""
        return float(2 * self.diffusivity / self.speed * np.log(self.tail / distance) - distance)


# k = 25 W/mK, ρ = 8440 kg/m³, c = 650 J/kgK, absorbed 0.4 of 150, 195, 195 W, isotherm 1623 K, and what follows for
# tail, front, width, depth (μm) and cooling rate (10⁶ K/s), computed independently and rounded to the digits here.
TABLE = (
    (Track(60.0, 0.4, 25.0, 8440.0 * 650.0, 1325.0), (288.3, 27.0, 132.6, 66.3, 1.838)),
    (Track(78.0, 0.8, 25.0, 8440.0 * 650.0, 1325.0), (374.8, 17.5, 109.9, 55.0, 2.828)),
    (Track(78.0, 1.2, 25.0, 8440.0 * 650.0, 1325.0), (374.8, 12.8, 90.3, 45.2, 4.243)),
)
COLUMNS = ("tail", "front", "width", "depth", "cooling rate")

"""The temperature of the laser generator against exact solutions, conservation, and published numbers.

Around a point source (Rosenthal 1946), with ΔT = T − T₀: tail P/(2πkΔT), cooling rate at its end 2πkvΔT²/P, front and
half width from the isotherm.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lasernet.physics.melt_pool_size import pool_size
from lasernet.simulate.enthalpy_checks import EVERYWHERE, PREHEAT, Check, check, check_enthalpy
from lasernet.simulate.materials import MATERIALS, constant
from lasernet.simulate.melt_pool import AnalyticHeat
from lasernet.simulate.rosenthal import COLUMNS, TABLE, Track
from lasernet.simulate.scan_path import Path

Floats = NDArray[np.float64]


def check_melt_pool() -> list[Check]:
    """Every check, each as {"name", "value", "reference", "tolerance", "ok"}."""
    return [
        *_check_materials(),
        *_check_rosenthal(),
        *_check_wide_beam(),
        *_check_nodes(),
        *_check_analytic_energy(),
        *check_enthalpy(),
    ]


def _check_materials() -> list[Check]:
    """Room temperature values of steel and data sheet values of nickel; growth velocities of the published fits."""
    steel, nickel = MATERIALS["316L"], MATERIALS["IN625"]
    found = [
        # Handbooks scatter that much; a polynomial in °C read as one in K would give 5 W/mK.
        check("316L/conductivity at 300 K", float(steel.conductivity(300.0)), 14.0, 1.0),
        check("316L/heat capacity at 300 K", float(steel.heat_capacity(300.0)), 495.0, 15.0),
    ]
    for at, conductivity, heat_capacity in ((294.0, 9.8, 410.0), (1255.0, 25.2, 645.0)):
        # Straight lines through slightly curved tables: 5 %.
        k, c = float(nickel.conductivity(at)), float(nickel.heat_capacity(at))
        found.append(check(f"IN625/conductivity at {at:g} K", k, conductivity, 0.05 * conductivity))
        found.append(check(f"IN625/heat capacity at {at:g} K", c, heat_capacity, 0.05 * heat_capacity))
    cold = np.array([10.0, 20.0, 40.0])
    for material, expected in ((steel, (0.009656, 0.08395, 0.72985)), (nickel, (0.03263, 0.08570, 0.25072))):
        for at, velocity, reference in zip(cold, material.growth.velocity(cold), expected, strict=True):
            # Half of the last digit given, and up to one digit more where that would be less than 10⁻⁵.
            found.append(check(f"{material.name}/tip velocity at {at:g} K", velocity, reference, 1e-5))
        back = material.growth.undercooling(material.growth.velocity(cold))
        found.append(check(f"{material.name}/undercooling of the velocity", np.abs(back - cold).max(), 0.0, 1e-9))
    return found


def _check_rosenthal() -> list[Check]:
    """The closed forms against independent digits, and the analytic field of a fine beam against the closed forms."""
    found = []
    for track, digits in TABLE:
        exact = np.array([track.tail, track.front, 2 * track.half_width, track.half_width, track.cooling_rate])
        measured = _measure(track, radius=1e-6)
        where = f"{track.power:g} W, {track.speed:g} m/s"
        units = np.array([1e-6, 1e-6, 1e-6, 1e-6, 1e6])
        for name, value, digit, unit in zip(COLUMNS, exact, digits, units, strict=True):
            rounding = 0.00051 if name == "cooling rate" else 0.051  # half of the last digit, and its own rounding
            found.append(check(f"Rosenthal/{name}/{where}", value / unit, digit, rounding))
        for name, value, closed in zip(COLUMNS, measured, exact, strict=True):
            # A beam of σ = 0.5 μm changes distances d by about 2(σ/d)², the front, the nearest, most: by 0.3 %. The
            # history of 4 ms and the lines of 0.5 to 1 μm change them by less.
            found.append(check(f"point source/{name}/{where}", value / closed, 1.0, 0.01 if name == "front" else 0.003))
    return found


def _measure(track: Track, *, radius: float) -> Floats:
    """Tail, front, width, depth (m) and cooling rate (K/s) of the analytic field behind a long track."""
    material = constant(
        MATERIALS["316L"], conductivity=track.conductivity, density=1.0, heat_capacity=track.volumetric_heat
    )
    time, level = 4e-3, PREHEAT + track.rise
    path = Path.line((-track.speed * time, 0.0), (0.0, 0.0), speed=track.speed, power=track.power)

    def temperature(x: Floats, y: Floats, z: Floats) -> NDArray[np.float32]:
        heat = AnalyticHeat(material, x=x, y=y, z=z, path=path, radius=radius, depth=0.0, preheat=PREHEAT)
        return heat.field(time, EVERYWHERE)

    line, surface = np.zeros(1), np.zeros(1)
    ahead = np.arange(0.0, 3 * track.front, 0.5e-6)
    front = _crossing(ahead, temperature(ahead, line, surface).ravel(), level)
    behind = -track.tail * np.linspace(1.05, 0.95, 101)
    profile = temperature(behind, line, surface).ravel().astype(np.float64)
    tail = -float(np.interp(level, profile, behind))
    near = track.tail * np.array([-1.01, -0.99])
    slope = np.diff(temperature(near, line, surface).ravel())[0] / np.diff(near)[0]
    x = np.arange(-track.tail, track.front, 2e-6)
    beside = np.arange(-1.3 * track.half_width, 1.3 * track.half_width, 1e-6)
    below = np.arange(-1.3 * track.half_width // 1e-6, 1) * 1e-6
    _, width, _ = pool_size(temperature(x, beside, surface), (2e-6, 1e-6, 1e-6), level)
    _, _, depth = pool_size(temperature(x, line, below), (2e-6, 1e-6, 1e-6), level)
    return np.array([tail, front, width, depth, track.speed * slope])


def _crossing(place: Floats, falling: NDArray[np.float32], level: float) -> float:
    """Where values that fall pass a level, linear between two of them."""
    return float(np.interp(-level, -falling.astype(np.float64), place))


def _check_wide_beam() -> list[Check]:
    """Width at 1620 K of a 20 μm beam against that of a fast point source, √(8P/(πeρcvΔT)): 100.7 μm.

    The 8 % are for what the formula leaves out: heat that flows along the track, and the size of the beam.
    """
    track = Track(60.0, 0.8, 28.0, 5.25e6, 1322.0)
    closed = np.sqrt(8 * track.power / (np.pi * np.e * track.volumetric_heat * track.speed * track.rise))
    width = _measure(track, radius=20e-6)[2]
    return [check("20 μm beam/width", width / closed, 1.0, 0.08)]


def _paths() -> dict[str, Path]:
    """A track, two tracks with the laser off between them, and one whose power changes every 8 μs."""
    there = Path.line((0.0, -30e-6), (600e-6, -30e-6), speed=0.8, power=95.0)
    back = Path.line((600e-6, 50e-6), (300e-6, 50e-6), speed=0.6, power=90.0)
    t = np.linspace(0.0, there.end, 95)
    x, y = there.position(t)
    noise = 95 * (1 + 0.15 * np.random.default_rng(0).standard_normal(94))
    return {"one track": there, "two tracks": there.then(back, pause=2e-4), "noise": Path(t, x, y, noise)}


def _check_nodes() -> list[Check]:
    """Four times as many nodes of the time integral change nothing: 0.2 K is far below what a frame can show."""
    x, y, z = np.arange(-20, 140) * 5e-6, np.arange(-20, 21) * 5e-6, np.arange(-20, 1) * 5e-6
    found, steel = [], MATERIALS["316L"]
    for name, path in _paths().items():
        for radius, depth in ((80e-6, 40e-6), (50e-6, 0.0)):
            few, many = (
                AnalyticHeat(steel, x=x, y=y, z=z, path=path, radius=radius, depth=depth, clip=False, density=density)
                for density in (1.0, 4.0)
            )
            apart = [
                np.abs(few.field(time, EVERYWHERE) - many.field(time, EVERYWHERE)).max()
                for time in (0.3 * path.end, 0.99 * path.end, 1.1 * path.end)
            ]
            found.append(check(f"nodes/{name}/{radius * 1e6:g} μm beam", max(apart), 0.0, 0.2))
    return found


def _check_analytic_energy() -> list[Check]:
    """The heat in a box that contains all of it is the energy absorbed.

    The trapezoidal rule is exact for smooth fields that end within the box; 10⁻⁴ is for rounding to 32 bits.
    """
    x, y, z = np.arange(-60, 121) * 10e-6, np.arange(-60, 61) * 10e-6, np.arange(-60, 1) * 10e-6
    path = Path.line((0.0, 0.0), (500e-6, 0.0), speed=1.0, power=100.0)
    material = MATERIALS["316L"]
    heat = AnalyticHeat(material, x=x, y=y, z=z, path=path, preheat=1.0, clip=False)
    rise = heat.field(600e-6, EVERYWHERE).astype(np.float64) - 1.0
    energy = (rise.sum() - rise[:, :, -1].sum() / 2) * 1e-15 * heat.volumetric_heat
    return [check("analytic/energy", energy / (100.0 * 500e-6), 1.0, 1e-4)]

"""Laser tracks from first principles: a beam melts a block of grains, and new ones grow behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray

from lasernet.errors import OptionError
from lasernet.simulate.grain_growth import GrainGrowth
from lasernet.simulate.ipf import ipf_colors
from lasernet.simulate.materials import MATERIALS, Material
from lasernet.simulate.melt_pool import AnalyticHeat, Heat
from lasernet.simulate.scan_path import Path
from lasernet.simulate.substrate import substrate

VERSION = 2  # rises when the same options and seed give other tracks
ENTRY, EXIT = 0.12, 0.88  # shares of the block's length where the beam starts, and where it is in the last frame
FLICKER = 20e-6  # s, for which the power stays the same where it is noisy
COOLING = 1e-3  # s between the tracks
RECORDS = 4  # stored frames of the enthalpy solver per frame of the track

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Frame:
    """One moment of a track: temperature in K, (X, Y, Z), and grain ids, 0 where molten."""

    temperature: NDArray[np.float32]
    grain_id: NDArray[np.int32]


@dataclass(frozen=True)
class Track:
    """What was drawn for one case, before anything is computed.

    Attributes:
        power, speed, preheat, grain_size: absorbed W, m/s, K and m of this case.
        x, y, z, t: axes, m and s; z[-1] = 0 is the surface, and t[0] the moment when the beam is turned on.
        path: of the beam.
        seed: of substrate and nuclei.
    """

    power: float
    speed: float
    preheat: float
    grain_size: float
    x: Floats
    y: Floats
    z: Floats
    t: Floats
    path: Path
    seed: int


class LaserTracks:
    """Grains that grow behind a laser-melted pool: temperature, grain ids, IPF colors, orientations.

    Each case has its own substrate of grains, and its own power, speed, preheat and grain size, drawn evenly from the
    ranges given (one number: the same for all). Temperature first: by default analytic, a moving Gaussian beam with
    constant properties; --mode enthalpy solves for it with latent heat and properties that change. Then the grains:
    a cellular automaton, epitaxial from the edge of the pool. Freezing releases no heat.
    """

    def __init__(
        self,
        *,
        material: Annotated[Literal["316L", "IN625", "steel-1620"], "the metal"] = "316L",
        mode: Annotated[Literal["analytic", "enthalpy"], "how the temperature is computed"] = "analytic",
        power: Annotated[tuple[float, ...], "absorbed power, W, or lowest:highest"] = (45.0,),
        speed: Annotated[tuple[float, ...], "of the beam, m/s, or lowest:highest"] = (0.8,),
        preheat: Annotated[tuple[float, ...], "temperature before, K, or lowest:highest"] = (300.0,),
        grain_size: Annotated[tuple[float, ...], "mean grain of the substrate, m, or lowest:highest"] = (20e-6,),
        beam_radius: Annotated[float, "w of the beam, intensity exp(-2r^2/w^2), m"] = 52e-6,
        beam_depth: Annotated[float, "standard deviation of the absorption below the surface, m"] = 23e-6,
        power_noise: Annotated[float, "standard deviation of the power as a share of it, over 20 us each"] = 0.0,
        tracks: Annotated[int, "beside each other; the frames show the last one"] = 1,
        hatch: Annotated[float, "distance between tracks, m"] = 60e-6,
        cells: Annotated[tuple[int, ...], "of the block along x (the scan direction), y and z"] = (144, 40, 32),
        spacing: Annotated[float, "of the cells, m"] = 2.5e-6,
        frames: Annotated[int, "how many"] = 24,
        time_step: Annotated[float | None, "between frames, s [so that the beam crosses the block]"] = None,
        nucleation_density: Annotated[float, "sites in the melt where grains nucleate, 1/m^3"] = 0.0,
        ipf_key: Annotated[Literal["tsl", "tsl-sqrt", "exaca", "orix"], "how orientations are colored"] = "tsl",
    ) -> None:
        """Check the options.

        Raises:
            OptionError: if one is out of range.
        """
        self.ranges = {"power": power, "speed": speed, "preheat": preheat, "grain_size": grain_size}
        for name, values in self.ranges.items():
            if len(values) not in (1, 2) or not 0 < values[0] <= values[-1] < np.inf:
                found, flag = ":".join(f"{value:g}" for value in values), name.replace("_", "-")
                raise OptionError(f"--{flag} {found}: expected one number above 0, or lowest:highest")
        if len(cells) != 3 or min(cells) < 4:
            raise OptionError(f"--cells {','.join(map(str, cells))}: expected three numbers of cells, each 4 or more")
        if frames < 2 or tracks < 1:
            raise OptionError(f"--frames {frames} --tracks {tracks}: expected at least 2 frames and 1 track")
        if not 0 <= power_noise <= 0.5:
            raise OptionError(f"--power-noise {power_noise:g}: expected 0 to 0.5")
        lengths = {"spacing": spacing, "beam_radius": beam_radius, "hatch": hatch, "time_step": time_step or 1.0}
        for name, value in lengths.items():
            if not 0 < value < np.inf:
                raise OptionError(f"--{name.replace('_', '-')} {value:g}: expected a number above 0")
        self.material: Material = MATERIALS[material]
        if preheat[-1] >= self.material.solidus:
            raise OptionError(f"--preheat {preheat[-1]:g}: expected less than the solidus, {self.material.solidus:g} K")
        self.mode, self.power_noise, self.tracks, self.hatch = mode, power_noise, tracks, hatch
        self.beam_radius, self.beam_depth = beam_radius, beam_depth
        self.cells, self.spacing = (cells[0], cells[1], cells[2]), spacing
        self.frames, self.time_step = frames, time_step
        self.nucleation_density, self.ipf_key = nucleation_density, ipf_key

    def draw(self, index: int, *, seed: int) -> Track:
        """Case number ``index`` of the set of that seed, whatever the number of cases."""
        generator = np.random.Generator(np.random.Philox(key=np.array([seed, index], dtype=np.uint64)))
        drawn = {name: float(generator.uniform(values[0], values[-1])) for name, values in self.ranges.items()}
        x, y, z = (np.asarray(self.spacing * np.arange(n), dtype=np.float64) for n in self.cells)
        z -= z[-1]
        crossing = (EXIT - ENTRY) * (x[-1] - x[0]) / drawn["speed"]
        step = crossing / (self.frames - 1) if self.time_step is None else self.time_step
        t = np.asarray(step * np.arange(self.frames), dtype=np.float64)
        path = self._path(x, y, t, drawn["speed"], drawn["power"], generator)
        return Track(**drawn, x=x, y=y, z=z, t=t, path=path, seed=int(generator.integers(1 << 62)))

    def _path(
        self, x: Floats, y: Floats, t: Floats, speed: float, power: float, generator: np.random.Generator
    ) -> Path:
        """Earlier tracks along the whole block, then the one of the frames, which begins at t = 0."""
        middle, start = (y[0] + y[-1]) / 2, x[0] + ENTRY * (x[-1] - x[0])
        lines = middle + self.hatch * (np.arange(self.tracks) - (self.tracks - 1) / 2)
        last = Path.line((start, lines[-1]), (start + speed * t[-1], lines[-1]), speed=speed, power=power)
        if self.power_noise:
            last = flickering(last, self.power_noise, generator)
        path: Path | None = None
        for line in lines[:-1]:
            one = Path.line((x[0], line), (x[-1], line), speed=speed, power=power)
            path = one if path is None else path.then(one, COOLING)
        if path is None:
            return last
        joined = path.then(last, COOLING)
        return Path(joined.t - (joined.end - last.end), joined.x, joined.y, joined.power)

    def simulate(self, track: Track) -> tuple[Iterator[Frame], GrainGrowth]:
        """The frames of a track, computed as they are asked for, and the automaton that holds the orientations."""
        base = substrate(self.cells, self.spacing, track.grain_size, track.seed)
        growth = GrainGrowth(
            substrate=base,
            spacing=self.spacing,
            law=self.material.growth,
            nucleation_density=self.nucleation_density,
            seed=track.seed,
        )
        return self._frames(track, growth), growth

    def _frames(self, track: Track, growth: GrainGrowth) -> Iterator[Frame]:
        heat = self._heat(track)
        whole = (slice(None), slice(None), slice(None))
        growth.advance(heat, min(track.path.start, 0.0), 0.0)
        for before, now in zip([0.0, *track.t[:-1]], track.t, strict=True):
            growth.advance(heat, float(before), float(now))
            yield Frame(heat.field(float(now), whole), growth.grain_id)

    def _heat(self, track: Track) -> Heat:
        kind: Callable[..., Heat] = AnalyticHeat
        options: dict[str, float] = {}
        if self.mode == "enthalpy":
            from lasernet.simulate.enthalpy import EnthalpyHeat  # imports numba, which takes a second

            kind, options = EnthalpyHeat, {"record": float(track.t[1]) / RECORDS}
        return kind(
            self.material,
            x=track.x,
            y=track.y,
            z=track.z,
            path=track.path,
            radius=self.beam_radius,
            depth=self.beam_depth,
            preheat=track.preheat,
            **options,
        )

    def colors(self, orientations: Floats) -> NDArray[np.uint8]:
        """IPF colors of grains, (N + 1, 9) in 0…255; row 0, of what is molten, is 0."""
        table = np.rint(255 * ipf_colors(orientations, self.ipf_key)).astype(np.uint8)
        table[0] = 0
        return table


def flickering(path: Path, noise: float, generator: np.random.Generator) -> Path:
    """The path with a power that is drawn anew every 20 µs, normal about its own, never negative."""
    count = max(1, int(np.ceil((path.end - path.start) / FLICKER)))
    t = np.linspace(path.start, path.end, count + 1)
    factor = np.maximum(1 + noise * generator.standard_normal(count), 0)
    x, y = path.position(t)
    return Path(t, x, y, path.power_at((t[1:] + t[:-1]) / 2) * factor)

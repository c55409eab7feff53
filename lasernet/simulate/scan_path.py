"""Where the beam is and how much power the metal absorbs from it, at any time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lasernet.errors import OptionError

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Path:
    """A beam that moves in straight pieces at constant speed, each with its own constant power.

    Attributes:
        t: times of the knots between pieces, s, rising, (K,).
        x, y: position of the beam at the knots, m, (K,); linear between, at rest before and after.
        power: absorbed on each piece, W, (K − 1,); 0 while the laser is off.
    """

    t: Floats
    x: Floats
    y: Floats
    power: Floats

    def __post_init__(self) -> None:
        """Check the pieces.

        Raises:
            OptionError: if knots do not rise in time, a number is missing or infinite, or a power is negative.
        """
        for name in ("t", "x", "y", "power"):
            object.__setattr__(self, name, np.asarray(getattr(self, name), dtype=np.float64))
        knots = len(self.t) if self.t.ndim == 1 else 0
        shapes = [part.shape for part in (self.t, self.x, self.y, self.power)]
        if knots < 2 or shapes != [(knots,), (knots,), (knots,), (knots - 1,)]:
            raise OptionError(
                f"a path with t, x, y, power of shapes {shapes}; expected K times, x and y and K - 1 powers, K >= 2"
            )
        finite = all(np.isfinite(part).all() for part in (self.t, self.x, self.y, self.power))
        if not finite or (np.diff(self.t) <= 0).any() or (self.power < 0).any():
            raise OptionError(
                "a path whose times do not rise or whose power is negative; expected rising times, finite"
            )

    @classmethod
    def line(
        cls,
        start: tuple[float, float],
        end: tuple[float, float],
        *,
        speed: float,
        power: float,
        start_time: float = 0.0,
    ) -> Path:
        """One straight track between two points (m) at a speed (m/s) with an absorbed power (W).

        Raises:
            OptionError: if the speed is not above 0 or the track has no length.
        """
        length = float(np.hypot(end[0] - start[0], end[1] - start[1]))
        if not (np.isfinite(speed) and speed > 0 and length > 0):
            raise OptionError(f"a track of {length:g} m at {speed:g} m/s; expected a length and a speed above 0")
        return cls(
            np.array([start_time, start_time + length / speed]),
            np.array([start[0], end[0]]),
            np.array([start[1], end[1]]),
            np.array([power]),
        )

    def then(self, other: Path, pause: float = 0.0) -> Path:
        """This path and, after a pause (s) with the laser off, another, whatever time that one began at.

        Raises:
            OptionError: if the beam would have to be elsewhere without any pause.
        """
        apart = (self.x[-1], self.y[-1]) != (other.x[0], other.y[0])
        if pause < 0 or (apart and pause == 0):
            raise OptionError(f"a pause of {pause:g} s; expected more than 0 s for a jump to the next track")
        later = other.t - other.t[0] + self.t[-1] + pause
        first = 1 if pause == 0 else 0
        off = np.zeros(1 - first)
        return Path(
            np.concatenate([self.t, later[first:]]),
            np.concatenate([self.x, other.x[first:]]),
            np.concatenate([self.y, other.y[first:]]),
            np.concatenate([self.power, off, other.power]),
        )

    @property
    def start(self) -> float:
        """Time of the first knot, s."""
        return float(self.t[0])

    @property
    def end(self) -> float:
        """Time of the last knot, s."""
        return float(self.t[-1])

    @property
    def speed(self) -> Floats:
        """Speed on each piece, m/s, (K − 1,)."""
        return np.asarray(np.hypot(np.diff(self.x), np.diff(self.y)) / np.diff(self.t))

    def position(self, time: ArrayLike) -> tuple[Floats, Floats]:
        """x and y of the beam in m at times in s, any shape."""
        at = np.asarray(time, dtype=np.float64)
        return np.asarray(np.interp(at, self.t, self.x)), np.asarray(np.interp(at, self.t, self.y))

    def power_at(self, time: ArrayLike) -> Floats:
        """Absorbed power in W at times in s, any shape; at a knot, that of the piece that begins there."""
        at = np.asarray(time, dtype=np.float64)
        piece = np.clip(np.searchsorted(self.t, at, side="right") - 1, 0, len(self.power) - 1)
        return np.where((at >= self.t[0]) & (at < self.t[-1]), self.power[piece], 0.0)

    def deposits(self, start: float, end: float) -> list[tuple[float, float, float]]:
        """What the beam leaves between two times: x, y (m) of the middle of each piece, and its energy (J)."""
        inside = self.t[(self.t > start) & (self.t < end)]
        edges = np.concatenate([[start], inside, [end]])
        middle = (edges[1:] + edges[:-1]) / 2
        energy = self.power_at(middle) * np.diff(edges)
        x, y = self.position(middle)
        return [(float(x[i]), float(y[i]), float(energy[i])) for i in np.flatnonzero(energy > 0)]

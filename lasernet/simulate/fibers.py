"""Bundles of parallel fibers in a periodic cell: straight, wavy, or tilted to and fro, up to dense random packings.

A fiber runs along z; its cross-section in every plane of constant z is a disc. Discs never overlap.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lasernet.errors import OptionError

Floats = NDArray[np.float64]
SECTIONS = 24  # heights at which fibers are kept apart
ROUNDS, PUSHES = 40, 100  # at most, until no two fibers overlap
STALLED = 0.85  # of what they overlapped by before a round: if more is left after it, they will not come apart
TOGETHER = 0.6  # what is left of the fibers' own ways when they do not fit
TRIES = 12  # ways of their own that are tried, the last of which is none
ROOM = 1e-3  # share of the wanted distance by which fibers are pushed further, so that pushing ends


@dataclass(frozen=True)
class Bundle:
    """Fibers in a cell that is periodic along x, y and z.

    Attributes:
        size: along x and y, m; ``height``: along z, m.
        radius: of every fiber, m.
        centers: mean places, x and y, (n, 2), m.
        sways: largest displacements, x and y, (n, 2), m.
        phases: of the displacements, rad, (n,).
        zigzag: displacements rise and fall along straight lines, instead of as a sine.
        own: share of the displacement that is each fiber's own, and not that of all.
    """

    size: float
    height: float
    radius: float
    centers: Floats
    sways: Floats
    phases: Floats
    zigzag: bool
    own: float

    @property
    def fraction(self) -> float:
        """Share of the cell that is solid."""
        return float(len(self.centers) * np.pi * self.radius**2 / self.size**2)

    def places(self, z: float) -> Floats:
        """Centers of the discs at a height, x and y, (n, 2), m."""
        return np.asarray(self.centers + _displaced(z / self.height, self.sways, self.phases, self.zigzag))

    def distance(self, x: Floats, y: Floats, z: float) -> Floats:
        """From the nearest fiber's surface within the plane of a height, below 0 inside, (len(y), len(x)), m."""
        nearest = np.full((len(y), len(x)), np.inf)
        for center in self.places(z):
            across = (x - center[0] + self.size / 2) % self.size - self.size / 2
            down = (y - center[1] + self.size / 2) % self.size - self.size / 2
            np.minimum(nearest, np.hypot(down[:, None], across[None]), out=nearest)
        return np.asarray(nearest - self.radius)


def _displaced(share: float, sways: Floats, phases: Floats, zigzag: bool) -> Floats:
    """Displacements at a share of the height, (n, 2)."""
    angle = 2 * np.pi * share + phases
    wave = 2 / np.pi * np.arcsin(np.sin(angle)) if zigzag else np.sin(angle)
    return np.asarray(sways * wave[:, None])


def pack_bundle(
    generator: np.random.Generator,
    *,
    size: float,
    height: float,
    radius: float,
    fraction: float,
    sway: float = 0.0,
    zigzag: bool = False,
    gap: float,
) -> Bundle:
    """A random bundle: fibers are pushed apart until all gaps are as wide as asked for.

    The number of fibers is the nearest to the fraction, and the radius is changed by the rest. Each fiber sways in a
    direction and with a phase of its own; where fibers that do so cannot be packed as densely as asked for, they sway
    more and more together (Bundle.own).

    Args:
        size, height, radius: m.
        fraction: of solid.
        sway: largest displacement, m.
        gap: least distance between surfaces, m.

    Raises:
        OptionError: if no packing is found.
    """
    count = max(1, round(fraction * size**2 / (np.pi * radius**2)))
    radius = float(np.sqrt(fraction * size**2 / (count * np.pi)))
    starts = generator.uniform(0, size, (count, 2))
    turns, phases = generator.uniform(0, 2 * np.pi, count), generator.uniform(0, 2 * np.pi, count)
    shared_turn, shared_phase = generator.uniform(0, 2 * np.pi, 2)
    own = 1.0 if sway > 0 else 0.0
    for attempt in range(TRIES):
        own = own if attempt < TRIES - 1 else 0.0
        sways, mixed = _mixed(sway, own, turns, phases, shared_turn, shared_phase)
        centers = _pushed(starts, sways, mixed, zigzag, size, 2 * radius + gap)
        if centers is not None:
            return Bundle(size, height, radius, centers % size, sways, mixed, zigzag, own)
        own *= TOGETHER
    raise OptionError(
        f"{count} fibers of radius {radius * 1e6:.2f} µm with gaps of {gap * 1e6:.2f} µm do not fit a cell of "
        f"{size * 1e6:g} µm; lower --fraction, or the gap"
    )


def _mixed(
    sway: float, own: float, turns: Floats, phases: Floats, shared_turn: float, shared_phase: float
) -> tuple[Floats, Floats]:
    """Displacements and phases of which a share is each fiber's own: nearer to the shared ones the smaller it is."""
    turn = shared_turn + own * ((turns - shared_turn + np.pi) % (2 * np.pi) - np.pi)
    phase = shared_phase + own * ((phases - shared_phase + np.pi) % (2 * np.pi) - np.pi)
    return sway * np.stack([np.cos(turn), np.sin(turn)], axis=1), np.asarray(phase)


def _pushed(centers: Floats, sways: Floats, phases: Floats, zigzag: bool, size: float, wanted: float) -> Floats | None:
    """Centers moved until no two fibers are closer than wanted at any height; None if they do not come to rest."""
    centers = centers.copy()
    moves = np.stack([_displaced(part / SECTIONS, sways, phases, zigzag) for part in range(SECTIONS)])
    itself = np.eye(len(centers), dtype=np.bool_)
    lacked = np.inf
    for _ in range(ROUNDS):
        for _ in range(PUSHES):
            places = centers + moves  # (sections, n, 2)
            apart = (places[:, :, None] - places[:, None] + size / 2) % size - size / 2
            length = np.where(itself, np.inf, np.hypot(apart[..., 0], apart[..., 1]))
            closest = length.argmin(axis=0)[None]
            least = np.take_along_axis(length, closest, axis=0)[0]
            if least.min() >= wanted:
                return centers
            lacking = np.clip(wanted * (1 + ROOM) - least, 0, None)
            direction = np.take_along_axis(apart, closest[..., None], axis=0)[0] / np.maximum(least, 1e-12)[..., None]
            centers += 0.5 * (lacking[..., None] * np.where(itself[..., None], 0, direction)).sum(axis=1)
        lacks = wanted - least.min()
        if lacks > STALLED * lacked:
            return None
        lacked = lacks
    return None

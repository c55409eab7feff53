"""What a set of microstructures is like: all its statistics, measured once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lasernet.errors import DataError
from lasernet.metrics import correlations
from lasernet.metrics.distributions import Distribution, quotient
from lasernet.metrics.grain_shapes import STRICT, GrainShapes
from lasernet.physics.grains import brighter

MID_GRAY = (0.25, 0.75)

Images = NDArray[np.uint8]


@dataclass(frozen=True)
class Descriptors:
    """The statistics of one set of images, measured once and comparable with those of any other set.

    Attributes:
        shape: N, H, W.
        periodic: whether the images continue across opposite edges.
        boundary_fraction: share of each image's pixels with gray at or below 0.5, (N,).
        gray: distribution over all pixels, in [0, 1].
        two_point: S2 of the bright phase, (H, W).
        lineal_path: L of the phases ``grain`` and ``boundary``, (2, K) each.
        chords: their chord lengths in px, along rows and columns.
        grains: grain numbers, sizes and shapes.
    """

    shape: tuple[int, int, int]
    periodic: bool
    boundary_fraction: NDArray[np.float64]
    gray: Distribution
    two_point: NDArray[np.float64]
    lineal_path: dict[str, NDArray[np.float64]]
    chords: dict[str, Distribution]
    grains: GrainShapes

    @classmethod
    def of(cls, images: Images, *, periodic: bool) -> Descriptors:
        """Measure images, uint8, (N, H, W).

        Raises:
            DataError: if they are anything else.
        """
        check_images(images)
        bright = brighter(images, STRICT)
        phases = {"grain": bright, "boundary": ~bright}
        gray = Distribution.from_counts(np.bincount(images.ravel(), minlength=256))
        return cls(
            shape=(len(images), *images.shape[1:]),
            periodic=periodic,
            boundary_fraction=1 - bright.mean(axis=(1, 2)),
            gray=Distribution(gray.values / 255, gray.counts),
            two_point=correlations.two_point(bright, periodic=periodic),
            lineal_path={name: correlations.lineal_path(phase, periodic=periodic) for name, phase in phases.items()},
            chords={name: chord_lengths(phase, periodic) for name, phase in phases.items()},
            grains=GrainShapes.of(images, periodic=periodic),
        )

    @property
    def mid_gray(self) -> float | None:
        """Share of the pixels that are neither dark nor bright: gray between 0.25 and 0.75."""
        between = (self.gray.values > MID_GRAY[0]) & (self.gray.values < MID_GRAY[1])
        return quotient(float(self.gray.counts[between].sum()), float(self.gray.size))


def check_images(images: Images) -> None:
    """Refuse what is not a set of gray images: uint8, (N, H, W)."""
    if images.ndim != 3 or images.dtype != np.uint8 or 0 in images.shape[1:]:
        raise DataError(
            f"images of shape {images.shape} and type {images.dtype} cannot be judged; "
            "expected uint8 of shape (N, H, W)"
        )


def chord_lengths(phase: correlations.Phase, periodic: bool) -> Distribution:
    """Chord lengths of a phase along rows and columns, px."""
    counts = np.zeros(max(phase.shape[1:]) + 1, dtype=np.int64)
    for block in correlations.blocks(phase):
        for axis in (1, 2):
            lengths, _ = correlations.chords(block, axis, periodic=periodic)
            counts += np.bincount(lengths, minlength=len(counts))
    return Distribution.from_counts(counts)

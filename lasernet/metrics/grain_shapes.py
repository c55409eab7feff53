"""Grains of a set of images: how many, how large, with how many neighbors, and how convex."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lasernet.metrics.correlations import blocks
from lasernet.physics import grains
from lasernet.physics.hulls import solidity

STRICT, TOLERANT = 0.5, 0.7  # gray above which a pixel belongs to a grain


@dataclass(frozen=True)
class GrainShapes:
    """What is known of every grain of a set of images. Sizes and shapes are those of the strict segmentation.

    Attributes:
        strict: grains of each image at gray 0.5: two that touch through a gap in their boundary count as one, (N,).
        tolerant: grains of each image at gray 0.7, (N,).
        image: the image of each whole grain, (G,). Whole: not cut by the border; in periodic images every grain.
        area: px, with the grain's share of the boundaries (``grains.fill_boundaries``), (G,).
        neighbors: grains with which it shares at least 2 pixel edges of that tessellation, (G,).
        solidity: bright area over that of its convex hull (``hulls.solidity``), (G,).
    """

    strict: NDArray[np.int32]
    tolerant: NDArray[np.int32]
    image: NDArray[np.int64]
    area: NDArray[np.int64]
    neighbors: NDArray[np.int64]
    solidity: NDArray[np.float64]

    @classmethod
    def of(cls, images: NDArray[np.uint8], *, periodic: bool) -> GrainShapes:
        """Find and measure the grains of images (N, H, W)."""
        parts = [_measure(block, periodic) for block in blocks(images)] or [_measure(images, periodic)]
        before = np.cumsum([0, *(len(part.strict) for part in parts)])
        return cls(
            strict=np.concatenate([part.strict for part in parts]),
            tolerant=np.concatenate([part.tolerant for part in parts]),
            image=np.concatenate([part.image + first for part, first in zip(parts, before[:-1], strict=True)]),
            area=np.concatenate([part.area for part in parts]),
            neighbors=np.concatenate([part.neighbors for part in parts]),
            solidity=np.concatenate([part.solidity for part in parts]),
        )


def _measure(images: NDArray[np.uint8], periodic: bool) -> GrainShapes:
    labels, counts = grains.label_images(images, threshold=STRICT, periodic=periodic)
    filled = grains.fill_boundaries(labels, periodic=periodic)
    whole = np.ones(int(counts.sum()), dtype=np.bool_) if periodic else ~grains.at_edge(filled, counts)
    return GrainShapes(
        strict=counts,
        tolerant=grains.count_grains(images, threshold=TOLERANT, periodic=periodic),
        image=np.repeat(np.arange(len(images)), counts)[whole],
        area=grains.areas(filled, counts)[whole],
        neighbors=grains.neighbors(filled, counts, periodic=periodic)[whole],
        solidity=solidity(labels, counts, periodic=periodic)[whole],
    )

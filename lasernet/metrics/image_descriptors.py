"""Every single microstructure as a short vector of statistics."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lasernet.metrics import correlations
from lasernet.metrics.grain_shapes import STRICT, GrainShapes
from lasernet.metrics.set_descriptors import MID_GRAY, Images, check_images
from lasernet.physics.grains import brighter

LAGS = (1, 2, 4, 8, 16)  # px


def per_image(images: Images, *, periodic: bool) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """Descriptors of each image, in their own units: bring them to one scale before distances are taken.

    Means and spreads of grains are over the image's whole grains, spreads relative to the mean. What an image
    does not have (chords of a black one, say) is 0, so that every vector is finite.

    Args:
        images: uint8, (N, H, W).
        periodic: whether the images continue across opposite edges.

    Returns:
        Vectors (N, D) and the D names. Lags of S2 longer than half an image are left out.

    Raises:
        DataError: if the images are of any other type or shape.
    """
    check_images(images)
    bright = brighter(images, STRICT)
    columns = {
        "boundary_fraction": 1 - bright.mean(axis=(1, 2)),
        "mid_gray": (brighter(images, MID_GRAY[0]) & ~brighter(images, MID_GRAY[1])).mean(axis=(1, 2)),
        "chord_length": _mean_chord(bright, periodic),
        "boundary_chord_length": _mean_chord(~bright, periodic),
    }
    for lag in LAGS:
        if 2 * lag <= min(images.shape[1:]):
            columns[f"two_point_{lag}"] = _at_lag(bright, lag, periodic)
    columns |= _grain_columns(GrainShapes.of(images, periodic=periodic), len(images))
    return np.stack(list(columns.values()), axis=1), tuple(columns)


def _mean_chord(phase: correlations.Phase, periodic: bool) -> NDArray[np.float64]:
    total, number = np.zeros(len(phase)), np.zeros(len(phase))
    for axis in (1, 2):
        length, image = correlations.chords(phase, axis, periodic=periodic)
        total += np.bincount(image, weights=length, minlength=len(phase))
        number += np.bincount(image, minlength=len(phase))
    return total / np.maximum(number, 1)


def _at_lag(phase: correlations.Phase, lag: int, periodic: bool) -> NDArray[np.float64]:
    """S2 of each image at one lag, the mean of that along rows and along columns."""
    means = []
    for axis in (1, 2):
        both = phase & np.roll(phase, -lag, axis)
        kept = phase.shape[axis] - (0 if periodic else lag)
        means.append(both.take(range(kept), axis).mean(axis=(1, 2)))
    answer: NDArray[np.float64] = np.mean(means, axis=0)
    return answer


def _grain_columns(shapes: GrainShapes, images: int) -> dict[str, NDArray[np.float64]]:
    answer = {
        "grains_strict": shapes.strict.astype(np.float64),
        "grains_tolerant": shapes.tolerant.astype(np.float64),
    }
    number = np.maximum(np.bincount(shapes.image, minlength=images), 1)
    for name, values in (("area", shapes.area), ("neighbors", shapes.neighbors), ("solidity", shapes.solidity)):
        mean = np.bincount(shapes.image, weights=values, minlength=images) / number
        squares = np.bincount(shapes.image, weights=(values - mean[shapes.image]) ** 2, minlength=images) / number
        answer[f"{name}_mean"] = mean
        answer[f"{name}_spread"] = np.sqrt(squares) / np.where(mean > 0, mean, 1)
    return answer

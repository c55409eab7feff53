"""Two-point correlation, lineal path and chord lengths of a phase in images of 0 and 1."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import fft

Phase = NDArray[np.bool_]
Pixel = TypeVar("Pixel", bound=np.generic)
BLOCK = 2**21  # pixels that are transformed at once


def two_point(phase: Phase, *, periodic: bool) -> NDArray[np.float64]:
    """S2: the chance that two points, a given lag apart, both lie in a phase, averaged over a set of images.

    Args:
        phase: where the images show it, (N, H, W).
        periodic: whether images continue across opposite edges; else only pairs within an image count,
            and the lags that few pairs have are noisier.

    Returns:
        Lags from −H/2 to H/2 and −W/2 to W/2 in the order of ``numpy.fft.fftfreq``, (H, W); ``[0, 0]`` is the
        phase's fraction. NaN for an empty set.
    """
    height, width = phase.shape[1:]
    rows, columns = height, width
    if not periodic:
        rows, columns = fft.next_fast_len(2 * height, real=True), fft.next_fast_len(2 * width, real=True)
    power = np.zeros((rows, columns // 2 + 1))
    for block in blocks(phase):
        transform = fft.rfft2(block.astype(np.float64), s=(rows, columns))
        power += (transform.real**2 + transform.imag**2).sum(axis=0)
    pairs = fft.irfft2(power, s=(rows, columns))
    if periodic:
        overlap = np.full((height, width), float(height * width))
    else:
        vertical, horizontal = _lags(height), _lags(width)
        pairs = pairs[np.ix_(vertical, horizontal)]
        overlap = np.outer(height - np.abs(vertical), width - np.abs(horizontal)).astype(np.float64)
    with np.errstate(invalid="ignore"):
        answer: NDArray[np.float64] = pairs / (overlap * len(phase))
    return answer


def _lags(size: int) -> NDArray[np.int64]:
    answer: NDArray[np.int64] = np.round(fft.fftfreq(size, 1 / size)).astype(np.int64)
    return answer


def radial(correlation: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """S2 by distance: mean lag length and mean S2 of all lags that round to 0, 1, 2… px, up to half the image.

    Args:
        correlation: (H, W), as ``two_point`` returns it.
    """
    vertical, horizontal = (_lags(size) for size in correlation.shape)
    length = np.hypot(vertical[:, None], horizontal[None, :])
    ring = np.round(length).astype(np.int64).ravel()
    kept = min(correlation.shape) // 2 + 1
    lags = np.bincount(ring)[:kept]
    distance = np.bincount(ring, length.ravel())[:kept] / lags
    return distance, np.bincount(ring, correlation.ravel())[:kept] / lags


def specific_perimeter(correlation: NDArray[np.float64]) -> float:
    """Boundary length per area, 1/px, of a phase without preferred direction: −π times the slope of S2 at 0.

    The slope is that between 0 and one pixel along rows and columns. Torquato, Random Heterogeneous Materials, 2.2.
    """
    return float(np.pi * (correlation[0, 0] - (correlation[1, 0] + correlation[0, 1]) / 2))


def two_point_distances(one: NDArray[np.float64], real: NDArray[np.float64]) -> tuple[float | None, float | None]:
    """How far the S2 of two sets are apart.

    Returns:
        ``rms_error``: RMS over all lags of the difference, over the variance φ(1 − φ) of the real phase; and
        the RMS difference of the normalized autocovariances (S2 − φ²)/(φ(1 − φ)), each with its own fraction φ.
        None where a set is empty or a variance 0.
    """
    variances = [float(item[0, 0] * (1 - item[0, 0])) if item.size else 0.0 for item in (one, real)]
    if not np.isfinite(one).all() or not variances[1] > 1e-12:
        return None, None
    error = root_mean_square(one - real) / variances[1]
    if not variances[0] > 1e-12:
        return error, None
    first, second = ((item - item[0, 0] ** 2) / variance for item, variance in zip((one, real), variances, strict=True))
    return error, root_mean_square(first - second)


def root_mean_square(values: NDArray[np.float64]) -> float:
    """Root of the mean of the squares."""
    return float(np.sqrt(np.mean(np.square(values))))


def lineal_path(phase: Phase, *, periodic: bool) -> NDArray[np.float64]:
    """L(z): the chance that a segment of length z, laid between pixel centers, lies wholly in a phase.

    Args:
        phase: (N, H, W).

    Returns:
        For z = 0, 1, …, K − 1 px with K half the smaller side: along columns and along rows, (2, K). L(0) is the
        phase's fraction; NaN for an empty set. Lu & Torquato (1992), Phys. Rev. A 45, 922.
    """
    reach = max(1, min(phase.shape[1:]) // 2)
    z = np.arange(reach)
    paths = []
    for axis in (1, 2):
        size, lines = phase.shape[axis], phase.size // max(1, phase.shape[axis])
        placements = np.zeros(reach)
        for block in blocks(phase):
            if periodic:
                length, _ = chords(block, axis, periodic=True)
                placements += size * np.count_nonzero(block.all(axis=axis))  # rings without a boundary
            else:
                length, _, _ = _runs(_lines(block, axis))
            number = np.bincount(length, minlength=size + 1)
            placements += np.maximum(np.arange(len(number)) - z[:, None], 0) @ number
        with np.errstate(invalid="ignore"):
            paths.append(placements / (lines * (size - (0 if periodic else z))))
    return np.stack(paths)


def chords(phase: Phase, axis: int, *, periodic: bool) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Chords: runs of a phase, along columns (axis 1) or rows (axis 2), that end at the other phase on both sides.

    Across the edges of periodic images they go on. Of other images, those that the border cuts are left out. A line
    that lies wholly in the phase has no chord.

    Args:
        phase: (N, H, W).

    Returns:
        Length in px of each chord, and the image that it lies in.
    """
    lines = _lines(phase, axis)
    count, size = lines.shape
    length, line, start = _runs(lines)
    at_start, at_end = start == 0, start + length == size
    inner = ~at_start & ~at_end
    found, where = [length[inner]], [line[inner]]
    if periodic:
        # What ends at an edge goes on at the other: the two ends of a line are one chord.
        cut = (at_start | at_end) & ~(at_start & at_end)
        joined = np.bincount(line[cut], weights=length[cut], minlength=count).astype(np.int64)
        where.append(np.flatnonzero(joined))
        found.append(joined[joined > 0])
    per_image = count // max(1, len(phase))
    return np.concatenate(found), np.concatenate(where) // max(1, per_image)


def _lines(phase: Phase, axis: int) -> Phase:
    return np.moveaxis(phase, axis, 2).reshape(-1, phase.shape[axis])


def _runs(lines: Phase) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Length, line and start of every run of True in lines (L, W), cut ones too."""
    count, size = lines.shape
    apart = np.zeros((count, size + 1), dtype=np.bool_)  # a column of False keeps the lines apart
    apart[:, 1:] = lines
    steps = np.flatnonzero(np.diff(apart.ravel(), append=False))
    start, length = steps[0::2], steps[1::2] - steps[0::2]
    return length.astype(np.int64), start // (size + 1), start % (size + 1)


def blocks(images: NDArray[Pixel], pixels: int = BLOCK) -> Iterator[NDArray[Pixel]]:
    """Consecutive images, as many at once as make up about so many pixels."""
    step = max(1, pixels // max(1, images[:1].size))
    for start in range(0, len(images), step):
        yield images[start : start + step]

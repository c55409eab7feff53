"""Memorization audit: how near generated images come to training images, however these are flipped, turned, shifted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

SIDE = 32  # cells along each axis at which images are compared
FINALISTS = 8  # training images per image whose shifts are refined to single pixels
CHUNK = 250  # training spectra (2 MB) that stay in the cache while all images are held against them
NEARER = 0.9

Images = NDArray[np.uint8]


@dataclass(frozen=True)
class Nearest:
    """The nearest training image of each of N images; :func:`aligned` moves it on top of its image.

    Attributes:
        distance: RMS difference of gray in [0, 1], (N,).
        index: number of the training image, (N,).
        symmetry: what is to be done to it, 0 to 7, (N,).
        shift: and by how many rows and columns it is then rolled, (N, 2).
    """

    distance: NDArray[np.float64]
    index: NDArray[np.int64]
    symmetry: NDArray[np.int64]
    shift: NDArray[np.int64]


def memorization(generated: Images, train: Images, held_out: Images) -> tuple[dict[str, float | int | None], Nearest]:
    """Distance of generated images to the training set, beside that of held-out images, which nobody can have copied.

    Args:
        generated, train, held_out: uint8, (N, H, W), of one size. No held-out image is in the training set.

    Returns:
        ``mean_distance`` and ``mean_distance_held_out`` of an image to its nearest training image (see
        :func:`nearest_images`), their ``ratio``, the ``smallest`` and ``smallest_held_out`` distance, the number of
        ``copies`` (generated images nearer than 0.9 of the smallest held-out distance), the number of ``images``
        audited. None where a set is empty; ``copies`` and ``ratio`` are None, too, where a held-out image is itself a
        copy of a training image, so that there is nothing to compare with.
        Second, the nearest training image of each generated image, for a figure.
    """
    nearest, real = nearest_images(generated, train), nearest_images(held_out, train)
    mean, mean_real = _mean(nearest), _mean(real)
    smallest, smallest_real = _smallest(nearest), _smallest(real)
    ratio = copies = None
    if mean is not None and mean_real is not None and smallest_real:
        ratio = mean / mean_real
        copies = int(np.count_nonzero(nearest.distance < NEARER * smallest_real))
    return {
        "mean_distance": mean,
        "mean_distance_held_out": mean_real,
        "ratio": ratio,
        "smallest": smallest,
        "smallest_held_out": smallest_real,
        "copies": copies,
        "images": len(generated),
    }, nearest


def _mean(nearest: Nearest) -> float | None:
    return float(nearest.distance.mean()) if len(nearest.distance) else None


def _smallest(nearest: Nearest) -> float | None:
    return float(nearest.distance.min()) if len(nearest.distance) else None


def nearest_images(images: Images, train: Images) -> Nearest:
    """Each image's nearest training image over all symmetries of its shape and all circular shifts.

    Images are averaged over areas to 32 × 32 cells (fewer where a side is shorter). All training images, symmetries
    and shifts by whole cells are compared and none is ruled out by a bound: since |f − g|² = |f|² + |g|² − 2 f·g,
    the nearest shift is the maximum of a circular correlation, which the FFT gives for all shifts at once.
    (Parseval's identity gives the bound |f − g|² ≥ Σ(|F| − |G|)²/n, with n cells, for every shift; but on grain
    structures it lies at half the distances and rules out nothing.) The best eight training images are then compared
    at all shifts by single pixels, where a side is a multiple of 32, so that the distance of a copy is 0 whatever its
    shift.

    Shifts are circular also for images that are not periodic: a shifted copy then agrees over the part that both
    show, and is nearer than any other image as long as that is most of it.

    Args:
        images, train: uint8, (N, H, W), of one size.

    Raises:
        ValueError: if the images are not uint8 of one size, or there is no training image.
    """
    if images.ndim != 3 or images.shape[1:] != train.shape[1:] or images.dtype != np.uint8 or train.dtype != np.uint8:
        raise ValueError(f"expected uint8 (N, H, W), got {images.dtype} {images.shape}, {train.dtype} {train.shape}")
    if not len(train):
        raise ValueError("there is no training image to be near to")
    if not len(images):
        none = np.zeros(0, dtype=np.int64)
        return Nearest(np.zeros(0), none, none, none.reshape(0, 2))
    known = area_average(train)
    finalists = _finalists(area_average(images), known, symmetries(images.shape[1], images.shape[2]))
    found = [_refined(image, known, rows) for image, rows in zip(images, finalists, strict=True)]
    table = np.array(found, dtype=np.float64)
    index, symmetry, shift = table[:, 1], table[:, 2], table[:, 3:]
    return Nearest(table[:, 0], index.astype(np.int64), symmetry.astype(np.int64), shift.astype(np.int64))


def symmetries(height: int, width: int) -> tuple[int, ...]:
    """Numbers of the symmetries that keep the shape: eight of a square, else identity, half turn and two mirrors."""
    return tuple(range(8)) if height == width else (0, 2, 5, 7)


def transformed(images: NDArray[np.generic], symmetry: int) -> NDArray[np.generic]:
    """Images (…, H, W) transposed if the number is at least 4, then turned by (number mod 4) quarters."""
    return np.rot90(images.swapaxes(-1, -2) if symmetry >= 4 else images, symmetry % 4, axes=(-2, -1))


def aligned(image: Images, symmetry: int, shift: NDArray[np.int64]) -> Images:
    """A training image (H, W) moved on top of the image that it is nearest to."""
    return np.roll(transformed(image, symmetry), shift.tolist(), axis=(0, 1)).astype(np.uint8)


def area_average(images: Images) -> NDArray[np.float64]:
    """Gray in [0, 1] averaged over the cells of a grid of 32 × 32, or of as many as a shorter side has pixels."""
    down, across = _weights(images.shape[1]), _weights(images.shape[2])
    cells: NDArray[np.float64] = np.empty((len(images), len(down), len(across)))
    for start in range(0, len(images), CHUNK):  # in parts: float64 takes eight times the memory of the images
        cells[start : start + CHUNK] = down @ images[start : start + CHUNK].astype(np.float64) @ across.T
    # Up to here all numbers are whole, so that equal images give equal cells whatever their order of summation.
    cells /= 255.0 * images.shape[1] * images.shape[2]
    return cells


def _weights(size: int) -> NDArray[np.float64]:
    """How much of each cell along an axis each pixel fills, (cells, pixels), in units in which a row sums to size."""
    cells = min(SIDE, size)
    edges, pixels = np.arange(cells + 1) * size, np.arange(size + 1) * cells
    overlap = np.minimum(edges[1:, None], pixels[1:]) - np.maximum(edges[:-1, None], pixels[:-1])
    return overlap.clip(min=0).astype(np.float64)


@torch.no_grad()
def _finalists(images: NDArray[np.float64], known: NDArray[np.float64], kinds: tuple[int, ...]) -> NDArray[np.int64]:
    """The training images nearest to each image over symmetries and shifts by whole cells, nearest first, (N, 8)."""
    spectra = torch.fft.fft2(torch.from_numpy(known).float())
    turned = np.stack([transformed(images, kind) for kind in kinds])
    waves = torch.fft.fft2(torch.from_numpy(turned).float()).conj()
    # Two real correlations are the real and imaginary part of one complex transform: half the work.
    pairs = (waves[0::2] + 1j * waves[1::2]).resolve_conj()
    norms = torch.from_numpy(np.square(known).sum((1, 2))).float()
    best = torch.empty(len(images), len(known))
    for start in range(0, len(known), CHUNK):
        chunk = spectra[start : start + CHUNK]
        for row in range(len(images)):
            peaks = torch.stack([_peaks(chunk * pair[row]) for pair in pairs]).amax(0)
            best[row, start : start + CHUNK] = norms[start : start + CHUNK] - 2 * peaks
    count = min(FINALISTS, len(known))
    return best.topk(count, dim=1, largest=False).indices.numpy()


def _peaks(products: Tensor) -> Tensor:
    """Largest value over shifts of either correlation, (chunk,)."""
    return torch.view_as_real(torch.fft.ifft2(products)).flatten(1).amax(1)


def _refined(image: Images, known: NDArray[np.float64], rows: NDArray[np.int64]) -> tuple[float, int, int, int, int]:
    """Distance, training image, symmetry and shift in pixels of the best of a few training images."""
    cells = known.shape[1:]
    strides = [size // count if size % count == 0 else 1 for size, count in zip(image.shape, cells, strict=True)]
    kinds = symmetries(*image.shape)
    # Fractions of a cell are taken off the image, whole cells are left to the correlation.
    fractions = [(down, right) for down in range(strides[0]) for right in range(strides[1])]
    phases = area_average(np.stack([np.roll(image, (-down, -right), (0, 1)) for down, right in fractions]))
    waves, own = np.fft.rfft2(phases), np.square(phases).sum((1, 2))
    best = (np.inf, 0, 0, 0, 0)
    for row in rows.tolist():
        turned = np.stack([transformed(known[row], kind) for kind in kinds])
        correlation = np.fft.irfft2(np.fft.rfft2(turned).conj()[:, None] * waves, s=cells, axes=(-2, -1))
        nearness = 2 * correlation.reshape(len(kinds), len(phases), -1) - own[:, None]
        kind, phase, cell = np.unravel_index(int(nearness.argmax()), nearness.shape)
        whole = np.unravel_index(int(cell), cells)
        # Subtracted rather than taken from the norms, which would leave a rounding error for a copy.
        distance = float(np.sqrt(np.square(phases[phase] - np.roll(turned[kind], whole, (0, 1))).mean()))
        if distance < best[0]:
            down, right = (int(whole[axis]) * strides[axis] + fractions[phase][axis] for axis in (0, 1))
            best = (distance, row, kinds[kind], down, right)
    return best

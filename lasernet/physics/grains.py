"""Grains in gray images: connected bright regions, their number, areas and neighbors."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, label
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

SMALLEST = 5  # px; below it, a bright spot is not a grain
SHARED_EDGES = 2  # pixel edges in common that make two grains neighbors
WIDTH = 12  # px, how far beyond the border of a periodic image its nearest grains are looked for at first
BLOCK = 2**23  # pixels that are labelled at once
IN_PLANE = np.zeros((3, 3, 3), dtype=np.bool_)  # 4-connected within an image, never from image to image
IN_PLANE[1] = [[0, 1, 0], [1, 1, 1], [0, 1, 0]]


def label_grains(
    image: NDArray[np.generic], *, threshold: float = 0.5, periodic: bool, smallest: int = SMALLEST
) -> tuple[NDArray[np.int32], int]:
    """Number the grains of one image: 4-connected regions brighter than a threshold.

    Args:
        image: uint8, or gray in [0, 1], (H, W); 1 inside grains, 0 between them.
        threshold: gray in [0, 1]; only what is brighter belongs to a grain.
        periodic: whether regions continue across opposite edges.
        smallest: px; smaller regions are no grains.

    Returns:
        Labels 1…n, 0 where there is no grain, (H, W), and n.
    """
    if image.ndim != 2:
        raise ValueError(f"an image of shape {image.shape}; expected (H, W)")
    labels, counts = label_images(image[None], threshold=threshold, periodic=periodic, smallest=smallest)
    return labels[0], int(counts[0])


def count_grains(
    images: NDArray[np.generic], *, threshold: float, periodic: bool, smallest: int = SMALLEST
) -> NDArray[np.int32]:
    """Number of grains of each image, as ``label_grains`` finds them.

    Args:
        images: uint8, or gray in [0, 1], (N, H, W).

    Returns:
        (N,).
    """
    step = max(1, BLOCK // max(1, images[:1].size))
    blocks = [images[start : start + step] for start in range(0, len(images), step)]
    found = [label_images(block, threshold=threshold, periodic=periodic, smallest=smallest)[1] for block in blocks]
    return np.concatenate(found) if found else np.zeros(0, dtype=np.int32)


def label_images(
    images: NDArray[np.generic], *, threshold: float = 0.5, periodic: bool, smallest: int = SMALLEST
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Number the grains of many images, each from 1 on.

    Args:
        images: uint8, or gray in [0, 1], (N, H, W).

    Returns:
        Labels (N, H, W), 0 where there is no grain, and the number of grains of each image, (N,). What the other
        functions of this module return per grain is in this order: image by image, then by label.
    """
    if images.ndim != 3:
        raise ValueError(f"images of shape {images.shape}; expected (N, H, W)")
    regions, found = label(brighter(images, threshold), structure=IN_PLANE, output=np.int32)
    if periodic and found:
        regions = _merge_across_edges(regions, found)
        found = int(regions.max())
    sizes = np.bincount(regions.ravel(), minlength=found + 1)
    kept = sizes >= max(1, smallest)
    kept[0] = False
    owner = np.zeros(found + 1, dtype=np.int64)  # the image that a region lies in
    image, _, _ = np.nonzero(regions)
    owner[regions[regions > 0]] = image
    counts = np.bincount(owner[kept], minlength=len(images)).astype(np.int32)
    # Regions are numbered in raster order, image by image.
    number = np.where(kept, np.cumsum(kept), 0)
    number -= np.where(kept, first_grain(counts)[owner] if len(counts) else 0, 0)
    return number.astype(np.int32)[regions], counts


def brighter(images: NDArray[np.generic], threshold: float) -> NDArray[np.bool_]:
    """Where gray in [0, 1] (uint8: in 255ths) lies above a threshold."""
    scale = 255 if images.dtype == np.uint8 else 1
    answer: NDArray[np.bool_] = np.asarray(images > np.float64(threshold * scale))
    return answer


def first_grain(counts: NDArray[np.integer]) -> NDArray[np.int64]:
    """Place of each image's first grain in arrays that hold all grains image by image, (N,)."""
    return (np.cumsum(counts, dtype=np.int64) - counts).astype(np.int64)


def _merge_across_edges(regions: NDArray[np.int32], found: int) -> NDArray[np.int32]:
    """Give regions that touch each other across opposite edges one number, in raster order of their first pixel."""
    one = np.concatenate([regions[:, 0].ravel(), regions[:, :, 0].ravel()])
    other = np.concatenate([regions[:, -1].ravel(), regions[:, :, -1].ravel()])
    both = (one > 0) & (other > 0)
    links = (np.ones(int(both.sum()), dtype=np.int8), (one[both], other[both]))
    _, merged = connected_components(coo_array(links, shape=(found + 1, found + 1)), directed=False)
    # scipy's order is not documented: number again by the smallest old number, 0 first.
    _, first, inverse = np.unique(merged, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int32)
    rank[np.argsort(first)] = np.arange(len(first), dtype=np.int32)
    answer: NDArray[np.int32] = rank[inverse][regions]
    return answer


def global_numbers(labels: NDArray[np.int32], counts: NDArray[np.integer]) -> NDArray[np.int64]:
    """Number the grains of all images through, from 0 on; −1 where there is no grain, (N, H, W)."""
    return np.where(labels > 0, labels - 1 + first_grain(counts)[:, None, None], -1)


def areas(labels: NDArray[np.int32], counts: NDArray[np.integer]) -> NDArray[np.int64]:
    """Pixels of every grain: bright ones alone for labels as found, with their share of the boundaries once filled."""
    numbers = global_numbers(labels, counts)
    return np.bincount(numbers[numbers >= 0], minlength=int(np.sum(counts))).astype(np.int64)


def equivalent_diameters(areas: NDArray[np.generic]) -> NDArray[np.float64]:
    """Diameters of circles of the same areas: √(4A/π)."""
    return np.sqrt(4 * np.asarray(areas, dtype=np.float64) / np.pi)


def at_edge(labels: NDArray[np.int32], counts: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Which grains touch the border of their image, so that a part of them may be out of sight."""
    numbers = global_numbers(labels, counts)
    answer = np.zeros(int(np.sum(counts)), dtype=np.bool_)
    for border in (numbers[:, 0], numbers[:, -1], numbers[:, :, 0], numbers[:, :, -1]):
        answer[border[border >= 0]] = True
    return answer


def fill_boundaries(labels: NDArray[np.int32], *, periodic: bool) -> NDArray[np.int32]:
    """Tessellation: every pixel between the grains joins the grain whose nearest pixel is closest to it.

    Distances are Euclidean, between pixel centers, around the edges of periodic images. An image without grains
    stays 0.

    Args:
        labels: 0 between the grains, (N, H, W).
    """
    filled = labels.copy()
    for image in filled:
        gaps = image == 0
        if gaps.any() and not gaps.all():
            image[...] = _nearest_label(image, gaps, WIDTH if periodic else 0, periodic)
    return filled


def _nearest_label(image: NDArray[np.int32], gaps: NDArray[np.bool_], width: int, periodic: bool) -> NDArray[np.int32]:
    height_width = image.shape
    pads = [min(width, (size + 1) // 2) for size in height_width]
    padded = np.pad(gaps, [(pad, pad) for pad in pads], mode="wrap") if periodic else gaps
    distance, (rows, columns) = distance_transform_edt(padded, return_indices=True)
    core = tuple(slice(pad, pad + size) for pad, size in zip(pads, height_width, strict=True))
    # What is found within the padding is nearest; farther away, an unseen grain might be closer.
    if periodic and width < max(height_width) and distance[core].max() > min(pads):
        return _nearest_label(image, gaps, max(height_width), periodic)
    nearest = (rows[core] - pads[0]) % height_width[0], (columns[core] - pads[1]) % height_width[1]
    answer: NDArray[np.int32] = image[nearest]
    return answer


def neighbors(
    filled: NDArray[np.int32], counts: NDArray[np.integer], *, periodic: bool, edges: int = SHARED_EDGES
) -> NDArray[np.int64]:
    """Number of neighbors of every grain of a tessellation: other grains with which it shares at least 2 pixel edges.

    Args:
        filled: labels as ``fill_boundaries`` returns them, (N, H, W).
        edges: pixel edges that two neighbors have in common, at least.

    Returns:
        One number per grain; in images that are not periodic, neighbors out of sight are missing at the border.
    """
    numbers, total = global_numbers(filled, counts), int(np.sum(counts))
    pairs = []
    for axis in (1, 2):
        size = numbers.shape[axis]
        this = numbers if periodic else numbers.take(range(size - 1), axis)
        after = np.roll(numbers, -1, axis) if periodic else numbers.take(range(1, size), axis)
        apart = (this != after) & (this >= 0) & (after >= 0)
        low, high = np.minimum(this[apart], after[apart]), np.maximum(this[apart], after[apart])
        pairs.append(low * total + high)
    pair, shared = np.unique(np.concatenate(pairs), return_counts=True)
    pair = pair[shared >= edges]
    ends = np.concatenate([pair // max(1, total), pair % max(1, total)])
    return np.bincount(ends, minlength=total).astype(np.int64)

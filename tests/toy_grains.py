"""Small grain structures with known statistics."""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree


def voronoi_labels(generator: np.random.Generator, *, size: int, grains: int) -> NDArray[np.int32]:
    """Periodic Poisson–Voronoi tessellation: the number, from 1 on, of the seed nearest to each pixel."""
    pixels = np.stack(np.meshgrid(np.arange(size), np.arange(size), indexing="ij"), axis=-1) + 0.5
    _, nearest = cKDTree(generator.uniform(0, size, (grains, 2)), boxsize=size).query(pixels)
    return nearest.astype(np.int32) + 1


def outlined(labels: NDArray[np.int32]) -> NDArray[np.uint8]:
    """White grains with black boundaries one pixel wide, around the edges too; (N, H, W) or (H, W)."""
    same = (labels == np.roll(labels, -1, -1)) & (labels == np.roll(labels, -1, -2))
    return np.where(same, 255, 0).astype(np.uint8)


def voronoi_images(seed: int, *, number: int, size: int = 32, grains: int = 10) -> NDArray[np.uint8]:
    """Outlined periodic Voronoi structures of about so many grains, with some gray, (N, H, W)."""
    generator = np.random.default_rng(seed)
    counts = generator.integers(grains - 2, grains + 3, number)
    images = np.stack([outlined(voronoi_labels(generator, size=size, grains=count)) for count in counts])
    return (images // 2 + generator.integers(0, 100, images.shape)).astype(np.uint8)

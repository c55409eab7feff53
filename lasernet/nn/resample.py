"""Smooth periodic resampling: cubic interpolation as products with two small matrices, quick in both directions."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

SHARPNESS = -0.5  # the parameter of the cubic kernel with which it reproduces quadratic functions


def upsample(image: Tensor, factor: int = 2) -> Tensor:
    """Enlarge a periodic image (B, C, H, W) to (B, C, factor H, factor W), pixel centers staying in register.

    Keys, Cubic convolution interpolation for digital image processing, 1981, eq. 8.
    """
    rows = _matrix(image.shape[2], factor).to(image)
    columns = _matrix(image.shape[3], factor).to(image)
    return rows @ image.contiguous() @ columns.T


@lru_cache(maxsize=32)
def _matrix(size: int, factor: int) -> Tensor:
    """The (factor size, size) matrix that interpolates one periodic line."""
    matrix = np.zeros((factor * size, size), dtype=np.float32)
    for fine in range(factor * size):
        center = (fine + 0.5) / factor - 0.5
        for coarse in range(int(np.floor(center)) - 1, int(np.floor(center)) + 3):
            matrix[fine, coarse % size] += _cubic(abs(center - coarse))
    return torch.from_numpy(matrix)


def _cubic(distance: float) -> float:
    a, t = SHARPNESS, distance
    if t <= 1:
        return (a + 2) * t**3 - (a + 3) * t**2 + 1
    return a * t**3 - 5 * a * t**2 + 8 * a * t - 4 * a if t < 2 else 0.0

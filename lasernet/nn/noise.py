"""Noise that belongs to an item: drawn from the item's own number, whatever batch or process it comes in."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

NORMAL, UNIFORM = 0, 1 << 32  # where the streams of the two kinds begin


def normal(seeds: Tensor, size: int) -> Tensor:
    """Standard normal numbers, (B, size), row i from ``seeds[i]`` alone.

    They are drawn on the CPU, so that every device sees the same ones, and lie on the seeds' device. Not torch's
    generator, which keeps 32 bits of a seed only.
    """
    rows = [_generator(seed, NORMAL).standard_normal(size, dtype=np.float32) for seed in seeds.tolist()]
    return _on_device(rows, seeds)


def uniform(seeds: Tensor, size: int, *, stream: int = 0) -> Tensor:
    """Numbers evenly spread over [0, 1), (B, size), row i from ``seeds[i]`` and the stream alone."""
    rows = [_generator(seed, UNIFORM + stream).random(size, dtype=np.float32) for seed in seeds.tolist()]
    return _on_device(rows, seeds)


def _generator(seed: int, stream: int) -> np.random.Generator:
    """A counter-based generator: different keys give independent numbers (Salmon et al. 2011)."""
    return np.random.Generator(np.random.Philox(key=np.array([seed, stream], dtype=np.uint64)))


def _on_device(rows: list[NDArray[np.float32]], seeds: Tensor) -> Tensor:
    return torch.from_numpy(np.stack(rows)).to(seeds.device)

"""Noise that belongs to an item: drawn from the item's own number, whatever batch or process it comes in."""

from __future__ import annotations

import torch
from torch import Tensor


def normal(seeds: Tensor, size: int) -> Tensor:
    """Standard normal numbers, (B, size), row i from ``seeds[i]`` alone.

    They are drawn on the CPU, so that every device sees the same ones, and lie on the seeds' device.
    """
    return _rows(seeds, size, torch.randn)


def uniform(seeds: Tensor, size: int) -> Tensor:
    """Numbers evenly spread over [0, 1), (B, size), row i from ``seeds[i]`` alone."""
    return _rows(seeds, size, torch.rand)


def _rows(seeds: Tensor, size: int, draw: object) -> Tensor:
    generator = torch.Generator()
    rows = [draw(size, generator=generator.manual_seed(seed)) for seed in seeds.tolist()]  # type: ignore[operator]
    return torch.stack(rows).to(seeds.device)

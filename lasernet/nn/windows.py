"""Large slices answered window by window: where the windows lie, and how their answers are blended."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

Fields = dict[str, Tensor]
VOLUME = 5  # dimensions of a field (B, C, Z, Y, X)


def starts(size: int, window: int, overlap: int) -> list[int]:
    """First cells of windows that cover a side, evenly spaced, neighbors sharing at least ``overlap`` cells."""
    if size <= window:
        return [0]
    count = 1 + -(-(size - window) // (window - overlap))
    return [round(place * (size - window) / (count - 1)) for place in range(count)]


def places(rows: int, columns: int, window: int, overlap: int) -> Iterator[tuple[slice, slice]]:
    """Rows and columns of all windows of a slice, one row of windows after the other."""
    for top in starts(rows, window, overlap):
        for left in starts(columns, window, overlap):
            yield slice(top, min(top + window, rows)), slice(left, min(left + window, columns))


def ramp(size: int, overlap: int, *, first: bool, last: bool) -> Tensor:
    """Weights along a side of a window, (size,): 1 in the middle, falling to nearly 0 where a neighbor takes over."""
    distance = torch.arange(size, dtype=torch.float64) + 0.5
    rising = (distance / max(overlap, 1)).clamp(max=1) if not first else torch.ones(size, dtype=torch.float64)
    falling = (distance.flip(0) / max(overlap, 1)).clamp(max=1) if not last else torch.ones(size, dtype=torch.float64)
    return rising * falling


def in_windows(ask: Callable[[Fields], Tensor], fields: Fields, window: int, overlap: int) -> Tensor:
    """Answers to windows of all fields, blended: (B, C, Z, Y, X).

    One window is held at a time beside the sum of all and the sum of their weights.

    Args:
        ask: batch → answer (B, C, Z, y, x) for the fields of one window.
        fields: those with five dimensions are cut, others shown to every window as they are.
        window: cells on a side; smaller slices are one window.
        overlap: cells that neighbors share at least, below ``window``.
    """
    rows, columns = fields["mask"].shape[-2:]
    total: Tensor | None = None
    weights = torch.zeros(rows, columns, dtype=torch.float64)
    for high, wide in places(rows, columns, window, overlap):
        cut = {name: value[..., high, wide] if value.ndim == VOLUME else value for name, value in fields.items()}
        answer = ask(cut)
        sides = [(high, rows), (wide, columns)]
        down, across = (
            ramp(side.stop - side.start, overlap, first=side.start == 0, last=side.stop == size) for side, size in sides
        )
        weight = down[:, None] * across
        if total is None:
            total = answer.new_zeros(*answer.shape[:-2], rows, columns, dtype=torch.float64)
        total[..., high, wide] += weight.to(total) * answer
        weights[high, wide] += weight
    assert total is not None
    return (total / weights.to(total)).to(torch.float32)

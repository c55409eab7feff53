"""The order of items and the stream of batches, both functions of (seed, epoch) alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch.utils.data import DataLoader

from lasernet.data.base import Batch, Split

Rows = list[int]


def epoch_order(items: int, *, batch_size: int, seed: int, epoch: int) -> list[Rows]:
    """A fresh permutation of the items, cut into batches; the last may be smaller."""
    order = np.random.default_rng((seed, epoch)).permutation(items)
    return [order[start : start + batch_size].tolist() for start in range(0, items, batch_size)]


def in_order(items: int, *, batch_size: int) -> list[Rows]:
    """The items in their own order, cut into batches."""
    return [list(range(start, min(start + batch_size, items))) for start in range(0, items, batch_size)]


def share_of(rows: Rows, *, rank: int, processes: int) -> Rows:
    """The part of a batch that one process computes; never empty (an extra item then counts 0)."""
    return rows[rank::processes] or rows[:1]


def item_seeds(seed: int, step: int, turn: int, items: int) -> Rows:
    """A number for every item of an update's global batch, from which its own randomness is drawn."""
    state = np.random.SeedSequence((seed, step, turn)).generate_state(items, np.uint64)
    return [int(value >> np.uint64(1)) for value in state]


class _Fetch(torch.utils.data.Dataset[Batch]):
    """Hands lists of rows to a split, so that workers make whole batches."""

    def __init__(self, split: Split) -> None:
        self.split = split

    def __getitem__(self, rows: Rows) -> Batch:
        return self.split.fetch(rows)


def stream(split: Split, batches: Sequence[Rows], *, workers: int) -> Iterator[Batch]:
    """The batches of a split in the given order, read ahead by ``workers`` processes."""
    loader: DataLoader[Batch] = DataLoader(
        _Fetch(split),
        sampler=batches,
        batch_size=None,
        num_workers=workers,
        generator=torch.Generator().manual_seed(0),  # its own, so that the global one is left alone
    )
    return iter(loader)


class Batches:
    """A split as an iterable of batches that can be walked through repeatedly, for ``Model.fit``.

    Args:
        most: of a larger split, take only so many items, spread evenly over it.
    """

    def __init__(self, split: Split, *, batch_size: int, device: torch.device, most: int | None = None) -> None:
        self.split, self.batch_size, self.device = split, batch_size, device
        self.items = len(split) if most is None else min(most, len(split))

    def __iter__(self) -> Iterator[Batch]:
        places = in_order(self.items, batch_size=self.batch_size)
        rows = [[place * len(self.split) // self.items for place in batch] for batch in places]
        for batch in stream(self.split, rows, workers=0):
            yield to_device(batch, self.device)


def to_device(batch: Batch, device: torch.device) -> Batch:
    """The batch on a device."""
    return {name: value.to(device, non_blocking=True) for name, value in batch.items()}

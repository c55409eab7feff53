"""What a metric is: fed batch by batch, asked once at the end."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

Batch = dict[str, Tensor]


class Metric(Protocol):
    """Accumulates over batches; ``compute`` answers plain numbers, None where there is nothing to measure."""

    def update(self, answer: Tensor, batch: Batch) -> None:
        """Take in a model's answer to a batch, both in physical units."""

    def compute(self) -> dict[str, object]:
        """The numbers over everything taken in so far."""

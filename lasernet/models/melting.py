"""The temperature above which frame t+1 is best called molten, fitted by counting."""

from __future__ import annotations

import torch
from torch import Tensor

FIT_ITEMS = 4096  # slices that are enough to fit a handful of numbers by counting: tens of millions of cells
LOW, HIGH, WIDTH = -1000.0, 2000.0, 0.5  # K about liquidus; colder and hotter cells fall into the outermost bins
BINS = int((HIGH - LOW) / WIDTH)


class TemperatureHistogram:
    """Sums of any number of quantities over cells, sorted into half-kelvin bins of T − liquidus.

    Args:
        columns: how many quantities are added up.
    """

    def __init__(self, columns: int) -> None:
        self.sums = torch.zeros(BINS, columns, dtype=torch.float64)

    def add(self, excess: Tensor, values: Tensor) -> None:
        """Take in cells.

        Args:
            excess: T − liquidus in K, (N,).
            values: (N, columns).
        """
        bins = ((excess.cpu().double() - LOW) / WIDTH).floor().clamp(0, BINS - 1).long()
        self.sums.index_add_(0, bins, values.cpu().double())

    def below(self) -> Tensor:
        """Sums over all cells below each possible threshold, (BINS + 1, columns)."""
        start = self.sums.new_zeros(1, self.sums.shape[1])
        return torch.cat([start, self.sums.cumsum(0)])

    def above(self) -> Tensor:
        """Sums over all cells at or above each possible threshold, (BINS + 1, columns)."""
        return self.sums.sum(0) - self.below()


def best_threshold(cost: Tensor) -> tuple[int, float]:
    """The cheapest threshold in K about liquidus, from costs (BINS + 1,); the hottest of equally cheap ones.

    Returns:
        Its index, and its value: infinite at either end, where all cells lie on one side of it.
    """
    tolerance = 1e-12 * float(cost.abs().max())
    index = int(torch.nonzero(cost <= cost.min() + tolerance).max())
    if index in (0, BINS):
        return index, float("-inf") if index == 0 else float("inf")
    return index, LOW + index * WIDTH

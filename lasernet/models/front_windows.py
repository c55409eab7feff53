"""Windows around the cells that may freeze: the small part of a slice in which anything is to be decided."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class FrontWindows:
    """One window per item that has such cells, all of one size, which is even.

    Attributes:
        items: which items, (n,).
        top, left: row and column in the image of the window's corner, (n,); may lie outside the image.
        height, width: of every window, in cells.
        places: the cells, (N, 3): window, row and column in it.
    """

    items: Tensor
    top: Tensor
    left: Tensor
    height: int
    width: int
    places: Tensor

    @property
    def cells(self) -> tuple[Tensor, Tensor, Tensor]:
        """Item, row and column of each place in the images, (N,) each."""
        window, row, column = self.places.unbind(1)
        return self.items[window], self.top[window] + row, self.left[window] + column

    def cut(self, images: Tensor) -> Tensor:
        """(B, C, H, W) → (n, C, height, width): 0 or False outside the images."""
        size_y, size_x = images.shape[-2:]
        rows = self.top[:, None] + torch.arange(self.height, device=images.device)
        columns = self.left[:, None] + torch.arange(self.width, device=images.device)
        inside_y, inside_x = (rows >= 0) & (rows < size_y), (columns >= 0) & (columns < size_x)
        index = rows.clamp(0, size_y - 1)[:, :, None] * size_x + columns.clamp(0, size_x - 1)[:, None, :]
        flat = index.flatten(1)[:, None].expand(-1, images.shape[1], -1)
        found = images[self.items].flatten(2).gather(2, flat)
        inside: Tensor = (inside_y[:, :, None] & inside_x[:, None, :]).flatten(1)[:, None]
        return found.where(inside, 0).reshape(len(self.items), -1, self.height, self.width)

    def at(self, windows: Tensor) -> Tensor:
        """Values at the places: (n, C, height, width) → (N, C)."""
        window, row, column = self.places.unbind(1)
        return windows[window, :, row, column]


def find_windows(cells: Tensor, margin: int) -> FrontWindows | None:
    """Windows that hold all True cells of each item and ``margin`` cells around them; None without any.

    Args:
        cells: bool, (B, 1, H, W).
    """
    wanted = cells[:, 0]
    items = wanted.flatten(1).any(dim=1).nonzero()[:, 0]
    if not len(items):
        return None
    chosen = wanted[items]
    (first_row, last_row), (first_column, last_column) = _extent(chosen.any(dim=2)), _extent(chosen.any(dim=1))
    height, width = (int((last - first).max()) + 1 + 2 * margin for first, last in (
        (first_row, last_row), (first_column, last_column),
    ))  # fmt: skip
    top, left = first_row - margin, first_column - margin
    window, row, column = chosen.nonzero().unbind(1)
    places = torch.stack([window, row - top[window], column - left[window]], dim=1)
    return FrontWindows(items, top, left, height + height % 2, width + width % 2, places)


def _extent(occupied: Tensor) -> tuple[Tensor, Tensor]:
    """First and last True of each row, (n, L) → (n,), (n,)."""
    length = occupied.shape[1]
    first = occupied.int().argmax(dim=1)
    last = length - 1 - occupied.flip(1).int().argmax(dim=1)
    return first, last

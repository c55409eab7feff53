"""Borders of the melt and means nearby, against sums over cells."""

import torch

from lasernet.physics.interface import border, mean_nearby


def test_a_border_has_the_others_among_its_neighbors_in_the_slice_and_beside() -> None:
    generator = torch.Generator().manual_seed(0)
    cells = torch.rand(2, 3, 6, 7, generator=generator) < 0.5
    others = (torch.rand(2, 3, 6, 7, generator=generator) < 0.1) & ~cells
    found = border(cells, others)
    for item, slice_, row, column in torch.cartesian_prod(*map(torch.arange, cells.shape)).tolist():
        near = others[
            item, max(0, slice_ - 1) : slice_ + 2, max(0, row - 1) : row + 2, max(0, column - 1) : column + 2
        ].any()
        assert bool(found[item, slice_, row, column]) == bool(cells[item, slice_, row, column] & near)


def test_a_mean_nearby_is_over_all_slices_and_the_square_that_lies_in_the_image() -> None:
    generator = torch.Generator().manual_seed(1)
    values = torch.randn(1, 3, 6, 7, generator=generator)
    where = torch.rand(1, 3, 6, 7, generator=generator) < 0.15
    found, there = mean_nearby(values, where, 3)
    for row, column in torch.cartesian_prod(torch.arange(6), torch.arange(7)).tolist():
        part = (slice(None), slice(max(0, row - 1), row + 2), slice(max(0, column - 1), column + 2))
        chosen = values[0][part][where[0][part]]
        assert bool(there[0, 0, row, column]) == bool(len(chosen))
        expected = chosen.mean() if len(chosen) else torch.tensor(0.0)
        torch.testing.assert_close(found[0, 0, row, column], expected)

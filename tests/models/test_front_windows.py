"""Windows around cells: what is cut lies where it says, also beyond the border and in the mirror."""

import pytest
import torch

from lasernet.models.front_windows import find_windows

IMAGES = torch.arange(3 * 2 * 9 * 11, dtype=torch.float32).reshape(3, 2, 9, 11)


def marked(*cells: tuple[int, int, int]) -> torch.Tensor:
    mask = torch.zeros(3, 1, 9, 11, dtype=torch.bool)
    for item, row, column in cells:
        mask[item, 0, row, column] = True
    return mask


@pytest.mark.parametrize("mirrored", [None, torch.tensor([True, True, False])])
def test_values_at_the_places_are_those_of_the_cells(mirrored: torch.Tensor | None) -> None:
    mask = marked((0, 0, 0), (0, 2, 3), (2, 8, 10), (2, 4, 9))
    windows = find_windows(mask, 2, mirrored)
    assert windows is not None
    assert windows.items.tolist() == [0, 2]
    assert windows.height % 2 == windows.width % 2 == 0
    item, row, column = windows.cells
    assert set(zip(item.tolist(), row.tolist(), column.tolist(), strict=True)) == {
        (0, 0, 0), (0, 2, 3), (2, 8, 10), (2, 4, 9),
    }  # fmt: skip
    assert torch.equal(windows.at(windows.cut(IMAGES)), IMAGES[item, :, row, column])
    assert bool(windows.at(windows.cut(mask)).all())


def test_a_mirrored_window_is_the_window_in_the_mirror_and_outside_is_nothing() -> None:
    mask = marked((1, 1, 1), (1, 3, 5))
    plain, mirrored = find_windows(mask, 3), find_windows(mask, 3, torch.tensor([False, True, False]))
    assert plain is not None
    assert mirrored is not None
    assert torch.equal(mirrored.cut(IMAGES), plain.cut(IMAGES).flip(-1))
    assert bool((plain.cut(IMAGES + 1)[:, :, :2] == 0).all())
    assert bool((plain.cut(IMAGES + 1)[:, :, 2:, 2:] != 0).all())


def test_without_cells_there_are_no_windows() -> None:
    assert find_windows(marked(), 2) is None

"""Windows around cells: what is cut lies where it says, also beyond the border."""

import torch

from lasernet.models.front_windows import find_windows

IMAGES = torch.arange(3 * 2 * 9 * 11, dtype=torch.float32).reshape(3, 2, 9, 11)


def marked(*cells: tuple[int, int, int]) -> torch.Tensor:
    mask = torch.zeros(3, 1, 9, 11, dtype=torch.bool)
    for item, row, column in cells:
        mask[item, 0, row, column] = True
    return mask


def test_values_at_the_places_are_those_of_the_cells() -> None:
    mask = marked((0, 0, 0), (0, 2, 3), (2, 8, 10), (2, 4, 9))
    windows = find_windows(mask, 2)
    assert windows is not None
    assert windows.items.tolist() == [0, 2]
    assert windows.height % 2 == windows.width % 2 == 0
    item, row, column = windows.cells
    assert set(zip(item.tolist(), row.tolist(), column.tolist(), strict=True)) == {
        (0, 0, 0), (0, 2, 3), (2, 8, 10), (2, 4, 9),
    }  # fmt: skip
    assert torch.equal(windows.at(windows.cut(IMAGES)), IMAGES[item, :, row, column])
    assert bool(windows.at(windows.cut(mask)).all())


def test_outside_the_image_there_is_nothing() -> None:
    windows = find_windows(marked((1, 1, 1), (1, 3, 5)), 3)
    assert windows is not None
    found = windows.cut(IMAGES + 1)
    assert bool((found[:, :, :2] == 0).all())
    assert torch.equal(found[0, :, 2:, 2:], IMAGES[1, :, : windows.height - 2, : windows.width - 2] + 1)


def test_without_cells_there_are_no_windows() -> None:
    assert find_windows(marked(), 2) is None

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from lasernet.viz.panels import Plane, outline, paint_colors, panel_size, prepare, sheet, upper_limit
from lasernet.viz.style import DPI, MASKED, MASKED_HATCH

PLANE = Plane(spacing=(5e-6, 5e-6), origin=(-45e-6, 10e-6))


def pixels_of(shape: tuple[int, int], image: np.ndarray, valid: np.ndarray | None = None) -> np.ndarray:
    page = sheet(shape, PLANE, rows=1, columns=1, left=0.0, right=0.0, top=0.0, bottom=0.0, width=1.0)
    axes = page.panels[0, 0]
    prepare(axes, shape, PLANE, rows=False, columns=False)
    axes.set(xticks=[], yticks=[])
    paint_colors(axes, image, PLANE, valid=valid)
    for spine in axes.spines.values():
        spine.set_visible(False)
    page.figure.canvas.draw()
    return np.asarray(page.figure.canvas.buffer_rgba())[..., :3]  # type: ignore[attr-defined]


def test_extent_runs_from_edge_to_edge_in_micrometers() -> None:
    assert PLANE.extent((10, 4)) == pytest.approx((7.5, 27.5, -47.5, 2.5))


def test_window_keeps_the_place_of_its_cells() -> None:
    part = PLANE.window(slice(2, 5), slice(1, 3))
    rows, columns = PLANE.centers((10, 4))
    assert part.centers((3, 2))[0] == pytest.approx(rows[2:5])
    assert part.centers((3, 2))[1] == pytest.approx(columns[1:3])


def test_row_zero_is_drawn_lowest_and_column_zero_left() -> None:
    image = np.zeros((3, 4, 4))
    image[0, 0, 0] = 1  # red
    image[2, 3, 3] = 1  # blue
    shown = pixels_of((4, 4), image)
    height, width = shown.shape[:2]
    assert tuple(shown[height * 7 // 8, width // 8]) == (255, 0, 0)
    assert tuple(shown[height // 8, width * 7 // 8]) == (0, 0, 255)


@pytest.mark.parametrize("how", ["mask", "nan"])
def test_a_cell_without_data_is_gray_and_hatched(how: str) -> None:
    image, valid = np.zeros((3, 4, 4)), np.ones((4, 4), dtype=bool)
    if how == "mask":
        valid[:, 2:] = False
    else:
        image[:, :, 2:] = np.nan
    shown = pixels_of((4, 4), image, valid)
    half = shown[:, shown.shape[1] // 2 + 3 :]
    lightest, darkest = 255 * np.array(to_rgb(MASKED)), 255 * np.array(to_rgb(MASKED_HATCH))
    assert (half <= lightest.max() + 1).all()
    assert (half >= darkest.min() - 1).all()
    assert len(np.unique(half)) > 1


@pytest.mark.parametrize("shape", [(24, 96), (47, 465), (24, 24), (94, 47)])
def test_panels_have_the_aspect_of_the_slice_and_whole_pixels_per_cell(shape: tuple[int, int]) -> None:
    width, height = panel_size(shape, PLANE, width=6.0)
    assert width / height == pytest.approx(shape[1] / shape[0])
    assert width * DPI / shape[1] == pytest.approx(round(width * DPI / shape[1]))
    assert width <= 1.07 * 6.0


def test_outlines_of_nothing_and_of_everything_draw_nothing() -> None:
    page = sheet((4, 4), PLANE, rows=1, columns=1)
    for region in (np.zeros((4, 4), dtype=bool), np.ones((4, 4), dtype=bool)):
        outline(page.panels[0, 0], region, PLANE, color="red")
    assert len(page.panels[0, 0].collections) == 0


def test_outline_runs_along_the_edges_of_cells() -> None:
    page = sheet((4, 4), PLANE, rows=1, columns=1)
    region = np.zeros((4, 4), dtype=bool)
    region[:, 2:] = True
    outline(page.panels[0, 0], region, PLANE, color="red")
    (line,) = page.panels[0, 0].collections
    x = np.concatenate([path.vertices[:, 0] for path in line.get_paths()])
    assert x == pytest.approx(np.full_like(x, PLANE.extent((4, 4))[0] + 10.0))


def test_upper_limit_rounds_up_and_ignores_what_is_not_valid() -> None:
    values = np.array([0.1234, 5.0, np.nan])
    assert upper_limit(values, valid=np.array([True, False, True])) == pytest.approx(0.13)
    assert upper_limit(np.full(2, np.nan), least=0.01) == pytest.approx(0.01)

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from lasernet.viz.frames import (
    error_map,
    gradient_maps,
    mean_gradient,
    predicted_melt,
    prediction_panels,
    temperature_panels,
)
from lasernet.viz.panels import Plane


def draw(melt: SimpleNamespace, path: Path, **changes: object) -> Path:
    given = {
        "plane": melt.plane, "temperature": melt.temperature, "solidus": 1663.0, "liquidus": 1723.0,
        "molten": melt.molten,
    }  # fmt: skip
    return prediction_panels(melt.truth, melt.prediction, path, **{**given, **changes})


def has_color(path: Path, color: tuple[int, int, int], *, at_least: int = 50) -> bool:
    image = np.asarray(Image.open(path).convert("RGB"))
    return int((image == color).all(axis=-1).sum()) >= at_least


def test_panels_show_the_colors_of_grains_exactly(melt: SimpleNamespace, tmp_path: Path) -> None:
    path = draw(melt, tmp_path / "panels.png")
    for first in (0, 3, 6):
        red, green, blue = (int(value) for value in np.rint(255 * melt.truth[first : first + 3, 0, 0]))
        assert has_color(path, (red, green, blue), at_least=500)


def test_cells_without_data_turn_gray(melt: SimpleNamespace, tmp_path: Path) -> None:
    valid = np.ones(melt.molten.shape, dtype=bool)
    valid[:4, :8] = False
    assert not has_color(draw(melt, tmp_path / "all.png"), (196, 196, 196), at_least=1000)
    assert has_color(draw(melt, tmp_path / "some.png", valid=valid), (196, 196, 196), at_least=5000)


def test_wide_slices_are_stacked_and_others_set_side_by_side(melt: SimpleNamespace, tmp_path: Path) -> None:
    beside = Image.open(draw(melt, tmp_path / "a.png"))
    flat = Plane(spacing=(2e-6, 5e-6))
    stacked = Image.open(draw(melt, tmp_path / "b.png", plane=flat))
    assert beside.width > beside.height
    assert stacked.height > stacked.width
    assert stacked.width <= 8 * 300


def test_the_same_input_gives_the_same_bytes(melt: SimpleNamespace, tmp_path: Path) -> None:
    assert (
        draw(melt, tmp_path / "a.png", title="t").read_bytes() == draw(melt, tmp_path / "b.png", title="t").read_bytes()
    )


def test_a_slice_without_any_valid_cell_is_still_drawn(melt: SimpleNamespace, tmp_path: Path) -> None:
    nothing = np.zeros(melt.molten.shape, dtype=bool)
    assert draw(melt, tmp_path / "a.png", valid=nothing).is_file()
    field = melt.temperature
    assert temperature_panels(
        field, field, tmp_path / "b.png", plane=melt.plane, solidus=1663, liquidus=1723, valid=nothing
    ).is_file()


@pytest.mark.parametrize("turn", [False, True])
def test_temperature_panels_are_written_for_either_aspect(melt: SimpleNamespace, tmp_path: Path, turn: bool) -> None:
    field = melt.temperature[:, :12] if turn else melt.temperature
    path = temperature_panels(field, field + 10, tmp_path / "t.png", plane=melt.plane, solidus=1663, liquidus=1723)
    assert (Image.open(path).height < Image.open(path).width / 2) == turn


def test_error_maps_of_more_models_are_higher(melt: SimpleNamespace, tmp_path: Path) -> None:
    one = error_map(melt.truth, {"a": melt.prediction}, tmp_path / "1.png", plane=melt.plane)
    two = error_map(
        melt.truth, {"a": melt.prediction, "b": melt.truth}, tmp_path / "2.png", plane=melt.plane, molten=melt.molten
    )
    assert Image.open(two).height > 1.5 * Image.open(one).height


def test_gradient_of_a_ramp_is_its_slope_on_every_spacing() -> None:
    rows, columns = np.mgrid[:6, :7]
    field = np.stack([3.0 * rows * 2e-6 + 4.0 * columns * 5e-6, 0.0 * rows])
    assert mean_gradient(field, spacing=(2e-6, 5e-6)) == pytest.approx(2.5)  # (5 + 0) / 2


def test_gradient_is_unknown_beside_cells_without_data() -> None:
    valid = np.ones((5, 5), dtype=bool)
    valid[2, 2] = False
    unknown = np.isnan(mean_gradient(np.zeros((1, 5, 5)), spacing=(1.0, 1.0), valid=valid))
    assert unknown.sum() == 5
    assert unknown[2, 1:4].all()
    assert unknown[1:4, 2].all()


def test_gradient_maps_are_written(melt: SimpleNamespace, tmp_path: Path) -> None:
    valid = ~melt.molten
    path = gradient_maps(melt.truth, melt.prediction, tmp_path / "g.png", plane=melt.plane, valid=valid, title="run")
    assert has_color(path, (196, 196, 196))


def test_predicted_melt_is_where_all_channels_are_dark() -> None:
    prediction = np.zeros((9, 1, 3))
    prediction[7, 0, 1] = 0.9
    prediction[:, 0, 2] = 0.3
    assert predicted_melt(prediction).tolist() == [[True, False, True]]

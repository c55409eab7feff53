import numpy as np
import pytest
from PIL import Image

from lasernet.viz.tradeoff import error_against_time, spread, unbeaten


def test_unbeaten_points_are_those_that_no_other_beats_in_both() -> None:
    rng = np.random.default_rng(0)
    points = [(float(a), float(b)) for a, b in rng.integers(0, 12, (60, 2))]
    beaten = {p for p in points if any(q != p and q[0] <= p[0] and q[1] <= p[1] for q in points)}
    assert unbeaten(points) == sorted(set(points) - beaten)


def test_a_panel_for_each_quantity_and_an_error_of_zero_is_shown(tmp_path) -> None:
    points = {"networks": [("a", 0.1, 0.05), ("b", 0.5, 0.04)], "solver": [("fine", 2.0, 0.0), ("coarse", 0.3, 0.08)]}
    path = error_against_time({"colors": points, "temperature": points}, tmp_path / "t.png", unit="s per frame")
    with Image.open(path) as image:
        assert image.width > image.height > 500
        assert len(image.convert("RGB").getcolors(1 << 24)) > 20


def test_names_keep_their_order_and_a_gap_and_move_no_more_than_needed() -> None:
    assert spread([0.1, 0.5, 0.9], gap=0.05) == pytest.approx([0.1, 0.5, 0.9])
    assert spread([0.5, 0.5, 0.5], gap=0.1) == pytest.approx([0.4, 0.5, 0.6])
    moved = spread([0.1, 0.49, 0.5, 0.51, 0.52], gap=0.04)
    assert np.diff(moved).min() >= 0.04 - 1e-12
    assert moved[0] == pytest.approx(0.1)
    assert np.mean(moved[1:]) == pytest.approx(np.mean([0.49, 0.5, 0.51, 0.52]))
    assert spread([0.2, 0.95, 0.96], gap=0.1, top=1.0) == pytest.approx([0.2, 0.9, 1.0])

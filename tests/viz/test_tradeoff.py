import numpy as np
from PIL import Image

from lasernet.viz.tradeoff import error_against_time, unbeaten


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

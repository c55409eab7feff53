from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lasernet.errors import DataError
from lasernet.viz.set_statistics import PANELS, floor_band, set_statistics


def sets(seed: int = 0, *, curve: bool = False, whole: bool = False) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    if curve:
        return {key: np.exp(-np.arange(20) / 5) + 0.01 * rng.random(20) for key in ("generated", "real", "real_again")}
    found = {key: rng.normal(30, 4, 300) for key in ("generated", "real", "real_again")}
    return {key: np.rint(values) for key, values in found.items()} if whole else found


def test_every_known_statistic_is_drawn_in_one_figure(tmp_path: Path) -> None:
    given = {
        name: sets(n, curve=panel.kind == "curve", whole=n % 2 == 0) for n, (name, panel) in enumerate(PANELS.items())
    }
    path = set_statistics(given, tmp_path / "a.png", notes={"solidity": "KS 0.1"}, title="wgan")
    assert Image.open(path).width == 2160


def test_more_statistics_need_more_rows(tmp_path: Path) -> None:
    heights = [
        Image.open(set_statistics({f"s{n}": sets(n) for n in range(count)}, tmp_path / "a.png")).height
        for count in (1, 2, 4)
    ]
    assert heights[0] == heights[1] < heights[2]


ODD = {
    "constant": {"generated": np.ones(5), "real": np.ones(4)},
    "constant zeros": {"generated": np.zeros(5), "real": np.zeros(4), "real_again": np.zeros(3)},
    "one each": {"generated": np.array([0.5]), "real": np.array([0.25])},
    "far apart": {"generated": np.array([1e9, 2e9]), "real": np.array([-1.5, 0.0])},
}


@pytest.mark.parametrize("case", ODD)
def test_odd_samples_are_drawn(case: str, tmp_path: Path) -> None:
    assert set_statistics({case: ODD[case]}, tmp_path / "a.png").is_file()


def test_curves_have_their_own_places_or_count_from_zero(tmp_path: Path) -> None:
    curve = sets(curve=True)
    plain = set_statistics({"two_point": curve}, tmp_path / "a.png").read_bytes()
    assert set_statistics({"two_point": {**curve, "at": np.arange(20)}}, tmp_path / "b.png").read_bytes() == plain
    assert set_statistics({"two_point": {**curve, "at": 2 * np.arange(20)}}, tmp_path / "c.png").read_bytes() != plain


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"solidity": {"real": np.ones(3)}},
        {"solidity": {"real": np.ones(3), "generated": np.ones(0)}},
        {"solidity": {"real": np.ones(3), "generated": np.array([1.0, np.nan])}},
        {"solidity": {"real": np.ones(3), "generated": np.ones((2, 2))}},
        {"two_point": {"real": np.ones(3), "generated": np.ones(4)}},
    ],
)
def test_sets_that_cannot_be_compared_are_refused(wrong: dict[str, dict[str, np.ndarray]], tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected"):
        set_statistics(wrong, tmp_path / "a.png")
    assert list(tmp_path.iterdir()) == []


def test_the_band_holds_the_difference_it_comes_from_and_that_of_its_neighbors() -> None:
    difference = np.array([0.0, 0.0, 0.0, -3.0, 0.0, 1.0, 0.0, 0.0, 0.0])
    assert floor_band(difference).tolist() == [0, 3, 3, 3, 3, 3, 1, 1, 0]
    assert floor_band(np.array([2.0])).tolist() == [2.0]


def test_the_same_sets_give_the_same_bytes(tmp_path: Path) -> None:
    files = [set_statistics({"solidity": sets()}, tmp_path / name).read_bytes() for name in ("a.png", "b.png")]
    assert files[0] == files[1]

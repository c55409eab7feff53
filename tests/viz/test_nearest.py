from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lasernet.errors import DataError
from lasernet.viz.nearest import Pairs, nearest_pairs


def pairs(count: int, gray: int = 100) -> Pairs:
    images = np.full((count, 16, 16), gray, dtype=np.uint8)
    return Pairs(images, images + 50, np.linspace(0.1, 0.4, count))


def test_both_images_of_a_pair_are_shown_in_one_gray_scale(tmp_path: Path) -> None:
    page = np.asarray(Image.open(nearest_pairs({"generated": pairs(4)}, tmp_path / "a.png")).convert("L"))
    left, right = ((page == gray).sum() for gray in (100, 150))
    assert left > 4 * 150**2
    assert abs(int(left) - int(right)) < 0.02 * left


def test_rows_controls_and_distributions_need_room(tmp_path: Path) -> None:
    far = {"held out": np.linspace(0.3, 0.5, 50), "generated": np.linspace(0.2, 0.5, 50)}
    given = [{"generated": pairs(4)}, {"generated": pairs(5)}, {"generated": pairs(5), "control": pairs(3)}]
    heights = [Image.open(nearest_pairs(rows, tmp_path / "a.png")).height for rows in given]
    heights.append(Image.open(nearest_pairs(given[-1], tmp_path / "a.png", distances=far, title="copies?")).height)
    assert heights == sorted(set(heights))


def test_pairs_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    one = pairs(2)
    for wrong in (
        {},
        {"g": Pairs(one.images, one.nearest[:1], one.distances)},
        {"g": Pairs(one.images, one.nearest, one.distances[:1])},
        {"g": one, "c": Pairs(one.images[:, :8], one.nearest[:, :8], one.distances)},
    ):
        with pytest.raises(DataError, match="expected"):
            nearest_pairs(wrong, tmp_path / "a.png")
    with pytest.raises(DataError, match="finite"):
        nearest_pairs({"g": one}, tmp_path / "a.png", distances={"generated": np.array([np.nan])})
    assert list(tmp_path.iterdir()) == []


def test_the_same_pairs_give_the_same_bytes(tmp_path: Path) -> None:
    files = [nearest_pairs({"g": pairs(2)}, tmp_path / name).read_bytes() for name in ("a.png", "b.png")]
    assert files[0] == files[1]

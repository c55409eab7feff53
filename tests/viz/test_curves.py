from __future__ import annotations

import math
from pathlib import Path

import pytest
from PIL import Image

from lasernet.viz.curves import loss_curves


def rows(count: int, **more: object) -> list[dict[str, object]]:
    return [{"epoch": n, "train_loss": 1 / n, "val_loss": 1.1 / n, "lr": 1e-3, **more} for n in range(1, count + 1)]


ODD: dict[str, list[dict[str, object]]] = {
    "no row": [],
    "one epoch": rows(1),
    "no validation": [{"epoch": 1, "train_loss": 1.0}, {"epoch": 2, "train_loss": 0.5}],
    "no epoch": [{"train_loss": 1.0}, {"train_loss": 0.5}],
    "null and nan": [*rows(3), {"epoch": 4, "train_loss": None, "val_loss": math.nan, "lr": None}],
    "only nan": [{"epoch": 1, "train_loss": math.nan, "val_loss": None}],
    "negative": [{"epoch": n, "train_loss": -n, "val_loss": -n * 2.0} for n in (1, 2, 3)],
    "zero": [{"epoch": n, "train_loss": 0.0, "val_loss": 0.0, "lr": 0.0} for n in (1, 2)],
    "text": [{"epoch": 1, "train_loss": "inf", "val_loss": 0.5}],
}


@pytest.mark.parametrize("case", ODD)
@pytest.mark.parametrize("beside", [False, True])
def test_odd_rows_are_drawn(case: str, beside: bool, tmp_path: Path) -> None:
    runs = {case: ODD[case], **({"good": rows(5)} if beside else {})}
    assert Image.open(loss_curves(runs, tmp_path / "losses.png")).width == 2160


def test_sharpness_has_a_panel_only_where_it_was_recorded(tmp_path: Path) -> None:
    plain = loss_curves({"a": rows(4)}, tmp_path / "a.png").read_bytes()
    other = rows(4, train_gradient_prediction=0.05)
    assert loss_curves({"a": other}, tmp_path / "b.png").read_bytes() == plain
    both = rows(4, train_gradient_prediction=0.05, train_gradient_target=0.1)
    assert loss_curves({"a": both}, tmp_path / "c.png").read_bytes() != plain


def test_more_runs_need_more_room_for_their_names(tmp_path: Path) -> None:
    heights = [
        Image.open(loss_curves({str(n): rows(3) for n in range(count)}, tmp_path / "a.png")).height
        for count in (1, 2, 7)
    ]
    assert heights == sorted(set(heights))


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    files = [loss_curves({"a": rows(5), "b": rows(3)}, tmp_path / name).read_bytes() for name in ("a.png", "b.png")]
    assert files[0] == files[1]

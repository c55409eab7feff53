from __future__ import annotations

import math
from pathlib import Path

import pytest
from PIL import Image

from lasernet.viz.curves import loss_curves
from lasernet.viz.series import phases

Row = dict[str, object]


def rows(count: int, **more: object) -> list[Row]:
    return [
        {
            "epoch": n, "step": 10 * n, "lr": 1e-4 * (count - n), "train_critic_loss": 3.0 - n,
            "train_critic_penalty": 1 / n, "train_critic_wasserstein": n - 2.0, "train_generator_loss": 5.0 + n % 3,
            "val_loss": 2 / n, "val_chord_length": 2 / n, "val_boundary_fraction": 1 / n, "seconds": 1.0, **more,
        }
        for n in range(1, count + 1)
    ]  # fmt: skip


def size(runs: dict[str, list[Row]], path: Path) -> tuple[int, int]:
    width, height = Image.open(loss_curves(runs, path)).size
    return width, height


def without(name: str) -> list[Row]:
    return [{key: value for key, value in row.items() if key != name} for row in rows(6)]


def test_phases_are_told_by_their_losses() -> None:
    assert phases(rows(3)) == ["critic", "generator"]
    assert phases([{"train_loss": 1.0, "train_edge_loss": 0.5}]) == []
    assert phases([]) == []


@pytest.mark.parametrize("name", ["step", "lr", "train_critic_loss", "train_critic_wasserstein", "val_loss"])
def test_a_missing_column_leaves_the_others(name: str, tmp_path: Path) -> None:
    assert size({"wgan": without(name)}, tmp_path / "a.png")[0] == 2160


@pytest.mark.parametrize("value", [None, math.nan, "inf", 0.0, -1e9, 1e9])
def test_odd_values_are_drawn(value: object, tmp_path: Path) -> None:
    odd = rows(5)
    for number, name in enumerate(odd[0]):
        odd[number % 5][name] = value
    assert size({"wgan": odd}, tmp_path / "a.png")[0] == 2160


def test_one_epoch_and_runs_of_other_kinds_are_drawn(tmp_path: Path) -> None:
    plain: list[Row] = [{"epoch": n, "train_loss": 1 / n, "val_loss": 1.2 / n, "lr": 1e-3} for n in (1, 2, 3)]
    assert size({"wgan": rows(1)}, tmp_path / "a.png")[0] == 2160
    assert size({"wgan": rows(4), "predrnn": plain, "empty": []}, tmp_path / "b.png")[0] == 2160


def test_columns_of_a_kind_share_a_panel_of_one_run(tmp_path: Path) -> None:
    plain = size({"wgan": rows(4)}, tmp_path / "a.png")
    assert size({"wgan": rows(4, val_two_point=0.1)}, tmp_path / "b.png") == plain
    assert size({"wgan": rows(4, train_critic_drift=0.1)}, tmp_path / "c.png")[1] > plain[1]


def test_a_validation_loss_that_repeats_a_metric_is_drawn_once(tmp_path: Path) -> None:
    repeated = loss_curves({"wgan": rows(4)}, tmp_path / "a.png").read_bytes()
    lone = [{**row, "val_loss": 7.0 / (n + 1)} for n, row in enumerate(rows(4))]
    assert loss_curves({"wgan": lone}, tmp_path / "b.png").read_bytes() != repeated


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    files = [loss_curves({"a": rows(5), "b": rows(3)}, tmp_path / name).read_bytes() for name in ("a.png", "b.png")]
    assert files[0] == files[1]

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lasernet.errors import DataError
from lasernet.viz.activations import activation_figure, activation_histograms, channel_histograms


def test_every_layer_has_its_rows(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    layers = {f"layer{n}": rng.random((6 * n, 12, 24 // n)) for n in (1, 2, 3)}
    heights = [
        Image.open(activation_figure(dict(list(layers.items())[:count]), tmp_path / "a.png")).height
        for count in (1, 2, 3)
    ]
    assert heights == sorted(set(heights))


def test_dead_constant_and_single_channels_are_drawn(tmp_path: Path) -> None:
    layers = {"dead": np.zeros((4, 5, 5)), "one": np.ones((1, 5, 5)), "signed": np.array([[[-1.0, 2.0]]])}
    assert activation_figure(layers, tmp_path / "a.png", title="run").is_file()


@pytest.mark.parametrize("layers", [{}, {"flat": np.zeros((3, 4))}, {"empty": np.zeros((0, 4, 4))}])
def test_layers_of_other_shapes_are_refused(layers: dict[str, np.ndarray], tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected"):
        activation_figure(layers, tmp_path / "a.png")
    with pytest.raises(DataError, match="expected"):
        activation_histograms(layers, tmp_path / "a.png")
    assert list(tmp_path.iterdir()) == []


def test_cells_that_are_not_valid_do_not_count(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    truth, valid = rng.random((2, 3, 4, 5)), np.ones((2, 4, 5), dtype=bool)
    valid[:, 0] = False
    spoiled = truth.copy()
    spoiled[:, :, 0] = 100.0
    names = ["a", "b", "c"]
    files = [
        channel_histograms(field, truth, tmp_path / f"{n}.png", names=names, valid=valid).read_bytes()
        for n, field in enumerate((truth, spoiled))
    ]
    assert files[0] == files[1]
    assert channel_histograms(spoiled, truth, tmp_path / "all.png", names=names).read_bytes() != files[0]


def test_channels_without_names_are_refused(tmp_path: Path) -> None:
    field = np.zeros((3, 4, 5))
    with pytest.raises(DataError, match="2 channel names"):
        channel_histograms(field, field, tmp_path / "a.png", names=["a", "b"])


def test_histograms_of_layers_are_written(tmp_path: Path) -> None:
    assert activation_histograms({"a": np.eye(3)[None], "b": np.full((1, 2, 2), np.nan)}, tmp_path / "a.png").is_file()

"""Grains of predicted frames in the results of an evaluation."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

import lasernet.tasks.frame_microstructure as frame_microstructure
from lasernet.data.sequences import FrameData
from lasernet.tasks.frame_microstructure import GrainContext, GrainJudge
from lasernet.tasks.frames import judge


def oracle(batch: dict[str, torch.Tensor]) -> torch.Tensor:
    return batch["target"]


def nothing(batch: dict[str, torch.Tensor]) -> torch.Tensor:
    return torch.zeros_like(batch["target"])


def running(answer: Any) -> Any:
    """Run and model at once, without chances of freezing."""
    return SimpleNamespace(predict=answer, chance=None, model=SimpleNamespace(chance=None))


@pytest.fixture(scope="module", params=["xz", "xy", "yz"])
def data(request: pytest.FixtureRequest, track: Path) -> FrameData:
    return FrameData([track], "microstructure", (), plane=request.param, split_ratio="4,1,3", seq_length=2)


def test_the_truth_is_perfect_and_nothing_is_worthless(data: FrameData) -> None:
    found = judge("ipf", running(oracle), {"nothing": running(nothing)}, data, "test").report()["grains"]
    best, worst = found["metrics"], found["baselines"]["nothing"]
    assert best["items"] == worst["items"] == len(data.split("test"))
    for region in ("all", "active"):
        assert best[region]["matched"] == best[region]["adjusted_rand"] == best[region]["f1_0"] == 1
        assert worst[region]["matched"] == 0
        assert worst[region]["f1_2"] == 0
    # Grains are cut out by colors; where two ids never look alike, they are the grains of the ids.
    assert best["all"]["ids_f1_0"] == pytest.approx(1, abs=0.05)
    assert best["orientations"]["cells"] == 0  # the key of this file is unknown
    assert "unknown" in best["orientations"]["reason"]


def test_sharpness_stands_beside_the_baselines(data: FrameData) -> None:
    found = judge("ipf", running(oracle), {"nothing": running(nothing)}, data, "test").report()["sharpness"]
    for region in ("all", "active"):
        best, flat = found["metrics"][region], found["baselines"]["nothing"][region]
        assert (best["gradient_ratio"], best["band_ratio"]) == (1, 1)
        assert best["coherence"] == pytest.approx(1)
        assert (flat["gradient_ratio"], flat["band_ratio"], flat["coherence"]) == (0, 0, None)
        assert best["pairs"] == flat["pairs"] > 0


def test_the_palette_is_that_of_the_whole_volume_of_the_last_known_frame(data: FrameData) -> None:
    split = data.split("test")
    context = GrainContext(split)
    known = context.of(split.fetch([0, len(split) - 1]))
    for row, palette in zip((0, len(split) - 1), known.palettes, strict=True):
        _, ipf, molten, valid = data.tracks[0].frame(int(split.items[row]["frame"]) - 1)
        colors = np.unique(ipf[:, valid & ~molten].T, axis=0) / 255
        assert {tuple(np.round(color, 6)) for color in palette} == {tuple(np.round(color, 6)) for color in colors}


def test_ids_are_those_of_the_slice(data: FrameData) -> None:
    split = data.split("test")
    batch = split.fetch(range(len(split)))
    ids = GrainContext(split).of(batch).fields["target_grain_id"]
    assert ids.shape == batch["target_molten"].shape
    assert ((ids == 0) == batch["target_molten"]).all()


def test_of_many_items_some_are_judged_whatever_the_batches(data: FrameData, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frame_microstructure, "MOST_ITEMS", 5)
    split = data.split("test")
    context = GrainContext(split)
    results = []
    for size in (1, 4, len(split)):
        one = GrainJudge(context)
        for start in range(0, len(split), size):
            batch = split.fetch(range(start, min(start + size, len(split))))
            one.update(batch["ipf"][:, -1], batch)
        results.append(one.compute())
    assert results[0] == results[1] == results[2]
    assert results[0]["items"] == 5

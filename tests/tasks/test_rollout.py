"""Rollouts: what is fed back, what is given, and which targets count."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from lasernet.data.sequences import FrameData, FrameSplit
from lasernet.errors import OptionError
from lasernet.physics.nearest import advect
from lasernet.tasks.frames import judge
from lasernet.tasks.rollout import RolledTrack, find_starts, longest_horizon, next_frame, roll, roll_out

FIELDS = {"microstructure": "ipf", "temperature": "temperature"}


class Last:
    """Persistence, which remembers what it was shown."""

    chance = None  # of freezing

    def __init__(self, field: str, inputs: tuple[str, ...] = (), change: float = 0.0) -> None:
        self.field, self.inputs, self.change, self.seen = field, inputs, change, []

    def predict(self, batch: dict[str, Tensor]) -> Tensor:
        self.seen.append(batch)
        return batch[self.field][:, -1] + self.change


class Moved(Last):
    def predict(self, batch: dict[str, Tensor]) -> Tensor:
        return batch[self.inputs[0]]


def running(model: Any) -> Any:
    return SimpleNamespace(model=model, predict=model.predict, asked={})


def opened(track: Path, task: str, plane: str = "xz") -> FrameData:
    return FrameData([track], task, (), plane=plane, split_ratio="4,1,3", seq_length=2)


def true_volume(split: FrameSplit, frame: int, field: str) -> np.ndarray:
    temperature, ipf, _, _ = split.data.tracks[0].frame(frame)
    return temperature[None] if field == "temperature" else ipf.astype(np.float32) / 255


@pytest.mark.parametrize("task", FIELDS)
@pytest.mark.parametrize("plane", ["xz", "xy", "yz"])
def test_persistence_is_as_wrong_as_the_frames_lie_apart(track: Path, task: str, plane: str) -> None:
    split = opened(track, task, plane).split("test")
    field = FIELDS[task]
    found = roll_out(field, running(Last(field)), {"again": Last(field)}, split, 2)
    assert found.starts == 2
    for ahead, step in enumerate(found.report()["steps"].values(), start=1):
        apart = [
            np.square(true_volume(split, first - 1, field) - true_volume(split, first - 1 + ahead, field)).mean()
            for first in (5, 6)
        ]
        assert step["metrics"]["all"]["mse"] == pytest.approx(np.mean(apart), rel=1e-5)
        assert step["baselines"]["again"] == step["metrics"]
        assert step["skill"]["again"]["all"]["mse"] == 0


@pytest.mark.parametrize("task", FIELDS)
def test_one_frame_ahead_is_the_ordinary_evaluation(track: Path, task: str) -> None:
    data, model = opened(track, task), Last(FIELDS[task])
    scores = judge(FIELDS[task], running(model), {}, data, "test", rollout=1, t_solidus=900.0, t_liquidus=1600.0)
    report = scores.report()
    assert report["rollout"]["steps"]["1"]["metrics"] == report["metrics"]
    assert report["rollout"]["starts"] == 3


def test_baselines_move_the_last_known_frame_in_one_step(track: Path) -> None:
    split = opened(track, "temperature").split("test")
    moved = Moved("temperature", ("advected_temperature",))
    steps = roll_out("temperature", running(Last("temperature")), {"moved": moved}, split, 3).report()["steps"]
    source, shift = true_volume(split, 4, "temperature")[0], 2.0  # cells per frame
    for ahead, step in enumerate(steps.values(), start=1):
        expected = advect(source, [ahead * shift, 0, 0])
        error = np.square(expected - true_volume(split, 4 + ahead, "temperature")[0]).mean()
        assert step["baselines"]["moved"]["all"]["mse"] == pytest.approx(error, rel=1e-4)


def test_a_temperature_is_fed_back_and_the_future_hidden(track: Path) -> None:
    split = opened(track, "temperature").split("test")
    model = Last("temperature", ("advected_temperature", "temperature_drift"), change=7.0)
    list(roll(model, "temperature", split, 0, 5, 3, straight=False, device="cpu"))
    assert not {"target", "target_molten", "future_temperature"} & set(model.seen[0])
    first, second, third = model.seen
    last = first["temperature"][:, -1]
    torch.testing.assert_close(second["temperature"][:, -1], last + 7)
    torch.testing.assert_close(third["temperature"], torch.stack([last + 7, last + 14], 1))
    track_of = split.data.tracks[0]
    truth = track_of.frame(4)[0]
    moved = advect(truth + np.float32(7), [2.0, 0, 0])
    expected = torch.from_numpy(np.stack([moved[:, y].T for y in range(6)]))[:, None]
    torch.testing.assert_close(second["advected_temperature"], expected, rtol=1e-5, atol=1e-2)
    drift = truth + 7 - advect(truth, [2.0, 0, 0])
    torch.testing.assert_close(
        second["temperature_drift"],
        torch.from_numpy(np.stack([drift[:, y].T for y in range(6)]))[:, None], rtol=1e-5, atol=1e-2,
    )  # fmt: skip


def test_colors_are_fed_back_and_the_true_temperature_given(track: Path) -> None:
    split = opened(track, "microstructure").split("test")
    model = Last("ipf")
    found = roll_out("ipf", running(model), {}, split, 2)
    assert found.temperature == "true"
    model.seen.clear()
    list(roll(model, "ipf", split, 0, 5, 2, straight=False, device="cpu"))
    first, second = model.seen
    truth = split.fetch([row for row in range(len(split)) if split.items["frame"][row] == 6])
    assert torch.equal(second["future_temperature"], truth["future_temperature"])
    assert torch.equal(second["temperature"], truth["temperature"])
    assert torch.equal(second["ipf"][:, -1], first["ipf"][:, -1])
    assert not torch.equal(second["ipf"], truth["ipf"])


def test_a_model_that_predicts_both_gets_both_back(track: Path) -> None:
    split = opened(track, "microstructure").split("test")
    model = Last("ipf")
    model.forecast = lambda batch: {  # type: ignore[attr-defined]
        "ipf": model.predict(batch), "temperature": batch["temperature"][:, -1] + 50
    }  # fmt: skip
    assert roll_out("ipf", running(model), {}, split, 2).report()["temperature"] == "predicted"
    model.seen.clear()
    list(roll(model, "ipf", split, 0, 5, 2, straight=False, device="cpu"))
    torch.testing.assert_close(model.seen[1]["temperature"][:, -1], model.seen[0]["temperature"][:, -1] + 50)


@pytest.mark.parametrize("share", [1.0, 0.8])
def test_true_colors_give_back_the_true_frame(track: Path, share: float) -> None:
    """Also when they are paler, as colors times a high chance of being solid are."""
    split = opened(track, "microstructure").split("test")
    rolled = RolledTrack(split.data.tracks[0], 4, straight=False)
    temperature, ipf, molten, valid = split.data.tracks[0].frame(5)
    found = next_frame(rolled, 5, ipf=share * ipf.astype(np.float32) / 255)
    np.testing.assert_array_equal(found[0], temperature)
    np.testing.assert_allclose(found[1], share * ipf, atol=0.51)
    np.testing.assert_array_equal(found[2], molten)
    np.testing.assert_array_equal(found[3], valid)


def test_without_colors_liquidus_tells_what_is_molten(track: Path) -> None:
    split = opened(track, "temperature").split("test")
    rolled = RolledTrack(split.data.tracks[0], 4, straight=False)
    kelvin = np.full((1, 16, 6, 10), 1000.0, dtype=np.float32)
    kelvin[0, :3] = 1723.0
    temperature, ipf, molten, _ = next_frame(rolled, 5, temperature=kelvin)
    np.testing.assert_array_equal(temperature, kelvin[0])
    assert molten[:3].all()
    assert not molten[3:].any()
    assert not ipf[:, :3].any()
    np.testing.assert_array_equal(ipf[:, 3:], split.data.tracks[0].frame(4)[1][:, 3:])


def test_only_targets_of_the_split_count(track: Path) -> None:
    split = opened(track, "temperature").split("test")
    assert longest_horizon(split) == 3
    assert find_starts(split, 2) == [(0, 5), (0, 6)]
    report = roll_out("temperature", running(Last("temperature")), {}, split, 3).report()
    assert [step["items"] for step in report["steps"].values()] == [6, 6, 6]
    gap = FrameSplit(split.data, split.items[split.items["frame"] != 6])
    assert longest_horizon(gap) == 1
    for horizon in (0, -1, 4):
        with pytest.raises(OptionError, match="expected 1 to 3"):
            find_starts(split, horizon)


def test_a_rollout_changes_nothing_in_the_data(track: Path) -> None:
    data = opened(track, "temperature")
    split = data.split("test")
    before = split.fetch(range(len(split)))
    roll_out("temperature", running(Last("temperature", change=100.0)), {}, split, 3)
    after = split.fetch(range(len(split)))
    assert all(torch.equal(before[name], after[name]) for name in before)

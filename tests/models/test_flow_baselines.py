"""Baselines of flow prediction: what each of them is by definition."""

from pathlib import Path

import pytest
import torch

from lasernet.data.flows import FlowData
from lasernet.engine.loaded import build_model, new_baselines
from lasernet.errors import OptionError, RunError
from lasernet.nn.stencils import places
from lasernet.tasks.base import get_task


def opened(flows: Path, **options: object) -> FlowData:
    return FlowData([flows], inputs=("distance",), split_ratio="4,1,1", **options)  # type: ignore[arg-type]


def test_a_lift_is_the_flow_of_every_slice_by_itself(flows: Path) -> None:
    batch = opened(flows).split("test").fetch([0])
    assert torch.equal(build_model("lift-zero", {}, task="flow").predict(batch), batch["velocity_2d"])
    assert torch.equal(build_model("lift-zero", {}, task="flow-pressure").predict(batch), batch["pressure_2d"])


def test_channel_flow_carries_what_its_line_says_and_rests_on_walls(flows: Path) -> None:
    data = opened(flows)
    model = build_model("channel-flow", {}, task="flow")
    batch = data.split("train").fetch([0, 1])
    with pytest.raises(RunError, match="never fitted"):
        model.predict(batch)
    model.fit([batch])
    answer = model.predict(batch)
    assert not answer[:, 1:].any()
    assert not answer[:, 0][~batch["mask"][:, 0]].any()
    mean, truth = answer[:, 0].mean((1, 2, 3)), batch["velocity"][:, 0].mean((1, 2, 3))
    assert mean.log().sum().item() == pytest.approx(truth.log().sum().item(), abs=0.02)  # of one porosity: the mean
    twice = model.predict({**batch, "viscosity": batch["viscosity"] / 2})
    torch.testing.assert_close(twice, 2 * answer)


def test_a_solver_stopped_early_is_at_rest_on_walls_and_left_alone_it_arrives(flows: Path) -> None:
    for options in ({}, {"items": "slices"}):
        batch = opened(flows, **options).split("test").fetch([0, 1])
        errors = []
        for iterations in (2, 6, 200):
            answer = build_model("truncated-solver", {"iterations": iterations}, task="flow").predict(batch)
            assert not answer[~places(batch["mask"], batch["faces"])].any()
            errors.append(float((answer - batch["velocity"]).norm() / batch["velocity"].norm()))
        assert errors[2] < 5e-3 < errors[1]
    with pytest.raises(OptionError, match="velocities on faces"):
        build_model("truncated-solver", {}, task="flow").predict({**batch, "faces": ~batch["faces"]})
    with pytest.raises(OptionError, match="--iterations -1"):
        build_model("truncated-solver", {"iterations": -1}, task="flow")


def test_a_baseline_that_shows_the_answer_is_left_out(flows: Path) -> None:
    task = get_task("flow")
    whole, slices = (new_baselines(task, opened(flows, items=items).spec) for items in ("volumes", "slices"))
    assert "lift-zero" in whole
    assert list(slices) == ["channel-flow"]

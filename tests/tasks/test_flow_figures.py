"""Figures of small flows, drawn for a stand-in that answers half truth, half something else."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from lasernet.data.base import Batch
from lasernet.data.flow_file import create_flow_file
from lasernet.data.flows import FlowData
from lasernet.errors import OptionError
from lasernet.physics.flow import at_centers
from lasernet.simulate.fiber_flow import FiberFlows
from lasernet.tasks.flow_figures import (
    BLOCKS_ONLY,
    FIGURES,
    PRESSURE_ONLY,
    SHOWN,
    SHOWN_PRESSURE,
    VELOCITY_ONLY,
    choose,
)
from lasernet.tasks.flow_scene import scene


class StandIn:
    """Answers the truth, times a factor."""

    run = SimpleNamespace(model_name="stand-in")
    mark = ""

    def __init__(self, factor: float = 0.9) -> None:
        self.factor = factor
        self.model: Any = self
        self.asked: dict[str, float | bool] = {}

    def predict(self, batch: Batch) -> Tensor:
        return self.factor * batch["target"]

    def baselines(self) -> dict[str, Any]:
        return {"lift-zero": StandIn(0.5), "another": None}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two files of 6 flows of 3 slices, with velocities on faces and in centers."""
    flows = FiberFlows(cells=(16, 16, 3), size=20e-6, fraction=(0.2, 0.3))
    folder = tmp_path_factory.mktemp("flows")
    found = [flows.simulate(index, seed=1) for index in range(6)]
    for location in ("faces", "centers"):
        with create_flow_file(folder / f"{location}.h5") as out:
            for index, one in enumerate(found):
                fields: dict[str, Any] = {"velocity": one.velocity, "velocity_2d": one.velocity_2d}
                if location == "centers":
                    fields = {name: at_centers(values) for name, values in fields.items()}
                fields |= {"mask": one.fluid, "pressure": one.pressure, "pressure_2d": one.pressure_2d}
                gradient = (0.0, flows.gradient, 0.0) if one.axis else (flows.gradient, 0.0, 0.0)
                out.add_case(
                    f"flow-{index}", fields, spacing=one.spacing, viscosity=flows.viscosity, gradient=gradient,
                    location=location, permeability=one.permeability, permeability_error=one.error,
                    group=flows.group_of(index, seed=1), provenance={},
                )  # fmt: skip
    return folder


def fits(name: str, task: str, items: str) -> bool:
    """Whether there is such a figure of a task and a kind of items."""
    other = PRESSURE_ONLY if task == "flow" else VELOCITY_ONLY
    return name not in other and not (items == "slices" and name in BLOCKS_ONLY)


@pytest.mark.parametrize(
    ("task", "items", "location"),
    [("flow", "volumes", "faces"), ("flow", "slices", "centers"), ("flow-pressure", "volumes", "centers")],
)
def test_every_figure_is_drawn_or_refused_in_one_line(
    folder: Path, tmp_path: Path, task: str, items: Any, location: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rendered = (task, items) == ("flow", "volumes")  # which takes most of the time
    if not rendered:
        monkeypatch.setattr(Figure, "savefig", lambda self, path, **rest: path.write_bytes(b"drawn"))
    data = FlowData([folder / f"{location}.h5"], task, items=items)
    split = data.split("all")
    rows = choose(split, item=None, position=None, timestep=None, n=1)
    for name, draw in FIGURES.items():
        if not fits(name, task, items):
            with pytest.raises(OptionError, match=f"--what {name}") as refused:
                draw(StandIn(), split, rows, tmp_path)
            assert "\n" not in str(refused.value)
            continue
        (path,) = draw(StandIn(), split, rows, tmp_path)
        assert path.name.startswith(name)
        if rendered:
            with Image.open(path) as image:
                assert image.width > 2000


def test_what_is_shown_without_being_asked_for_can_be_drawn() -> None:
    assert all(fits(name, "flow", "slices") and name in FIGURES for name in SHOWN[1:])
    assert all(fits(name, "flow-pressure", "slices") and name in FIGURES for name in SHOWN_PRESSURE[1:])


def test_a_scene_shows_the_slice_that_the_fluid_leaves_most_and_tells_the_errors(folder: Path) -> None:
    split = FlowData([folder / "faces.h5"]).split("all")
    row = next(row for row in range(len(split)) if split.data.shelves[int(split.items["case"][row])].turned)
    one = scene(StandIn(0.9), split, row)
    lifts = np.square(np.where(one.fluid, one.truth[2], 0)).sum(axis=(1, 2))
    assert one.position == int(lifts.argmax())
    assert "turned" in one.title
    assert f"slice {one.position}" in one.title
    assert "$v_x$ 10 %, $v_y$ 10 %, $v_z$ 10 %; permeability −10 % (truth by its grid ±" in one.scores
    assert one.lift(one.prediction) == pytest.approx(0.9 * one.lift(one.truth))
    flux = one.through[0]
    assert np.ptp(flux) < 1e-3 * flux.mean()
    assert one.truth == pytest.approx(at_centers(split.fetch([row])["velocity"][0].double().numpy()))


def test_permeabilities_of_all_items_are_measured_whatever_is_chosen(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: dict[str, Any] = {}

    def keep(truth: np.ndarray, answers: dict[str, np.ndarray], path: Path, **rest: Any) -> Path:
        found.update(rest, truth=truth, answers=answers)
        return path

    monkeypatch.setattr("lasernet.viz.flow_permeability.permeability_parity", keep)
    split = FlowData([folder / "faces.h5"]).split("all")
    FIGURES["permeability"](StandIn(0.9), split, [0], tmp_path)
    known = torch.stack([split.fetch([row])["permeability"][0, 0] for row in range(len(split))]).numpy()
    assert found["truth"] == pytest.approx(known, rel=1e-4)
    assert list(found["answers"]) == ["stand-in", "lift-zero"]
    assert found["answers"]["stand-in"] == pytest.approx(0.9 * known, rel=1e-4)
    assert np.isfinite(found["truth_error"]).all()


def test_blocks_come_in_order_and_slices_from_the_middle(folder: Path) -> None:
    blocks = FlowData([folder / "faces.h5"]).split("all")
    none: dict[str, Any] = {"item": None, "position": None, "timestep": None}
    assert choose(blocks, **none, n=3) == [0, 1, 2]
    slices = FlowData([folder / "faces.h5"], items="slices").split("all")
    assert slices.items["slice"][choose(slices, **none, n=6)].tolist() == [1] * 6
    last = choose(slices, item=None, position=2, timestep=None, n=2)
    assert slices.items["slice"][last].tolist() == [2, 2]
    assert slices.items["case"][last].tolist() == [0, 1]
    assert choose(slices, item=7, position=None, timestep=None, n=1) == [7]


@pytest.mark.parametrize(
    ("items", "asked", "problem"),
    [("volumes", {"timestep": 3}, "--timestep 3"), ("volumes", {"position": 1}, "--slice 1: the items are whole"),
     ("volumes", {"item": 6}, "items 0 to 5"), ("volumes", {"n": 0}, "--n 0"),
     ("slices", {"position": 3}, "slices 0 to 2"), ("slices", {"position": 1, "item": 0}, "one of them")],
)  # fmt: skip
def test_what_cannot_be_chosen_is_refused(folder: Path, items: Any, asked: dict[str, int], problem: str) -> None:
    split = FlowData([folder / "faces.h5"], items=items).split("all")
    options: dict[str, Any] = {"item": None, "position": None, "timestep": None, "n": 1} | asked
    with pytest.raises(OptionError, match=problem):
        choose(split, **options)

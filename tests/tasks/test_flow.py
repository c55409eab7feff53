"""A run of the flow tasks from training to files: errors, tensors, projections, samples that are data again, VTI."""

import json
from pathlib import Path

import numpy as np
import pytest

from lasernet import evaluate, sample, train
from lasernet.data.flow_file import open_flow_file
from lasernet.data.verify import verify_file
from lasernet.engine.visualize import visualize
from lasernet.errors import OptionError


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, flows: Path) -> Path:
    """A network that has hardly learned anything, without a projection of its own."""
    return train(
        "flow-unet3d", data=flows, out=tmp_path_factory.mktemp("flow") / "run", epochs=1, channels=(4, 6),
        project=False, batch_size=2, split_ratio="1,1,1", threads=1,
    )  # fmt: skip


def test_results_hold_every_group_and_the_baselines_that_the_data_allow(run: Path) -> None:
    found = json.loads((run / "test_results.json").read_text())
    assert found["task"] == "flow"
    assert list(found["metrics"]) == ["all", "x", "y", "z", "permeability", "conservation", "likeness"]
    assert list(found["baselines"]) == ["channel-flow", "lift-zero", "truncated-solver-3", "truncated-solver-6"]
    lift = found["baselines"]["lift-zero"]
    assert lift["z"]["nmse"] == lift["z"]["nmae"] == pytest.approx(1)
    assert lift["permeability"]["tensor_error"] is not None
    assert found["skill"]["lift-zero"]["z"]["mse"] == pytest.approx(1 - found["metrics"]["z"]["nmse"])
    assert found["intervals"] == {"unit": "geometry", "count": 1, "scope": "geometries like these", "resamples": 2000}
    assert found["items"] == 2


def test_a_projection_makes_a_flow_of_every_answer(run: Path) -> None:
    plain, projected = evaluate(run), evaluate(run, project=True)
    assert projected["asked"] == {"project": True}
    assert plain["metrics"]["conservation"]["divergence"] > 1e-3
    for name in ("divergence", "largest_leak", "slip", "flux_spread"):
        assert projected["metrics"]["conservation"][name] < 1e-6
    assert projected["metrics"]["all"]["nmse"] < 1.001 * plain["metrics"]["all"]["nmse"]
    assert projected["baselines"] == plain["baselines"]


def test_predictions_are_data_again(run: Path, tmp_path: Path) -> None:
    path = sample(run, n=2, project=True, out=tmp_path / "predicted.h5")
    assert all(check["ok"] for check in verify_file(path))
    with open_flow_file(path) as file:
        cases = list(file.cases.values())
        assert {case.axis for case in cases} == {0, 1}
        assert cases[0].provenance["predicted_by"] == "flow-unet3d"
        truth = cases[0].read("velocity_2d")
        assert np.abs(cases[0].read("velocity") - truth).max() < 2 * np.abs(truth).max()
    again = evaluate(run, data=path, split="all")
    assert again["metrics"]["all"]["nmse"] < 1e-1


def test_a_volume_for_paraview_is_read_back_by_its_own_library(run: Path, tmp_path: Path) -> None:
    vtk = pytest.importorskip("vtk")
    path = sample(run, item=1, out=tmp_path / "flow.vti")
    reader = vtk.vtkXMLImageDataReader()
    reader.SetFileName(str(path))
    reader.Update()
    image = reader.GetOutput()
    assert image.GetDimensions() == (16, 16, 3)
    points = image.GetPointData()
    assert {points.GetArrayName(i) for i in range(points.GetNumberOfArrays())} == {
        "prediction", "truth", "error", "fluid",
    }  # fmt: skip
    assert points.GetArray("truth").GetNumberOfComponents() == 3


@pytest.mark.parametrize("form", ["png", "vti"])
def test_every_figure_that_applies_is_drawn(run: Path, form: str) -> None:
    written = visualize([run], what=["all"] if form == "png" else [], form=form)
    assert written
    assert all(path.stat().st_size > 500 for path in written)


@pytest.mark.parametrize("task", ["flow", "flow-pressure"])
def test_a_network_for_slices_answers_both_tasks(task: str, flows: Path, tmp_path: Path) -> None:
    path = train(
        "unet", task=task, data=flows, out=tmp_path / task, epochs=1, features=(4, 8), split_ratio="1,1,1", threads=1
    )
    found = json.loads((path / "test_results.json").read_text())
    assert found["items"] == 6
    assert set(found["baselines"]) == {"channel-flow" if task == "flow" else "no-pressure"}
    assert found["metrics"]["all"]["nmse"] is not None
    predicted = sample(path, n=3, project=True if task == "flow" else None)
    assert all(check["ok"] for check in verify_file(predicted))


def test_what_has_no_meaning_is_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="'unsharp'"):
        evaluate(run, unsharp=0.5)
    with pytest.raises(OptionError, match="--seed 1"):
        sample(run, seed=1)
    with pytest.raises(OptionError, match=r"\.h5 or \.vti"):
        sample(run, out=tmp_path / "flow.png")
    with pytest.raises(OptionError, match="items 0 to 1"):
        sample(run, item=2)

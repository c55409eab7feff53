import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import toy_models  # noqa: F401  (registers toy-conv)
from conftest import write_track

from lasernet import evaluate, load_run, open_dataset, sample, train
from lasernet.data.layout import open_file
from lasernet.engine.evaluate import check_gate, evaluate_many
from lasernet.engine.visualize import visualize
from lasernet.errors import CheckFailed, OptionError
from lasernet.run import Run
from lasernet.tasks.base import get_task

SMALL = {"split_ratio": "4,2,2", "seq_length": 2, "batch_size": 5, "threads": 1}
BASELINES = {
    "persistence", "advected-persistence", "mean-color", "nearest-solid", "nearest-solid-3d", "calibrated-front",
    "calibrated-front-3d",
}  # fmt: skip


@pytest.fixture(scope="module")
def run(track: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train("toy-conv", data=track, out=tmp_path_factory.mktemp("runs") / "run", epochs=3, **SMALL)


@pytest.fixture(scope="module")
def result(run: Path) -> dict[str, Any]:
    return evaluate(run)


@pytest.fixture(scope="module")
def result_of_all(run: Path) -> dict[str, Any]:
    return evaluate(run, split="all")


def test_the_result_has_the_shape_of_the_contract(run: Path, result: dict[str, Any]) -> None:
    assert result == json.loads((run / "test_results.json").read_text()) | {"run": result["run"]}
    assert set(result["baselines"]) == set(result["skill"]) == BASELINES
    assert set(result["metrics"]) == {"all", "active", "front", "newly_solid"}
    assert {"mse", "mae", "nmse", "ssim", "cells"} <= set(result["metrics"]["all"])
    assert {"parameters", "train_seconds", "peak_memory_bytes"} <= set(result["cost"])
    assert result["items"] == 12


def test_all_is_pooled_and_shows_each_split_beside_the_others(
    result: dict[str, Any], result_of_all: dict[str, Any]
) -> None:
    whole = result_of_all
    parts = whole["splits"]
    assert whole["items"] == sum(part["items"] for part in parts.values())
    cells = {name: part["metrics"]["all"]["cells"] for name, part in parts.items()}
    pooled = sum(part["metrics"]["all"]["mse"] * cells[name] for name, part in parts.items()) / sum(cells.values())
    assert whole["metrics"]["all"]["mse"] == pytest.approx(pooled, rel=1e-9)
    assert parts["test"]["metrics"] == result["metrics"]


def test_without_baselines_the_run_is_judged_alike(run: Path, result: dict[str, Any]) -> None:
    alone = evaluate(run, baselines=False)
    assert alone["baselines"] == alone["skill"] == {}
    assert alone["metrics"] == result["metrics"]
    assert alone["sharpness"]["metrics"] == result["sharpness"]["metrics"]


def test_a_run_may_be_judged_on_validation_items_alone(run: Path, track: Path, tmp_path: Path) -> None:
    path = train("toy-conv", data=track, out=tmp_path / "run", epochs=3, judge_on="val", baselines=False, **SMALL)
    found = json.loads((path / "val_results.json").read_text())
    assert not (path / "test_results.json").exists()
    assert Run(path).finished
    assert found["split"] == "val"
    assert found["baselines"] == {}
    assert found["metrics"] == evaluate(run, split="val")["metrics"]  # the same weights
    assert evaluate(path)["baselines"].keys() == BASELINES
    whole = {**SMALL, "split_ratio": "6,0,2"}
    with pytest.raises(OptionError, match="no validation items"):
        train("toy-conv", data=track, out=tmp_path / "none", epochs=1, judge_on="val", **whole)
    assert not (tmp_path / "none").exists()


def test_other_data_have_no_parts_that_the_run_has_seen(
    run: Path, result_of_all: dict[str, Any], tmp_path: Path
) -> None:
    other = evaluate(run, data=write_track(tmp_path / "other.h5", seed=1), split="all")
    assert "splits" not in other
    assert other["items"] == sum(part["items"] for part in result_of_all["splits"].values())


def test_a_baseline_as_a_run_equals_the_baseline_in_the_table(
    result: dict[str, Any], track: Path, tmp_path: Path
) -> None:
    table = result["baselines"]
    for name in ("persistence", "mean-color", "nearest-solid", "calibrated-front"):
        made = train(name, data=track, out=tmp_path / name, **SMALL)
        own = json.loads((made / "test_results.json").read_text())
        assert own["metrics"] == table[name]
        assert own["skill"][name]["all"]["mse"] == 0


@pytest.mark.usefixtures("unjudged")
def test_improvement_is_told_over_the_first_run_on_the_same_items(run: Path, track: Path, tmp_path: Path) -> None:
    other = train("toy-conv", data=track, out=tmp_path / "other", epochs=1, **SMALL)
    first, second = evaluate_many(
        [run, other], data=(), split="test", checkpoint="best", t_solidus=None, t_liquidus=None, device="cpu"
    )
    better = 100 * (1 - second["metrics"]["all"]["mse"] / first["metrics"]["all"]["mse"])
    assert second["improvement"]["all"]["percent"] == pytest.approx(better)
    assert "improvement" not in first
    unlike = train("toy-conv", data=track, out=tmp_path / "unlike", epochs=1, plane="xy", **SMALL)
    results = evaluate_many(
        [run, unlike], data=(), split="test", checkpoint="best", t_solidus=None, t_liquidus=None, device="cpu"
    )
    assert "cannot be compared" in results[1]["improvement"]["reason"]


def test_another_band_moves_the_front_and_nothing_else(run: Path, result: dict[str, Any]) -> None:
    wide = evaluate(run, t_solidus=400.0, t_liquidus=1723.0)
    assert wide["metrics"]["front"]["cells"] > result["metrics"]["front"]["cells"]
    assert wide["metrics"]["active"] == result["metrics"]["active"]
    with pytest.raises(OptionError, match="solidus below"):
        evaluate(run, t_solidus=1700.0, t_liquidus=1600.0)
    with pytest.raises(OptionError, match="both"):
        evaluate(run, t_solidus=1700.0)


def test_an_empty_region_has_no_numbers(run: Path) -> None:
    empty = evaluate(run, t_solidus=9000.0, t_liquidus=9001.0)
    assert empty["metrics"]["front"]["cells"] == 0
    assert empty["metrics"]["front"]["mse"] is None
    assert empty["skill"]["persistence"]["front"]["mse"] is None


def test_gates(result: dict[str, Any]) -> None:
    check_gate(result, "metrics.all.mse>1e9")
    with pytest.raises(CheckFailed) as failed:
        check_gate(result, "metrics.all.mse > 0")
    assert failed.value.exit_code == 4
    wrong = {"metrics.all.mze>0": "mze", "metrics>0": "no number", "x": "expected", "a>b": "expected"}
    for text, says in wrong.items():
        with pytest.raises(OptionError, match=says):
            check_gate(result, text)


def test_predicted_items_are_data_again(run: Path, tmp_path: Path) -> None:
    path = sample(run, n=12, out=tmp_path / "samples.h5")
    loaded = load_run(run)
    split = open_dataset(Run(run).config["data"]["files"], split_ratio="4,2,2", seq_length=2).split("test")
    expected = np.rint(255 * loaded.predict(split.fetch([7])).numpy()[0].clip(0, 1))
    with open_file(path) as file:
        (case,) = file.cases.values()
        assert case.shape == (2, 16, 6, 10)
        item = split.items[7]
        got = case.frame("ipf", int(item["frame"]) - 6)[:, :, int(item["slice"])].swapaxes(1, 2)
    np.testing.assert_array_equal(got, expected)
    with pytest.raises(OptionError, match="--seed"):
        sample(run, n=2, seed=1)
    again = open_dataset(path, seq_length=1, split_ratio="1,0,0")
    assert len(again.split("train")) == 6


def test_the_default_samples_file_is_made_anew(run: Path) -> None:
    first = sample(run, n=6).read_bytes()
    assert sample(run, n=12).read_bytes() != first
    assert sample(run, n=6).read_bytes() == first


@pytest.mark.usefixtures("unjudged")
def test_every_figure_is_drawn(run: Path, track: Path, tmp_path: Path) -> None:
    network = train("cnn-lstm", data=track, out=tmp_path / "net", epochs=1, channels="4,8,8", hidden=4, **SMALL)
    paths = visualize([network], what=["all"])
    names = {path.name.split("-")[0].split(".")[0] for path in paths}
    assert names == {
        "losses",
        "prediction",
        "error",
        "gradients",
        "front",
        "histograms",
        "activations",
        "activation",
        "rollout",
    }
    for form in ("gif", "vti", "csv"):
        (path,) = visualize([run], form=form)
        assert path.suffix == f".{form}"
        assert path.stat().st_size > 1000
    (losses,) = visualize([run, network], what=["losses"])
    assert losses.parent == network / "figures"
    with pytest.raises(OptionError, match="did you mean 'front'"):
        visualize([run], what=["frnt"])
    with pytest.raises(OptionError, match="holds frames 6 to 7"):
        visualize([run], timestep=3)


def test_all_leaves_out_what_a_model_cannot_show(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    figures = get_task("microstructure").figures
    known, drawn = set(figures), []
    for name in known:
        monkeypatch.setitem(figures, name, lambda *given, name=name: drawn.append(name) or [])  # type: ignore[func-returns-value]
    (losses,) = visualize([run], what=["all"])
    assert losses.name == "losses.png"
    assert sorted(drawn) == sorted(known - {"activations", "reliability"})


def test_the_temperature_task_is_measured_in_kelvin(track: Path, tmp_path: Path) -> None:
    run = train("advected-persistence", task="temperature", data=track, out=tmp_path / "t", **SMALL)
    result = evaluate(run)
    assert {"mse", "mae", "vrmse"} <= set(result["metrics"]["all"])
    assert result["metrics"]["all"]["mse"] > 1
    assert visualize([run], what=["predictions", "error"])

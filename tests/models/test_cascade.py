"""Cascade: two runs as one model, which stands alone."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import judge_nothing

from lasernet import evaluate, load_run, open_dataset, train, weights
from lasernet.engine.parts import trained_parts
from lasernet.engine.plan import config_hash
from lasernet.engine.visualize import visualize
from lasernet.errors import OptionError, RunError
from lasernet.models.cascade import HIDDEN, Cascade
from lasernet.run import Run

CUT = {"split_ratio": "4,2,2", "seq_length": 2}
SMALL = {"threads": 1, "batch_size": 9, **CUT}
NET = {"channels": "4,8,8", "hidden": 4, "epochs": 1, **SMALL}


@pytest.fixture(scope="module")
def runs(track: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a temperature run T, a microstructure run M, and their cascade C."""
    folder = tmp_path_factory.mktemp("cascade")
    with pytest.MonkeyPatch.context() as patch:
        judge_nothing(patch)
        train("tempnet", data=track, out=folder / "T", **NET)
        train("cnn-lstm", data=track, out=folder / "M", **NET)
        train("cascade", data=track, out=folder / "C", **parts(folder), **SMALL)
    return folder


def parts(folder: Path, **changes: str) -> dict[str, Path]:
    return {name: folder / changes.get(name, name[0].upper()) for name in ("temperature", "microstructure")}


def test_colors_follow_from_the_predicted_temperature_and_nothing_of_the_future(runs: Path, track: Path) -> None:
    cascade, temperature, microstructure = (load_run(runs / name) for name in "CTM")
    batch = open_dataset(track, inputs=list(cascade.model.inputs), **CUT).split("test").fetch(range(6))
    predicted = temperature.predict(batch)
    expected = microstructure.predict({**batch, "future_temperature": predicted})
    blind = {name: value for name, value in batch.items() if name not in HIDDEN}
    assert torch.equal(cascade.predict(blind), expected)
    assert not torch.equal(expected, microstructure.predict(batch))
    with torch.no_grad():
        assert torch.equal(cascade.model.forecast(batch)["temperature"], predicted)


def test_the_run_stands_alone(runs: Path, tmp_path: Path) -> None:
    shutil.copytree(runs / "C", tmp_path / "C")
    config = Run(tmp_path / "C").config
    for name, part in config["model"]["parts"].items():
        assert part["config"] == Run(runs / name[0].upper()).config
        assert Path(part["run"]) == (runs / name[0].upper()).resolve()
    tensors, _ = weights.read(tmp_path / "C" / "weights.safetensors")
    for name in ("temperature", "microstructure"):
        own, _ = weights.read(runs / name[0].upper() / "weights.safetensors")
        for key, value in own.items():
            assert torch.equal(tensors[f"{name}.{key}"], value)
    hidden = runs.rename(runs.with_name("hidden"))
    try:
        result = evaluate(tmp_path / "C")
    finally:
        hidden.rename(runs)
    assert result["metrics"] == evaluate(runs / "C")["metrics"]
    assert result["cost"]["parameters"] == sum(evaluate(runs / name)["cost"]["parameters"] for name in "TM")


def test_figures_show_the_temperature_that_it_foresaw(runs: Path, track: Path) -> None:
    from lasernet.tasks.frame_figures import foreseen_temperature

    cascade, temperature, microstructure = (load_run(runs / name) for name in "CTM")
    split = open_dataset(track, inputs=list(cascade.model.inputs), **CUT).split("test")
    expected = temperature.predict(split.fetch([3]))[0, 0].numpy()
    np.testing.assert_array_equal(foreseen_temperature(cascade, split, 3), expected)
    assert foreseen_temperature(microstructure, split, 3) is None
    written = visualize([runs / "C"], what=["predictions"], n=1)
    assert sorted(file.stem.endswith("-temperature") for file in written) == [False, True]


def test_it_has_nothing_to_train(runs: Path) -> None:
    model = load_run(runs / "C").model
    assert not model.phases()
    assert not any(parameter.requires_grad for parameter in model.parameters())


@pytest.mark.usefixtures("unjudged")
def test_the_same_parts_elsewhere_are_the_same_configuration(runs: Path, track: Path, tmp_path: Path) -> None:
    shutil.copytree(runs / "T", tmp_path / "T")
    shutil.copytree(runs / "M", tmp_path / "M")
    again = train("cascade", data=track, out=tmp_path / "C", **parts(tmp_path), **SMALL)
    assert config_hash(Run(again).config) == config_hash(Run(runs / "C").config)


@pytest.mark.parametrize(
    ("changes", "options", "says"),
    [
        ({"temperature": "M"}, {}, "answers the microstructure task; expected one of the temperature task"),
        ({"microstructure": "T"}, {}, "answers the temperature task"),
        ({}, {"seq_length": 3}, "has --seq-length 2, the new one --seq-length 3"),
        ({}, {"plane": "xy"}, "has --plane xz, the new one --plane xy"),
        ({}, {"split_ratio": "5,2,1"}, "split the same data differently"),
    ],
)
def test_parts_that_do_not_fit_are_refused(
    runs: Path, track: Path, tmp_path: Path, changes: dict[str, str], options: dict[str, object], says: str
) -> None:
    with pytest.raises(OptionError, match=says):
        train("cascade", data=track, out=tmp_path / "C", **{**SMALL, **options, **parts(runs, **changes)})
    assert not (tmp_path / "C").exists()


def test_missing_and_unfinished_parts_are_refused(runs: Path, track: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="without --temperature"):
        train("cascade", data=track, out=tmp_path / "C", **SMALL)
    with pytest.raises(OptionError, match="without --microstructure"):
        train("cascade", data=track, out=tmp_path / "C", temperature=str(runs / "T"), **SMALL)
    with pytest.raises(OptionError, match="cascade --temperature RUN --microstructure RUN"):
        Cascade()
    with pytest.raises(RunError, match="no run"):
        train("cascade", data=track, out=tmp_path / "C", **parts(runs, temperature="none"), **SMALL)
    shutil.copytree(runs / "T", tmp_path / "U")
    (tmp_path / "U" / "weights.safetensors").unlink()
    with pytest.raises(RunError, match="no epoch is finished"):
        train("cascade", data=track, out=tmp_path / "C", **{**parts(runs), "temperature": str(tmp_path / "U")}, **SMALL)


def test_changed_weights_and_unreadable_parts_are_refused(runs: Path) -> None:
    config = Run(runs / "C").config
    assert set(trained_parts(config)) == {"temperature", "microstructure"}
    config["model"]["parts"]["temperature"]["sha256"] = "0"
    with pytest.raises(RunError, match="has changed since"):
        trained_parts(config)
    for wrong in ([], {"temperature": 3}, {"temperature": {}}, {"temperature": {"run": 3, "sha256": "", "config": {}}}):
        config["model"]["parts"] = wrong or {"x": None}
        with pytest.raises(RunError, match="restore the file"):
            trained_parts(config)

"""Rollouts and cascades as a user meets them."""

import csv
import io
import json
import signal
from pathlib import Path

import pytest

from lasernet.cli.app import main

SMALL = ["--split-ratio", "4,1,3", "--seq-length", "2", "--threads", "1", "--quiet"]


@pytest.fixture(scope="module")
def folder(track: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a temperature run T, a microstructure run M and their cascade C, none of which learned anything."""
    folder = tmp_path_factory.mktemp("rollout")
    words = [
        ["advected-persistence", "--task", "temperature", "--out", str(folder / "T")],
        ["nearest-solid", "--out", str(folder / "M")],
        ["cascade", "--temperature", f"{folder}/T", "--microstructure", f"{folder}/M", "--out", str(folder / "C")],
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(signal, "signal", lambda *_: None)  # the test runner keeps its own handlers
        for model in words:
            with pytest.raises(SystemExit) as end:
                main(["train", *model, "--data", str(track), *SMALL])
            assert end.value.code == 0
    return folder


@pytest.fixture(autouse=True)
def _quiet_signals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signal, "signal", lambda *_: None)


def call(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    capsys.readouterr()
    with pytest.raises(SystemExit) as end:
        main([str(word) for word in words])
    out, errors = capsys.readouterr()
    return int(end.value.code or 0), out, errors


@pytest.mark.parametrize(
    ("run", "says"),
    [
        ("T", "nothing was given"),
        ("M", "true temperature of each frame was given"),
        ("C", "temperature was predicted too"),
    ],
)
def test_a_table_shows_errors_by_horizon_and_says_what_was_given(
    folder: Path, capsys: pytest.CaptureFixture[str], run: str, says: str
) -> None:
    code, out, _ = call(capsys, "eval", folder / run, "--rollout", 2, "--format", "table")
    assert code == 0
    assert "MSE by frames ahead, active, 2 starts" in out
    assert says in out
    assert ("melt pool" in out) == (run == "T")
    assert ("sharpness in active cells" in out) == (run != "T")


def test_a_table_without_baselines_has_no_skill(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tables = [call(capsys, "eval", folder / "M", "--format", "table", *more)[1] for more in ([], ["--no-baselines"])]
    assert ["skill" in table for table in tables] == [True, False]
    assert ["persistence" in table for table in tables] == [True, False]
    assert all("MSE on" in table for table in tables)


def test_json_csv_and_gates_hold_every_step(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gate = "rollout.steps.3.metrics.all.mse>0"
    code, out, errors = call(capsys, "eval", folder / "T", "--rollout", 3, "--fail-if", gate)
    assert code == 4
    assert "the gate" in errors
    steps = json.loads(out)["rollout"]["steps"]
    assert list(steps) == ["1", "2", "3"]
    _, text, _ = call(capsys, "eval", folder / "T", "--rollout", 3, "--format", "csv")
    rows = [
        row for row in csv.DictReader(io.StringIO(text)) if row["answer"] == "persistence" and row["region"] == "all"
    ]
    assert [row["step"] for row in rows] == ["", "1", "2", "3"]
    assert float(rows[2]["mse"]) == pytest.approx(steps["2"]["baselines"]["persistence"]["all"]["mse"])


def test_all_splits_are_rolled_out_as_one(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = call(capsys, "eval", folder / "M", "--rollout", 4, "--split", "all")
    found = json.loads(out)
    assert found["rollout"]["starts"] == 3
    assert not any("rollout" in part for part in found["splits"].values())


def test_a_horizon_that_the_split_does_not_hold_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for horizon in (0, 4):
        code, out, errors = call(capsys, "eval", folder / "M", "--rollout", horizon)
        assert (code, out) == (2, "")
        assert "expected 1 to 3" in errors


def test_a_cascade_lists_its_parts_among_its_options(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, "train", "cascade", "--help")
    assert code == 0
    assert "--temperature" in out
    assert "--microstructure" in out
    code, _, errors = call(capsys, "train", "cascade", "--temperature", "nowhere", "--microstructure", "nowhere")
    assert code == 2
    assert "no run" in errors

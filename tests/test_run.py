import os
import subprocess
import sys
from pathlib import Path

import pytest

from lasernet.errors import RunError
from lasernet.run import Run, claim_path, dump_json, latest_run, lock_directory, model_files, new_run_path

CONFIG = (
    '{"schema": 1, "created": "CREATED", "model": {"name": "m", "options": {}}, "task": "microstructure",'
    ' "data": {"options": {}, "files": [], "hash": ""}, "loss": {"expression": "mse", "options": {}},'
    ' "training": {}, "environment": {"threads": 1}}'
)


def make_run(path: Path, created: str = "2026-01-01") -> Run:
    path.mkdir(parents=True)
    (path / "config.json").write_text(CONFIG.replace("CREATED", created))
    return Run(path)


def test_a_checkpoint_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    run = make_run(tmp_path / "r")
    run.save_state(3, {"a": b"one", "b": b"two"})
    state, damaged = run.load_state()
    assert state is not None
    assert (state.step, state.files, damaged) == (3, {"a": b"one", "b": b"two"}, [])


def test_only_the_newest_checkpoints_stay(tmp_path: Path) -> None:
    run = make_run(tmp_path / "r")
    for step in (5, 7, 11, 100):
        run.save_state(step, {"a": bytes(step)})
    assert sorted(path.name for path in (run.path / "state").iterdir()) == ["step-000000011", "step-000000100"]


@pytest.mark.parametrize("damage", ["flip", "cut", "gone", "manifest", "name"])
def test_a_damaged_checkpoint_gives_way_to_the_one_before(tmp_path: Path, damage: str) -> None:
    run = make_run(tmp_path / "r")
    run.save_state(1, {"a": b"old"})
    run.save_state(2, {"a": b"new"})
    folder = run.path / "state" / "step-000000002"
    if damage == "flip":
        (folder / "a").write_bytes(b"nex")
    elif damage == "cut":
        (folder / "a").write_bytes(b"")
    elif damage == "gone":
        (folder / "a").unlink()
    elif damage == "manifest":
        (folder / "manifest.json").write_text("{")
    else:
        (folder / "manifest.json").write_text('{"step": 2, "sha256": {"../../config.json": "00"}}')
    state, damaged = run.load_state()
    assert state is not None
    assert state.files == {"a": b"old"}
    assert damaged == ["step-000000002"]


def test_a_second_process_is_refused_and_the_lock_dies_with_its_owner(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from lasernet.run import lock_directory\n"
        "with lock_directory(Path(sys.argv[1])):\n    print('held', flush=True); time.sleep(60)"
    )
    owner = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE)
    assert owner.stdout is not None
    owner.stdout.readline()
    with pytest.raises(RunError, match="in use"), lock_directory(tmp_path):
        pass
    owner.kill()
    owner.wait()
    owner.stdout.close()
    with lock_directory(tmp_path):
        pass


def test_leftovers_of_a_killed_write_are_swept(tmp_path: Path) -> None:
    run = make_run(tmp_path / "r")
    (run.path / ".weights.safetensors.77.partial").write_bytes(b"half")
    (run.path / "state" / ".step-000000004.partial").mkdir(parents=True)
    with run.locked():
        pass
    assert sorted(path.name for path in run.path.rglob("*")) == [".lock", "config.json", "state"]


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"schema": 2}', "null", '{"schema": 1, "model": []}'])
def test_a_configuration_that_is_none_is_refused_in_one_line(tmp_path: Path, content: str) -> None:
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(RunError) as error:
        Run(tmp_path)
    assert "\n" not in str(error.value)


def test_latest_goes_by_the_configuration_not_by_file_times(tmp_path: Path) -> None:
    make_run(tmp_path / "b", "2026-03-01")
    make_run(tmp_path / "a", "2026-05-01")
    os.utime(tmp_path / "b" / "config.json")
    assert latest_run(tmp_path).name == "a"
    with pytest.raises(RunError, match="no run"):
        latest_run(tmp_path / "none")


def test_new_runs_never_share_a_directory(tmp_path: Path) -> None:
    assert len({new_run_path("m", tmp_path) for _ in range(20)}) == 20


def test_an_existing_run_is_not_claimed_again(tmp_path: Path) -> None:
    make_run(tmp_path / "r")
    with pytest.raises(RunError, match="--resume auto"):
        claim_path(tmp_path / "r")


def test_numbers_that_cannot_be_computed_are_null() -> None:
    assert dump_json({"a": float("nan"), "b": [float("inf"), 1.5]}, indent=None) == '{"a": null, "b": [null, 1.5]}'


def test_model_files_are_those_of_the_model_and_of_its_parts() -> None:
    mine, theirs = ({"file": name, "class": "C", "sha256": "0"} for name in ("mine.py", "theirs.py"))
    part = {"run": "R", "sha256": "1", "config": {"model": {"name": "theirs", "source": theirs}}}
    plain = {"run": "S", "sha256": "2", "config": {"model": {"name": "tempnet", "source": None, "parts": {}}}}
    config = {"model": {"name": "mine", "source": mine, "parts": {"a": part, "b": plain}}}
    assert model_files(config) == [mine, theirs]
    assert model_files({"model": {"name": "old"}}) == []
    for broken in ({}, {"model": {"parts": ["a"]}}, {"model": {"parts": {"a": "b"}}}, {"model": {"source": "x.py"}}):
        with pytest.raises(RunError, match=r"config\.json"):
            model_files(broken)

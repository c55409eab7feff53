"""Damaged runs, broken model files, odd streams: one error line, the right exit code, nothing lost."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path

import pytest
from commands import Command

from lasernet.cli.app import main
from lasernet.registry import MODELS

SMALL = ["--split-ratio", "4,2,2", "--seq-length", "2", "--batch-size", "5", "--threads", "1"]
TINY = ["cnn-lstm", "--channels", "4,8,8", "--hidden", "4", "--epochs", "2"]
MODEL = '''
from typing import Annotated
import torch
from lasernet import Model

class M(Model):
    """One number per channel."""

    def __init__(self, *, width: Annotated[int, "nothing"] = 4) -> None:
        super().__init__()
        self.shift = torch.nn.Parameter(torch.zeros(1, 9, 1, 1))

    def forward(self, batch):
        return batch["ipf"][:, -1] + self.shift
'''


@pytest.fixture(scope="module")
def trained(track: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose training is complete but for the test results."""
    run = tmp_path_factory.mktemp("hostile") / "R"
    words = ["train", *TINY, *SMALL, "--data", str(track), "--checkpoint-every", "3", "--out", str(run), "--quiet"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(signal, "signal", lambda *_: None)  # the test runner keeps its own handlers
        with pytest.raises(SystemExit) as end:
            main(words)
    assert end.value.code == 0
    (run / "test_results.json").unlink()
    return run


@pytest.fixture
def run(trained: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy to damage."""
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    shutil.copytree(trained, home / "R")
    return home / "R"


def call(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, list[str]]:
    capsys.readouterr()
    with pytest.raises(SystemExit) as end:
        main([str(word) for word in words])
    out, err = capsys.readouterr()
    return int(str(end.value.code)), out, [line for line in err.splitlines() if line.startswith("error:")]


def refused(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    code, out, errors = call(capsys, *words)
    assert (code, out, len(errors)) == (2, "", 1), errors
    return errors[0]


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        (None, "task", 3),
        (None, "schema", True),
        ("data", "files", None),
        ("loss", "options", []),
        ("model", "name", {}),
        ("environment", "threads", "many"),
        ("training", "device", [1]),
        ("training", "early_stopping", {}),
        ("training", "compile", 1.5),
        ("training", "num_processes", "/dev/zero"),
        ("training", "threads", 10**12),
        ("training", "surprise", 1),
    ],
)
def test_a_configuration_of_other_types_is_refused(
    run: Path, capsys: pytest.CaptureFixture[str], section: str | None, key: str, value: object
) -> None:
    config = json.loads((run / "config.json").read_text())
    (config[section] if section else config)[key] = value
    (run / "config.json").write_text(json.dumps(config))
    refused(capsys, "train", "--resume", run)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("progress.json", '{"step": "x"}'),
        ("progress.json", '{"step": -5}'),
        ("progress.json", '{"step": 1e400}'),
        ("progress.json", '{"step": 3, "sums": {"a": "b"}, "items": {"a": 1}}'),
        ("progress.json", '{"step": 3, "sums": {"a": 1}}'),
        ("progress.json", '{"step": 3, "seconds": null}'),
        ("metrics.json", "[3]"),
        ("metrics.json", "null"),
        ("weights.safetensors", "junk"),
    ],
)
def test_a_checkpoint_whose_hashes_fit_but_whose_content_does_not_is_refused(
    run: Path, capsys: pytest.CaptureFixture[str], name: str, content: str
) -> None:
    newest = max((run / "state").iterdir())
    manifest = json.loads((newest / "manifest.json").read_text())
    (newest / name).write_text(content)
    manifest["sha256"][name] = sha256(content.encode()).hexdigest()
    (newest / "manifest.json").write_text(json.dumps(manifest))
    assert "checkpoint does not fit" in refused(capsys, "train", "--resume", run)


def test_nothing_is_deleted_behind_a_linked_state_folder(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    elsewhere = run.parent / "elsewhere"
    (elsewhere / "step-000000001").mkdir(parents=True)
    (elsewhere / "step-000000001" / "precious").write_text("x")
    shutil.rmtree(run / "state")
    (run / "state").symlink_to(elsewhere)
    assert "state" in refused(capsys, "train", "--resume", run)
    assert [path.name for path in elsewhere.rglob("*")] == ["step-000000001", "precious"]


def test_a_linked_checkpoint_is_replaced_and_its_target_stays(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    newest = max((run / "state").iterdir())
    newest.rename(run.parent / "real")
    newest.symlink_to(run.parent / "real")
    code, out, _ = call(capsys, "train", "--resume", run)
    assert (code, out) == (0, f"{run}\n")
    assert (run.parent / "real" / "manifest.json").is_file()
    assert not newest.is_symlink()


def test_a_metrics_file_nested_too_deep_is_damaged(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run / "metrics.jsonl").write_text("[" * 100_000)
    assert "metrics.jsonl" in refused(capsys, "visualize", run, "--what", "losses")


def test_free_options_are_parsed_when_a_run_goes_on(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "expected int" in refused(capsys, "train", "cnn-lstm", "--resume", run, "--checkpoint-every", "x")
    assert call(capsys, "train", "cnn-lstm", "--resume", run, "--checkpoint-every", "2")[0] == 0


@pytest.mark.parametrize("option", [["--threads", "100000"], ["--dropout", "2"], ["--hidden", "9" * 30]])
def test_a_run_that_cannot_begin_says_so_in_one_line(
    track: Path, run: Path, capsys: pytest.CaptureFixture[str], option: list[str]
) -> None:
    line = refused(capsys, "train", *TINY, *SMALL, "--data", track, *option, "--out", "new")
    assert len(line) < 400
    if option[0] != "--hidden":  # a model that cannot be built may be one that this machine has no memory for
        assert not Path("new").exists()


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("class M", "class M(", "SyntaxError"),
        ("class M", "raise RuntimeError('boom')\nclass M", "boom"),
        ("class M", "raise SystemExit(0)\nclass M", "SystemExit"),
        ("width", "out", "out"),
        ('Annotated[int, "nothing"] = 4', "dict = {}", "cannot be an option"),
        ('batch["ipf"]', 'batch["ipff"]', "line 14: KeyError"),
        ("return batch", "batch", "NoneType"),
        ("+ self.shift", "+ self.shift.detach()", "grad"),
    ],
    ids=["syntax", "raises", "exits", "collides", "type", "key", "none", "detached"],
)
def test_a_broken_model_file_is_the_users_error_not_a_defect(
    track: Path,
    run: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    old: str,
    new: str,
    says: str,
) -> None:
    Path("broken.py").write_text(MODEL.replace(old, new))
    monkeypatch.setattr(MODELS, "_classes", dict(MODELS._classes))
    try:
        line = refused(capsys, "train", "./broken.py:M", "--data", track, *SMALL, "--epochs", 1, "--out", "new")
    finally:
        sys.modules.pop("lasernet_plugin_broken", None)
    assert "broken.py" in line
    assert says in line


@pytest.mark.parametrize("words", [["--device", "nope"], ["--device", "cuda:99"], ["--fail-if", "metrics.all.mse>--1"]])
def test_eval_refuses_bad_options_before_it_prints(
    run: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    assert words[0] in refused(capsys, "eval", run, *words)


@pytest.mark.parametrize("content", ['{"loss": 3}', '{"task": {}}', '{"preset": [1]}', '{"task": 3}'])
def test_names_in_a_configuration_file_must_be_text(
    run: Path, capsys: pytest.CaptureFixture[str], content: str
) -> None:
    Path("c.json").write_text(content)
    refused(capsys, "train", *TINY, "--config", "c.json", "--dry-run")


def lasernet(arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    command = f"{sys.executable} -m lasernet {arguments}"
    return subprocess.run(["bash", "-c", command], capture_output=True, text=True, **options)  # type: ignore[call-overload]


@pytest.mark.parametrize("place", [">/dev/full", ">&-"])
@pytest.mark.parametrize("words", ["--version", "train --help"])
def test_a_result_that_cannot_be_written_is_one_error(home: Path, words: str, place: str) -> None:
    done = lasernet(f"{words} {place}")
    assert done.returncode == 2
    assert [line.split(":")[0] for line in done.stderr.splitlines()] == ["error"]


@pytest.mark.parametrize("place", ["2>/dev/full", "2>&-"])
def test_messages_that_cannot_be_written_change_neither_code_nor_stdout(home: Path, place: str) -> None:
    done = lasernet(f"eval nowhere {place}")
    assert (done.returncode, done.stdout) == (2, "")


def test_of_two_processes_that_start_one_run_one_wins(track: Path, home: Path) -> None:
    both = [Command("train", *TINY, *SMALL, "--data", track, "--out", "R") for _ in range(2)]
    ends = [command.finish() for command in both]
    assert sorted(done.returncode for done in ends) == [0, 2], ends
    assert (home / "R" / "test_results.json").is_file()


def _workers(run: Path) -> dict[int, int]:
    """Rank → process of a training."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().decode(errors="replace").split("\0")
            if "lasernet.cli.worker" in words and str(run) in words:
                setting = (entry.parent / "environ").read_bytes().split(b"\0")
                rank = next(part[5:] for part in setting if part.startswith(b"RANK="))
                found[int(rank)] = int(entry.parent.name)
        except (OSError, StopIteration):
            continue
    return found


def _catches(signum: int, pid: int) -> bool:
    """Whether a process has a handler for a signal."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return False
    caught = next(line.split()[1] for line in lines if line.startswith("SigCgt:"))
    return bool(int(caught, 16) >> (signum - 1) & 1)


def test_a_killed_worker_gets_one_line_and_leaves_no_orphan(track: Path, home: Path) -> None:
    words = ["train", *TINY[:-1], "1000", *SMALL, "--data", str(track), "--num-processes", "2", "--out", "R"]
    training = Command(*words)
    training.until((home / "R" / "weights.safetensors").exists)
    os.kill(_workers(home / "R")[1], signal.SIGKILL)
    done = training.finish()
    assert done.returncode == 2
    errors = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert len(errors) == 1, done.stderr
    assert "SIGKILL" in errors[0]
    assert not _workers(home / "R")


def test_a_signal_ends_processes_that_wait_for_each_other(track: Path, home: Path) -> None:
    words = ["train", *TINY, *SMALL, "--data", str(track), "--num-processes", "2", "--out", "R"]
    training = Command(*words)
    training.until(lambda: [_catches(signal.SIGTERM, pid) for pid in _workers(home / "R").values()] == [True, True])
    time.sleep(0.5)  # so that one may be waiting for the other
    training.send(signal.SIGTERM)
    done = training.finish()
    assert done.returncode == 143, done.stderr
    assert not _workers(home / "R")

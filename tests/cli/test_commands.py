"""The command line as a user meets it: in processes of their own."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from commands import SECONDS, Command, Done, lasernet

from lasernet.run import Run

PLUGIN = '''
from typing import Annotated
import torch
from torch import nn
from lasernet import Model

class ResConv(Model):
    """A plain convolution that corrects the last frame."""

    def __init__(self, *, width: Annotated[int, "channels in between"] = 4) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Conv2d(10, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, 9, 1))

    def forward(self, batch):
        last = batch["ipf"][:, -1]
        return last + self.net(torch.cat([last, batch["future_temperature"] / 1000], 1))
'''
SMALL = ["--split-ratio", "4,2,2", "--seq-length", "2", "--batch-size", "5", "--threads", "1"]


def one_error_line(done: Done, code: int = 2) -> str:
    lines = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert done.returncode == code, done.stderr
    assert len(lines) == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    return lines[0]


@pytest.fixture
def plugin(home: Path) -> str:
    (home / "my_model.py").write_text(PLUGIN)
    return "./my_model.py:ResConv"


def words_of(plugin: str, track: Path) -> list[str]:
    """A training that takes long enough for a signal to come in the middle of it."""
    return ["train", plugin, "--data", str(track), *SMALL, "--epochs", "40"]


@pytest.fixture(scope="module")
def undisturbed(track: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The weights that such a training ends with."""
    folder = tmp_path_factory.mktemp("undisturbed")
    (folder / "my_model.py").write_text(PLUGIN)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert lasernet(*words_of("./my_model.py:ResConv", track), "--out", "S").returncode == 0
    return (folder / "S" / "last.safetensors").read_bytes()


@pytest.mark.parametrize("words", [["--help"], ["train", "--help"], ["-h"], ["data", "--help"], ["--version"]])
def test_help_is_cheap_and_never_imports_torch(words: list[str]) -> None:
    code = (
        "import sys\nfrom lasernet.cli.app import main\n"
        f"try:\n    main({words!r})\nexcept SystemExit as end:\n    assert end.code == 0, end.code\n"
        "assert not {'torch', 'numpy', 'matplotlib', 'h5py', 'rich'} & set(sys.modules), 'a heavy import'"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout


@pytest.mark.parametrize("verb", ["data", "train", "eval", "visualize", "sample", "gridsearch"])
def test_every_verb_is_listed_and_has_help(verb: str) -> None:
    assert verb in lasernet("--help").stdout
    assert "Usage: lasernet" in lasernet(verb, "--help").stdout


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["trian"], "did you mean 'train'"),
        (["train", "predrn"], "did you mean 'predrnn'"),
        (["train", "persistence", "--plain", "xz"], "--plane"),
        (["train", "persistence", "--plane", "zz"], "xz"),
        (["train", "persistence", "--epochs", "x"], "expected int"),
        (["train", "persistence", "--set", "model.rnn_layer=2"], "unknown option"),
        (["train", "persistence", "--set", "nonsense"], "section.key=value"),
        (["train", "persistence", "--data", "no.h5"], "no.h5"),
        (["train", "persistence", "--loss", "msee"], "mse"),
        (["train", "persistence", "--huber-delta", "2"], "no effect"),
        (["train", "persistence", "--resume", "nowhere"], "no run"),
        (["train", "persistence", "--resume", "auto"], "--out"),
        (["train", "./none.py:X"], "no file"),
        (["eval"], "RUN"),
        (["eval", "nowhere"], "no run"),
        (["eval", "latest"], "no run"),
        (["sample", "persistance"], "did you mean 'persistence'"),
        (["visualize", "nowhere"], "no run"),
        (["gridsearch", "predrnn", "--grid", "a=1"], "not built yet"),
        (["data", "generate", "flow"], "--out"),
        (["data", "info", "no.h5"], "no.h5"),
        (["data", "import", "nowhere", "--out", "x.h5"], "nowhere"),
    ],
    ids=" ".join,
)
def test_bad_usage_gets_one_line_and_exit_code_2(home: Path, words: list[str], says: str) -> None:
    assert says in one_error_line(lasernet(*words))


def test_a_model_from_one_file_trains_evaluates_shows_its_options_and_resumes(
    track: Path, home: Path, plugin: str
) -> None:
    assert "--width INT" in lasernet("train", plugin, "--help").stdout
    words = ["train", plugin, "--data", track, *SMALL, "--epochs", 2, "--out", "R"]
    first = lasernet(*words)
    assert (first.returncode, first.stdout) == (0, "R\n"), first.stderr
    judged = lasernet("eval", "R")
    found = json.loads(judged.stdout)
    assert found["model"] == "ResConv"
    assert set(found["metrics"]) == {"all", "active", "front", "newly_solid"}
    (home / "R" / "test_results.json").unlink()
    again = lasernet("train", "--resume", "R")
    assert (again.returncode, again.stdout) == (0, "R\n"), again.stderr
    assert lasernet("eval", "R").stdout == judged.stdout
    assert lasernet("eval", "R", "--fail-if", "metrics.all.mse>0").returncode == 4
    pictures = lasernet("visualize", "R").stdout.split()
    assert pictures
    assert all((home / path).stat().st_size > 5000 for path in pictures)


def test_code_that_was_never_named_here_is_not_run(track: Path, home: Path, plugin: str) -> None:
    assert lasernet("train", plugin, "--data", track, *SMALL, "--epochs", 1, "--out", "R").returncode == 0
    (home / "my_model.py").write_text("open('canary', 'w')\n" + PLUGIN)
    assert "--plugin" in one_error_line(lasernet("eval", "R"))
    assert not (home / "canary").exists()
    assert lasernet("eval", "R", "--plugin", plugin).returncode == 0
    assert (home / "canary").exists()


def test_stdout_of_train_is_only_the_path_and_quiet_keeps_it(track: Path, home: Path) -> None:
    words = ["train", "persistence", "--data", str(track), *SMALL, "--out", "a b", "--quiet"]
    done = subprocess.run([sys.executable, "-m", "lasernet", *words], capture_output=True, text=True)  # imports anew
    assert (done.stdout, done.stderr, done.returncode) == ("a b\n", "", 0)
    judged = lasernet("eval", "-", "--format", "json", stdin="a b\n")
    assert json.loads(judged.stdout)["run"] == "a b"


def test_every_other_verb_works_in_an_interpreter_of_its_own(track: Path, home: Path) -> None:
    def fresh(*words: object) -> Done:
        command = [sys.executable, "-m", "lasernet", *map(str, words)]
        done = subprocess.run(command, capture_output=True, text=True)
        return Done(done.returncode, done.stdout, done.stderr)

    assert lasernet("train", "persistence", "--data", track, *SMALL, "--out", "R", "--quiet").returncode == 0
    assert json.loads(fresh("data", "info", track).stdout)["kind"] == "laser"
    for words in (["sample", "R"], ["visualize", "R", "--what", "front"]):
        done = fresh(*words)
        (path,) = done.stdout.splitlines()
        assert (home / path).is_file(), done.stderr
    assert "not built yet" in one_error_line(fresh("gridsearch", "predrnn", "--grid", "a=1"))


def test_a_dry_run_trains_nothing(track: Path, home: Path) -> None:
    done = lasernet("train", "cnn-lstm", "--data", track, *SMALL, "--dry-run", "--no-skips")
    assert json.loads(done.stdout)["parameters"] == 440_425
    assert not (home / "runs").exists()


def test_output_that_nobody_reads_or_that_has_no_room_is_no_traceback(track: Path, home: Path) -> None:
    assert lasernet("train", "persistence", "--data", track, *SMALL, "--out", "R", "--quiet").returncode == 0
    full = lasernet("eval", "R", "R", "R", "--format", "csv", stdout="/dev/full")
    command = f"{sys.executable} -m lasernet eval R R R --format csv | head -c 1; exit ${{PIPESTATUS[0]}}"
    unread = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    for done, codes in ((unread, {0, 141}), (full, {2})):
        assert "Traceback" not in done.stderr
        assert done.returncode in codes


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2])
def test_a_signal_writes_a_checkpoint_and_the_run_resumes_to_the_same_bits(
    track: Path, home: Path, plugin: str, undisturbed: bytes, number: signal.Signals
) -> None:
    training = Command(*words_of(plugin, track), "--out", "R")
    training.until((home / "R" / "weights.safetensors").exists)
    training.send(number)
    done = training.finish()
    assert done.returncode == 128 + number, done.stderr
    assert "resume with: lasernet train --resume R" in done.stderr
    assert lasernet("train", "--resume", "R").returncode == 0
    assert (home / "R" / "last.safetensors").read_bytes() == undisturbed


def test_two_processes_give_the_weights_of_one(track: Path, home: Path, plugin: str) -> None:
    import torch

    from lasernet import weights

    words = ["train", plugin, "--data", track, *SMALL, "--epochs", 2]
    assert lasernet(*words, "--out", "one").returncode == 0
    done = lasernet(*words, "--out", "two", "--num-processes", 2)
    assert (done.returncode, done.stdout) == (0, "two\n"), done.stderr
    one, two = (weights.read(home / name / "last.safetensors")[0] for name in ("one", "two"))
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, rtol=1e-4, atol=1e-6)


def test_the_death_of_their_parent_ends_the_workers_and_leaves_a_checkpoint(
    track: Path, home: Path, plugin: str
) -> None:
    words = ["train", plugin, "--data", track, *SMALL, "--epochs", 400, "--checkpoint-every", 1, "--num-processes", 2]
    training = Command(*words, "--out", "R")
    training.until(lambda: any((home / "R").glob("state/step-*/manifest.json")))
    training.send(signal.SIGKILL)  # the workers notice that their parent is gone
    training.finish()
    end = time.monotonic() + SECONDS
    while _workers(home) and time.monotonic() < end:
        time.sleep(0.1)
    assert not _workers(home)
    state, damaged = Run(home / "R").load_state()
    assert state is not None
    assert state.step > 0
    assert not damaged


def _workers(home: Path) -> list[str]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        if "lasernet.cli.worker" in words and str(home / "R") in words and entry.parent.name != str(os.getpid()):
            found.append(entry.parent.name)
    return found

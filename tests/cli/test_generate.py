"""``lasernet data generate`` and ``data verify`` as a user meets them."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from commands import Command, Done, lasernet

from lasernet.cli.app import main
from lasernet.data.generate import GENERATORS
from lasernet.options import options_of

QUICK = ["--n", "6", "--size", "16", "--grains", "3,5"]


def one_error_line(done: Done) -> str:
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    return line


def test_stdout_is_the_path_and_the_file_verifies(home: Path) -> None:
    done = lasernet("data", "generate", "voronoi", "--out", "v.h5", *QUICK, "--no-periodic", "--lloyd-steps", "1")
    assert (done.returncode, done.stdout) == (0, "v.h5\n")
    assert "6/6 images" in done.stderr
    assert lasernet("--quiet", "data", "generate", "voronoi", "--out", "w.h5", *QUICK).stderr == ""
    assert lasernet("data", "verify", "v.h5").returncode == 0
    info = json.loads(lasernet("data", "info", "v.h5").stdout)
    assert info["kind"] == "images"
    options = info["cases"][0]["provenance"]["options"]
    assert options == {
        "size": 16, "grains": [3, 5], "boundary_width": 1.5, "periodic": False, "binary": False, "lloyd_steps": 1,
    }  # fmt: skip
    assert "exists already" in one_error_line(lasernet("data", "generate", "voronoi", "--out", "v.h5", *QUICK))
    assert lasernet("data", "generate", "voronoi", "--out", "v.h5", *QUICK, "--overwrite").returncode == 0


def test_help_lists_generators_and_options_without_torch() -> None:
    listed = lasernet("data", "generate", "--help").stdout
    assert all(name in listed for name in GENERATORS)
    code = (
        "import sys\nfrom lasernet.cli.app import main\n"
        "try:\n    main(['data', 'generate', 'voronoi', '--help'])\n"
        "except SystemExit as end:\n    assert not end.code\n"
        "assert not {'torch', 'matplotlib'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for option in options_of(GENERATORS["voronoi"].recipe):
        assert f"--{option.flag}" in done.stdout


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["flow", "--out", "f.h5", "--fraction", "0.9"], "0 to 0.7"),
        (["flow", "--out", "f.h5", "--cells", "64,32,4"], "as many along x as along y"),
        (["vornoi"], "did you mean 'voronoi'"),
        (["voronoi"], "--out"),
        (["voronoi", "--out", "v.h5", "--grains", "many"], "--grains"),
        (["voronoi", "--out", "v.h5", "--sise", "3"], "--size"),
        (["voronoi", "--out", "v.h5", "--preset", "huge"], "known: default, paper, small"),
        (["voronoi", "--out", "v.h5", "--n", "-3"], "--n"),
        (["voronoi", "--out", "nowhere/v.h5", "--n", "3"], "no directory"),
    ],
)
def test_bad_usage_gets_one_line(home: Path, words: list[str], says: str) -> None:
    assert says in one_error_line(lasernet("data", "generate", *words))
    assert list(home.iterdir()) == []


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_leaves_no_file(home: Path, signum: signal.Signals, code: int) -> None:
    command = Command("data", "generate", "voronoi", "--out", "v.h5", "--preset", "paper")
    command.until(lambda: "images" in command.said())  # so it is in the middle of its work
    command.send(signum)
    done = command.finish()
    assert (done.returncode, done.stdout) == (code, "")
    assert list(home.iterdir()) == []


@pytest.mark.usefixtures("checked_before")
def test_verify_without_a_file_checks_the_generators(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["data", "verify", "--format", "json"])
    out, err = capsys.readouterr()
    assert (end.value.code, err) == (0, "")
    checks = [json.loads(line) for line in out.splitlines()]
    assert all(set(check) == {"name", "value", "reference", "tolerance", "ok"} for check in checks)
    assert {check["name"].split("/")[0] for check in checks} == {
        "laser",
        "orientation",
        "voronoi",
        "permeability",
        "flow",
    }

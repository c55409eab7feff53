"""Checks in interpreters of their own: every script answers, and one that dies, swells or never ends is one error."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from layout_files import write

from lasernet.data import container, image_structure, structure
from lasernet.data.importers import h5_stacks, ptstore
from lasernet.data.layout import open_file
from lasernet.data.quarantine import check_in_child
from lasernet.errors import DataError

LIMITED = "from lasernet.data.container import limited; "
torch = pytest.importorskip("torch")


@pytest.fixture(autouse=True)
def _interpreters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lasernet.data.quarantine.subprocess", subprocess)


def tracks(folder: Path) -> list[str]:
    return [str(write(folder / "a.h5")), "laser"]


def any_kind(folder: Path) -> list[str]:
    return tracks(folder)[:1]


def images(folder: Path) -> list[str]:
    from lasernet.data.generate import generate

    return [str(generate("voronoi", folder / "a.h5", n=2, size=16, grains="3,6")), "images"]


def stacks(folder: Path) -> list[str]:
    with h5py.File(folder / "a.h5", "w") as file:
        file["images"] = np.zeros((2, 8, 8), np.uint8)
    return ["5", "", str(folder / "a.h5")]


def store(folder: Path) -> list[str]:
    axis = torch.arange(3, dtype=torch.float64)
    steps = torch.arange(2, dtype=torch.int32)
    torch.save(torch.full((2, 3, 3, 3), 300.0), folder / "temperature.pt")
    torch.save(torch.zeros((2, 3, 3, 3, 10)), folder / "microstructure.pt")
    torch.save({**dict.fromkeys("xyz", axis), "timesteps": steps, "downsample_factor": 1}, folder / "coordinates.pt")
    return [str(folder), str(3 << 30)]


@pytest.mark.parametrize(
    ("script", "made"),
    [(structure, tracks), (container, any_kind), (image_structure, images), (h5_stacks, stacks), (ptstore, store)],
)
def test_every_script_takes_a_sound_file_and_refuses_a_truncated_one(
    tmp_path: Path, script: object, made: Callable[[Path], list[str]]
) -> None:
    arguments = made(tmp_path)
    check_in_child(Path(str(script.__file__)), arguments, name="a")  # type: ignore[attr-defined]
    for path in tmp_path.iterdir():
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DataError, match=r"^a: "):
        check_in_child(Path(str(script.__file__)), arguments, name="a")  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", r"crashed the checking process \(status -9\)"),
        ("raise SystemExit(3)", r"crashed the checking process \(status 3\)"),
        ("print('no answer')", "crashed the checking process"),
        ("print('[1]')", "crashed the checking process"),
        ("import time; time.sleep(60)", "more than 0.4 s"),
        ('print(\'{"refused": "it is odd"}\')', "^a: it is odd$"),
        (LIMITED + "limited(lambda: {'n': len(bytearray(2 << 30))})", "^a: reading its structure needs more memory"),
        (LIMITED + "limited(lambda: {'n': max(iter(int, 1))}, seconds=1)", r"crashed the checking process \(status -"),
        (LIMITED + "limited(lambda: {'n': open(__file__ + '2', 'wb', 0).write(b'0')})", "^a: the file is damaged"),
    ],
)
def test_a_script_that_fails_is_one_error(tmp_path: Path, code: str, says: str) -> None:
    (tmp_path / "script.py").write_text(code)
    with pytest.raises(DataError, match=says):
        check_in_child(tmp_path / "script.py", [], name="a", timeout=0.4 if "sleep" in code else 30.0)


def test_what_lies_beside_a_script_shadows_nothing(tmp_path: Path) -> None:
    shutil.copy(container.__file__, tmp_path / "script.py")
    (tmp_path / "json.py").write_text("raise SystemExit('shadowed')")
    with pytest.raises(DataError, match=r"^a: the file is damaged"):
        check_in_child(tmp_path / "script.py", [str(tmp_path / "none.h5")], name="a")


def test_opening_a_file_asks_one_child_that_imports_little(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    known = check_in_child
    monkeypatch.setattr("lasernet.data.reading.check_in_child", lambda *a, **b: asked.append(a) or known(*a, **b))
    open_file(write(tmp_path / "a.h5")).close()
    assert [script for script, _ in asked] == [Path(structure.__file__)]
    (tmp_path / "script.py").write_text(
        "import json, sys\nimport lasernet.data.structure, lasernet.data.image_structure\n"
        "print(json.dumps({'heavy': sorted({'torch', 'scipy', 'matplotlib', 'numba', 'rich'} & set(sys.modules))}))"
    )
    assert check_in_child(tmp_path / "script.py", [], name="a") == {"heavy": []}

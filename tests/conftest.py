"""What tests share: one thread each, small tracks, a working directory of their own."""

import fcntl
import json
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from checking import Forks
from small_flows import write_small_flows

from lasernet.data.layout import create_file

torch.set_num_threads(1)
Checks = list[dict[str, object]]
REFERENCE = Path(__file__).parents[2] / "shared" / "reference"


def write_track(
    path: Path, *, frames: int = 8, shape: tuple[int, int, int] = (16, 6, 10), seed: int = 0, name: str = "track",
    group: str | None = None,
) -> Path:  # fmt: skip
    """A small synthetic laser track: a hot spot that moves along x over a mosaic of colored grains."""
    rng = np.random.default_rng(seed)
    x, y, z = (np.arange(count) * 5e-6 for count in shape)
    grid = np.stack(np.meshgrid(np.arange(shape[0]), np.arange(shape[1]), np.arange(shape[2]), indexing="ij"))
    seeds = rng.uniform(0, 1, (12, 3)) * np.array(shape)
    before = ((grid[None] - seeds[:, :, None, None, None]) ** 2).sum(1).argmin(0) + 1
    after = ((grid[None] - seeds[::-1, :, None, None, None] * 0.9) ** 2).sum(1).argmin(0) + 13
    palette = rng.integers(20, 255, (25, 9)).astype(np.uint8)
    melted = np.zeros(shape, dtype=bool)
    with create_file(path, kind="laser") as out:
        case = out.add_case(
            name, x=x, y=y, z=z, t=np.arange(frames) * 1e-5, material="316L", solidus=1663.0, liquidus=1723.0,
            front=(1663.0, 1723.0), scan_velocity=(1.0, 0.0, 0.0), ipf_key="unknown", group=group or name,
            provenance={"made_for": "tests"}, fields=("temperature", "ipf", "grain_id"),
        )  # fmt: skip
        for frame in range(frames):
            center = np.array([2.0 * frame - 2, shape[1] / 2, shape[2] - 1])
            distance = np.sqrt(((grid - center[:, None, None, None]) ** 2).sum(0))
            temperature = (300 + 2300 * np.exp(-((distance / 5.5) ** 2))).astype(np.float32)
            molten = temperature > 1700
            melted |= molten
            grains = np.where(molten, 0, np.where(melted, after, before)).astype(np.int32)
            ipf = np.where(molten, 0, np.moveaxis(palette[grains], -1, 0)).astype(np.uint8)
            case.write_frame(frame, temperature=temperature, ipf=ipf, grain_id=grains)
    return path


def judge_nothing(patch: pytest.MonkeyPatch) -> None:
    """Let trainings end without the figure and the test results, which cost several times what training a toy does."""
    patch.setattr("lasernet.engine.train.evaluate", lambda path, **options: {})
    patch.setattr("lasernet.viz.curves.loss_curves", lambda rows, path: path)


@pytest.fixture
def unjudged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trainings of this test end when the weights are written."""
    judge_nothing(monkeypatch)


@pytest.fixture(scope="session")
def track(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A track of 8 frames, 16 x 6 x 10 cells."""
    return write_track(tmp_path_factory.mktemp("data") / "track.h5")


@pytest.fixture(scope="session")
def flows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six flows through fibers, of three geometries, 16 x 16 x 3 cells."""
    return write_small_flows(tmp_path_factory.mktemp("data") / "flows.h5")


@pytest.fixture(scope="session", autouse=True)
def _checks_in_forks() -> Iterator[None]:
    """Files are checked in forks, which need not import what every new interpreter would import."""
    forks = Forks()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lasernet.data.quarantine.subprocess", forks)
        yield
    forks.close()


@pytest.fixture(scope="session")
def checked(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Callable[[], Checks]], Checks]:
    """Runs the checks of a generator, or gives what they found before: they take seconds and find the same again."""
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own  # by the workers of xdist

    def found(check: Callable[[], Checks]) -> Checks:
        path = shared / f"{check.__module__}.{check.__qualname__}.json"
        with path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not path.exists():
                path.write_text(json.dumps(check()))
        return cast("Checks", json.loads(path.read_text()))

    return found


@pytest.fixture
def checked_before(checked: Callable[[Callable[[], Checks]], Checks], monkeypatch: pytest.MonkeyPatch) -> None:
    """Verifying generators runs those checks only that no test has run."""
    from lasernet.data.generate import GENERATORS
    from lasernet.simulate import laser_checks

    for name in ("check_melt_pool", "check_grain_growth", "check_orientation"):
        monkeypatch.setattr(laser_checks, name, partial(checked, getattr(laser_checks, name)))
    for name in ("voronoi", "flow"):
        one = GENERATORS[name]
        monkeypatch.setitem(GENERATORS, name, replace(one, checks=partial(checked, one.checks)))


@pytest.fixture
def one_core(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cases are simulated in this process: another would first have to import what simulates."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0}, raising=False)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory that is also the user's home."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    return tmp_path


@pytest.fixture
def reference() -> Path:
    """Reference data beside the project, where they are."""
    if not REFERENCE.is_dir():
        pytest.skip("no reference data beside the project")
    return REFERENCE

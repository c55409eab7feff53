"""Processed .pt stores of both source versions: read as data, never run."""

import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from lasernet.data.importers import import_source
from lasernet.data.layout import open_file
from lasernet.errors import DataError

torch = pytest.importorskip("torch")
torch.set_num_threads(1)

GRID = (5, 4, 3)
FRAMES = 4
KNOWN = {"material": "steel-1620", "time_step": 1e-5, "scan_speed": 0.8}


@pytest.fixture
def no_child(monkeypatch):
    monkeypatch.setattr("lasernet.data.importers.ptstore.check_in_child", lambda *given, **named: None)


def content(seed=0, largest=300):
    rng = np.random.default_rng(seed)
    ids = rng.integers(0, largest, (FRAMES, *GRID))
    ids[:, 0, 0, 0] = 0
    palette = rng.integers(1, 256, (largest, 9)) / 255
    palette[0] = 0
    temperature = rng.uniform(300, 2000, (FRAMES, *GRID)).astype(np.float16)
    return temperature, np.moveaxis(palette[ids], -1, 1), ids


def axes():
    return {name: torch.arange(size, dtype=torch.float64) * 2e-6 for name, size in zip("xyz", GRID, strict=True)}


def first_version(directory, mask=None, largest=300):
    directory.mkdir()
    temperature, ipf, ids = content(largest=largest)
    volume = torch.from_numpy(temperature.astype(np.float32))
    micro = torch.from_numpy(np.concatenate([ipf, ids[:, None]], 1).astype(np.float32)).permute(0, 2, 3, 4, 1)
    if mask is not None:
        volume[:, 2, 2, 2] = 0
        micro = micro.clone()
        micro[:, 2, 2, 2] = 0
    torch.save(volume, directory / "temperature.pt")
    torch.save(micro.contiguous(), directory / "microstructure.pt")
    steps = torch.arange(FRAMES, dtype=torch.int32)
    torch.save({**axes(), "timesteps": steps, "downsample_factor": 2}, directory / "coordinates.pt")
    if mask:
        torch.save(volume > 0, directory / "mask.pt")
    return directory


def second_version(directory, largest=300):
    directory.mkdir()
    temperature, ipf, ids = content(largest=largest)
    temperature[0], ipf[0], ids[0] = 0, 0, 0  # the slot of the skipped file
    mask = np.ones((FRAMES, *GRID), dtype=bool)
    mask[0] = False
    shared = {**axes(), "mask": torch.from_numpy(mask), "timesteps": torch.arange(1, FRAMES, dtype=torch.int32)}
    torch.save({"data": torch.from_numpy(temperature)[:, None], **shared}, directory / "temperature.pt")
    micro = torch.from_numpy(np.concatenate([ipf, ids[:, None]], 1)).half()
    torch.save({"data": micro, **shared}, directory / "microstructure.pt")
    return directory


def convert(source, out, **options):
    return import_source(str(source), out, **(KNOWN | options))


@pytest.mark.parametrize("mask", [None, True, False])
@pytest.mark.usefixtures("no_child")
def test_the_first_version_is_read_whole(tmp_path, mask):
    with open_file(convert(first_version(tmp_path / "s", mask), tmp_path / "a.h5")) as file:
        case = file.cases["track"]
        temperature, ipf, ids = content()
        assert case.shape == (FRAMES, *GRID)
        missing = np.zeros(GRID, dtype=bool)
        missing[2, 2, 2] = mask is not None
        for frame in range(FRAMES):
            np.testing.assert_array_equal(case.valid(frame), ~missing)
            np.testing.assert_array_equal(case.frame("temperature", frame)[~missing], temperature[frame][~missing])
            np.testing.assert_array_equal(case.frame("grain_id", frame)[~missing], ids[frame][~missing])
            expected = np.rint(ipf[frame] * 255)[:, ~missing]
            np.testing.assert_array_equal(case.frame("ipf", frame)[:, ~missing], expected)


def test_the_empty_slot_of_the_second_version_is_dropped(tmp_path):
    with open_file(convert(second_version(tmp_path / "s"), tmp_path / "a.h5")) as file:
        case = file.cases["track"]
        temperature, ipf, ids = content()
        assert case.shape == (FRAMES - 1, *GRID)
        np.testing.assert_allclose(case.t, [1e-5, 2e-5, 3e-5])
        for frame in range(FRAMES - 1):
            np.testing.assert_array_equal(case.frame("temperature", frame), temperature[frame + 1])
            np.testing.assert_array_equal(case.frame("grain_id", frame), ids[frame + 1])
            np.testing.assert_array_equal(case.frame("ipf", frame), np.rint(ipf[frame + 1] * 255))
        assert case.provenance["store_version"] == 2


@pytest.mark.usefixtures("no_child")
def test_indices_that_half_precision_rounds_are_left_out(tmp_path):
    with open_file(convert(second_version(tmp_path / "s", largest=5000), tmp_path / "a.h5")) as file:
        assert file.cases["track"].fields == ("temperature", "ipf")
    with open_file(convert(first_version(tmp_path / "t", largest=5000), tmp_path / "b.h5")) as file:
        assert "grain_id" in file.cases["track"].fields


@pytest.mark.usefixtures("no_child")
def test_downsampling_keeps_exact_planes(tmp_path):
    with open_file(convert(first_version(tmp_path / "s"), tmp_path / "a.h5", downsample=2)) as file:
        case = file.cases["track"]
        np.testing.assert_array_equal(case.frame("temperature", 1), content()[0][1][::2, ::2, ::2])
        np.testing.assert_allclose(case.x, [0, 4e-6, 8e-6])


class Canary:
    """Would leave a file behind if it were unpickled in earnest."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (Path(self.path),))


def rezip(path, **changes):
    """Write the records of a .pt file again, compressed or doubled."""
    with zipfile.ZipFile(path) as archive:
        records = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", changes.get("method", zipfile.ZIP_STORED)) as archive:
        for name, data in records.items():
            archive.writestr(name, data)
        if changes.get("doubled"):
            with pytest.warns(UserWarning, match="Duplicate"):
                archive.writestr(name, data)


def lie_about_shape(path):
    """Let the pickle declare a shape whose storage is not there."""
    with zipfile.ZipFile(path) as archive:
        records = {name: archive.read(name) for name in archive.namelist()}
    name = next(name for name in records if name.endswith("data.pkl"))
    # K\x05 pushes the 5 of the grid; M\xff\xff pushes 65535 and is a byte longer, which pickles bear
    records[name] = records[name].replace(b"K\x05K\x04K\x03", b"M\xff\xffM\xff\xffM\xff\xff")
    with zipfile.ZipFile(path, "w") as archive:
        for record, data in records.items():
            archive.writestr(record, data)


def save(name, value):
    return lambda directory: torch.save(value(directory), directory / f"{name}.pt")


def cut(directory):
    path = directory / "temperature.pt"
    path.write_bytes(path.read_bytes()[:-400])


HOSTILE = {
    "code": save("temperature", lambda d: Canary(d / "canary")),
    "code in coordinates": save("coordinates", lambda d: {**axes(), "timesteps": Canary(d / "canary")}),
    "expanded": save("temperature", lambda d: torch.zeros(1).expand(FRAMES, *GRID)),
    "huge expanded": save("microstructure", lambda d: torch.ones(1).expand(10**4, 10**4, 10**4, 10, 10)),
    "shape that lies": lambda d: lie_about_shape(d / "temperature.pt"),
    "other dtype": save("temperature", lambda d: torch.zeros(FRAMES, *GRID, dtype=torch.int64)),
    "other rank": save("temperature", lambda d: torch.zeros(FRAMES, 5)),
    "other grid": save("microstructure", lambda d: torch.zeros(FRAMES, 5, 4, 4, 10)),
    "sparse": save("temperature", lambda d: torch.zeros(FRAMES, *GRID).to_sparse()),
    "nan": save("temperature", lambda d: torch.full((FRAMES, *GRID), float("nan"))),
    "all empty": save("temperature", lambda d: torch.zeros(FRAMES, *GRID)),
    "bright": save("microstructure", lambda d: torch.full((FRAMES, *GRID, 10), 7.0)),
    "uneven": save("coordinates", lambda d: {**axes(), "x": axes()["x"] ** 2, "timesteps": torch.arange(FRAMES)}),
    "backwards": save("coordinates", lambda d: {**axes(), "x": -axes()["x"], "timesteps": torch.arange(FRAMES)}),
    "steps missing": save("coordinates", lambda d: {**axes(), "timesteps": torch.arange(2)}),
    "steps fall": save("coordinates", lambda d: {**axes(), "timesteps": torch.arange(FRAMES).flip(0)}),
    "no coordinates": lambda d: (d / "coordinates.pt").unlink(),
    "no microstructure": lambda d: (d / "microstructure.pt").unlink(),
    "not a zip": lambda d: (d / "temperature.pt").write_bytes(b"\x80\x02cos\nsystem\n(S'touch canary'\ntR."),
    "empty": lambda d: (d / "temperature.pt").write_bytes(b""),
    "cut": cut,
    "compressed": lambda d: rezip(d / "temperature.pt", method=zipfile.ZIP_DEFLATED),
    "doubled record": lambda d: rezip(d / "temperature.pt", doubled=True),
    "pipe": lambda d: ((d / "mask.pt").unlink(missing_ok=True), os.mkfifo(d / "mask.pt")),
}


IN_CHILD = ("code", "shape that lies", "huge expanded")  # starting torch anew takes seconds


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.usefixtures("no_child")
def test_unsound_stores_give_one_error_and_run_nothing(tmp_path, name):
    check_refused(tmp_path, name)


@pytest.mark.parametrize("name", IN_CHILD)
def test_unsound_stores_are_stopped_by_the_checking_process(tmp_path, monkeypatch, name):
    monkeypatch.setattr("lasernet.data.importers.ptstore.load_store", None)  # this process must not get that far
    check_refused(tmp_path, name)


def check_refused(tmp_path, name):
    source = first_version(tmp_path / "s")
    HOSTILE[name](source)
    with pytest.raises(DataError) as caught:
        convert(source, tmp_path / "out.h5", format="lasernet-pt")
    assert "\n" not in str(caught.value)
    assert os.listdir(tmp_path) == ["s"]
    assert not (source / "canary").exists()

"""The HDF5 layout: what is written is what is read, and nothing that is not of the layout gets in."""

import contextlib
import errno
import hashlib
import io
import json
import os
import shutil
import signal
import time

import h5py
import numpy as np
import pytest

from lasernet.data.case_writer import CHUNKS
from lasernet.data.layout import create_file, open_file
from lasernet.data.patient_file import PatientFile
from lasernet.errors import DataError

GRID = (3, 5, 4, 6)
PHYSICS = {"material": "316L", "solidus": 1696.5, "liquidus": 1723.0}


def axes(grid=GRID):
    t, x, y, z = (np.arange(n) * step for n, step in zip(grid, (1e-5, 2e-6, 2e-6, 2e-6), strict=True))
    return {"t": t, "x": x, "y": y, "z": z}


def volumes(frame, grid=GRID, seed=0):
    rng = np.random.default_rng([seed, frame])
    ids = rng.integers(0, 4, grid[1:]).astype(np.int32)
    return {
        "temperature": rng.uniform(300, 3000, grid[1:]).astype(np.float32),
        "ipf": np.where(ids, rng.integers(1, 256, (9, *grid[1:])), 0).astype(np.uint8),
        "grain_id": ids,
    }


def write(path, order=range(3), names=("a",), **options):
    with create_file(path, **options) as out:
        for name in names:
            case = out.add_case(name, **axes(), **PHYSICS, scan_velocity=(0.8, 0, 0), provenance={"b": 1, "a": 2})
            for frame in order:
                case.write_frame(frame, **volumes(frame))
    return path


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_reading_gives_back_what_was_written(tmp_path):
    with open_file(write(tmp_path / "a.h5")) as file:
        case = file.cases["a"]
        assert case.shape == GRID
        assert case.fields == ("temperature", "ipf", "grain_id")
        for frame in range(3):
            for field, volume in volumes(frame).items():
                found = case.frame(field, frame)
                assert found.dtype == volume.dtype
                np.testing.assert_array_equal(found, volume)
            np.testing.assert_array_equal(case.molten(frame), volumes(frame)["grain_id"] == 0)
            assert case.valid(frame).all()
        np.testing.assert_array_equal(case.read("ipf", (1, slice(None), 2)), volumes(1)["ipf"][:, 2])
        assert (case.material, case.solidus, case.liquidus, case.front) == ("316L", 1696.5, 1723.0, (1663.0, 1723.0))
        assert case.scan_velocity.tolist() == [0.8, 0, 0]
        assert case.provenance == {"a": 2, "b": 1}
        for axis, values in axes().items():
            np.testing.assert_array_equal(getattr(case, axis), values)
    assert case.t[1] == 1e-5  # still there when the file is closed


def test_plain_h5py_reads_units_and_scale(tmp_path):
    with h5py.File(write(tmp_path / "a.h5")) as file:
        group = file["cases/a"]
        assert group["ipf"].attrs["scale"] == 1 / 255
        assert group["temperature"].attrs["unit"] == "K"
        assert group.attrs["material"] == "316L"
        assert {group[field].compression for field in ("temperature", "ipf", "grain_id")} <= {"lzf", "gzip"}


def test_equal_content_gives_equal_bytes_in_any_order_at_any_time(tmp_path):
    first = digest(write(tmp_path / "a.h5", names=("a", "b")))
    time.sleep(1.1)
    assert digest(write(tmp_path / "b.h5", order=(2, 0, 1), names=("b", "a"))) == first


def test_compact_files_hold_the_same_content(tmp_path):
    with open_file(write(tmp_path / "a.h5")) as plain, open_file(write(tmp_path / "b.h5", compact=True)) as compact:
        assert plain.content_hash == compact.content_hash
        np.testing.assert_array_equal(plain.cases["a"].frame("ipf", 1), compact.cases["a"].frame("ipf", 1))


@pytest.mark.parametrize("change", ["solidus", "cell", "coordinate", "group"])
def test_content_hash_follows_the_content(tmp_path, change):
    def hash_of(path, changed):
        physics = PHYSICS | ({"solidus": 1690.0} if changed == "solidus" else {})
        grid = axes() | ({"x": axes()["x"] + 1e-9} if changed == "coordinate" else {})
        with create_file(path) as out:
            case = out.add_case("a", **grid, **physics, group="other" if changed == "group" else "one")
            for frame in range(3):
                found = volumes(frame)
                if changed == "cell" and frame == 1:
                    found["temperature"][0, 0, 0] += 1
                case.write_frame(frame, **found)
        with open_file(path) as file:
            return file.content_hash

    assert hash_of(tmp_path / "a.h5", None) != hash_of(tmp_path / "b.h5", change)


def test_missing_points_are_nan_and_never_count(tmp_path):
    mask = np.ones(GRID[1:], dtype=bool)
    mask[1, 2, 3] = False
    with create_file(tmp_path / "a.h5") as out:
        case = out.add_case("a", **axes(), **PHYSICS)
        for frame in range(3):
            case.write_frame(frame, **volumes(frame), mask=mask if frame == 1 else np.ones_like(mask))
    with open_file(tmp_path / "a.h5") as file:
        case = file.cases["a"]
        assert case.read("mask", ()).shape == GRID
        np.testing.assert_array_equal(case.valid(1), mask)
        assert case.valid(0).all()
        assert np.isnan(case.frame("temperature", 1)[1, 2, 3])
        assert not case.molten(1)[1, 2, 3]
        assert not case.frame("ipf", 1)[:, 1, 2, 3].any()


def test_a_mask_that_never_changes_is_stored_once(tmp_path):
    mask = np.arange(120).reshape(GRID[1:]) % 7 > 0
    with create_file(tmp_path / "a.h5") as out:
        case = out.add_case("a", **axes(), **PHYSICS)
        for frame in range(3):
            case.write_frame(frame, **volumes(frame), mask=mask)
    with open_file(tmp_path / "a.h5") as file:
        assert file.cases["a"].read("mask", ()).shape == GRID[1:]
        np.testing.assert_array_equal(file.cases["a"].valid(2), mask)


@pytest.mark.parametrize("problem", [ValueError, KeyboardInterrupt, SystemExit])
def test_nothing_is_left_when_writing_fails(tmp_path, problem):
    def interrupted():
        with create_file(tmp_path / "a.h5") as out:
            out.add_case("a", **axes(), **PHYSICS).write_frame(0, **volumes(0))
            raise problem

    with pytest.raises(problem):
        interrupted()
    assert os.listdir(tmp_path) == []


class FullDisk(io.FileIO):
    """Takes bytes up to a place, then says that there is no space."""

    limit = 0

    def write(self, data):
        if self.tell() + len(data) > self.limit:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(data)


@pytest.mark.parametrize("limit", [0, 1000, 3000, 9000, 13000])
def test_a_full_disk_is_one_error_and_leaves_nothing(tmp_path, monkeypatch, limit):
    def start(self, path):
        original(self, path)
        self._file = FullDisk(path, "r+")
        self._file.limit = limit

    original = PatientFile.__init__
    monkeypatch.setattr(PatientFile, "__init__", start)
    with pytest.raises(DataError, match="No space left"):
        write(tmp_path / "a.h5", order=(1, 0, 2))
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs timers that interrupt")
def test_interrupts_at_any_moment_leave_a_whole_file_or_none(tmp_path):
    good = digest(write(tmp_path / "a.h5", names=("b", "a")))
    (tmp_path / "a.h5").unlink()
    rng = np.random.default_rng(1)
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        for _ in range(20):
            with contextlib.suppress(KeyboardInterrupt):
                signal.setitimer(signal.ITIMER_REAL, rng.uniform(0.001, 0.03))
                write(tmp_path / "a.h5", names=("b", "a"))
                signal.setitimer(signal.ITIMER_REAL, 0)
            assert os.listdir(tmp_path) in ([], ["a.h5"])
            if (tmp_path / "a.h5").exists():
                assert digest(tmp_path / "a.h5") == good
                (tmp_path / "a.h5").unlink()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_a_frame_that_was_never_written_is_refused(tmp_path):
    with pytest.raises(DataError, match="frame 1 of case 'a' was never written"):
        write(tmp_path / "a.h5", order=(0, 2))
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    "change",
    [
        {"temperature": np.full(GRID[1:], -1.0)},
        {"temperature": np.full(GRID[1:], np.inf)},
        {"temperature": np.ones((2, 2, 2))},
        {"ipf": np.zeros((9, *GRID[1:]))},
        {"grain_id": np.full(GRID[1:], 2**40)},
        {"grain_id": None},
        {"mask": np.ones(GRID[1:])},
    ],
)
def test_frames_that_do_not_fit_are_refused(tmp_path, change):
    def put():
        with create_file(tmp_path / "a.h5") as out:
            out.add_case("a", **axes(), **PHYSICS).write_frame(0, **(volumes(0) | change))

    with pytest.raises(DataError):
        put()
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    "change",
    [
        {"solidus": 1800.0},
        {"front": (1700.0, 1600.0)},
        {"ipf_key": "mine"},
        {"x": np.array([0, 1, 3, 4, 5.0])},
        {"z": np.full(6, np.nan)},
        {"t": np.array([0.0, 2, 1])},
        {"fields": ("pressure",)},
    ],
)
def test_impossible_cases_are_refused(tmp_path, change):
    def put():
        with create_file(tmp_path / "a.h5") as out:
            out.add_case("a", **(axes() | PHYSICS | change))

    with pytest.raises(DataError):
        put()
    assert os.listdir(tmp_path) == []


def test_existing_files_are_kept_unless_told_otherwise(tmp_path):
    path = write(tmp_path / "a.h5")
    before = digest(path)
    with pytest.raises(DataError, match="exists already"):
        write(path)
    assert digest(path) == before
    assert digest(write(path, overwrite=True)) == before
    with pytest.raises(DataError, match="no directory"):
        write(tmp_path / "none" / "a.h5")
    with pytest.raises(DataError):
        write(tmp_path, overwrite=True)


HOSTILE = {
    "external link": lambda file: file["cases"].__setitem__("b", h5py.ExternalLink("/etc/passwd", "/")),
    "soft link": lambda file: file["cases"].__setitem__("b", h5py.SoftLink("/cases/a")),
    "soft link for a field": lambda file: replace(file, "temperature", h5py.SoftLink("/cases/a/ipf")),
    "hard link": lambda file: file["cases"].__setitem__("b", file["cases/a"]),
    "loop": lambda file: file["cases/a"].__setitem__("temperature2", file["cases"]),
    "external link at the top": lambda file: file.__setitem__("more", h5py.ExternalLink("/etc/passwd", "/")),
    "linked folder": lambda file: (file.move("cases", "real"), file.__setitem__("cases", h5py.SoftLink("/real"))),
    "virtual dataset": lambda file: virtual(file),
    "external storage": lambda file: replace(
        file, "temperature", external=[("/etc/passwd", 0, 4 * 360)], shape=GRID, dtype="f4"
    ),
    "references": lambda file: replace(file, "temperature", shape=GRID, dtype=h5py.ref_dtype),
    "text field": lambda file: replace(file, "temperature", shape=GRID, dtype=h5py.string_dtype()),
    "double field": lambda file: replace(file, "temperature", data=np.ones(GRID)),
    "lost frame": lambda file: replace(file, "temperature", data=np.ones((2, *GRID[1:]), "f4")),
    "shape bomb": lambda file: replace(
        file, "temperature", shape=(3, 10**6, 10**6, 6), dtype="f4", chunks=(1, 58, 12, 6), compression="gzip"
    ),
    "long coordinate": lambda file: replace(file, "x", shape=(10**9,), dtype="f8", chunks=(1000,)),
    "unwritten field": lambda file: replace(file, "temperature", shape=GRID, dtype="f4"),
    "unknown filter": lambda file: replace(file, "temperature", data=np.ones(GRID, "f4"), chunks=GRID, scaleoffset=2),
    "group for a field": lambda file: (file["cases/a"].pop("temperature"), file["cases/a"].create_group("temperature")),
    "no coordinate": lambda file: file["cases/a"].pop("y"),
    "nan coordinate": lambda file: file["cases/a/x"].write_direct(np.full(5, np.nan)),
    "uneven coordinate": lambda file: file["cases/a/x"].write_direct(np.array([0, 1, 2, 3, 5.0])),
    "falling time": lambda file: file["cases/a/t"].write_direct(np.array([2, 1, 0.0])),
    "moved coordinate": lambda file: file["cases/a/x"].write_direct(np.arange(5.0)),
    "no solidus": lambda file: file["cases/a"].attrs.pop("solidus"),
    "solidus above liquidus": lambda file: file["cases/a"].attrs.__setitem__("solidus", 2000.0),
    "changed liquidus": lambda file: file["cases/a"].attrs.__setitem__("liquidus", 1724.0),
    "nan liquidus": lambda file: file["cases/a"].attrs.__setitem__("liquidus", np.nan),
    "text liquidus": lambda file: file["cases/a"].attrs.__setitem__("liquidus", "hot"),
    "broken provenance": lambda file: file["cases/a"].attrs.__setitem__("provenance", "{"),
    "unknown version": lambda file: file.attrs.__setitem__("layout_version", 99),
    "no format": lambda file: file.attrs.pop("format"),
    "other kind": lambda file: file.attrs.__setitem__("kind", "flow"),
    "no cases": lambda file: file["cases"].pop("a"),
    "nothing": lambda file: file.pop("cases"),
}


def replace(file, name, link=None, **options):
    group = file["cases/a"]
    kept = dict(group[name].attrs)
    del group[name]
    if link is not None:
        group[name] = link
    else:
        group.create_dataset(name, **options).attrs.update(kept)


def virtual(file):
    sheet = h5py.VirtualLayout(GRID, "f4")
    sheet[:] = h5py.VirtualSource("/etc/passwd", "x", GRID)
    del file["cases/a/temperature"]
    file["cases/a"].create_virtual_dataset("temperature", sheet)


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    return write(tmp_path_factory.mktemp("sound") / "a.h5")


def refused(path, **options):
    with pytest.raises(DataError) as caught:
        open_file(path, **options).close()
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", HOSTILE)
def test_files_that_are_not_of_the_layout_are_refused(tmp_path, sound, name):
    path = tmp_path / "bad.h5"
    shutil.copy(sound, path)
    with h5py.File(path, "r+", libver="latest") as file:
        HOSTILE[name](file)
    message = refused(path)
    assert message.startswith("bad.h5: ")
    if name == "other kind":
        assert "'flow'" in message


@pytest.mark.parametrize("name", ["missing", "directory", "pipe", "text", "empty", "device"])
def test_what_is_no_hdf5_file_is_refused_without_hanging(tmp_path, name):
    path = tmp_path / "x.h5"
    if name == "directory":
        path.mkdir()
    elif name == "pipe":
        os.mkfifo(path)
    elif name == "device":
        path.symlink_to("/dev/zero")
    elif name != "missing":
        path.write_text("" if name == "empty" else "Points:0,T\n")
    refused(path)


def test_damaged_bytes_are_refused_or_harmless(tmp_path, sound):
    """No byte can change what is read without an error: metadata, chunks and hashes all carry checksums."""
    good = sound.read_bytes()
    rng = np.random.default_rng(5)
    with open_file(sound) as file:
        reference = [file.cases["a"].frame(field, frame) for field in file.cases["a"].fields for frame in range(3)]
    path = tmp_path / "bad.h5"
    for number in range(12):
        damaged = bytearray(good[: len(good) // 2] if number == 0 else good)
        place = int(rng.integers(len(damaged)))
        damaged[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        try:
            with open_file(path) as file:
                case = file.cases["a"]
                found = [case.frame(field, frame) for field in case.fields for frame in range(3)]
        except DataError:
            continue
        assert number > 0
        for value, expected in zip(found, reference, strict=True):
            np.testing.assert_array_equal(value, expected)


def test_checking_takes_less_than_half_a_second(sound):
    best = min(timed(lambda: open_file(sound).close()) for _ in range(3))
    assert best < 0.5


def timed(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def test_a_field_that_is_absent_is_named(sound):
    with open_file(sound) as file, pytest.raises(DataError, match="no field 'mask'"):
        file.cases["a"].read("mask", 0)


def test_chunks_fit_the_grid(sound):
    with h5py.File(sound) as file:
        assert file["cases/a/ipf"].chunks == (1, 9, 5, 4, 5)
    assert set(CHUNKS) == {"temperature", "ipf", "grain_id", "mask"}


def test_provenance_is_json_in_sorted_order(sound):
    with h5py.File(sound) as file:
        text = file["cases/a"].attrs["provenance"]
    assert text == json.dumps({"a": 2, "b": 1})

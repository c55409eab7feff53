"""The HDF5 layout: what is written is what is read, a file is whole or not there, and no unsound case gets in."""

import contextlib
import errno
import io
import json
import os
import signal
import time

import h5py
import numpy as np
import pytest
from layout_files import GRID, PHYSICS, axes, digest, volumes, write

from lasernet.data.case_writer import CHUNKS
from lasernet.data.layout import create_file, open_file
from lasernet.data.patient_file import PatientFile
from lasernet.errors import DataError


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


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    return write(tmp_path_factory.mktemp("sound") / "a.h5")


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

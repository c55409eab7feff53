"""Image sets: what is written is what is read, equal content gives equal bytes, and failures leave nothing."""

import contextlib
import errno
import hashlib
import io
import json
import os
import signal
import time
from itertools import pairwise

import h5py
import numpy as np
import pytest

from lasernet.data.bundled import bundled_track
from lasernet.data.image_file import ImageSetWriter, count_labels, open_image_file, write_image_set
from lasernet.data.layout import open_file
from lasernet.data.patient_file import PatientFile
from lasernet.errors import DataError

COUNT, SIZE = 11, (40, 56)


def textures(count=COUNT, size=SIZE, seed=0):
    """Images whose gray is made of their labels, and the labels, some pixels of which belong to no grain."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 7, (count, size[0] // 8, size[1] // 8)).repeat(8, axis=1).repeat(8, axis=2)
    return (labels * 30 + rng.integers(0, 20, labels.shape)).astype(np.uint8), labels.astype(np.int32)


def write(path, cuts=(0, COUNT), *, labelled=True, grains=None, groups=None, **options):
    images, labels = textures()
    with ImageSetWriter(path, periodic=True, provenance={"b": 1, "a": 2}, labelled=labelled, **options) as out:
        for start, stop in pairwise(cuts):
            rows = slice(start, stop)
            out.write(
                images[rows],
                labels=labels[rows] if labelled else None,
                grains=None if grains is None else grains[rows],
                groups=None if groups is None else groups[rows],
            )
    return path


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_reading_gives_back_what_was_written(tmp_path):
    images, labels = textures()
    groups = np.arange(COUNT) // 3
    path = write(tmp_path / "a.h5", groups=groups, pixel_size=2e-6, name="set", group_prefix="source-")
    with open_image_file(path) as file:
        case = file.cases["set"]
        assert (case.shape, len(case)) == ((COUNT, *SIZE), COUNT)
        assert case.fields == ("image", "labels", "grains", "group")
        np.testing.assert_array_equal(case.read("image"), images)
        np.testing.assert_array_equal(case.read("image", 4), images[4])
        np.testing.assert_array_equal(case.read("image", [1, 7]), images[[1, 7]])
        np.testing.assert_array_equal(case.read("labels", slice(3, 9)), labels[3:9])
        assert (case.periodic, case.pixel_size, case.group_prefix) == (True, 2e-6, "source-")
        assert case.provenance == {"a": 2, "b": 1}
    np.testing.assert_array_equal(case.groups, groups)  # still there when the file is closed
    np.testing.assert_array_equal(case.grains, count_labels(labels))
    assert [case.groups.dtype, case.grains.dtype] == [np.int32, np.int32]


def test_grains_are_the_distinct_labels_above_zero():
    labels = np.array([[[0, 3], [3, 9]], [[4, 4], [4, 4]], [[0, 0], [0, 0]]], dtype=np.int32)
    assert count_labels(labels).tolist() == [2, 1, 0]


def test_what_the_source_lacks_is_absent(tmp_path):
    with open_image_file(write(tmp_path / "a.h5", labelled=False)) as file:
        case = file.cases["images"]
        assert case.fields == ("image", "group")
        assert case.grains is None
        np.testing.assert_array_equal(case.groups, np.arange(COUNT))
        with pytest.raises(DataError, match="no field 'labels' \\(found: image, group\\)"):
            case.read("labels")


def test_grain_numbers_need_no_labels(tmp_path):
    with open_image_file(write(tmp_path / "a.h5", labelled=False, grains=np.arange(COUNT))) as file:
        np.testing.assert_array_equal(file.cases["images"].grains, np.arange(COUNT))


def test_plain_h5py_reads_units_and_scale(tmp_path):
    with h5py.File(write(tmp_path / "a.h5")) as file:
        case = file["cases/images"]
        assert case["image"].attrs["scale"] == 1 / 255
        assert file.attrs["kind"] == "images"
        assert {case[field].compression for field in ("image", "labels")} <= {"lzf", "gzip"}
        assert json.loads(case.attrs["units"])["pixel_size"] == "m"
        assert case.attrs["provenance"] == json.dumps({"a": 2, "b": 1})


def test_equal_content_gives_equal_bytes_in_any_blocks_at_any_time(tmp_path):
    first = digest(write(tmp_path / "a.h5"))
    time.sleep(1.1)
    assert digest(write(tmp_path / "b.h5", cuts=(0, 1, 1, 4, 9, 10, COUNT))) == first


def test_the_hash_sees_the_values_not_how_they_are_stored(tmp_path):
    path = write(tmp_path / "a.h5")
    with h5py.File(path, "r+") as file:
        case = file["cases/images"]
        for name, field in list(case.items()):
            values, kept = field[()], dict(field.attrs)
            del case[name]
            case.create_dataset(name, data=values, chunks=(2, *values.shape[1:]), compression="lzf").attrs.update(kept)
    with open_image_file(path) as file, open_image_file(write(tmp_path / "b.h5")) as other:
        assert file.content_hash == other.content_hash


@pytest.mark.parametrize("change", ["pixel", "label", "group", "order", "periodic", "pixel_size", "group_prefix"])
def test_content_hash_follows_the_content(tmp_path, change):
    def hash_of(path, changed):
        images, labels = textures()
        groups = np.arange(COUNT)
        if changed == "pixel":
            images[3, 5, 6] ^= 1
        if changed == "label":
            labels[3, 5, 6] += 1
        if changed == "group":
            groups[3] = 4
        if changed == "order":
            images[[0, 1]] = images[[1, 0]]
        options = {"group_prefix": "other" if changed == "group_prefix" else "one"}
        options |= {"pixel_size": 1e-6 if changed == "pixel_size" else 0.0, "periodic": changed != "periodic"}
        with open_image_file(
            write_image_set(path, images, labels=labels, groups=groups, provenance={"of": changed}, **options)
        ) as file:
            return file.content_hash

    assert hash_of(tmp_path / "a.h5", None) == hash_of(tmp_path / "c.h5", "provenance")
    assert hash_of(tmp_path / "a2.h5", None) != hash_of(tmp_path / "b.h5", change)


def test_the_writer_knows_the_hash_of_the_file(tmp_path):
    images, _ = textures()
    with ImageSetWriter(tmp_path / "a.h5", periodic=False, provenance={}) as out:
        out.write(images)
    with open_image_file(tmp_path / "a.h5") as file:
        assert file.content_hash == out.content_hash


def test_large_images_are_stored_in_parts(tmp_path):
    image = (np.arange(1500 * 1100) % 251).astype(np.uint8).reshape(1, 1500, 1100)
    with open_image_file(write_image_set(tmp_path / "a.h5", image, periodic=False, provenance={})) as file:
        np.testing.assert_array_equal(file.cases["images"].read("image"), image)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"images": np.zeros((2, 4, 4))}, "expected uint8"),
        ({"images": np.zeros((4, 4), np.uint8)}, "expected uint8"),
        ({"images": np.zeros((2, 4, 5), np.uint8), "labels": np.ones((2, 4, 5), np.int32)}, "expected \\(4, 4\\)"),
        ({"labels": None}, "lacks labels"),
        ({"labels": np.zeros((2, 4, 5), np.int32)}, "labels are int32 of shape"),
        ({"labels": np.full((2, 4, 4), -1)}, "labels range from -1"),
        ({"labels": np.full((2, 4, 4), 2**31)}, "expected 0 to"),
        ({"labels": np.ones((2, 4, 4))}, "float64"),
        ({"grains": np.array([1, 1])}, "all or none"),
        ({"groups": np.array([1, 1])}, "all or none"),
    ],
)
def test_blocks_that_do_not_fit_are_refused(tmp_path, change, says):
    good = {"images": np.zeros((2, 4, 4), np.uint8), "labels": np.ones((2, 4, 4), np.int32)}

    def put():
        with ImageSetWriter(tmp_path / "a.h5", periodic=True, provenance={}, labelled=True) as out:
            out.write(**{"labels": good["labels"], "images": good["images"]})
            out.write(**(good | change))

    with pytest.raises(DataError, match=says):
        put()
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"grains": np.array([3, 2])}, "3 grains are claimed of image 0, whose labels have 1"),
        ({"grains": np.array([1])}, "grains are int64 of shape"),
        ({"groups": np.array([-1, 0])}, "groups range from -1"),
        ({"groups": np.array([0.0, 1.0])}, "float64"),
        ({"pixel_size": -1e-6}, "pixel size"),
        ({"pixel_size": float("nan")}, "pixel size"),
        ({"images": np.zeros((2, 4, 0), np.uint8), "labels": np.ones((2, 4, 0), np.int32)}, "sides of 1 to"),
        ({"group_prefix": "a\nb"}, "group prefix"),
    ],
)
def test_impossible_sets_are_refused(tmp_path, options, says):
    good = {"images": np.zeros((2, 4, 4), np.uint8), "labels": np.ones((2, 4, 4), np.int32)}
    given = good | options
    with pytest.raises(DataError, match=says):
        write_image_set(tmp_path / "a.h5", given.pop("images"), periodic=True, provenance={}, **given)
    assert os.listdir(tmp_path) == []


def test_a_set_without_images_is_refused(tmp_path):
    with pytest.raises(DataError, match="no image"), ImageSetWriter(tmp_path / "a.h5", periodic=True, provenance={}):
        pass
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["", "a/b", ".", "a\n", "a" * 201])
def test_names_that_cannot_be_used_are_refused(tmp_path, name):
    with pytest.raises(DataError, match="unusable name"):
        write(tmp_path / "a.h5", name=name)


@pytest.mark.parametrize("problem", [ValueError, KeyboardInterrupt, SystemExit])
def test_nothing_is_left_when_writing_fails(tmp_path, problem):
    def interrupted():
        with ImageSetWriter(tmp_path / "a.h5", periodic=True, provenance={}) as out:
            out.write(textures()[0])
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


@pytest.mark.parametrize("limit", [0, 1000, 4000, 12000])
def test_a_full_disk_is_one_error_and_leaves_nothing(tmp_path, monkeypatch, limit):
    def start(self, path):
        original(self, path)
        self._file = FullDisk(path, "r+")
        self._file.limit = limit

    original = PatientFile.__init__
    monkeypatch.setattr(PatientFile, "__init__", start)
    with pytest.raises(DataError, match="No space left"):
        write(tmp_path / "a.h5", cuts=(0, 5, COUNT))
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs timers that interrupt")
def test_interrupts_at_any_moment_leave_a_whole_file_or_none(tmp_path):
    good = digest(write(tmp_path / "a.h5"))
    (tmp_path / "a.h5").unlink()
    rng = np.random.default_rng(1)
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        for _ in range(20):
            with contextlib.suppress(KeyboardInterrupt):
                signal.setitimer(signal.ITIMER_REAL, rng.uniform(0.001, 0.02))
                write(tmp_path / "a.h5", cuts=(0, 2, 5, COUNT))
                signal.setitimer(signal.ITIMER_REAL, 0)
            assert os.listdir(tmp_path) in ([], ["a.h5"])
            if (tmp_path / "a.h5").exists():
                assert digest(tmp_path / "a.h5") == good
                (tmp_path / "a.h5").unlink()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_existing_files_are_kept_unless_told_otherwise(tmp_path):
    path = write(tmp_path / "a.h5")
    before = digest(path)
    with pytest.raises(DataError, match="exists already"):
        write(path)
    assert digest(path) == before
    assert digest(write(path, overwrite=True)) == before
    with pytest.raises(DataError, match="no directory"):
        write(tmp_path / "none" / "a.h5")


def test_a_file_of_the_other_kind_is_one_error_that_names_both(tmp_path):
    path = write(tmp_path / "a.h5")
    with pytest.raises(DataError, match=r"^a\.h5: it holds 'images' data; expected 'laser' data"):
        open_file(path)
    with pytest.raises(DataError, match="it holds 'laser' data; expected 'images' data"):
        open_image_file(bundled_track())

"""Files that are not of the HDF5 layout, hostile or damaged: refused in one line, soon and without harm."""

import os
import shutil

import h5py
import numpy as np
import pytest
from layout_files import GRID, write

from lasernet.data.layout import open_file
from lasernet.errors import DataError

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

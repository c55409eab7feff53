"""Nothing that is not of the layout of image sets gets in, and no damage goes unseen."""

import os
import shutil

import h5py
import numpy as np
import pytest

from lasernet.data.image_file import open_image_file, write_image_set
from lasernet.data.image_structure import MAX_IMAGES
from lasernet.errors import DataError

SHAPE = (9, 24, 32)


def replace(file, name, link=None, **options):
    case = file["cases/images"]
    kept = dict(case[name].attrs)
    del case[name]
    if link is not None:
        case[name] = link
    else:
        case.create_dataset(name, **options).attrs.update(kept)


def virtual(file):
    sheet = h5py.VirtualLayout(SHAPE, "u1")
    sheet[:] = h5py.VirtualSource("/etc/passwd", "x", SHAPE)
    kept = dict(file["cases/images/image"].attrs)
    del file["cases/images/image"]
    file["cases/images"].create_virtual_dataset("image", sheet).attrs.update(kept)


def attribute(name, value, of="cases/images"):
    return lambda file: file[of].attrs.__setitem__(name, value)


def without(name, of="cases/images"):
    return lambda file: file[of].attrs.pop(name)


def field(name, **options):
    return lambda file: replace(file, name, **options)


HOSTILE = {
    "external link": field("image", link=h5py.ExternalLink("/etc/passwd", "/")),
    "soft link": field("labels", link=h5py.SoftLink("/cases/images/image")),
    "hard link": lambda file: replace(file, "grains", link=file["cases/images/group"]),
    "second set by link": lambda file: file["cases"].__setitem__("b", file["cases/images"]),
    "loop": lambda file: file["cases/images"].__setitem__("labels2", file["cases"]),
    "linked folder": lambda file: (file.move("cases", "real"), file.__setitem__("cases", h5py.SoftLink("/real"))),
    "virtual dataset": virtual,
    "external storage": field("image", external=[("/etc/passwd", 0, 9 * 24 * 32)], shape=SHAPE, dtype="u1"),
    "references": field("image", shape=SHAPE, dtype=h5py.ref_dtype),
    "text": field("image", shape=SHAPE, dtype=h5py.string_dtype()),
    "floats": field("image", data=np.ones(SHAPE, "f4")),
    "16-bit images": field("image", data=np.ones(SHAPE, "u2")),
    "colors": field("image", data=np.ones((*SHAPE, 3), "u1")),
    "one image": field("image", data=np.ones(SHAPE[1:], "u1")),
    "no shape": field("image", data=h5py.Empty("u1")),
    "wide labels": field("labels", data=np.ones(SHAPE, "i8")),
    "lost labels": field("labels", data=np.ones((8, 24, 32), "i4")),
    "lost group": field("group", data=np.zeros(8, "i4")),
    "no images": field("image", shape=(0, 24, 32), dtype="u1", maxshape=(None, 24, 32), chunks=(1, 24, 32)),
    "too many images": field("image", shape=(MAX_IMAGES + 1, 1, 1), dtype="u1", chunks=(1 << 20, 1, 1)),
    "wide images": field("image", shape=(1, 1, 1 << 20), dtype="u1", chunks=(1, 1, 1 << 10)),
    "shape bomb": field("image", shape=(1 << 22, 1 << 14, 1 << 14), dtype="u1", chunks=(1, 256, 256)),
    "unwritten images": field("image", shape=SHAPE, dtype="u1"),
    "unwritten groups": field("group", shape=(9,), dtype="i4", chunks=(9,)),
    "huge chunks": field("image", data=np.ones(SHAPE, "u1"), chunks=(1 << 12, 1 << 7, 1 << 8), maxshape=(None,) * 3),
    "unknown filter": field("labels", data=np.ones(SHAPE, "i4"), chunks=SHAPE, scaleoffset=2),
    "group for a field": lambda file: (file["cases/images"].pop("image"), file["cases/images"].create_group("image")),
    "dataset for a set": lambda file: file["cases"].create_dataset("b", data=1),
    "unknown field": lambda file: file["cases/images"].create_dataset("extra", data=np.zeros(9)),
    "no image": lambda file: file["cases/images"].pop("image"),
    "no group": lambda file: file["cases/images"].pop("group"),
    "labels without grains": lambda file: file["cases/images"].pop("grains"),
    "negative group": lambda file: file["cases/images/group"].write_direct(np.full(9, -1, "i4")),
    "moved group": lambda file: file["cases/images/group"].write_direct(np.arange(9, dtype="i4")[::-1].copy()),
    "changed grains": lambda file: file["cases/images/grains"].write_direct(np.arange(9, dtype="i4")),
    "no periodic": without("periodic"),
    "half periodic": attribute("periodic", 0.5),
    "changed periodic": attribute("periodic", 0),
    "nan periodic": attribute("periodic", np.nan),
    "list of periodic": attribute("periodic", [1, 1]),
    "nan pixel size": attribute("pixel_size", np.nan),
    "infinite pixel size": attribute("pixel_size", np.inf),
    "negative pixel size": attribute("pixel_size", -1e-6),
    "text pixel size": attribute("pixel_size", "small"),
    "changed pixel size": attribute("pixel_size", 3e-6),
    "another scale": attribute("scale", 1.0, of="cases/images/image"),
    "no scale": without("scale", of="cases/images/image"),
    "no hash": without("sha256", of="cases/images/image"),
    "another hash": attribute("sha256", "0" * 64, of="cases/images/image"),
    "no prefix": attribute("group_prefix", ""),
    "long prefix": attribute("group_prefix", "x" * 3000),
    "broken provenance": attribute("provenance", "{"),
    "list as provenance": attribute("provenance", "[]"),
    "unknown version": attribute("layout_version", 99, of="/"),
    "no format": without("format", of="/"),
    "other kind": attribute("kind", "flow", of="/"),
    "nothing": lambda file: file.pop("cases"),
    "no sets": lambda file: file["cases"].pop("images"),
}


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 5, SHAPE).astype(np.int32)
    path = tmp_path_factory.mktemp("sound") / "a.h5"
    return write_image_set(path, (labels * 50).astype(np.uint8), labels=labels, periodic=True, provenance={"a": 1})


def refused(path):
    with pytest.raises(DataError) as caught:
        open_image_file(path).close()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_sound_file_is_accepted(sound):
    open_image_file(sound).close()


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
        assert "'images'" in message


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
        path.write_text("" if name == "empty" else "P5 64 64\n")
    refused(path)


@pytest.mark.parametrize("share", [0.02, 0.3, 0.7, 0.99])
def test_truncated_files_are_refused(tmp_path, sound, share):
    data = sound.read_bytes()
    path = tmp_path / "bad.h5"
    path.write_bytes(data[: int(share * len(data))])
    refused(path)


def test_damaged_bytes_are_refused_or_harmless(tmp_path, sound):
    """No byte can change what is read without an error: metadata, chunks and hashes all carry checksums."""
    good = sound.read_bytes()
    rng = np.random.default_rng(5)
    with open_image_file(sound) as file:
        reference = [file.cases["images"].read(name) for name in file.cases["images"].fields]
    path = tmp_path / "bad.h5"
    for _ in range(12):
        damaged = bytearray(good)
        damaged[int(rng.integers(len(damaged)))] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        try:
            with open_image_file(path) as file:
                found = [file.cases["images"].read(name) for name in file.cases["images"].fields]
        except DataError:
            continue
        for value, expected in zip(found, reference, strict=True):
            np.testing.assert_array_equal(value, expected)

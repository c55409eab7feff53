"""Stacks in HDF5: which axis counts the images, what black and white are, which files are no plain stacks."""

import os
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from image_sources import BYTES, RNG, convert, folder, refused, stack


def test_every_channel_of_every_file_is_an_image_in_natural_order(tmp_path: Path) -> None:
    source = folder(tmp_path)
    for number, part in ((10, BYTES[4:]), (2, BYTES[:4])):
        stack(source / f"img_{number}.h5", np.moveaxis(part, 0, -1))
    assert np.array_equal(convert(source), BYTES)
    assert np.array_equal(convert(source / "*.h5"), BYTES)


def test_a_zip_gives_the_same_bytes_as_its_folder(tmp_path: Path) -> None:
    source = folder(tmp_path)
    with zipfile.ZipFile(tmp_path / "s.zip", "w") as archive:
        for number in range(7):
            path = stack(source / f"{number}.h5", BYTES[number])
            archive.write(path, f"Voronoi micro/{number}.h5")
    convert(source)
    folded = (tmp_path / "out.h5").read_bytes()
    convert(tmp_path / "s.zip")
    assert (tmp_path / "out.h5").read_bytes() == folded
    assert sorted(os.listdir(tmp_path)) == ["out.h5", "s", "s.zip"]


@pytest.mark.parametrize("shape", ["last", "first", "single", "one channel"])
def test_shapes_that_leave_one_answer_are_read(tmp_path: Path, shape: str) -> None:
    values = {"last": np.moveaxis(BYTES, 0, -1), "first": BYTES, "single": BYTES[0], "one channel": BYTES[..., None]}
    found = convert(stack(tmp_path / "a.h5", values[shape]))
    assert np.array_equal(found, BYTES[:1] if shape == "single" else BYTES)


def test_ambiguous_shapes_are_refused_until_the_axis_is_named(tmp_path: Path) -> None:
    cube = RNG.integers(0, 256, (12, 12, 12), dtype=np.uint8)
    path = stack(tmp_path / "a.h5", cube)
    assert "--image-axis" in refused(path)
    assert np.array_equal(convert(path, image_axis="first"), cube)
    assert np.array_equal(convert(path, image_axis="last"), np.moveaxis(cube, -1, 0))
    assert "--image-axis" in refused(stack(tmp_path / "a.h5", cube[:5, :8]))
    assert "--image-axis" not in refused(stack(tmp_path / "a.h5", np.zeros((2, 4, 4, 3))))


def test_a_cube_among_clear_stacks_follows_them_and_contradictions_are_refused(tmp_path: Path) -> None:
    source = folder(tmp_path)
    cube = RNG.integers(0, 256, (12, 12, 12), dtype=np.uint8)
    stack(source / "0.h5", cube)
    stack(source / "1.h5", np.moveaxis(BYTES, 0, -1))
    assert np.array_equal(convert(source)[:12], np.moveaxis(cube, -1, 0))
    stack(source / "2.h5", BYTES)
    message = refused(source)
    assert "1.h5" in message
    assert "2.h5" in message


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([[0, 1], [1, 0]], np.uint8), [[0, 255], [255, 0]]),
        (np.array([[False, True]]), [[0, 255]]),
        (np.array([[0, 77], [255, 3]], np.int64), [[0, 77], [255, 3]]),
        (np.array([[0, 65535, 257 * 9]], np.uint16), [[0, 255, 9]]),
        (np.array([[0, 1, 0.5]], np.float32), [[0, 255, 128]]),
        (np.array([[-1, 1, 0.0]]), [[0, 255, 128]]),
        (np.array([[0, 255, 17.0]], np.float16), [[0, 255, 17]]),
    ],
)
def test_ranges_follow_the_type_and_the_values(tmp_path: Path, values: np.ndarray, expected: list[list[int]]) -> None:
    assert convert(stack(tmp_path / "a.h5", values)).tolist() == [expected]


def test_the_range_is_one_for_all_files(tmp_path: Path) -> None:
    source = folder(tmp_path)
    stack(source / "0.h5", np.full((4, 4), 0.5))
    stack(source / "1.h5", np.full((4, 4), -0.5))
    assert convert(source)[:, 0, 0].tolist() == [191, 64]


@pytest.mark.parametrize(
    "values",
    [np.array([[0, 1.5]]), np.array([[0, 300.0]]), np.array([[-3, 1.0]]), np.array([[0, np.nan]]),
     np.array([[0, np.inf]]), np.array([[-1, 5]]), np.array([[0, 70000]]), np.array([[0, 200]], np.uint16)],
)  # fmt: skip
def test_values_outside_every_range_are_refused(tmp_path: Path, values: np.ndarray) -> None:
    message = refused(stack(tmp_path / "a.h5", values))
    assert "--value-range" in message or "finite" in message


def test_the_user_can_name_black_and_white_and_nothing_may_lie_outside(tmp_path: Path) -> None:
    path = stack(tmp_path / "a.h5", np.array([[0, 4095, 819]], np.uint16))
    assert convert(path, value_range=(0.0, 4095.0)).tolist() == [[[0, 255, 51]]]
    assert "4095" in refused(path, value_range=(0.0, 4000.0))


def test_types_are_not_mixed(tmp_path: Path) -> None:
    source = folder(tmp_path)
    stack(source / "0.h5", BYTES)
    stack(source / "1.h5", BYTES / 255.0)
    message = refused(source)
    assert "0.h5" in message
    assert "1.h5" in message


def test_the_first_key_by_name_is_taken_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = stack(tmp_path / "a.h5", BYTES, "b")
    with h5py.File(path, "a") as file:
        file["a"] = 255 - BYTES
        file["g/c"] = BYTES[:2]
    assert np.array_equal(convert(path), 255 - BYTES)
    assert "'a' is taken" in caplog.text
    assert np.array_equal(convert(path, key="b"), BYTES)
    assert np.array_equal(convert(path, key="g/c"), BYTES[:2])
    assert "found: a, b, g" in refused(path, key="x")
    assert "group" in refused(path, key="g")


def _external(path: Path) -> None:
    stack(path.with_name("other.dat"), BYTES)
    with h5py.File(path, "w") as file:
        file["a"] = h5py.ExternalLink("other.dat", "images")


def _soft(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["a"] = h5py.SoftLink("/b")
        file["b"] = BYTES


def _stored_outside(path: Path) -> None:
    path.with_name("raw").write_bytes(BYTES.tobytes())
    with h5py.File(path, "w") as file:
        file.create_dataset("a", BYTES.shape, "u1", external=[("raw", 0, BYTES.nbytes)])


def _virtual(path: Path) -> None:
    stack(path.with_name("other.dat"), BYTES)
    layout = h5py.VirtualLayout(BYTES.shape, "u1")
    layout[:] = h5py.VirtualSource("other.dat", "images", BYTES.shape)
    with h5py.File(path, "w") as file:
        file.create_virtual_dataset("a", layout)


def _bomb(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("a", (10**6, 64, 64), "u1", chunks=(1024, 64, 64), compression="gzip")


def _text(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["a"] = ["x", "y"]


def _truncated(path: Path) -> None:
    stack(path, BYTES)
    path.write_bytes(path.read_bytes()[:-300])


def _no_hdf5(path: Path) -> None:
    path.write_bytes(b"no file of that kind")


def _empty_file(path: Path) -> None:
    h5py.File(path, "w").close()


@pytest.mark.parametrize(
    "make", [_external, _soft, _stored_outside, _virtual, _bomb, _text, _truncated, _no_hdf5, _empty_file]
)
def test_hostile_or_damaged_stacks_are_refused(tmp_path: Path, make: object) -> None:
    make(tmp_path / "a.h5")  # type: ignore[operator]
    assert "a.h5" in refused(tmp_path / "a.h5")


def test_one_damaged_file_among_many_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    source = folder(tmp_path)
    for number in range(23):
        stack(source / f"{number}.h5", BYTES[0])
    _truncated(source / "17.h5")
    assert "17.h5" in refused(source)

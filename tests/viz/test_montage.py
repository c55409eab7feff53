from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lasernet.errors import DataError, OptionError
from lasernet.viz.montage import as_gray, montage, real_and_generated, write_montage, write_png


def some(count: int, height: int = 5, width: int = 7) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, height, width), dtype=np.uint8)


@pytest.mark.parametrize(("count", "columns"), [(1, None), (4, 2), (5, None), (7, 3), (3, 10)])
def test_every_pixel_of_every_image_is_a_block_at_its_place(count: int, columns: int | None) -> None:
    images, gap, scale = some(count), 2, 3
    sheet = montage(images, columns=columns, gap=gap, scale=scale)
    across = min(columns or int(np.ceil(np.sqrt(count))), count)
    down = -(-count // across)
    assert sheet.shape == (scale * (down * 7 - gap), scale * (across * 9 - gap))
    left = np.ones(sheet.shape, dtype=bool)
    for number, image in enumerate(images):
        row, column = divmod(number, across)
        part = np.s_[scale * row * 7 :, scale * column * 9 :]
        assert np.array_equal(sheet[part][: 5 * scale, : 7 * scale], np.kron(image, np.ones((scale, scale))))
        left[part][: 5 * scale, : 7 * scale] = False
    assert (sheet[left] == 255).all()


def test_floats_and_their_bytes_make_one_montage() -> None:
    images = some(4)
    assert np.array_equal(montage(images / 255.0), montage(images))


def test_sixteen_images_of_64_pixels_make_about_800() -> None:
    assert all(700 <= side <= 900 for side in montage(np.zeros((16, 64, 64), dtype=np.uint8)).shape)


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((4, 5)),
        np.zeros((0, 4, 5)),
        np.full((1, 4, 5), 1.1),
        np.full((1, 4, 5), -0.1),
        np.full((1, 4, 5), np.nan),
        np.zeros((1, 4, 5), dtype=np.int64),
    ],
)
def test_what_is_no_set_of_gray_images_is_refused(images: np.ndarray, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected"):
        as_gray(images)
    with pytest.raises(DataError, match="expected"):
        write_montage(images, tmp_path / "a.png")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("wrong", [{"columns": 0}, {"gap": -1}, {"scale": 0}])
def test_layouts_that_cannot_be_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(OptionError, match="choose"):
        montage(some(4), **wrong)


def test_a_written_montage_holds_the_images_exactly(tmp_path: Path) -> None:
    images = some(4)
    page = np.asarray(Image.open(write_montage(images, tmp_path / "a.png", scale=2)))
    block = page[2 * 3 : 2 * (3 + 5), 2 * 3 : 2 * (3 + 7)]  # gap of 2 and the line of 1 around the first image
    assert np.array_equal(block[::2, ::2], images[0])
    assert np.array_equal(page, page[::2, ::2].repeat(2, axis=0).repeat(2, axis=1))


def test_one_image_without_gap_is_written_as_it_is(tmp_path: Path) -> None:
    image = some(1)
    assert np.array_equal(np.asarray(Image.open(write_montage(image, tmp_path / "a.png", scale=1, gap=0))), image[0])


def test_labels_and_title_need_room_and_leave_the_images_as_they_are(tmp_path: Path) -> None:
    images = some(4, 32, 32)
    plain = np.asarray(Image.open(write_montage(images, tmp_path / "a.png", scale=2)))
    full = np.asarray(
        Image.open(write_montage(images, tmp_path / "b.png", scale=2, labels=["a", "b" * 99, "", "4"], title="T" * 99))
    )
    assert full.shape[0] > plain.shape[0]
    assert full.shape[1] == plain.shape[1]
    head = full.shape[0] - plain.shape[0] - 2 * 22
    assert np.array_equal(full[head : head + 2 * 36], plain[: 2 * 36])


def test_labels_of_another_number_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="3 labels for 4 images"):
        write_montage(some(4), tmp_path / "a.png", labels=["a", "b", "c"])


def test_the_same_images_give_the_same_bytes_without_a_date(tmp_path: Path) -> None:
    files = [write_montage(some(9), tmp_path / name, title="t") for name in ("a.png", "b.png")]
    assert files[0].read_bytes() == files[1].read_bytes()
    assert not Image.open(files[0]).info
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "b.png"]


def test_other_suffixes_are_refused(tmp_path: Path) -> None:
    for write in (lambda path: write_montage(some(1), path), lambda path: write_png(some(1)[0], path)):
        with pytest.raises(OptionError, match=r"\.png"):
            write(tmp_path / "a.jpg")
    assert list(tmp_path.iterdir()) == []


def test_real_and_generated_images_have_one_gray_scale_and_stand_beside_each_other(tmp_path: Path) -> None:
    real, generated = np.full((4, 8, 8), 100, dtype=np.uint8), np.full((4, 8, 8), 0.2)
    page = np.asarray(Image.open(real_and_generated(real, generated, tmp_path / "a.png", scale=10)))
    page, middle = page[64:], page.shape[1] // 2  # below the headings, whose type has grays of its own
    assert (page[:, :middle] == 100).sum() == (page[:, middle:] == 51).sum() == 4 * 80 * 80


def test_sets_of_different_shape_are_not_compared(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="one shape"):
        real_and_generated(some(4), some(3), tmp_path / "a.png")

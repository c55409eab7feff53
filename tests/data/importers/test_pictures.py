"""Picture files and NumPy arrays: each kind is read as one gray scale, unsound ones are refused by name."""

from pathlib import Path

import numpy as np
import pytest
from image_sources import BYTES, RNG, convert, folder, read, refused
from PIL import Image


@pytest.mark.parametrize("ending", [".png", ".tif"])
@pytest.mark.parametrize("kind", ["8", "16", "rgb", "palette", "bits", "opaque"])
def test_pictures_of_each_kind_are_read(tmp_path: Path, ending: str, kind: str) -> None:
    expected = BYTES[0]
    picture = Image.fromarray(expected)
    if kind == "16":
        picture = Image.fromarray(expected.astype(np.uint16) * 257)
    elif kind == "rgb":
        picture = picture.convert("RGB")
    elif kind == "palette":
        picture = picture.convert("P")
    elif kind == "bits":
        picture = Image.fromarray(expected > 99)
        expected = (expected > 99) * np.uint8(255)
    elif kind == "opaque":
        picture = picture.convert("RGBA")
    picture.save(tmp_path / f"a{ending}")
    assert np.array_equal(convert(tmp_path / f"a{ending}")[0], expected)


def test_luminance_is_that_of_bt_601(tmp_path: Path) -> None:
    colors = np.zeros((1, 3, 3), np.uint8)
    colors[0, [0, 1, 2], [0, 1, 2]] = 255
    Image.fromarray(colors).save(tmp_path / "a.png")
    assert convert(tmp_path / "a.png")[0, 0].tolist() == [76, 150, 29]


def test_every_page_of_a_tiff_is_an_image(tmp_path: Path) -> None:
    pages = [Image.fromarray(page) for page in BYTES]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    assert np.array_equal(convert(tmp_path / "a.tif"), BYTES)
    assert read(tmp_path / "out.h5")[1].tolist() == list(range(7))
    convert(tmp_path / "a.tif", group_by="file")
    assert read(tmp_path / "out.h5")[1].tolist() == [0] * 7


@pytest.mark.parametrize("fault", ["truncated png", "truncated tif", "text", "transparent", "bomb", "empty"])
def test_unsound_pictures_are_refused_by_name(tmp_path: Path, fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    source = folder(tmp_path)
    Image.fromarray(BYTES[0]).save(source / "a.png")
    path = source / f"b.{fault[-3:] if fault.startswith('trunc') else 'png'}"
    picture = Image.fromarray(RNG.integers(0, 256, (64, 64), dtype=np.uint8))
    if fault == "transparent":
        picture = picture.convert("RGBA")
        picture.putpixel((0, 0), (0, 0, 0, 0))
    picture.save(path)
    if fault.startswith("truncated"):
        path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    elif fault in ("text", "empty"):
        path.write_bytes(b"no picture" if fault == "text" else b"")
    elif fault == "bomb":
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 2000)
    assert path.name in refused(source)


def test_arrays_of_numpy_are_read_first_axis_first(tmp_path: Path) -> None:
    for values in (BYTES, BYTES[..., None], np.asfortranarray(BYTES)):
        np.save(tmp_path / "a.npy", values)
        assert np.array_equal(convert(tmp_path / "a.npy"), BYTES)
    np.save(tmp_path / "a.npy", BYTES[:, :5])
    assert np.array_equal(convert(tmp_path / "a.npy"), BYTES[:, :5])
    np.save(tmp_path / "a.npy", np.moveaxis(BYTES, 0, -1))
    assert "--image-axis" in refused(tmp_path / "a.npy")


@pytest.mark.parametrize("fault", ["object", "short", "long", "header", "text", "empty", "complex"])
def test_unsound_arrays_are_refused(tmp_path: Path, fault: str) -> None:
    path = tmp_path / "a.npy"
    values = {"object": np.array([[None, {}]]), "complex": np.ones((2, 2), complex), "empty": np.ones((0, 3))}
    np.save(path, values.get(fault, BYTES))
    data = path.read_bytes()
    damaged = {
        "short": data[:-1],
        "long": data + b"x",
        "header": data.replace(b"7, 12", b"9, 12"),
        "text": b"\x93NUMPY",
    }
    path.write_bytes(damaged.get(fault, data))
    assert "a.npy" in refused(path)

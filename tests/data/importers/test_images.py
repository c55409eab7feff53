"""Images of foreign formats: every image arrives once, in order, on one gray scale; what is unsound gives one error."""

import os
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

from lasernet.cli.app import main
from lasernet.data.image_file import open_image_file
from lasernet.data.importers import import_source
from lasernet.errors import LasernetError, OptionError

RNG = np.random.default_rng(5)
BYTES = RNG.integers(0, 256, (7, 12, 12), dtype=np.uint8)
BYTES[0, 0, :2] = 0, 255


def stack(path: Path, values: np.ndarray, key: str = "images", **options: object) -> Path:
    with h5py.File(path, "w") as file:
        file.create_dataset(key, data=values, **options)
    return path


def read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    with open_image_file(path) as file:
        case = file.cases["images"]
        return case.read("image"), case.groups


def convert(source: object, **options: object) -> np.ndarray:
    out = Path(str(source)).parent / "out.h5"
    return read(import_source(str(source), out, overwrite=True, **options))[0]


def refused(source: object, **options: object) -> str:
    place = Path(str(source)).parent
    before = sorted(os.listdir(place))
    with pytest.raises(LasernetError) as caught:
        import_source(str(source), place / "never.h5", **options)
    assert sorted(os.listdir(place)) == before
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500
    return str(caught.value)


def folder(tmp_path: Path) -> Path:
    (tmp_path / "s").mkdir()
    return tmp_path / "s"


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


def test_a_file_of_the_toolkit_is_recognized(tmp_path: Path, track: Path) -> None:
    assert "--format boundaries" in refused(_copied(track, tmp_path / "t.h5"))
    convert(stack(tmp_path / "a.h5", BYTES))
    (tmp_path / "out.h5").rename(tmp_path / "own.h5")
    assert "needs no import" in refused(tmp_path / "own.h5")


def _copied(path: Path, to: Path) -> Path:
    to.write_bytes(path.read_bytes())
    return to


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


def test_patches_tile_the_image_and_share_its_group(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", BYTES)
    found = convert(tmp_path / "a.npy", patch=4)
    assert found.shape == (7 * 9, 4, 4)
    assert np.array_equal(found[9 + 5], BYTES[1, 4:8, 8:12])
    assert read(tmp_path / "out.h5")[1].tolist() == [k for k in range(7) for _ in range(9)]
    assert len(convert(tmp_path / "a.npy", patch=4, stride=2)) == 7 * 25


def test_shrinking_keeps_the_mean_and_scales_the_pixel(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.full((2, 12, 12), 40, np.uint8) + np.arange(12, dtype=np.uint8))
    found = convert(tmp_path / "a.npy", shrink=4, pixel_size=1e-6, invert=True)
    assert np.array_equal(255 - found[0, 0], np.rint([41.5, 45.5, 49.5]))
    with open_image_file(tmp_path / "out.h5") as file:
        assert file.cases["images"].pixel_size == 4e-6
        assert not file.cases["images"].periodic


def test_sizes_must_agree_unless_patches_are_cut(tmp_path: Path) -> None:
    source = folder(tmp_path)
    Image.fromarray(BYTES[0]).save(source / "a.png")
    Image.fromarray(BYTES[0][:8]).save(source / "b.png")
    assert "--patch" in refused(source)
    assert "b.png" in refused(source, patch=9)
    assert len(convert(source, patch=4)) == 9 + 6


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"material": "316L"}, "--material"),
        ({"plane": "xy"}, "--plane"),
        ({"key": "a"}, "--key"),
        ({"stride": 3}, "patch"),
        ({"patch": 0}, "patch"),
        ({"patch": 4, "periodic": True}, "periodic"),
        ({"pixel_size": -1.0}, "pixel size"),
        ({"value_range": (1.0, 0.0)}, "value range"),
        ({"ptach": 4}, "--patch"),
    ],
)
def test_options_that_say_nothing_or_nonsense_are_refused(
    tmp_path: Path, options: dict[str, object], word: str
) -> None:
    np.save(tmp_path / "a.npy", BYTES)
    with pytest.raises(OptionError, match=word):
        import_source(str(tmp_path / "a.npy"), tmp_path / "out.h5", **options)


def test_a_folder_of_several_formats_needs_a_choice(tmp_path: Path) -> None:
    source = folder(tmp_path)
    Image.fromarray(BYTES[0]).save(source / "a.png")
    np.save(source / "b.npy", BYTES)
    assert "--format" in refused(source)
    assert len(convert(source, format="images")) == 1
    assert len(convert(source, format="npy")) == 7


def test_a_folder_of_folders_says_where_to_look(tmp_path: Path) -> None:
    source = folder(tmp_path)
    (source / "inner").mkdir()
    np.save(source / "inner" / "b.npy", BYTES)
    assert "inner" in refused(source, format="npy")
    assert len(read(import_source(f"{source}/**/*.npy", tmp_path / "out.h5"))[0]) == 7


def test_an_archive_of_point_clouds_is_a_track(tmp_path: Path) -> None:
    header = ",".join(["Points:0", "Points:1", "Points:2", "T", *(f"ipf_{a}:{c}" for a in "xyz" for c in range(3))])
    rows = [f"{x},{y},{z},300,{',0.5' * 9}".replace(",,", ",") for x in (0, 1) for y in (0, 1) for z in (0, 1)]
    with zipfile.ZipFile(tmp_path / "s.zip", "w") as archive:
        for frame in range(2):
            archive.writestr(f"run/Alldata_withpoints_{frame}.csv", "\n".join([header, *rows]))
    import_source(str(tmp_path / "s.zip"), tmp_path / "o.h5", material="316L", time_step=1e-5, scan_speed=1.0)
    from lasernet.data.layout import open_file

    with open_file(tmp_path / "o.h5") as file:
        assert file.cases["track"].shape == (2, 2, 2, 2)


def test_the_command_prints_the_path_alone(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save("a.npy", BYTES.astype(np.uint16) * 16)
    with pytest.raises(SystemExit) as end:
        main(["data", "import", "a.npy", "--out", "b.h5", "--patch", "6", "--value-range", "0,4095", "--quiet"])
    assert end.value.code == 0
    assert capsys.readouterr().out == "b.h5\n"
    assert len(read(Path("b.h5"))[0]) == 28
    with pytest.raises(SystemExit) as end:
        main(["data", "import", "a.npy", "--out", "c.h5", "--value-range", "many"])
    out, err = capsys.readouterr()
    assert (end.value.code, out) == (2, "")
    assert [line for line in err.splitlines() if line.startswith("error:")] == err.splitlines()[-1:]
    assert not Path("c.h5").exists()

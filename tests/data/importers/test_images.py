"""Images of foreign formats: every image arrives once, in order, on one gray scale; what is unsound gives one error."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
from image_sources import BYTES, convert, folder, read, refused, stack
from PIL import Image

from lasernet.cli.app import main
from lasernet.data.image_file import open_image_file
from lasernet.data.importers import import_source
from lasernet.errors import OptionError


def test_a_file_of_the_toolkit_is_recognized(tmp_path: Path, track: Path) -> None:
    assert "--format boundaries" in refused(_copied(track, tmp_path / "t.h5"))
    convert(stack(tmp_path / "a.h5", BYTES))
    (tmp_path / "out.h5").rename(tmp_path / "own.h5")
    assert "needs no import" in refused(tmp_path / "own.h5")


def _copied(path: Path, to: Path) -> Path:
    to.write_bytes(path.read_bytes())
    return to


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

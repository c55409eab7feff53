"""Micrographs of fibers: binary masks stay binary, lengths are kept, sections of one specimen share a group."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lasernet.cli.app import main
from lasernet.data.flow_file import FlowCase, open_flow_file
from lasernet.data.importers import import_source
from lasernet.data.importers.micrographs import resampled
from lasernet.data.inspect import describe
from lasernet.data.verify import verify_file
from lasernet.errors import DataError, LasernetError, OptionError

VOXEL = 0.521e-6


def sections(count: int = 3, shape: tuple[int, int] = (40, 60), seed: int = 0) -> np.ndarray:
    """Random disks, True in the fibers."""
    rng = np.random.default_rng(seed)
    rows, columns = np.indices(shape)
    places = rng.uniform((0, 0), shape, (count, 12, 2))
    away = [np.hypot(rows - one[:, 0, None, None], columns - one[:, 1, None, None]).min(0) for one in places]
    return np.stack(away) < 6


FIBERS = sections()


def save_stack(path: Path, pages: np.ndarray) -> Path:
    first, *others = [Image.fromarray(page) for page in pages]
    first.save(path, save_all=True, append_images=others)
    return path


def folder(path: Path, pages: np.ndarray = FIBERS, ending: str = "png") -> Path:
    path.mkdir()
    for number, page in enumerate(pages):
        Image.fromarray(page).save(path / f"section_{number + 8}.{ending}")  # 8, 9, 10: natural order
    return path


def convert(source: Path, out: Path, **options: object) -> list[FlowCase]:
    with open_flow_file(import_source(str(source), out, format="micrographs", overwrite=True, **options)) as file:
        cases = list(file.cases.values())
        for case in cases:
            case.mask = case.read("mask")[0]  # type: ignore[attr-defined]
        return cases


def masks(cases: list[FlowCase]) -> np.ndarray:
    return np.stack([case.mask for case in cases])  # type: ignore[attr-defined]


def test_every_section_is_a_mask_with_its_lengths_and_one_group(tmp_path: Path) -> None:
    cases = convert(save_stack(tmp_path / "tow.tif", FIBERS), tmp_path / "f.h5")
    assert [case.name for case in cases] == ["micrograph-00000", "micrograph-00001", "micrograph-00002"]
    assert np.array_equal(masks(cases), ~FIBERS)
    assert len({case.group for case in cases}) == 1
    for case in cases:
        assert (case.fields, case.shape, case.axis) == (("mask",), (1, 40, 60), 0)
        assert case.spacing == pytest.approx([VOXEL] * 3)
        assert (case.viscosity, case.gradient[0], case.permeability) == (0.5, 1e5, None)
    assert [row["name"] for row in verify_file(tmp_path / "f.h5") if not row["ok"]] == []
    assert describe(tmp_path / "f.h5")["kind"] == "flow"


@pytest.mark.parametrize(("low", "high", "kind"), [(0, 255, np.uint8), (0, 1, np.uint8), (300, 5000, np.uint16)])
@pytest.mark.parametrize("ending", ["png", "tif"])
def test_depth_format_and_place_of_the_pictures_do_not_matter(
    tmp_path: Path, low: int, high: int, kind: type[np.generic], ending: str
) -> None:
    cases = convert(folder(tmp_path / "s", np.where(FIBERS, high, low).astype(kind), ending), tmp_path / "f.h5")
    assert np.array_equal(masks(cases), ~FIBERS)
    stack = convert(save_stack(tmp_path / "tow.tif", FIBERS), tmp_path / "g.h5")
    assert [case.content_hash for case in cases] == [case.content_hash for case in stack]


def test_dark_fibers_and_gray_pictures_are_said_by_the_user(tmp_path: Path) -> None:
    gray = np.where(FIBERS, 90, 160).astype(np.uint8) + np.random.default_rng(1).integers(0, 30, FIBERS.shape, np.uint8)
    source = folder(tmp_path / "s", gray)
    with pytest.raises(DataError, match="--threshold"):
        convert(source, tmp_path / "f.h5")
    assert np.array_equal(masks(convert(source, tmp_path / "f.h5", threshold=140.0, fibers="dark")), ~FIBERS)
    assert np.array_equal(masks(convert(source, tmp_path / "f.h5", threshold=140.0)), FIBERS)
    with pytest.raises(DataError, match="the threshold is 250"):
        convert(source, tmp_path / "f.h5", threshold=250.0)


def test_a_new_height_keeps_lengths_and_fractions_and_the_mask_binary(tmp_path: Path) -> None:
    fibers = sections(1, (400, 630))
    path = save_stack(tmp_path / "tow.tif", fibers)
    for height, width in ((256, 403), (100, 158), (800, 1260)):
        (case,) = convert(path, tmp_path / "f.h5", height=height, pixel_size=1e-6)
        assert case.shape == (1, height, width)
        assert case.spacing * case.shape[::-1] == pytest.approx([630e-6, 400e-6, 1e-6])
        assert masks([case]).mean() == pytest.approx(1 - fibers.mean(), abs=0.02)


def test_nearest_neighbors_take_the_pixel_below_each_center() -> None:
    mask = sections(1, (30, 40))[0]
    assert np.array_equal(resampled(mask, (30, 40)), mask)
    assert np.array_equal(resampled(mask, (60, 120)), mask.repeat(2, 0).repeat(3, 1))
    assert np.array_equal(resampled(mask, (10, 8)), mask[1::3, 2::5])
    assert np.array_equal(resampled(resampled(mask, (7 * 30, 40)), (30, 40)), mask)
    assert resampled(mask, (1, 1)).shape == (1, 1)


def test_patches_tile_a_section_and_share_its_group(tmp_path: Path) -> None:
    cases = convert(folder(tmp_path / "s"), tmp_path / "f.h5", patch=20, group_by="file")
    assert len(cases) == 3 * 2 * 3
    assert len({case.group for case in cases}) == 3
    for case in cases:
        row, column, page = (int(str(case.provenance[key])) for key in ("row", "column", "page"))
        assert np.array_equal(masks([case])[0], ~FIBERS[page, row : row + 20, column : column + 20])
    assert all(len({case.group for case in cases[first : first + 6]}) == 1 for first in (0, 6, 12))
    alone = convert(folder(tmp_path / "t"), tmp_path / "g.h5", patch=5)
    assert len(alone) < 3 * 8 * 12  # patches of one phase are left out
    assert {bool(part.any() and not part.all()) for part in masks(alone)} == {True}
    assert len({case.group for case in alone}) == 1


def test_other_specimens_get_other_groups(tmp_path: Path) -> None:
    first = convert(folder(tmp_path / "s"), tmp_path / "f.h5")
    other = convert(folder(tmp_path / "t", sections(seed=1)), tmp_path / "g.h5")
    assert first[0].group != other[0].group
    pages = convert(save_stack(tmp_path / "tow.tif", FIBERS), tmp_path / "h.h5", group_by="file")
    assert len({case.group for case in pages}) == 1  # a stack is one file


def truncated(place: Path) -> None:
    path = place / "section_9.png"
    path.write_bytes(path.read_bytes()[:-40])


def bomb(place: Path) -> None:
    Image.new("1", (10_000, 10_000)).save(place / "section_9.png")


UNSOUND = {
    "truncated": (truncated, "section_9.png is no sound PNG or TIFF"),
    "bomb": (bomb, "pixels"),
    "text": (lambda d: (d / "section_9.png").write_text("<svg/>"), "section_9.png is no sound"),
    "all fibers": (lambda d: Image.fromarray(FIBERS[0] | True).save(d / "section_9.png"), "nothing but fibers"),
    "no fibers": (lambda d: Image.fromarray(FIBERS[0] & False).save(d / "section_9.png"), "no fibers"),
    "gray": (lambda d: Image.new("L", (60, 40), 7).save(d / "section_9.png"), "section_9.png holds gray values"),
    "pipe": (lambda d: os.mkfifo(d / "section_1.png"), "no regular file"),
    "nothing": (lambda d: [path.unlink() for path in d.iterdir()], "no files .png"),
}


@pytest.mark.parametrize("name", UNSOUND)
def test_unsound_micrographs_give_one_error_and_no_file(tmp_path: Path, name: str) -> None:
    source = folder(tmp_path / "s")
    damage, words = UNSOUND[name]
    damage(source)  # type: ignore[no-untyped-call]
    with pytest.raises(DataError, match=words) as caught:
        convert(source, tmp_path / "f.h5")
    assert "\n" not in str(caught.value)
    assert os.listdir(tmp_path) == ["s"]


@pytest.mark.parametrize(
    "options",
    [{"height": 0}, {"height": 1 << 20}, {"patch": 0}, {"pixel_size": 0.0}, {"pixel_size": -1e-6}, {"viscosity": 0.0},
     {"gradient": float("inf")}, {"threshold": float("nan")}, {"fibers": "gray"}, {"group_by": "image"},
     {"stride": 4}, {"invert": True}],
)  # fmt: skip
def test_impossible_options_are_refused_before_anything_is_read(tmp_path: Path, options: dict[str, object]) -> None:
    with pytest.raises(OptionError):
        convert(tmp_path / "nowhere", tmp_path / "f.h5", **options)


def test_sections_too_small_or_too_many_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = folder(tmp_path / "s")
    with pytest.raises(DataError, match="40 x 60 px; expected 41"):
        convert(source, tmp_path / "f.h5", patch=41)
    monkeypatch.setattr("lasernet.data.importers.micrographs.MAX_CASES", 5)
    with pytest.raises(DataError, match="6 sections or patches"):
        convert(source, tmp_path / "f.h5", patch=30)


def test_pictures_are_images_unless_the_user_says_micrographs(tmp_path: Path) -> None:
    source = folder(tmp_path / "s")
    assert describe(import_source(str(source), tmp_path / "i.h5"))["kind"] == "images"
    with pytest.raises(LasernetError, match="--height says nothing about the format images"):
        import_source(str(source), tmp_path / "j.h5", height=20)


def test_the_command_line_takes_the_options(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = folder(tmp_path / "s"), tmp_path / "f.h5"
    words = ["data", "import", str(source), "--out", str(out), "--format", "micrographs", "--height", "20"]
    with pytest.raises(SystemExit) as end:
        main([*words, "--fibers", "dark", "--threshold", "100", "--group-by", "file", "--gradient", "2e5"])
    assert (end.value.code, capsys.readouterr().out.strip()) == (0, str(out))
    with open_flow_file(out) as file:
        case = file.cases["micrograph-00000"]
        assert (case.shape, case.gradient[0]) == ((1, 20, 30), 2e5)

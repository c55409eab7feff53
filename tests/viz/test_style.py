from __future__ import annotations

from pathlib import Path

import matplotlib
import pytest
from PIL import Image

from lasernet.errors import OptionError
from lasernet.viz.style import DPI, new_figure, save, styled


def draw(path: Path) -> Path:
    figure = new_figure(2.0, 1.0)
    figure.add_axes((0.2, 0.2, 0.7, 0.7)).plot([0, 1], [0, 1])
    return save(figure, path)


def test_parents_are_made_and_size_is_inches_times_dpi(tmp_path: Path) -> None:
    path = draw(tmp_path / "a" / "b" / "figure.png")
    assert Image.open(path).size == (2 * DPI, DPI)


@pytest.mark.parametrize("kind", ["png", "pdf", "svg"])
def test_two_writes_give_equal_bytes(tmp_path: Path, kind: str) -> None:
    write = styled(draw)
    assert write(tmp_path / f"a.{kind}").read_bytes() == write(tmp_path / f"b.{kind}").read_bytes()


def test_png_tells_neither_software_nor_date(tmp_path: Path) -> None:
    assert not {"Software", "Creation Time"} & set(Image.open(draw(tmp_path / "a.png")).info)


def test_unknown_suffix_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"figure\.bmp"):
        draw(tmp_path / "figure.bmp")
    assert list(tmp_path.iterdir()) == []


def test_a_failure_while_drawing_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = draw(tmp_path / "figure.png")
    before = path.read_bytes()
    figure = new_figure(2.0, 1.0)
    figure.text(0.5, 0.5, r"$\undefinedmacro$")
    with pytest.raises(ValueError, match="undefinedmacro"):
        save(figure, path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_settings_of_the_user_neither_matter_nor_change(tmp_path: Path) -> None:
    write = styled(draw)
    plain = write(tmp_path / "a.png").read_bytes()
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "red"}):
        assert write(tmp_path / "b.png").read_bytes() == plain
        assert matplotlib.rcParams["font.size"] == 30

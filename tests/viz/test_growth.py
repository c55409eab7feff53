from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageSequence

from lasernet.errors import DataError, OptionError
from lasernet.viz.growth import frame_files, growth_animation, write_frame


def shot(folder: Path, count: int, size: int = 8, first: int = 1) -> list[Path]:
    rng = np.random.default_rng(0)
    return [
        write_frame(rng.integers(0, 256, (4, size, size), dtype=np.uint8), folder, number=40 * n)
        for n in range(first, first + count)
    ]


def durations(path: Path) -> list[int]:
    with Image.open(path) as file:
        return [frame.info["duration"] for frame in ImageSequence.Iterator(file)]


def test_every_frame_is_shown_and_the_last_one_longer(tmp_path: Path) -> None:
    path = growth_animation(shot(tmp_path / "f", 5), tmp_path / "a.gif", fps=10, hold=1.5)
    assert durations(path) == [100, 100, 100, 100, 1600]


def test_many_frames_are_thinned_evenly_with_the_first_and_the_last(tmp_path: Path) -> None:
    files = []
    for number in range(101):  # the gray of a frame tells its number
        files.append(write_frame(np.full((1, 4, 4), 2 * number, dtype=np.uint8), tmp_path / "f", number=number))
    path = growth_animation(files, tmp_path / "a.gif", most=11)
    with Image.open(path) as file:
        shown = [
            np.asarray(frame.convert("L"))[-file.height // 3, file.width // 2] for frame in ImageSequence.Iterator(file)
        ]
    assert len(shown) == 11
    assert np.allclose(shown, np.linspace(0, 200, 11), atol=3)  # 64 grays


def test_a_small_bound_is_kept(tmp_path: Path) -> None:
    files = shot(tmp_path / "f", 16, size=32)
    large = growth_animation(files, tmp_path / "large.gif").stat().st_size
    path = growth_animation(files, tmp_path / "small.gif", largest=large // 3)
    assert path.stat().st_size <= large // 3
    assert len(durations(path)) < 16


def test_each_frame_bears_its_number(tmp_path: Path) -> None:
    image = np.zeros((1, 16, 16), dtype=np.uint8)
    files = [write_frame(image, tmp_path / "f", number=number) for number in (1, 2)]
    with Image.open(growth_animation(files, tmp_path / "a.gif")) as file:
        one, two = (np.asarray(frame.convert("L")) for frame in ImageSequence.Iterator(file))
    assert np.array_equal(one[26:], two[26:])
    assert not np.array_equal(one[:26], two[:26])


def test_frames_are_found_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    later = shot(tmp_path, 2, first=9)
    sooner = shot(tmp_path, 2)
    (tmp_path / "notes.png").write_bytes(b"")
    (tmp_path / "epoch-0000001.png").write_bytes(b"")
    assert frame_files(tmp_path) == sooner + later


def test_the_same_frames_give_the_same_bytes(tmp_path: Path) -> None:
    files = shot(tmp_path / "f", 3)
    first, second = (growth_animation(files, tmp_path / name).read_bytes() for name in ("a.gif", "b.gif"))
    assert first == second


def test_frames_that_are_damaged_missing_or_of_another_size_are_refused(tmp_path: Path) -> None:
    files = shot(tmp_path / "f", 2)
    damaged = tmp_path / "damaged.png"
    damaged.write_bytes(files[0].read_bytes()[:60])
    other = write_frame(np.zeros((9, 8, 8)), tmp_path / "g", number=3)
    for wrong in ([damaged], [tmp_path / "absent.png"], [*files, other], []):
        with pytest.raises(DataError, match="expected"):
            growth_animation(wrong, tmp_path / "a.gif")
    with pytest.raises(DataError, match="1 labels"):
        growth_animation(files, tmp_path / "a.gif", labels=["one"])
    with pytest.raises(OptionError, match="--fps 0"):
        growth_animation(files, tmp_path / "a.gif", fps=0)
    assert not (tmp_path / "a.gif").exists()

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageSequence

from lasernet.errors import DataError, OptionError
from lasernet.viz.animate import slice_animation, write_gif
from lasernet.viz.panels import Plane

PLANE = Plane(spacing=(5e-6, 5e-6))


def frames_of(path: Path) -> list[np.ndarray]:
    with Image.open(path) as file:
        return [np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(file)]


def test_few_colors_come_back_exactly_in_every_frame(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    palette = rng.integers(0, 256, (200, 3), dtype=np.uint8)
    images = [palette[rng.integers(0, 200, (20, 30))] for _ in range(4)]
    for shown, image in zip(frames_of(write_gif(images, tmp_path / "a.gif", fps=5)), images, strict=True):
        assert np.array_equal(shown, image)


def test_equal_frames_stay_frames_and_last_as_long_as_asked(tmp_path: Path) -> None:
    path = write_gif([np.zeros((4, 5, 3), dtype=np.uint8)] * 3, tmp_path / "a.gif", fps=4)
    with Image.open(path) as file:
        durations = [frame.info["duration"] for frame in ImageSequence.Iterator(file)]
        assert file.info["loop"] == 0
    assert durations == [250, 250, 250]


def test_the_last_frame_may_stay_longer(tmp_path: Path) -> None:
    path = write_gif([np.zeros((4, 5, 3), dtype=np.uint8)] * 2, tmp_path / "a.gif", fps=10, hold=0.7)
    with Image.open(path) as file:
        assert [frame.info["duration"] for frame in ImageSequence.Iterator(file)] == [100, 800]


def test_flat_colors_stay_exact_beside_thousands_of_others(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    image = rng.integers(0, 256, (80, 80, 3), dtype=np.uint8)
    image[:40] = np.repeat(rng.integers(0, 256, (8, 3), dtype=np.uint8), 10, axis=0)[None]
    image[40:] = (image[40:] // 2 + np.linspace(0, 120, 80, dtype=np.uint8)[None, :, None]).astype(np.uint8)
    (shown,) = frames_of(write_gif([image], tmp_path / "a.gif", fps=5))
    assert np.array_equal(shown[:40], image[:40])
    rest = np.abs(shown[40:].astype(int) - image[40:].astype(int))
    assert rest.mean() < 16


def test_two_writes_give_equal_bytes_and_leave_nothing_else(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    images = [rng.integers(0, 256, (30, 30, 3), dtype=np.uint8) for _ in range(2)]
    first, second = (write_gif(images, tmp_path / name, fps=5).read_bytes() for name in ("a.gif", "b.gif"))
    assert first == second
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.gif", "b.gif"]


def test_images_that_differ_and_speeds_that_cannot_be_are_refused(tmp_path: Path) -> None:
    image = np.zeros((4, 5, 3), dtype=np.uint8)
    for images in ([], [image, image[:2]], [image.astype(float)]):
        with pytest.raises(DataError, match="animation"):
            write_gif(images, tmp_path / "a.gif", fps=5)
    with pytest.raises(OptionError, match="--fps 0"):
        write_gif([image], tmp_path / "a.gif", fps=0)
    assert list(tmp_path.iterdir()) == []


def animate(path: Path, **changes: object) -> tuple[np.ndarray, Path]:
    rng = np.random.default_rng(4)
    truth = rng.integers(0, 256, (3, 9, 6, 20)).astype(np.float32) / 255
    given = {"times": np.array([0.0, 1e-5, 2e-5]), "plane": PLANE, "fps": 10.0}
    predictions = [None, truth[0], truth[1]]
    return truth, slice_animation(truth, predictions, path, **{**given, **changes})  # type: ignore[arg-type]


def test_grains_have_their_colors_with_row_zero_lowest(tmp_path: Path) -> None:
    truth, path = animate(tmp_path / "a.gif", direction="y")
    frames = frames_of(path)
    assert len(frames) == 3
    cell = 36
    left, top = 12, 12 + 2 * 24
    for frame, shown in enumerate(frames):
        for row, column in ((0, 0), (5, 19), (2, 7)):
            at = top + (5 - row) * cell + cell // 2, left + column * cell + cell // 2
            assert np.abs(shown[at].astype(int) - np.rint(255 * truth[frame, 3:6, row, column])).max() <= 2
            if frame > 0:
                below = at[0] + 6 * cell + 24, at[1]
                assert np.abs(shown[below].astype(int) - np.rint(255 * truth[frame - 1, 3:6, row, column])).max() <= 2


def test_frames_without_prediction_say_so_with_an_empty_panel(tmp_path: Path) -> None:
    first = frames_of(animate(tmp_path / "a.gif")[1])[0]
    lower = first[-12 - 24 - 100 :, 12:-12]
    assert (lower == 0xF2).all(axis=-1).mean() > 0.5


def test_the_liquidus_and_cells_without_data_are_drawn(tmp_path: Path) -> None:
    temperature = np.broadcast_to(np.linspace(1000, 2000, 20), (3, 6, 20))
    valid = np.ones((6, 20), dtype=bool)
    valid[:, :3] = False
    shown = frames_of(animate(tmp_path / "a.gif", temperature=temperature, liquidus=1500.0, valid=valid)[1])[0]
    panel = shown[60 : 60 + 6 * 36, 12 : 12 + 720]
    line = (panel == 255).all(axis=(0, 2))
    assert 350 <= np.flatnonzero(line).mean() <= 370
    assert 1 <= line.sum() <= 2
    assert (panel[:, : 3 * 36] == 0xC4).all()


def test_temperatures_are_animated_too(tmp_path: Path) -> None:
    truth = np.linspace(300, 3000, 2 * 8 * 9).reshape(2, 1, 8, 9)
    path = slice_animation(truth, [None, truth[1]], tmp_path / "a.gif", times=np.array([0.0, 1e-5]), plane=PLANE)
    assert len(frames_of(path)) == 2


def test_numbers_of_frames_that_differ_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="2 times"):
        animate(tmp_path / "a.gif", times=np.zeros(2))

"""Laser tracks: what is drawn for a case, and what its frames must hold."""

import os
import subprocess
import sys

import numpy as np
import pytest

from lasernet.errors import OptionError
from lasernet.simulate.laser import LaserTracks, flickering
from lasernet.simulate.scan_path import Path

SMALL = {"cells": (30, 12, 8), "spacing": 8e-6, "frames": 6}
HASHED = """
import hashlib
from lasernet.simulate.laser import LaserTracks

tracks = LaserTracks(cells=(120, 40, 24), spacing=4e-6, frames=3, power=(60.0,), power_noise=0.1)
frames, growth = tracks.simulate(tracks.draw(0, seed=0))
for frame in frames:
    print(hashlib.sha256(frame.temperature.tobytes() + frame.grain_id.tobytes()).hexdigest())
print(hashlib.sha256(growth.orientations.tobytes()).hexdigest())
"""


def test_a_case_depends_on_its_seed_and_number_alone() -> None:
    tracks = LaserTracks(**SMALL, power=(30.0, 60.0))
    one, same, other = tracks.draw(3, seed=1), tracks.draw(3, seed=1), tracks.draw(4, seed=1)
    assert (one.power, one.seed) == (same.power, same.seed)
    assert one.power != other.power
    assert one.seed != other.seed


def test_a_case_has_the_same_bits_on_one_thread_and_on_two() -> None:
    found = []
    for threads in ("1", "2"):
        limits = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), threads)
        done = subprocess.run(
            [sys.executable, "-c", HASHED], env={**os.environ, **limits}, capture_output=True, text=True, check=True
        )
        found.append(done.stdout.split())
    assert len(found[0]) == 4
    assert found[0] == found[1]


def test_every_case_lies_within_the_ranges() -> None:
    tracks = LaserTracks(**SMALL, power=(30.0, 60.0), speed=(0.6, 1.2))
    drawn = [tracks.draw(index, seed=0) for index in range(50)]
    powers, speeds = [track.power for track in drawn], [track.speed for track in drawn]
    assert 30 <= min(powers) < 35 < 55 < max(powers) <= 60
    assert 0.6 <= min(speeds) < 0.7 < 1.1 < max(speeds) <= 1.2
    assert {track.preheat for track in drawn} == {300.0}


def test_the_frames_begin_with_the_last_track() -> None:
    tracks = LaserTracks(**SMALL, tracks=2, hatch=20e-6)
    track = tracks.draw(0, seed=0)
    assert track.t[0] == 0
    assert track.path.start < 0
    assert track.path.power_at([-1e-9, 1e-9]).tolist() == [0, track.power]
    y = track.path.position([track.path.start, 0.0])[1]
    np.testing.assert_allclose(y[1] - y[0], 20e-6)


def test_the_beam_crosses_the_block() -> None:
    track = LaserTracks(**SMALL).draw(0, seed=0)
    x = track.path.position(track.t[[0, -1]])[0]
    np.testing.assert_allclose(x, track.x[-1] * np.array([0.12, 0.88]))


def test_a_flickering_beam_keeps_its_way_and_about_its_power() -> None:
    path = Path.line((0, 0), (1e-2, 0), speed=1.0, power=50.0)
    noisy = flickering(path, 0.2, np.random.default_rng(0))
    times = np.linspace(0, path.end, 7)
    np.testing.assert_allclose(noisy.position(times), path.position(times))
    assert abs(noisy.power.mean() / 50 - 1) < 0.03  # of 500 pieces: 0.2 / sqrt(500) = 0.009
    assert abs(noisy.power.std() / 10 - 1) < 0.15


@pytest.mark.parametrize("mode", ["analytic", "enthalpy"])
def test_cells_melt_at_liquidus_and_keep_their_grain_where_they_do_not(mode: str) -> None:
    tracks = LaserTracks(**SMALL, mode=mode)  # type: ignore[arg-type]
    frames, growth = tracks.simulate(tracks.draw(0, seed=0))
    first = next(frames)
    assert np.allclose(first.temperature, 300)
    assert (first.grain_id > 0).all()
    hottest, melted = np.zeros(tracks.cells), np.zeros(tracks.cells, dtype=bool)
    for frame in frames:
        hottest = np.maximum(hottest, frame.temperature)
        molten = frame.grain_id == 0
        assert not (~molten & (frame.temperature >= tracks.material.liquidus)).any()
        melted |= molten
        assert (frame.grain_id[~melted & (hottest < 1000)] == first.grain_id[~melted & (hottest < 1000)]).all()
    assert melted.sum() > 50
    assert growth.largest_courant <= 0.25


def test_colors_are_black_only_where_molten() -> None:
    tracks = LaserTracks(**SMALL)
    colors = tracks.colors(np.array([[1.0, 0, 0, 0], [1, 0, 0, 0], [0.5, 0.5, 0.5, 0.5]]))
    assert colors[0].tolist() == [0] * 9
    assert colors[1].tolist() == [255, 0, 0] * 3


@pytest.mark.parametrize(
    "options",
    [
        {"power": (0.0,)},
        {"power": (60.0, 30.0)},
        {"speed": (0.5, 0.6, 0.7)},
        {"preheat": (1700.0,)},
        {"cells": (30, 12)},
        {"cells": (30, 12, 1)},
        {"frames": 1},
        {"tracks": 0},
        {"power_noise": 0.9},
        {"time_step": -1.0},
        {"spacing": float("nan")},
    ],
)
def test_impossible_options_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(OptionError, match="expected"):
        LaserTracks(**{**SMALL, **options})  # type: ignore[arg-type]

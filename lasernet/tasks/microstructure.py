"""The microstructure task: the colors of the next frame, the temperature being known."""

from __future__ import annotations

from functools import partial

from lasernet.data.sequences import FrameData
from lasernet.metrics.regions import RegionScores
from lasernet.tasks.base import Baseline, Task
from lasernet.tasks.frame_figures import FIGURES
from lasernet.tasks.frame_volumes import VOLUMES, write_samples
from lasernet.tasks.frames import compare, default_track, intervals

TASK = Task(
    name="microstructure",
    data=FrameData,
    default_data=default_track,
    metric=partial(RegionScores, "ipf"),
    compare=compare,
    intervals=intervals,
    baselines=(
        Baseline("persistence", "persistence"),
        Baseline("advected-persistence", "advected-persistence"),
        Baseline("mean-color", "mean-color"),
        Baseline("nearest-solid", "nearest-solid", {"dimensions": "2"}),
        Baseline("nearest-solid-3d", "nearest-solid", {"dimensions": "3"}),
        Baseline("calibrated-front", "calibrated-front", {"dimensions": "2"}),
        Baseline("calibrated-front-3d", "calibrated-front", {"dimensions": "3"}),
    ),
    figures=FIGURES,
    volumes=VOLUMES,
    write_samples=write_samples,
)

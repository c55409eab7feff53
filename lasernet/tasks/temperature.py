"""The temperature task: the temperature of the next frame, in K."""

from __future__ import annotations

from functools import partial

from lasernet.data.sequences import FrameData
from lasernet.metrics.regions import RegionScores
from lasernet.tasks.base import Baseline, Task
from lasernet.tasks.frame_figures import FIGURES
from lasernet.tasks.frame_volumes import VOLUMES, write_samples
from lasernet.tasks.frames import compare, default_track, intervals

TASK = Task(
    name="temperature",
    data=FrameData,
    default_data=default_track,
    metric=partial(RegionScores, "temperature"),
    compare=compare,
    intervals=intervals,
    baselines=(
        Baseline("persistence", "persistence"),
        Baseline("advected-persistence", "advected-persistence"),
    ),
    figures=FIGURES,
    volumes=VOLUMES,
    write_samples=write_samples,
)

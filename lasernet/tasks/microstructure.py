"""The microstructure task: the colors of the next frame, the temperature being known."""

from __future__ import annotations

from functools import partial

from lasernet.data.sequences import FrameData
from lasernet.tasks.base import Baseline, Task
from lasernet.tasks.frame_figures import FIGURES, SHOWN, comparison, unavailable
from lasernet.tasks.frame_samples import sample
from lasernet.tasks.frame_volumes import VOLUMES
from lasernet.tasks.frames import choose, default_track, judge
from lasernet.tasks.post_processing import FrameSharpening
from lasernet.tasks.rollout import rollout

TASK = Task(
    name="microstructure",
    data=FrameData,
    default_data=default_track,
    judge=partial(judge, "ipf"),
    baselines=(
        Baseline("persistence", "persistence"),
        Baseline("advected-persistence", "advected-persistence"),
        Baseline("mean-color", "mean-color"),
        Baseline("nearest-solid", "nearest-solid", {"dimensions": "2"}),
        Baseline("nearest-solid-3d", "nearest-solid", {"dimensions": "3"}),
        Baseline("calibrated-front", "calibrated-front", {"dimensions": "2"}),
        Baseline("calibrated-front-3d", "calibrated-front", {"dimensions": "3"}),
    ),
    figures={**FIGURES, "rollout": rollout},
    comparisons={"comparison": comparison},
    shown=SHOWN,
    unavailable=unavailable,
    volumes=VOLUMES,
    choose=choose,
    sample=sample,
    post_processing=FrameSharpening,
)

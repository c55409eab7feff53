"""The temperature task: the temperature of the next frame, in K."""

from __future__ import annotations

from functools import partial

from lasernet.data.sequences import FrameData
from lasernet.tasks.base import Baseline, Task
from lasernet.tasks.frame_figures import FIGURES, SHOWN, unavailable
from lasernet.tasks.frame_samples import sample
from lasernet.tasks.frame_volumes import VOLUMES
from lasernet.tasks.frames import choose, default_track, judge
from lasernet.tasks.post_processing import FrameSharpening
from lasernet.tasks.rollout import rollout

TASK = Task(
    name="temperature",
    data=FrameData,
    default_data=default_track,
    judge=partial(judge, "temperature"),
    baselines=(
        Baseline("persistence", "persistence"),
        Baseline("advected-persistence", "advected-persistence"),
    ),
    figures={**FIGURES, "rollout": rollout},
    shown=SHOWN,
    unavailable=unavailable,
    volumes=VOLUMES,
    choose=choose,
    sample=sample,
    post_processing=FrameSharpening,
)

"""The flow task: the velocity of a creeping flow through a microstructure, components x, y, z."""

from __future__ import annotations

from pathlib import Path

from lasernet.data.default_sets import default_flows
from lasernet.data.flows import FlowData
from lasernet.tasks.base import Baseline, Task
from lasernet.tasks.flow_answers import FlowAnswers
from lasernet.tasks.flow_figures import FIGURES, SHOWN, choose, unavailable
from lasernet.tasks.flow_samples import VOLUMES, sample
from lasernet.tasks.flow_scores import judge


def default_set() -> list[Path]:
    """The set of flows that is generated once into the user's cache."""
    return [default_flows()]


TASK = Task(
    name="flow",
    data=FlowData,
    default_data=default_set,
    judge=judge,
    baselines=(
        Baseline("channel-flow", "channel-flow"),
        Baseline("lift-zero", "lift-zero", needs=("velocity_2d",)),
        Baseline("truncated-solver-3", "truncated-solver", {"iterations": 3}, needs=("velocity_2d",)),
        Baseline("truncated-solver-6", "truncated-solver", {"iterations": 6}, needs=("velocity_2d",)),
    ),
    figures=FIGURES,
    shown=SHOWN,
    unavailable=unavailable,
    volumes=VOLUMES,
    choose=choose,
    sample=sample,
    post_processing=FlowAnswers,
)

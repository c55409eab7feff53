"""The flow-pressure task: the pressure of a creeping flow, without the mean gradient that drives it."""

from __future__ import annotations

from lasernet.data.flows import FlowData
from lasernet.tasks.base import Baseline, Task
from lasernet.tasks.flow import default_set
from lasernet.tasks.flow_answers import FlowAnswers
from lasernet.tasks.flow_figures import FIGURES, SHOWN_PRESSURE, choose, unavailable
from lasernet.tasks.flow_samples import VOLUMES, sample
from lasernet.tasks.flow_scores import judge

TASK = Task(
    name="flow-pressure",
    data=FlowData,
    default_data=default_set,
    judge=judge,
    baselines=(
        Baseline("no-pressure", "channel-flow"),
        Baseline("lift-zero", "lift-zero", needs=("pressure_2d",)),
    ),
    figures=FIGURES,
    shown=SHOWN_PRESSURE,
    unavailable=unavailable,
    volumes=VOLUMES,
    choose=choose,
    sample=sample,
    post_processing=FlowAnswers,
)

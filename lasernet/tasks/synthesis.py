"""The synthesis task: microstructures drawn from nothing but noise, judged as a set against real ones."""

from __future__ import annotations

from pathlib import Path

from lasernet.data.default_sets import default_voronoi
from lasernet.data.images import ImageData
from lasernet.tasks.base import Task
from lasernet.tasks.set_figures import FIGURES, choose
from lasernet.tasks.set_samples import sample
from lasernet.tasks.set_scores import judge


def default_set() -> list[Path]:
    """The Voronoi set that is generated once into the user's cache."""
    return [default_voronoi()]


TASK = Task(
    name="synthesis",
    data=ImageData,
    default_data=default_set,
    judge=judge,
    figures=FIGURES,
    shown=("losses", "samples", "statistics"),
    volumes={},
    choose=choose,
    sample=sample,
)

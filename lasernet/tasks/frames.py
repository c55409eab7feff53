"""What the two frame-prediction tasks have in common: blocks, skill and intervals."""

from __future__ import annotations

from pathlib import Path

from lasernet.data.bundled import bundled_track
from lasernet.data.sequences import FrameSplit
from lasernet.metrics.regions import RegionScores
from lasernet.metrics.skill import resampling_blocks, skill


def default_track() -> list[Path]:
    """The laser track that ships in the package."""
    return [bundled_track()]


def compare(model: RegionScores, reference: RegionScores, split: FrameSplit) -> dict[str, dict[str, float | None]]:
    """Skill of a model against a reference on the same windows, with 95 % intervals."""
    blocks, _ = resampling_blocks(split.items, slices_per_block=split.data.slices_per_grain())
    return skill(model.items(), reference.items(), blocks)


def intervals(split: FrameSplit) -> dict[str, object]:
    """How the intervals are made: unit and count of resampling."""
    _, description = resampling_blocks(split.items, slices_per_block=split.data.slices_per_grain())
    return description

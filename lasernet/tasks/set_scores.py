"""Drawn sets of microstructures, scored against real ones, with the floor that real ones reach themselves."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lasernet.data.images import ImageData
from lasernet.errors import OptionError
from lasernet.metrics.descriptor_space import descriptor_space
from lasernet.metrics.memorization import memorization
from lasernet.metrics.microstructure import Descriptors, compare, per_image
from lasernet.metrics.two_sample import two_sample_auc
from lasernet.tasks.base import Answering

log = logging.getLogger(__name__)

CLASSIFIED = 5000  # images of each side on which the classifier is trained
AUDITED = 200  # draws whose nearest training image is looked for
SCORE_SEEDS = {"train": 1 << 50, "val": 2 << 50, "test": 3 << 50, "all": 4 << 50}  # of the first draw of each split
FLOOR_SPLIT = {"test": "val", "val": "train", "train": "val"}  # where the other real images come from
HELD_OUT = ("val", "test")
FLOOR = "real"  # the label of the floor among the baselines
SMALLER_IS_BETTER = ("wasserstein", "ks", "rms_error", "relative_error", "mean_error", "mean_abs_error")


@dataclass(frozen=True)
class SetScores:
    """One run's draws against the real images of one split.

    Attributes:
        items: the real images.
        scores: of the draws, by descriptor.
        floor: of other real images in their place, by descriptor; None where there are none.
        count: real images, and draws.
    """

    items: NDArray[np.void]
    scores: dict[str, dict[str, Any]]
    floor: dict[str, dict[str, Any]] | None
    count: int

    def report(self) -> dict[str, Any]:
        """Scores and floor; skill is defined for errors of single items alone, so there is none."""
        return {
            "items": self.count,
            "metrics": self.scores,
            "baselines": {FLOOR: self.floor} if self.floor is not None else {},
            "skill": {},
            "intervals": None,
        }

    def improvement(self, first: SetScores) -> dict[str, Any]:
        """By how many percent each distance is smaller than that of ``first``."""
        found: dict[str, Any] = {}
        for family, values in self.scores.items():
            for name in (name for name in SMALLER_IS_BETTER if name in values):
                mine, other = values[name], first.scores[family][name]
                known = mine is not None and other
                found[f"{family}.{name}"] = 100 * (1 - abs(mine) / abs(other)) if known else None
        return found


@torch.no_grad()
def judge(
    run: Answering, baselines: Mapping[str, Any], data: ImageData, split: str, *, device: str = "cpu"
) -> SetScores:
    """Draw as many images as a split holds and compare the two sets; the floor compares real with real.

    The classifier learns from training images and draws of their own, and is judged on the split and its draws; it
    and the audit for copies are for held-out splits only.
    """
    chosen = data.split(split)
    if not len(chosen):
        raise OptionError(f"--split {split}: it holds no images; choose another, or give more with --split-ratio")
    periodic, real, train = data.periodic, chosen.images(), data.split("train").images()
    log.info("drawing %d images and measuring them", len(real))
    drawn, requested = draw(run.model, len(real), first=SCORE_SEEDS[split])
    described = Descriptors.of(real, periodic=periodic)
    features = per_image(real, periodic=periodic)[0]
    scores: dict[str, dict[str, Any]] = compare(
        Descriptors.of(drawn, periodic=periodic), described, requested=requested
    )
    scores["descriptor_space"] = descriptor_space(per_image(drawn, periodic=periodic)[0], features)
    if split in HELD_OUT:  # else the classifier would be asked about images that it learned from
        log.info("training the classifier that tells real images from draws")
        extra = draw(run.model, min(CLASSIFIED, len(train)), first=SCORE_SEEDS[split] + len(real))[0]
        scores["two_sample"] = two_sample_auc(extra, train[:CLASSIFIED], drawn, real, periodic=periodic)
        log.info("looking for the training images nearest to %d draws", min(AUDITED, len(drawn)))
        scores["memorization"] = memorization(drawn[:AUDITED], train, real[:AUDITED])[0]
    floor = _floor(data, split, described, features)
    if floor is not None:
        for name in ("coverage", "recall"):
            scores["descriptor_space"][f"{name}_over_real"] = _over(
                scores["descriptor_space"][name], floor["descriptor_space"][name]
            )
    return SetScores(chosen.items, scores, floor, len(real))


def _floor(
    data: ImageData, split: str, described: Descriptors, features: NDArray[np.float64]
) -> dict[str, dict[str, Any]] | None:
    """The same numbers with other real images in the place of draws."""
    other = data.split(FLOOR_SPLIT[split]) if split in FLOOR_SPLIT else None
    if other is None or not len(other):
        return None
    periodic, train, real = data.periodic, data.split("train").images(), data.split(split).images()
    images = other.images()[: len(real)]
    floor: dict[str, dict[str, Any]] = compare(
        Descriptors.of(images, periodic=periodic), described, requested=other.grains()[: len(real)]
    )
    floor["descriptor_space"] = descriptor_space(per_image(images, periodic=periodic)[0], features)
    if split == "test":  # else the other images are those that the classifier learns from
        half = min(CLASSIFIED, len(train) // 2)
        floor["two_sample"] = two_sample_auc(train[half : 2 * half], train[:half], images, real, periodic=periodic)
    return floor


def _over(value: float | None, floor: float | None) -> float | None:
    return None if value is None or not floor else value / floor


def draw(model: Any, count: int, *, first: int, **options: object) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Images (N, H, W) as they are stored, and the grain numbers asked for; draw i has the seed ``first + i``."""
    images, grains = model.sample(torch.arange(count) + first, **options)
    return to_gray(images), grains.cpu().numpy()


def to_gray(images: Tensor) -> NDArray[np.uint8]:
    """Images in [0, 1], (N, 1, H, W), in the 256 levels in which images are stored."""
    return (255 * images[:, 0].float().cpu()).round().clamp(0, 255).to(torch.uint8).numpy()

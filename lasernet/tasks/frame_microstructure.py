"""Grains of predicted frames, judged with what the data knows of the case: ids, palette, color key."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from lasernet.data.base import Batch
from lasernet.data.sequences import FrameSplit, cut_slice
from lasernet.metrics.frame_grains import FrameGrains
from lasernet.metrics.frame_orientations import FrameOrientations
from lasernet.physics.color_grains import palette_of

KEPT = 8  # volumes of grain ids held at a time
MOST_ITEMS = 1024  # of a larger split, grains are judged on so many items, spread evenly; they cost more than errors do


@dataclass(frozen=True)
class KnownGrains:
    """What is known of the items of a batch beside their colors: palettes and keys by item; ids where stored."""

    palettes: list[NDArray[np.float64]]
    keys: list[str]
    fields: Batch


class GrainContext:
    """Palettes, color keys and grain ids of the items of a split."""

    def __init__(self, split: FrameSplit) -> None:
        self._split = split
        self._palettes: dict[tuple[int, int], NDArray[np.float64]] = {}
        self._ids: dict[tuple[int, int], NDArray[np.int64]] = {}
        cases = {int(case) for case in split.items["case"]}
        picked = np.arange(min(len(split), MOST_ITEMS)) * len(split) // max(1, min(len(split), MOST_ITEMS))
        self._picked = frozenset(picked.tolist())
        self._stored = all("grain_id" in split.data.tracks[case].case.fields for case in cases)

    def picked(self, batch: Batch) -> list[int]:
        """Places in a batch of the items whose grains are to be judged."""
        return [place for place, item in enumerate(batch["item"].tolist()) if item in self._picked]

    def of(self, batch: Batch) -> KnownGrains:
        """What is known of the items of a batch."""
        rows = [tuple(int(value) for value in self._split.items[item]) for item in batch["item"].tolist()]
        palettes = [self._palette(case, frame - 1) for case, _, frame in rows]
        keys = [self._split.data.tracks[case].case.ipf_key for case, _, _ in rows]
        fields = {}
        if self._stored:
            fields["target_grain_id"] = torch.from_numpy(np.stack([self._slice(*row) for row in rows])[:, None])
        return KnownGrains(palettes, keys, fields)

    def _palette(self, case: int, frame: int) -> NDArray[np.float64]:
        if (case, frame) not in self._palettes:
            _, ipf, molten, valid = self._split.data.tracks[case].frame(frame)
            self._palettes[case, frame] = palette_of(ipf, valid & ~molten)
        return self._palettes[case, frame]

    def _slice(self, case: int, position: int, frame: int) -> NDArray[np.int64]:
        if (case, frame) not in self._ids:
            while len(self._ids) >= KEPT:
                del self._ids[next(iter(self._ids))]
            self._ids[case, frame] = self._split.data.tracks[case].labels(frame)
        image: NDArray[np.int64] = cut_slice(self._ids[case, frame][None], self._split.data.plane, position)[0]
        return image


class GrainJudge:
    """Scores of grains and orientations together, under the key ``grains`` of the results."""

    def __init__(self, context: GrainContext) -> None:
        self._context = context
        self._grains, self._orientations = FrameGrains(), FrameOrientations()
        self._seen: set[int] = set()

    def update(self, answer: torch.Tensor, batch: Batch) -> None:
        """Take in predicted colors (B, 9, H, W)."""
        places = self._context.picked(batch)
        if not places:
            return
        answer, batch = answer[places], {name: value[places] for name, value in batch.items()}
        self._seen.update(batch["item"].tolist())
        known = self._context.of(batch)
        self._grains.update(answer, batch | known.fields, palettes=known.palettes)
        self._orientations.update(answer, batch, keys=known.keys)

    def compute(self) -> dict[str, object]:
        """``all`` and ``active``, ``orientations``, and how many ``items`` were judged."""
        return self._grains.compute() | {"orientations": self._orientations.compute(), "items": len(self._seen)}

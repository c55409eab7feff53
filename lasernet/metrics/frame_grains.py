"""Grains of predicted frames against those of the true ones: boundaries, membership, sizes, colors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from lasernet.data.base import Batch
from lasernet.metrics.distributions import ks_distance, quotient
from lasernet.metrics.grain_sizes import GrainSizes
from lasernet.metrics.partitions import PairCounts, match_parts, pair_counts
from lasernet.physics.color_grains import (
    Mask,
    Segmentation,
    edges_of,
    palette_distance,
    palette_of,
    segment_colors,
    segment_ids,
    widen,
)
from lasernet.physics.solidification import regions

REGIONS = ("all", "active")
REACHES = (0, 1, 2)  # cells by which two boundaries may lie apart and still agree
SAMPLE = 512  # cells of a slice and region whose colors are compared with the palette, at most

Colors = NDArray[np.floating]
Scores = dict[str, dict[str, float | int | None]]


@dataclass(frozen=True)
class RegionGrains:
    """What one slice adds to the scores of one region.

    Attributes:
        sums: named sums, added over slices before any division; nan if the prediction is not finite.
        sizes, true_sizes: areas of the grains that reach into the region, predicted and true, in cells.
    """

    sums: dict[str, float]
    sizes: NDArray[np.int64]
    true_sizes: NDArray[np.int64]


def compare_slice(
    prediction: Colors,
    truth: Colors,
    *,
    valid: Mask,
    within: Mapping[str, Mask],
    grain_id: NDArray[np.integer] | None = None,
    palette: NDArray[np.floating] | None = None,
) -> dict[str, RegionGrains]:
    """Compare the grains of one predicted slice with the true ones, both found in the same way from their colors.

    Args:
        prediction, truth: colors in [0, 1], (9, H, W).
        valid: cells that are there, (H, W).
        within: by name, the regions to judge, (H, W). Grains are found and matched in the whole slice.
        grain_id: the true ids, 0 = molten, (H, W); None where unknown.
        palette: colors that occur in the case, (P, 9); None where unknown.
    """
    finite: Mask = np.asarray(np.isfinite(prediction).all(axis=0))
    found = segment_colors(np.where(valid & finite, prediction, 0), valid)
    real = segment_colors(np.where(valid, truth, 0), valid)
    known = None if grain_id is None else segment_ids(grain_id, valid)
    lines = {"": _agreement(found.boundary, real.boundary)}
    if known is not None:
        lines["ids_"] = _agreement(found.boundary, known.boundary)
    matched = match_parts(real.labels, found.labels)
    answer = {}
    for name, region in within.items():
        region = region & valid
        sums = _memberships(real.labels, found.labels, matched, region)
        edges = edges_of(region)
        for prefix, maps in lines.items():
            sums |= {prefix + key: float(np.count_nonzero(places & edges)) for key, places in maps.items()}
        if palette is not None and len(palette):
            sums |= _palette_sums("palette", prediction, found, region, palette)
            sums |= _palette_sums("palette_truth", truth, real, region, palette)
        if not finite[valid].all():
            sums = dict.fromkeys(sums, float("nan"))
        answer[name] = RegionGrains(sums, _sizes(found, region), _sizes(real, region))
    return answer


def _agreement(found: Mask, real: Mask) -> dict[str, Mask]:
    """Predicted and true boundary edges, and those of them that lie within reach of the other."""
    maps = {"boundary": found, "boundary_truth": real}
    for reach, near_real, near_found in zip(REACHES, widen(real, REACHES), widen(found, REACHES), strict=True):
        maps[f"right_{reach}"], maps[f"found_{reach}"] = found & near_real, real & near_found
    return maps


def _memberships(real: NDArray[np.int32], found: NDArray[np.int32], matched: Mask, region: Mask) -> dict[str, float]:
    """Cells and pairs of cells in the region that are solid in the truth, in the prediction or in both."""
    either = region & ((real > 0) | (found > 0))
    both = region & (real > 0) & (found > 0)
    hits = float(np.count_nonzero(matched & region))
    pairs = pair_counts(real[either], found[either])
    cells = {"cells": np.count_nonzero(either), "solid_in_both": np.count_nonzero(both)}
    return {name: float(count) for name, count in cells.items()} | {"matched": hits, **pairs._asdict()}


def _palette_sums(
    name: str, colors: Colors, grains: Segmentation, region: Mask, palette: NDArray[np.floating]
) -> dict[str, float]:
    """Distances to the palette, added up over the region's solid cells; from a sample of them if they are many."""
    solid = np.flatnonzero(region & (grains.labels > 0))
    if not len(solid):
        return {name: 0.0, f"{name}_cells": 0.0}
    picked = solid[np.linspace(0, len(solid) - 1, min(len(solid), SAMPLE)).round().astype(np.int64)]
    distance = palette_distance(colors.reshape(len(colors), -1)[:, picked].T, palette)
    return {name: float(distance.mean()) * len(solid), f"{name}_cells": float(len(solid))}


def _sizes(grains: Segmentation, region: Mask) -> NDArray[np.int64]:
    areas = np.bincount(grains.labels[grains.labels > 0], minlength=grains.count + 1)
    reached = np.zeros(grains.count + 1, dtype=np.bool_)
    reached[grains.labels[region & (grains.labels > 0)]] = True
    return areas[reached].astype(np.int64)


class FrameGrains:
    """Scores of the grains of the frames taken in, over all cells and over the active ones.

    An item that comes twice, as the padding of a distributed sampler does, counts once.
    """

    def __init__(self) -> None:
        self._items: dict[int, tuple[float, dict[str, RegionGrains]]] = {}

    @torch.no_grad()
    def update(
        self, answer: torch.Tensor, batch: Batch, *, palettes: Sequence[NDArray[np.floating] | None] | None = None
    ) -> None:
        """Take in predicted colors (B, 9, H, W), to be compared with ``batch["target"]``.

        Args:
            answer: in [0, 1].
            batch: as for the other scores of frames; ``target_grain_id`` (B, 1, H, W) only where ids are known.
            palettes: for each item the colors of its case, (P, 9), None where unknown. Left out: the colors of the
                solid cells of the last frame of the context, in the same slice.
        """
        if answer.shape != batch["target"].shape or answer.ndim != 4 or answer.shape[1] != 9:
            raise ValueError(
                f"colors of shape {tuple(answer.shape)} for a target of shape {tuple(batch['target'].shape)}; "
                "expected (B, 9, H, W) for both"
            )
        active, mask = regions(batch)["active"][:, 0].cpu().numpy(), batch["mask"][:, 0].cpu().numpy()
        predicted, target = answer.float().cpu().numpy(), batch["target"].float().cpu().numpy()
        ids = batch["target_grain_id"][:, 0].cpu().numpy() if "target_grain_id" in batch else None
        areas = (batch["cell_height"].double() * batch["cell_width"].double()).tolist()
        for row, item in enumerate(batch["item"].tolist()):
            compared = compare_slice(
                predicted[row],
                target[row],
                valid=mask[row],
                within={"all": mask[row], "active": active[row]},
                grain_id=None if ids is None else ids[row],
                palette=context_palette(batch, row) if palettes is None else palettes[row],
            )
            self._items[item] = areas[row], compared

    def compute(self) -> dict[str, object]:
        """Scores by region, pooled over all items; None where a score is undefined."""
        return dict(self.scores())

    def scores(self) -> Scores:
        """As ``compute``: by region and key."""
        return {region: self._pooled(region) for region in REGIONS}

    def _pooled(self, region: str) -> dict[str, float | int | None]:
        items = [(area, compared[region]) for _, (area, compared) in sorted(self._items.items())]
        sums: dict[str, float] = {}
        for _, part in items:
            for key, value in part.sums.items():
                sums[key] = sums.get(key, 0.0) + value
        answer = _membership_scores(sums) | boundary_scores(sums, "") | boundary_scores(sums, "ids_")
        for name in ("palette", "palette_truth"):
            answer[name] = quotient(sums.get(name), sums.get(f"{name}_cells"))
        finite = all(np.isfinite(value) for value in sums.values())
        return answer | _size_scores([(area, part) for area, part in items if finite])


def context_palette(batch: Batch, row: int) -> NDArray[np.float64]:
    """Colors of the solid cells of an item's last context frame, in its slice, (P, 9)."""
    solid = batch["valid"][row, -1, 0] & ~batch["molten"][row, -1, 0]
    return palette_of(batch["ipf"][row, -1].cpu().numpy(), solid.cpu().numpy())


def boundary_scores(sums: Mapping[str, float], prefix: str) -> dict[str, float | int | None]:
    """Precision, recall and F1 of boundaries at every reach, from sums over edges; None where undefined."""
    answer: dict[str, float | int | None] = {}
    for reach in REACHES:
        precision = quotient(sums.get(f"{prefix}right_{reach}"), sums.get(f"{prefix}boundary"))
        recall = quotient(sums.get(f"{prefix}found_{reach}"), sums.get(f"{prefix}boundary_truth"))
        answer[f"{prefix}precision_{reach}"], answer[f"{prefix}recall_{reach}"] = precision, recall
        answer[f"{prefix}f1_{reach}"] = _harmonic(precision, recall)
    return answer


def _harmonic(precision: float | None, recall: float | None) -> float | None:
    """F1; 0 where one side has no boundary and the other has, None where neither has."""
    if precision is None and recall is None:
        return None
    if not precision or not recall:
        return 0.0
    return 2 * precision * recall / (precision + recall)


def _membership_scores(sums: Mapping[str, float]) -> dict[str, float | int | None]:
    pairs = PairCounts(*(sums.get(name, 0.0) for name in PairCounts._fields))
    cells = sums.get("cells", 0.0)
    return {
        "matched": quotient(sums.get("matched"), cells),
        "matched_in_solid": quotient(sums.get("matched"), sums.get("solid_in_both")),
        "adjusted_rand": pairs.adjusted_rand,
        "cells": round(cells) if np.isfinite(cells) else None,
    }


def _size_scores(items: Sequence[tuple[float, RegionGrains]]) -> dict[str, float | int | None]:
    predicted = GrainSizes.of((area, part.sizes) for area, part in items)
    real = GrainSizes.of((area, part.true_sizes) for area, part in items)
    return {
        "grains": len(predicted.areas) if items else None,
        "grains_truth": len(real.areas) if items else None,
        "diameter": predicted.mean_diameter,
        "diameter_truth": real.mean_diameter,
        "size_ks": ks_distance(predicted.relative_diameters(), real.relative_diameters()),
    }

"""How far predicted crystals are turned from the true ones, as far as colors can tell: a lower bound."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from lasernet.data.base import Batch
from lasernet.physics.color_grains import MOLTEN
from lasernet.physics.solidification import regions
from lasernet.simulate.ipf import KEYS, ipf_colors
from lasernet.simulate.ipf_inverse import lower_bound_disorientation, orientations_of_colors
from lasernet.simulate.ipf_polish import polish
from lasernet.simulate.orientation import random_orientations

PER_SLICE = 16  # cells taken from each slice, evenly spaced
CELLS = 512  # cells compared in all, evenly spaced among those taken
ATLAS = 20000  # orientations from which the search for the best fit starts, about 2° apart
STARTS = 8  # nearest of them that are tried: with three, one search in a hundred ends beside the best fit

Floats = NDArray[np.float64]


class FrameOrientations:
    """Disorientation between prediction and truth on active cells that are solid in both, in degrees.

    Nine colors are the same for up to four crystals, so this is the smallest disorientation that colors allow
    (``lower_bound_disorientation``). A crystal is found as that whose colors come nearest (least squares); how near
    is the residual, which says for predictions how little they are colors of crystals at all, and for the truth
    whether the key is right: rounding to bytes leaves about 0.001. Items whose key has no formula are left out, and
    ``compute`` says so.
    """

    def __init__(self) -> None:
        self._pairs: dict[int, tuple[str, Floats]] = {}

    @torch.no_grad()
    def update(self, answer: torch.Tensor, batch: Batch, *, keys: Sequence[str]) -> None:
        """Take in predicted colors (B, 9, H, W) in [0, 1], to be compared with ``batch["target"]``.

        Args:
            keys: the ``ipf_key`` of each item's case, ``unknown`` where nobody stated it.
        """
        both = torch.stack([answer.cpu().double(), batch["target"].cpu().double()], dim=1)  # (B, 2, 9, H, W)
        solid = (both.amax(dim=2) > MOLTEN).all(dim=1) & torch.isfinite(both).flatten(1, 2).all(dim=1)
        chosen = (solid & regions(batch)["active"][:, 0].cpu()).flatten(1)
        for row, item in enumerate(batch["item"].tolist()):
            cells = _evenly(np.flatnonzero(chosen[row].numpy()), PER_SLICE)
            pairs = both[row].flatten(2).numpy()[:, :, cells].transpose(2, 0, 1)  # (cells, 2, 9)
            self._pairs[item] = keys[row], pairs

    def compute(self) -> dict[str, float | int | str | None]:
        """``mean`` (between best fits), ``low`` and ``high`` (the means of the least and the largest value over all
        crystals that explain the colors within rounding) in degrees, ``residual`` and ``residual_truth`` (root mean
        square over channels, mean over cells), ``cells``, and a ``reason`` where items are left out."""
        found = []
        for key in KEYS:
            pairs = [part for _, (name, part) in sorted(self._pairs.items()) if name == key and len(part)]
            if pairs:
                found.append((np.concatenate(pairs), key))
        total = sum(len(pairs) for pairs, _ in found)
        rows = [
            _compare(pairs[_evenly(np.arange(len(pairs)), max(1, CELLS * len(pairs) // total))], key)
            for pairs, key in found
        ]
        table = np.concatenate(rows) if rows else np.zeros((0, 5))
        names = ("mean", "low", "high", "residual", "residual_truth")
        means = table.mean(axis=0).tolist() if len(table) else [None] * len(names)
        return {**dict(zip(names, means, strict=True)), "cells": len(table), "reason": self._reason()}

    def _reason(self) -> str | None:
        strange = sorted({key for key, _ in self._pairs.values()} - set(KEYS))
        if not strange:
            return None
        count = sum(key in strange for key, _ in self._pairs.values())
        return (
            f"{count} of {len(self._pairs)} items have the ipf_key {', '.join(strange)}; orientations are known only "
            f"from colors made with one of {', '.join(KEYS)}; state the key of the file if you know it"
        )


def _evenly(values: NDArray[np.intp], most: int) -> NDArray[np.intp]:
    """At most so many of the values, evenly spaced."""
    places = np.linspace(0, len(values) - 1, min(len(values), most)).round().astype(np.intp)
    return values[places]


def _compare(pairs: Floats, key: str) -> Floats:
    """Mean, low and high disorientation in degrees and the two residuals of pairs of colors: (N, 2, 9) → (N, 5)."""
    colors, number = np.unique(np.clip(pairs.reshape(-1, 9), 0, 1), axis=0, return_inverse=True)
    best, residual = best_fits(colors, key)
    explained = orientations_of_colors(colors, key)
    candidates = [np.concatenate([best[i : i + 1], others]) for i, others in enumerate(explained)]
    rows = []
    for one, other in number.reshape(-1, 2).tolist():
        angles = np.degrees(lower_bound_disorientation(candidates[one][:, None], candidates[other][None]))
        rows.append([angles[0, 0], angles.min(), angles.max(), residual[one], residual[other]])
    return np.array(rows)


def best_fits(colors: Floats, key: str) -> tuple[Floats, Floats]:
    """The crystals whose colors come nearest to given ones, also to colors that no crystal has.

    Args:
        colors: in [0, 1], (N, 9).

    Returns:
        Quaternions (N, 4), one of the equivalent ones each, and the root mean square difference over channels (N,).
    """
    atlas = random_orientations(ATLAS, np.random.default_rng(0))
    _, near = cKDTree(ipf_colors(atlas, key)).query(colors, k=STARTS)
    found, _ = polish(atlas[near].reshape(-1, 4), np.repeat(colors, STARTS, axis=0), key)
    found = np.concatenate([found.reshape(-1, STARTS, 4), atlas[near]], axis=1)
    residual = np.sqrt(np.square(ipf_colors(found, key) - colors[:, None]).mean(axis=-1))
    first = residual.argmin(axis=1)
    rows = np.arange(len(colors))
    return found[rows, first], residual[rows, first]

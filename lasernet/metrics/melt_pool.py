"""The melt pool of a predicted temperature: cells at its boundary, and errors of its size."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from lasernet.physics.melt_pool_size import pool_size

MICROMETERS = 1e6  # per meter
SIZES = ("length", "width", "depth")


def pool_boundary(molten: Tensor, mask: Tensor) -> Tensor:
    """Cells within one cell of the boundary: molten ones beside a solid one, and solid ones beside a molten one.

    Beside means in the same slice, across an edge or a corner; missing cells are neither molten nor solid.

    Args:
        molten, mask: bool, (B, 1, H, W).
    """
    near = [F.max_pool2d((cells & mask).float(), 3, stride=1, padding=1) > 0 for cells in (molten, ~molten)]
    return near[0] & near[1] & mask


class MeltPoolScores:
    """Errors of the size of predicted melt pools, over any number of frames; one that comes twice counts once.

    Predicted and true pool are both the region about the hottest cell that is hotter than liquidus
    (:func:`lasernet.physics.melt_pool_size.pool_size`).
    """

    def __init__(self) -> None:
        self._sizes: dict[tuple[int, int], NDArray[np.float64]] = {}

    def update(
        self,
        key: tuple[int, int],
        prediction: NDArray[np.float32],
        truth: NDArray[np.float32],
        *,
        spacing: Sequence[float],
        liquidus: float,
        velocity: Sequence[float] | NDArray[np.floating] = (1.0, 0.0, 0.0),
    ) -> None:
        """Take in a frame.

        Args:
            key: its case and number.
            prediction, truth: K, (X, Y, Z), below liquidus where there is no cell.
            spacing: m, along x, y and z.
            liquidus: K.
            velocity: of the scan; the length lies along x, or along y where it scans that way.
        """
        x, y, z = (float(width) for width in spacing)
        found = [
            pool_size(field, (x, y, z), liquidus) if np.isfinite(field).all() else (np.nan,) * 3
            for field in (prediction, truth)
        ]
        order = [1, 0, 2] if abs(velocity[1]) > abs(velocity[0]) else [0, 1, 2]
        self._sizes[key] = np.array(found)[:, order]

    def compute(self) -> dict[str, object]:
        """Errors in µm of ``length``, ``width`` and ``depth``, and numbers of frames.

        A missing pool has the size 0; frames with neither pool count nowhere. ``mae`` is the mean size of the
        error, ``bias`` the mean error, ``truth`` the mean true size; None where they are not defined.
        """
        every = np.array(list(self._sizes.values())).reshape(-1, 2, 3)
        sizes = every[(every != 0).any(axis=(1, 2))] * MICROMETERS
        answer: dict[str, object] = {}
        for index, name in enumerate(SIZES):
            predicted, true = sizes[:, 0, index], sizes[:, 1, index]
            errors = predicted - true
            answer[name] = {"mae": _mean(np.abs(errors)), "bias": _mean(errors), "truth": _mean(true)}
        there = (sizes != 0).any(axis=2)
        return answer | {
            "frames": len(sizes),
            "missed": int((~there[:, 0]).sum()),
            "invented": int((~there[:, 1]).sum()),
        }


def _mean(values: NDArray[np.float64]) -> float | None:
    return float(values.mean()) if len(values) and np.isfinite(values).all() else None

"""How well a chance of freezing is calibrated: Brier score, log loss, and a reliability table."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from lasernet.data.base import Batch

BINS = 10  # of equal width over [0, 1]
CLIP = 1e-6  # a chance of 0 or 1 that was wrong counts as this one in the log loss


class GateScores:
    """Sums over all cells for which a chance was given.

    Brier score: mean of (chance − outcome)², where the outcome is 1 for a cell that is solid at t+1 and 0 for one that
    is molten (Brier 1950); with it stands that of the constant chance that equals the share of solid cells.
    """

    def __init__(self) -> None:
        self._sums = np.zeros((BINS, 5))  # cells, chances, outcomes, squared errors, log losses

    def update(self, chance: Tensor, batch: Batch) -> None:
        """Take in chances of being solid, (B, 1, H, W), NaN in cells that were not asked."""
        asked = batch["mask"] & ~chance.isnan()
        given = chance[asked].double()
        solid = (~batch["target_molten"])[asked].double()
        bounded = given.clamp(CLIP, 1 - CLIP)
        loss = -(solid * bounded.log() + (1 - solid) * (1 - bounded).log())
        bins = (given * BINS).long().clamp(0, BINS - 1)
        rows = torch.stack([torch.ones_like(given), given, solid, (given - solid).square(), loss], dim=1)
        self._sums += torch.zeros(BINS, 5, dtype=torch.float64).index_add(0, bins, rows).numpy()

    def compute(self) -> dict[str, Any]:
        """The scores; None where no chance was given at all.

        Returns:
            ``cells``, ``solid`` (their share), ``brier``, ``brier_constant``, ``log_loss``, and ``reliability``: for
            each tenth of chances that occurs the mean ``chance``, the ``frequency`` of solid cells, and ``cells``.
        """
        cells, _, solid, squared, loss = self._sums.sum(axis=0)
        if not cells:
            return dict.fromkeys(("solid", "brier", "brier_constant", "log_loss")) | {"cells": 0, "reliability": []}
        share = solid / cells
        return {
            "cells": round(cells),
            "solid": share,
            "brier": squared / cells,
            "brier_constant": share * (1 - share),
            "log_loss": loss / cells,
            "reliability": [
                {"chance": row[1] / row[0], "frequency": row[2] / row[0], "cells": round(row[0])}
                for row in self._sums.tolist()
                if row[0]
            ],
        }

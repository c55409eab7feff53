"""Calibration scores against closed forms."""

import math

import pytest
import torch

from lasernet.metrics.gate import GateScores


def scored(chance: torch.Tensor, solid: torch.Tensor, mask: torch.Tensor | None = None) -> dict[str, object]:
    scores = GateScores()
    kept = torch.ones_like(solid) if mask is None else mask
    for half in (slice(0, 1), slice(1, None)):
        scores.update(chance[half], {"mask": kept[half], "target_molten": ~solid[half]})
    return scores.compute()


def test_chances_that_are_the_truth_have_the_brier_score_of_their_own_variance() -> None:
    generator = torch.Generator().manual_seed(0)
    chance = torch.rand(4, 1, 200, 200, generator=generator)
    solid = torch.rand(chance.shape, generator=generator) < chance
    found = scored(chance, solid)
    assert found["brier"] == pytest.approx(1 / 6, rel=0.01)  # ∫p(1 − p)dp
    assert found["log_loss"] == pytest.approx(0.5, rel=0.01)  # −∫p·ln p + (1 − p)·ln(1 − p) dp
    assert found["brier_constant"] == pytest.approx(0.25, rel=0.01)
    table = found["reliability"]
    assert isinstance(table, list)
    assert len(table) == 10
    for number, row in enumerate(table):
        assert row["chance"] == pytest.approx(0.05 + 0.1 * number, abs=0.005)
        assert row["frequency"] == pytest.approx(row["chance"], abs=0.02)
    assert sum(row["cells"] for row in table) == found["cells"] == chance.numel()


def test_only_valid_cells_that_were_asked_count() -> None:
    chance = torch.tensor([0.25, math.nan, 1.0, 0.0]).reshape(2, 1, 1, 2)
    solid = torch.tensor([True, True, False, False]).reshape(2, 1, 1, 2)
    mask = torch.tensor([True, True, False, True]).reshape(2, 1, 1, 2)
    found = scored(chance, solid, mask)
    assert found["cells"] == 2
    assert found["brier"] == pytest.approx(0.75**2 / 2)
    assert found["log_loss"] == pytest.approx(math.log(4) / 2, abs=1e-5)
    assert found["reliability"] == [
        {"chance": 0.0, "frequency": 0.0, "cells": 1},
        {"chance": 0.25, "frequency": 1.0, "cells": 1},
    ]


def test_without_cells_there_is_no_score() -> None:
    nothing = torch.full((2, 1, 2, 2), math.nan)
    assert scored(nothing, torch.zeros(2, 1, 2, 2, dtype=torch.bool))["brier"] is None

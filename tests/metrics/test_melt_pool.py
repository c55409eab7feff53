"""The melt pool's boundary and size."""

import numpy as np
import pytest
import torch

from lasernet.metrics.melt_pool import MeltPoolScores, pool_boundary

SPACING, LIQUIDUS = (2e-6, 3e-6, 4e-6), 1700.0


def pool(half_length: float, half_width: float, depth: float) -> np.ndarray:
    """A temperature whose surface of 1700 K is half an ellipsoid under the middle of the top; lengths in m."""
    grid = np.meshgrid(*(np.arange(n) * s for n, s in zip((60, 40, 20), SPACING, strict=True)), indexing="ij")
    x, y, z = grid[0] - grid[0].mean(), grid[1] - grid[1].mean(), grid[2] - grid[2].max()
    reach = np.sqrt((x / half_length) ** 2 + (y / half_width) ** 2 + (z / depth) ** 2)
    return (LIQUIDUS + 1000 * (1 - reach)).astype(np.float32)


def test_boundary_cells_have_the_other_kind_beside_them() -> None:
    draw = torch.Generator().manual_seed(0)
    molten = torch.rand(2, 1, 9, 11, generator=draw) < 0.2
    mask = torch.rand(2, 1, 9, 11, generator=draw) < 0.8
    found = pool_boundary(molten, mask)
    for b, _, r, c in np.ndindex(*molten.shape):
        near = (b, 0, slice(max(0, r - 1), r + 2), slice(max(0, c - 1), c + 2))
        kinds = molten[near][mask[near]]
        expected = bool(mask[b, 0, r, c]) and bool(kinds.any()) and not bool(kinds.all())
        assert bool(found[b, 0, r, c]) == expected


def test_errors_of_the_size_are_those_of_the_axes() -> None:
    scores = MeltPoolScores()
    for key, longer in enumerate((4e-6, -2e-6)):
        scores.update(
            (0, key), pool(40e-6 + longer, 30e-6, 33e-6), pool(40e-6, 30e-6, 30e-6), spacing=SPACING, liquidus=LIQUIDUS
        )
    found = scores.compute()
    assert found["length"] == pytest.approx({"mae": 6.0, "bias": 2.0, "truth": 80.0}, abs=0.5)
    assert found["width"] == pytest.approx({"mae": 0.0, "bias": 0.0, "truth": 60.0}, abs=0.5)
    assert found["depth"] == pytest.approx({"mae": 3.0, "bias": 3.0, "truth": 30.0}, abs=0.5)
    assert (found["frames"], found["missed"], found["invented"]) == (2, 0, 0)


def test_a_scan_along_y_has_its_length_there() -> None:
    scores = MeltPoolScores()
    field = pool(40e-6, 30e-6, 30e-6)
    scores.update((0, 0), field, field, spacing=SPACING, liquidus=LIQUIDUS, velocity=(0.0, -0.8, 0.0))
    assert scores.compute()["length"]["truth"] == pytest.approx(60, abs=0.5)


def test_a_pool_that_is_missing_has_no_size_and_a_frame_without_any_counts_nowhere() -> None:
    scores, hot, cold = MeltPoolScores(), pool(40e-6, 30e-6, 30e-6), np.full((60, 40, 20), 300, np.float32)
    empty = scores.compute()
    assert empty["frames"] == 0
    assert empty["length"]["mae"] is None
    for key, (prediction, truth) in enumerate([(cold, hot), (hot, cold), (cold, cold), (hot, hot), (hot, hot)]):
        scores.update((0, min(key, 3)), prediction, truth, spacing=SPACING, liquidus=LIQUIDUS)
    found = scores.compute()
    assert (found["frames"], found["missed"], found["invented"]) == (3, 1, 1)
    assert found["length"]["mae"] == pytest.approx(2 / 3 * 80, abs=0.5)


def test_a_prediction_that_is_not_finite_has_no_error() -> None:
    scores, hot = MeltPoolScores(), pool(40e-6, 30e-6, 30e-6)
    scores.update((0, 0), hot * np.float32("nan"), hot, spacing=SPACING, liquidus=LIQUIDUS)
    assert scores.compute()["length"]["mae"] is None

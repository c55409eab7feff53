"""Scores by region: closed forms, and independence of batching and order."""

import math

import numpy as np
import pytest
import torch

from lasernet.metrics.image import ssim_map
from lasernet.metrics.regions import RegionScores
from lasernet.physics.solidification import REGIONS, regions

ITEMS, H, W = 6, 12, 14


@pytest.fixture
def batch():
    draw = torch.Generator().manual_seed(0)
    molten = torch.rand(ITEMS, 2, 1, H, W, generator=draw) < 0.5
    later = torch.rand(ITEMS, 1, H, W, generator=draw) < 0.5
    temperature = 1500 + 500 * torch.rand(ITEMS, 1, H, W, generator=draw)
    return {
        "molten": molten,
        "target_molten": later,
        "future_temperature": temperature,
        "target": torch.rand(ITEMS, 9, H, W, generator=draw) * ~later,
        "mask": torch.rand(ITEMS, 1, H, W, generator=draw) < 0.9,
        "liquidus": torch.full((ITEMS,), 1700.0),
        "front_low": torch.full((ITEMS,), 1640.0),
        "front_high": torch.full((ITEMS,), 1700.0),
        "item": torch.tensor([4, 0, 7, 2, 9, 1]),
    }


def rows_of(batch, rows):
    return {name: value[rows] for name, value in batch.items()}


def guess(batch):
    noise = torch.randn(batch["target"].shape, generator=torch.Generator().manual_seed(1))
    return (batch["target"] + 0.1 * noise).clamp(0, 1)


def scored(answer, batch, field="ipf"):
    scores = RegionScores(field)
    scores.update(answer, batch)
    return scores


def test_scores_equal_their_definitions(batch):
    answer = guess(batch)
    found = scored(answer, batch).compute()
    mask = batch["mask"]
    similarity = ssim_map(torch.where(mask, answer, 0), torch.where(mask, batch["target"], 0), 1.0)
    for name, region in regions(batch).items():
        chosen = region.expand_as(answer)
        error, truth = (answer - batch["target"]).double()[chosen], batch["target"].double()[chosen]
        assert found[name] == pytest.approx(
            {
                "mse": error.square().mean().item(),
                "mae": error.abs().mean().item(),
                "nmse": (error.square().sum() / truth.square().sum()).item(),
                "ssim": similarity[region[:, 0]].mean().item(),
                "cells": int(region.sum()),
            },
            rel=1e-6,
        )


def test_temperature_is_scored_in_kelvin_and_against_its_variance(batch):
    batch["target"] = batch["future_temperature"]
    shifted = scored(batch["target"] + 3, batch, "temperature").compute()
    for name, region in regions(batch).items():
        variance = batch["target"].double()[region].var(correction=0).item()
        assert shifted[name]["mse"] == pytest.approx(9)
        assert shifted[name]["mae"] == pytest.approx(3)
        assert shifted[name]["vrmse"] == pytest.approx(math.sqrt(9 / variance), rel=1e-5)
        assert "nmse" not in shifted[name]


def test_the_mean_has_a_vrmse_of_one(batch):
    batch["target"] = batch["future_temperature"]
    batch["mask"] = torch.ones_like(batch["mask"])
    mean = batch["target"].mean().expand_as(batch["target"])
    assert scored(mean, batch, "temperature").compute()["all"]["vrmse"] == pytest.approx(1, rel=1e-5)


def test_constant_truth_has_no_vrmse(batch):
    batch["target"] = torch.full_like(batch["future_temperature"], 1700.1)
    assert scored(batch["target"] + 1, batch, "temperature").compute()["all"]["vrmse"] is None


def test_the_truth_is_perfect(batch):
    for values in scored(batch["target"], batch).compute().values():
        assert (values["mse"], values["mae"], values["nmse"]) == (0, 0, 0)
        assert values["ssim"] == pytest.approx(1)


@pytest.mark.parametrize("field", ["ipf", "temperature"])
def test_empty_regions_answer_none(batch, field):
    batch["mask"] = torch.zeros_like(batch["mask"])
    batch["target"] = batch["target"] if field == "ipf" else batch["future_temperature"]
    for values in scored(batch["target"], batch, field).compute().values():
        assert values.pop("cells") == 0
        assert set(values.values()) == {None}
    assert RegionScores(field).compute()["all"]["mse"] is None


def test_truth_without_color_has_no_nmse(batch):
    batch["target"] = torch.zeros_like(batch["target"])
    assert scored(batch["target"] + 0.5, batch).compute()["all"]["nmse"] is None


@pytest.mark.parametrize("parts", [[[0, 1, 2, 3, 4, 5]], [[5], [3, 1], [0, 2, 4]], [[0, 1, 2], [2, 3, 4, 5, 5]]])
def test_batching_order_and_repetition_do_not_matter(batch, parts):
    answer, whole = guess(batch), RegionScores("ipf")
    for rows in parts:
        whole.update(answer[rows], rows_of(batch, rows))
    expected = scored(answer, batch).items()
    found = whole.items()
    np.testing.assert_array_equal(found.items, [0, 1, 2, 4, 7, 9])
    np.testing.assert_allclose(found.sums, expected.sums, rtol=1e-12, atol=1e-12)


def test_masked_cells_have_no_influence(batch):
    answer = guess(batch)
    spoiled = torch.where(batch["mask"], answer, float("nan"))
    np.testing.assert_array_equal(scored(spoiled, batch).items().sums, scored(answer, batch).items().sums)


def test_merged_halves_equal_the_whole(batch):
    answer = guess(batch)
    whole = scored(answer, batch).items()
    halves = [scored(answer[rows], rows_of(batch, rows)).items() for rows in ([0, 1, 2], [2, 3, 4, 5])]
    np.testing.assert_allclose(halves[0].merge(halves[1]).sums, whole.sums, rtol=1e-12)
    np.testing.assert_array_equal(whole.select(whole.items > 3).items, [4, 7, 9])


def test_an_answer_of_another_shape_is_refused(batch):
    with pytest.raises(ValueError, match="shape"):
        scored(batch["target"][:, :1], batch)


def test_a_prediction_that_is_not_finite_scores_none(batch):
    answer = guess(batch)
    answer[:] = float("nan")
    found = scored(answer, batch).compute()
    assert all(found[region]["mse"] is None for region in REGIONS)

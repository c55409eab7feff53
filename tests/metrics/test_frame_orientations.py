"""Lower bounds of disorientation from colors: known turns, sample variants, refused keys."""

import json

import numpy as np
import pytest
import torch

from lasernet.metrics.frame_orientations import CELLS, FrameOrientations, best_fits
from lasernet.simulate.ipf import KEYS, ipf_colors
from lasernet.simulate.ipf_inverse import lower_bound_disorientation, sample_variants
from lasernet.simulate.orientation import multiply, random_orientations

H, W = 4, 4
VALUES = ("mean", "low", "high", "residual", "residual_truth")


@pytest.fixture
def crystals():
    return random_orientations(2 * H * W, np.random.default_rng(1))


def images(quaternions, key="tsl"):
    """Colors rounded to bytes, (B, 9, H, W)."""
    colors = np.rint(ipf_colors(quaternions, key) * 255) / 255
    return torch.from_numpy(colors).float().reshape(-1, H, W, 9).permute(0, 3, 1, 2)


def batch_of(target):
    """Everything was molten and has frozen."""
    count = len(target)
    return {
        "molten": torch.ones(count, 1, 1, H, W, dtype=torch.bool),
        "target": target,
        "target_molten": torch.zeros(count, 1, H, W, dtype=torch.bool),
        "future_temperature": torch.full((count, 1, H, W), 1600.0),
        "mask": torch.ones(count, 1, H, W, dtype=torch.bool),
        "liquidus": torch.full((count,), 1723.0),
        "front_low": torch.full((count,), 1663.0),
        "front_high": torch.full((count,), 1723.0),
        "item": torch.arange(count),
    }


def scored(answer, target, keys):
    scores = FrameOrientations()
    scores.update(answer, batch_of(target), keys=keys)
    found = scores.compute()
    json.dumps(found, allow_nan=False)
    return found


@pytest.mark.parametrize("key", KEYS)
def test_the_best_fit_to_rounded_colors_is_the_crystal_up_to_rounding(crystals, key):
    found, residual = best_fits(np.rint(ipf_colors(crystals, key) * 255) / 255, key)
    assert np.degrees(lower_bound_disorientation(found, crystals)).max() < 1
    assert residual.max() < 2 / 255


@pytest.mark.parametrize("key", KEYS)
def test_the_truth_is_not_turned(crystals, key):
    target = images(crystals, key)
    found = scored(target, target, [key] * 2)
    assert (found["mean"], found["low"]) == pytest.approx((0, 0), abs=1e-4)
    assert found["high"] < 3
    assert found["residual"] == found["residual_truth"] < 1 / 255
    assert found["cells"] == 2 * H * W


def test_a_turn_is_found_as_far_as_colors_show_it(crystals):
    angle = np.radians(6)
    turn = np.array([np.cos(angle / 2), *(np.sin(angle / 2) * np.array([2, -1, 2]) / 3)])
    turned = multiply(turn, crystals)
    found = scored(images(turned), images(crystals), ["tsl"] * 2)
    expected = np.degrees(lower_bound_disorientation(turned, crystals)).mean()
    assert found["mean"] == pytest.approx(expected, abs=0.2)
    assert found["low"] <= found["mean"] <= found["high"]
    assert found["mean"] <= 6.2


def test_variants_of_the_same_colors_are_not_told_apart(crystals):
    variants = sample_variants(crystals)[:, 2]
    assert scored(images(variants), images(crystals), ["tsl"] * 2)["mean"] == pytest.approx(0, abs=1e-4)


def test_colors_of_no_crystal_have_a_larger_residual(crystals):
    target = images(crystals)
    found = scored((target + target.flip(-1)) / 2 * 0.5 + 0.45, target, ["tsl"] * 2)
    assert found["residual"] > 10 * found["residual_truth"]


def test_an_unknown_key_is_refused_in_words(crystals):
    target = images(crystals)
    found = scored(target, target, ["unknown"] * 2)
    assert {found[name] for name in VALUES} == {None}
    assert found["cells"] == 0
    assert "2 of 2 items" in found["reason"]
    assert "unknown" in found["reason"]
    some = scored(target, target, ["tsl", "unknown"])
    assert some["cells"] == H * W
    assert "1 of 2 items" in some["reason"]


def test_molten_cells_are_left_out(crystals):
    target = images(crystals)
    answer = target.clone()
    answer[:, :, 0] = 0
    assert scored(answer, target, ["tsl"] * 2)["cells"] == 2 * (H - 1) * W
    found = scored(torch.zeros_like(target), target, ["tsl"] * 2)
    assert (found["cells"], found["mean"], found["reason"]) == (0, None, None)


def test_no_more_cells_are_compared_than_promised(crystals):
    target = images(crystals[: H * W]).repeat(40, 1, 1, 1)
    assert 0 < scored(target, target, ["tsl"] * 40)["cells"] <= CELLS

"""Weights by hand, and the losses as the formulas that they stand for."""

import itertools
import math

import pytest
import torch
from torch import Tensor

from lasernet.errors import OptionError
from lasernet.losses.base import Batch, build_criterion
from lasernet.losses.pixel import MAE, MSE, Charbonnier
from lasernet.losses.solidification import Combined, Solidification, SolidificationWeights
from lasernet.options import resolve
from lasernet.physics.solidification import front

KELVIN = [1560.0, 1590.0, 1620.0, 1559.0, 1645.0, 1670.0, 1720.0, 1460.0]  # the range is 1560 to 1620
BEYOND = [0.0, 0.0, 0.0, 1.0, 25.0, 50.0, 100.0, 100.0]
FALLS = {
    "band": lambda d: float(d == 0),
    "gaussian": lambda d: math.exp(-(d**2) / (2 * 50**2)),
    "linear": lambda d: max(0.0, 1 - d / 50),
    "exponential": lambda d: math.exp(-d / 50),
}
every = pytest.mark.parametrize("kind", FALLS)


def line(*, low: float = 1560.0, high: float = 1620.0) -> Batch:
    temperature = torch.tensor(KELVIN, dtype=torch.float64).reshape(1, 1, 1, -1)
    return {
        "future_temperature": temperature,
        "mask": torch.ones_like(temperature, dtype=torch.bool),
        "front_low": torch.tensor([low], dtype=torch.float64),
        "front_high": torch.tensor([high], dtype=torch.float64),
    }


def images(seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    prediction, target = torch.rand(2, 1, 9, 1, len(KELVIN), generator=generator, dtype=torch.float64)
    return prediction, target


@every
def test_weights_are_one_in_the_range_and_fall_off_beyond_as_named(kind: str) -> None:
    weights = SolidificationWeights("x", falloff=kind, solidus=None, liquidus=None, outside=0.1, width=50)(line())
    expected = [0.1 + 0.9 * FALLS[kind](d) for d in BEYOND]
    torch.testing.assert_close(weights.flatten().tolist(), expected)


@every
def test_the_loss_is_the_weighted_mean_of_squared_errors(kind: str) -> None:
    prediction, target = images()
    weights = torch.tensor([0.1 + 0.9 * FALLS[kind](d) for d in BEYOND], dtype=torch.float64)
    expected = ((prediction - target).square().mean(1).flatten() * weights).sum() / weights.sum()
    torch.testing.assert_close(Solidification(weighting=kind)(prediction, target, line()), expected)


def test_no_two_weightings_and_no_two_errors_are_the_same() -> None:
    prediction, target = images()
    losses = [Solidification(weighting=kind) for kind in FALLS]
    losses += [Solidification(error=kind) for kind in ("absolute", "charbonnier")]
    losses += [Solidification(weighting="gaussian", width=20), Solidification(outside_weight=0.5)]
    losses += [Solidification(t_solidus=1500, t_liquidus=1600), Solidification(error="charbonnier", epsilon=0.3)]
    values = [float(loss(prediction, target, line())) for loss in losses]
    assert all(abs(a - b) > 1e-6 for a, b in itertools.combinations(values, 2))


def test_a_range_in_kelvin_goes_before_the_front_of_the_case() -> None:
    prediction, target = images()
    other = line(low=300.0, high=3000.0)
    value = Solidification(t_solidus=1560, t_liquidus=1620)(prediction, target, other)
    torch.testing.assert_close(value, Solidification()(prediction, target, line()))
    assert value != Solidification()(prediction, target, other)


def test_a_band_without_anything_outside_is_the_error_of_the_front_region() -> None:
    prediction, target = images()
    batch = line()
    inside = front(batch["future_temperature"], batch["front_low"], batch["front_high"])
    value = Solidification(outside_weight=0)(prediction, target, batch)
    torch.testing.assert_close(value, (prediction - target).square()[inside.expand_as(target)].mean())


@every
@pytest.mark.parametrize(
    ("error", "plain"), [("squared", MSE()), ("absolute", MAE()), ("charbonnier", Charbonnier(epsilon=1e-3))]
)
def test_where_all_cells_are_in_the_range_it_is_the_plain_error(kind: str, error: str, plain: torch.nn.Module) -> None:
    prediction, target = images()
    batch = line(low=1400.0, high=1800.0)
    value = Solidification(weighting=kind, error=error)(prediction, target, batch)
    torch.testing.assert_close(value, plain(prediction, target, batch))


def test_an_item_without_any_weight_counts_as_zero() -> None:
    prediction, target = images()
    loss = Solidification(weighting="gaussian", outside_weight=0, t_solidus=9000, t_liquidus=9001)
    assert loss(prediction, target, line()) == 0


def test_combined_is_seven_tenths_weighted_and_three_tenths_mean_squared_error() -> None:
    prediction, target = images()
    near, plain = Solidification()(prediction, target, line()), MSE()(prediction, target, line())
    torch.testing.assert_close(Combined()(prediction, target, line()), 0.7 * near + 0.3 * plain)
    swapped = Combined(solidification_weight=0.3, global_weight=2.0, weighting="linear", width=20)
    near = Solidification(weighting="linear", width=20)(prediction, target, line())
    torch.testing.assert_close(swapped(prediction, target, line()), 0.3 * near + 2 * plain)


def test_the_parts_of_combined_are_logged_when_it_is_written_as_a_sum() -> None:
    prediction, target = images()
    total, terms = build_criterion("0.7*solidification+0.3*mse", {})(prediction, target, line())
    torch.testing.assert_close(total, Combined()(prediction, target, line()))
    assert set(terms) == {"solidification", "mse"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"t_solidus": 1600.0},
        {"t_liquidus": 1600.0},
        {"t_solidus": 1700.0, "t_liquidus": 1600.0},
        {"t_solidus": 0.0, "t_liquidus": 1600.0},
        {"t_solidus": 1600.0, "t_liquidus": float("nan")},
        {"outside_weight": -0.1},
        {"outside_weight": 1.5},
        {"weighting": "linear", "width": 0.0},
    ],
)
@pytest.mark.parametrize("loss", [Solidification, Combined])
def test_ranges_and_weights_that_are_none_are_refused(loss: type, wrong: dict[str, object]) -> None:
    with pytest.raises(OptionError, match=f"--{loss.registered_name}-") as caught:
        loss(**wrong)
    assert "\n" not in str(caught.value)


def test_options_without_effect_are_refused() -> None:
    with pytest.raises(OptionError, match="no effect"):
        resolve(Solidification, {"width": 20.0}, what="loss 'solidification'")
    with pytest.raises(OptionError, match="no effect"):
        resolve(Solidification, {"epsilon": 0.1}, what="loss 'solidification'")

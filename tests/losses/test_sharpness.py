"""The sum of its parts, whichever are chosen; no option without effect."""

import itertools
from pathlib import Path

import pytest
import torch
from torch import Tensor

from lasernet.errors import OptionError
from lasernet.losses.base import Loss
from lasernet.losses.feature_encoder import FeatureEncoder, save_encoder
from lasernet.losses.gradient import Gradient
from lasernet.losses.perceptual import Perceptual
from lasernet.losses.pixel import MAE, MSE, Charbonnier
from lasernet.losses.sharpness import Sharpness
from lasernet.losses.solidification import Solidification
from lasernet.options import resolve

PLAIN = {"mse": MSE(), "l1": MAE(), "charbonnier": Charbonnier(epsilon=0.01)}
ERRORS = {"mse": "squared", "l1": "absolute", "charbonnier": "charbonnier"}


def scene() -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    generator = torch.Generator().manual_seed(0)
    prediction, target = torch.rand(2, 2, 9, 10, 14, generator=generator)
    batch = {
        "mask": torch.rand(2, 1, 10, 14, generator=generator) < 0.9,
        "future_temperature": torch.linspace(1300, 2300, 14).expand(2, 1, 10, -1),
        "front_low": torch.full((2,), 1660.0),
        "front_high": torch.full((2,), 1720.0),
    }
    return prediction, target, batch


@pytest.mark.parametrize("base", PLAIN)
@pytest.mark.parametrize("weighting", ["uniform", "band", "gaussian", "linear", "exponential"])
@pytest.mark.parametrize(("gradient", "perceptual"), [(0.1, 0.0), (0.0, 0.05), (0.5, 0.1)])
def test_it_is_the_sum_of_the_losses_it_names(base: str, weighting: str, gradient: float, perceptual: float) -> None:
    prediction, target, batch = scene()
    error: Loss = PLAIN[base]
    if weighting != "uniform":
        error = Solidification(weighting=weighting, error=ERRORS[base], epsilon=0.01, t_solidus=1500, t_liquidus=1600)
    expected = error(prediction, target, batch)
    expected = expected + gradient * Gradient()(prediction, target, batch)
    expected = expected + perceptual * Perceptual()(prediction, target, batch)
    band = {} if weighting == "uniform" else {"t_solidus": 1500, "t_liquidus": 1600}
    found = Sharpness(
        base=base, epsilon=0.01, weighting=weighting, gradient_weight=gradient, perceptual_weight=perceptual, **band
    )(prediction, target, batch)
    torch.testing.assert_close(found, expected)


def test_every_option_changes_the_value(tmp_path: Path) -> None:
    encoder = tmp_path / "encoder.safetensors"
    save_encoder(FeatureEncoder(8), encoder)
    gaussian = {"weighting": "gaussian"}
    some = {"perceptual_weight": 0.1}
    choices: list[dict[str, object]] = [
        {}, {"base": "l1"}, {"base": "charbonnier"}, {"base": "charbonnier", "epsilon": 0.1}, {"weighting": "band"},
        gaussian, {**gaussian, "width": 20.0}, {**gaussian, "outside_weight": 0.3},
        {**gaussian, "t_solidus": 1500.0, "t_liquidus": 1600.0}, {"gradient_weight": 0.2},
        {"gradient_error": "squared"}, some, {**some, "perceptual_error": "squared"}, {**some, "perceptual_seed": 1},
        {**some, "perceptual_encoder": str(encoder)},
    ]  # fmt: skip
    assert {name for options in choices for name in options} == set(resolve(Sharpness, {}, what="sharpness"))
    values = [Sharpness(**resolve(Sharpness, options, what="sharpness"))(*scene()).item() for options in choices]
    assert all(abs(a - b) > 1e-7 for a, b in itertools.combinations(values, 2))


@pytest.mark.parametrize(
    "options",
    [
        {"epsilon": 0.1},
        {"t_solidus": 1500.0, "t_liquidus": 1600.0},
        {"outside_weight": 0.5},
        {"weighting": "band", "width": 20.0},
        {"gradient_weight": 0.0, "gradient_error": "squared"},
        {"perceptual_error": "squared"},
        {"perceptual_seed": 3},
        {"perceptual_encoder": "encoder.safetensors"},
    ],
)
def test_an_option_without_effect_is_refused_in_one_line(options: dict[str, object]) -> None:
    with pytest.raises(OptionError, match="no effect") as caught:
        Sharpness(**resolve(Sharpness, options, what="loss 'sharpness'"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["gradient_weight", "perceptual_weight"])
def test_a_negative_weight_is_refused(name: str) -> None:
    with pytest.raises(OptionError, match=f"--sharpness-{name.replace('_', '-')}"):
        Sharpness(**{name: -0.1})

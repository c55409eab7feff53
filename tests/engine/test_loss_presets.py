"""Presets that choose a loss, and what the command line changes of them."""

import pytest

from lasernet.engine.plan import differences, make_config
from lasernet.errors import OptionError
from lasernet.losses.base import build_criterion

SHARP = {"sharp-max": (0.2, 0.0), "sharp-balanced": (0.1, 0.05), "sharp-aggressive": (0.5, 0.1)}


@pytest.mark.parametrize("preset", SHARP)
def test_a_sharp_preset_sets_the_loss_and_its_options(preset: str) -> None:
    config = make_config("cnn-lstm", {}, preset=preset)
    assert config["loss"]["expression"] == "sharpness"
    options = config["loss"]["options"]["sharpness"]
    assert (options["gradient_weight"], options["perceptual_weight"]) == SHARP[preset]
    assert (options["weighting"], options["t_solidus"], options["t_liquidus"]) == ("band", 1000.0, 2500.0)
    training = config["training"]
    assert (training["epochs"], training["batch_size"], training["lr"]) == (200, 16, 1e-3)
    assert config["data"]["options"]["seq_length"] == 4
    build_criterion("sharpness", config["loss"]["options"])


def test_what_is_given_goes_before_the_preset() -> None:
    values = {"sharpness_gradient_weight": "0.3", "epochs": 5}
    config = make_config("cnn-lstm", values, preset="sharp-max")
    assert config["loss"]["options"]["sharpness"]["gradient_weight"] == 0.3
    assert config["training"]["epochs"] == 5


def test_another_loss_leaves_the_presets_loss_options_out() -> None:
    config = make_config("cnn-lstm", {}, loss="mse+0.1*gradient", preset="sharp-max")
    assert set(config["loss"]["options"]) == {"mse", "gradient"}
    assert config["training"]["epochs"] == 200


def test_an_option_of_a_loss_that_is_not_chosen_is_still_refused() -> None:
    with pytest.raises(OptionError, match="--sharpness-gradient-weight has no effect with --loss mse"):
        make_config("cnn-lstm", {"sharpness_gradient_weight": 0.3}, loss="mse", preset="sharp-max")


def test_a_short_name_reaches_every_chosen_loss_that_has_the_option() -> None:
    values = {"t_solidus": "1560", "t_liquidus": 1620.0, "gradient_weight": 0.3}
    config = make_config("cnn-lstm", values, loss="combined+0.1*solidification+sharpness", preset="sharp-max")
    options = config["loss"]["options"]
    assert {(part["t_solidus"], part["t_liquidus"]) for part in options.values()} == {(1560.0, 1620.0)}
    assert options["sharpness"]["gradient_weight"] == 0.3
    own = {"sharpness_gradient_weight": 0.4, "gradient_weight": 0.3}
    assert make_config("cnn-lstm", own, loss="sharpness")["loss"]["options"]["sharpness"]["gradient_weight"] == 0.4
    with pytest.raises(OptionError, match="--t-solidus has no effect with --loss mse"):
        make_config("cnn-lstm", {"t_solidus": 1560.0}, loss="mse")


def test_a_resumed_run_knows_its_options_by_their_short_names() -> None:
    config = make_config("cnn-lstm", {"t_solidus": 1560.0, "t_liquidus": 1620.0}, loss="combined")
    assert differences(config, {"t_solidus": "1560"}, loss=None) == []
    assert differences(config, {"t_solidus": 1500.0}, loss=None) == ["--t-solidus: 1560.0 → 1500.0"]

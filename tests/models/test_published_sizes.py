"""Parameter counts of the source systems' networks, on the meta device, which holds no numbers."""

from collections.abc import Mapping

import pytest
import torch

from lasernet.engine.loaded import build_model
from lasernet.engine.plan import model_class
from lasernet.models.base import count_parameters
from lasernet.models.next_colors import NextColors
from lasernet.models.next_temperature import NextTemperature
from lasernet.nn.mlp import FrameMixer
from lasernet.nn.residual_unet import ResidualDecoder, ResidualEncoder

SPEC = {"temperature": {"channels": 1, "unit": "K", "shape": (47, 465), "frames": 3}}
CNN, RNN, FLAT, FLAT_RNN = "cnn-lstm", "predrnn", "convlstm", "predrnn-flat"
DEAD = {"cell": "dead-memory"}


def count(name: str, options: Mapping[str, object], task: str) -> int:
    with torch.device("meta"):
        return count_parameters(build_model(name, options, task=task, spec=SPEC))


def preset(name: str, chosen: str, **changes: object) -> dict[str, object]:
    return {**model_class(name).presets[chosen], **changes}


@pytest.mark.parametrize(
    ("name", "chosen", "changes", "published"),
    [
        (CNN, "l1-cnn-lstm", {}, 440_425),
        (CNN, "l1-cnn-lstm-skips", {}, 486_505),
        (CNN, "l1-cnn-lstm-layers-2", {}, 735_593),
        (CNN, "l1-cnn-lstm-layers-2-skips", {}, 781_673),
        (CNN, "l1-cnn-lstm-wide", {}, 945_097),
        (CNN, "l1-cnn-lstm-wider", {}, 1_756_361),
        (RNN, "l1-predrnn-layers-1", DEAD, 698_345),
        (RNN, "l1-predrnn-layers-2", DEAD, 1_251_433),
        (RNN, "l1-predrnn-layers-3", DEAD, 1_804_521),
        (RNN, "l1-predrnn-layers-4", DEAD, 2_357_609),
        (RNN, "l1-predrnn-layers-1-skips", DEAD, 744_425),
        (RNN, "l1-predrnn-layers-2-skips", DEAD, 1_297_513),
        (RNN, "l1-predrnn-layers-3-skips", DEAD, 1_850_601),
        (RNN, "l1-predrnn-layers-4-skips", DEAD, 2_403_689),
        (RNN, "l1-predrnn-layers-4", {}, 2_537_833),  # with a memory that reaches the output
        (RNN, "l1-predrnn-layers-4-skips", {}, 2_583_913),
        (RNN, "l1-predrnn-layers-4-skips", {"decouple_weight": 0.1}, 2_588_009),
    ],
)
@pytest.mark.parametrize("norm", ["group", "batch"])
def test_the_first_system_s_networks(
    name: str, chosen: str, changes: dict[str, object], published: int, norm: str
) -> None:
    assert count(name, preset(name, chosen, norm=norm, **changes), "microstructure") == published


SECOND = [
    (CNN, "l2-deep-cnn-lstm", 43_371_201, 43_377_898, 43_377_865),
    (CNN, "l2-deep-cnn-lstm-large", 149_266_817, 149_280_202, 149_280_137),
    (CNN, "l2-deep-cnn-lstm-medium", 10_847_073, 10_850_426, 10_850_409),
    (CNN, "l2-deep-cnn-lstm-shallow4l", 31_046_337, 31_053_034, 31_053_001),
    (CNN, "l2-deep-cnn-lstm-shallow3l", 18_066_113, 18_072_810, 18_072_777),
    (CNN, "l2-deep-cnn-lstm-shallow2l", 3_282_625, 3_289_322, 3_289_289),
    (RNN, "l2-predrnn", 64_414_145, 64_420_842, 64_420_809),
    (RNN, "l2-predrnn-large", 241_030_529, 241_043_914, 241_043_849),
    (RNN, "l2-predrnn-medium", 16_109_281, 16_112_634, 16_112_617),
    (RNN, "l2-predrnn-light", 10_633_569, 10_636_922, 10_636_905),
    (RNN, "l2-predrnn-shallow4l", 52_089_281, 52_095_978, 52_095_945),
    (RNN, "l2-predrnn-shallow3l", 33_799_617, 33_806_314, 33_806_281),
    (RNN, "l2-predrnn-shallow2l", 6_004_161, 6_010_858, 6_010_825),
    (FLAT, "l2-base-convlstm", 3_357_889, 3_364_234, 3_364_169),
    (FLAT, "l2-base-convlstm-large", 4_944_641, 4_956_746, 4_956_681),
    (FLAT, "l2-base-convlstm-light", 162_113, 165_146, 165_129),
    (FLAT_RNN, "l2-base-predrnn", 6_775_873, 6_782_218, 6_782_153),
    (FLAT_RNN, "l2-base-predrnn-large", 9_796_865, 9_808_970, 9_808_905),
    (FLAT_RNN, "l2-base-predrnn-light", 313_985, 317_018, 317_001),
    ("mlp", "l2-mlp", 39_319_391, 425_562_806, 419_946_071),
    ("mlp", "l2-mlp-large", 73_416_031, 795_352_246, 789_735_511),
    ("mlp", "l2-mlp-light", 19_637_855, 212_857_910, 210_038_615),
]


@pytest.mark.parametrize(("name", "chosen", "temperature", "colors", "ours"), SECOND)
def test_the_second_system_s_networks(
    name: str, chosen: str, temperature: int, colors: int, ours: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It regressed a grain number as a tenth channel of colors; here nine are answered."""
    options = preset(name, chosen, residual=False)
    assert count(name, options, "temperature") == temperature
    assert count(name, options, "microstructure") == ours
    monkeypatch.setattr(NextColors, "outputs", 10)
    assert count(name, options, "microstructure") == colors


def test_all_presets_of_sizes_are_counted() -> None:
    counted = {chosen for _, chosen, *_ in SECOND}
    for name in (CNN, RNN, FLAT, FLAT_RNN, "mlp"):
        assert {chosen for chosen in model_class(name).presets if chosen.startswith("l2-")} <= counted


@pytest.mark.parametrize(
    ("size", "channels", "before", "after"),
    [
        ("medium", 1, 7_043_681, 13_603_169),
        ("medium", 11, 7_047_034, 13_606_522),
        ("large", 1, 71_004_545, 110_079_361),
        ("large", 11, 71_017_930, 110_092_746),
    ],
)
def test_the_network_between_encoder_and_decoder_is_the_second_system_s(
    size: str, channels: int, before: int, after: int
) -> None:
    """There, images were cut to 14 × 1 coarse cells; here, they are padded to 15 × 2."""
    options = model_class("cnn-mlp").presets[f"l2-cnn-mlp-{size}"]
    widths, hidden = options["channels"], options["hidden"]
    with torch.device("meta"):
        outside = [ResidualEncoder(channels, widths), ResidualDecoder(widths[-1], widths, max(1, channels - 1))]
        between = FrameMixer(3, widths[-1], (14, 1), hidden)
    found = sum(count_parameters(part) for part in outside)
    assert found == before
    assert found + count_parameters(between) == after
    padded = 3 * widths[-1] * 15 * 2
    more = (padded - 3 * widths[-1] * 14) * hidden[0] + widths[-1] * (15 * 2 - 14) * (hidden[-1] + 1)
    task = "temperature" if channels == 1 else "microstructure"
    fewer = 0 if channels == 1 else widths[0] // 2 + 1  # one output less
    assert count("cnn-mlp", {**options, "residual": False}, task) == after + more - fewer


def test_counts_that_docstrings_name() -> None:
    for name, task, number in (
        ("cnn-lstm", "microstructure", 486_505),
        ("predrnn", "microstructure", 2_583_913),
        ("predrnn++", "microstructure", 3_486_441),
        ("convlstm", "microstructure", 165_129),
        ("convlstm", "temperature", 162_113),
        ("predrnn-flat", "microstructure", 317_001),
        ("predrnn-flat", "temperature", 313_985),
        ("mlp", "microstructure", 419_946_071),
        ("mlp", "temperature", 50_509_151),
        ("simvp", "microstructure", 984_873),
    ):
        assert count(name, {}, task) == number
        assert f"{number:,}" in str(model_class(name).__doc__)


def test_only_a_moved_frame_makes_a_sequence_longer() -> None:
    assert NextTemperature(residual=True).further_frames == 1
    assert NextTemperature(residual=False).further_frames == 0
    assert NextColors(residual=True, copy_from="slice").further_frames == 0

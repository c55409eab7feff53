"""The U-Net of resin flow: published sizes, any image size, borders, attention, times."""

from __future__ import annotations

from typing import get_args

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lasernet.errors import OptionError
from lasernet.nn.padding import PaddedConv2d, Padding, padded
from lasernet.nn.self_attention import SelfAttention, attention_heads
from lasernet.nn.unet import Activation, UNet

WIDE = (64, 128, 256, 512, 1024)
PADDINGS = list(get_args(Padding))


def excited(module: nn.Module) -> nn.Module:
    """Every parameter away from its start, so that nothing is zero by construction."""
    torch.manual_seed(0)
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.3)
    return module.double().eval()


def size(inputs: int, outputs: int, **options: object) -> int:
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in UNet(inputs, outputs, **options).parameters())


@pytest.mark.parametrize(
    ("inputs", "outputs", "options", "expected"),
    [
        (1, 2, {}, 31_041_410),
        (2, 1, {}, 31_041_409),
        (1, 2, {"attention": "4..1"}, 33_670_018),
        (1, 2, {"features": WIDE}, 124_382_082),
        (17, 8, {"timed": True}, 31_893_128),
        (17, 8, {"timed": True, "attention": "3..2"}, 35_180_680),
        (17, 8, {"timed": True, "features": WIDE}, 126_023_304),
        (17, 8, {"timed": True, "features": WIDE, "attention": "3..2"}, 139_810_952),
    ],
)
def test_published_networks_have_their_published_sizes(
    inputs: int, outputs: int, options: dict[str, object], expected: int
) -> None:
    assert size(inputs, outputs, **options) == expected


def test_an_untrained_network_answers_zero() -> None:
    network = UNet(1, 2, features=(4, 8), attention="2..2")
    assert torch.equal(network(torch.rand(2, 1, 8, 8)), torch.zeros(2, 2, 8, 8))


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("sides", [(16, 16), (13, 22), (1, 3), (5, 1)])
def test_images_of_any_size_are_answered_at_their_size(sides: tuple[int, int], padding: Padding) -> None:
    network = excited(UNet(1, 2, features=(4, 8, 8), padding=padding))
    answer = network(torch.rand(2, 1, *sides, dtype=torch.double))
    assert answer.shape == (2, 2, *sides)
    assert answer.isfinite().all()


@pytest.mark.parametrize("kernel_size", [3, 5])
def test_a_periodic_network_moves_with_its_image_by_whole_coarse_cells(kernel_size: int) -> None:
    network = excited(UNet(1, 2, features=(4, 8), padding="circular", kernel_size=kernel_size))
    image = torch.rand(1, 1, 16, 24, dtype=torch.double)
    moved = torch.roll(image, (8, 4), (-2, -1))
    torch.testing.assert_close(network(moved), torch.roll(network(image), (8, 4), (-2, -1)))
    assert not torch.allclose(network(moved, padding="zeros"), network(moved))


def test_an_answer_does_not_depend_on_the_rest_of_the_batch() -> None:
    network = excited(UNet(1, 1, features=(4, 8), attention="1..2"))
    images = torch.rand(3, 1, 12, 12, dtype=torch.double)
    torch.testing.assert_close(network(images)[1:2], network(images[1:2]))


@pytest.mark.parametrize("activation", list(get_args(Activation)))
def test_activations_do_what_their_names_say(activation: Activation) -> None:
    inside, after = (
        excited(UNet(1, 1, features=(4,), activation=activation, final_activation=final))
        for final in (None, activation)
    )
    image = torch.rand(1, 1, 6, 6, dtype=torch.double)
    function = {"silu": F.silu, "relu": F.relu, "leakyrelu": F.leaky_relu, "softplus": F.softplus}[activation]
    torch.testing.assert_close(after(image), function(inside(image)))


def test_a_time_changes_the_answer_of_a_timed_network_alone() -> None:
    network = excited(UNet(1, 1, features=(4, 8), timed=True))
    image = torch.rand(1, 1, 8, 8, dtype=torch.double).expand(2, 1, 8, 8)
    network.time.float()  # its sines are of single precision
    early, late = (network.float()(image.float(), torch.tensor([time] * 2)) for time in (3, 700))
    assert not torch.allclose(early, late)
    both = network(image.float(), torch.tensor([3, 700]))
    torch.testing.assert_close(both, torch.stack([early[0], late[1]]))


def test_dropout_acts_in_training_alone() -> None:
    torch.manual_seed(0)
    network = excited(UNet(1, 1, features=(4,), dropout=0.5))
    image = torch.rand(1, 1, 6, 6, dtype=torch.double)
    assert torch.equal(network(image), network(image))
    assert not torch.equal(network.train()(image), network(image))


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"features": ()}, "features"),
        ({"features": (4, 0)}, "features"),
        ({"kernel_size": 4}, "kernel-size 4"),
        ({"dropout": 1.0}, "dropout"),
        ({"attention": "5..1"}, "levels 5 to 4"),
    ],
)
def test_impossible_networks_are_refused(options: dict[str, object], match: str) -> None:
    with pytest.raises(OptionError, match=match):
        UNet(1, 1, **options)


# -- attention -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "expected"),
    [("", [0, 0, 0]), ("1.1.1", [1, 0, 0]), ("2..4", [0, 4, 4]), (" 1.3.2 ", [2, 2, 2]), ("3..2", [0, 0, 2])],
)
def test_an_expression_says_where_attention_is(expression: str, expected: list[int]) -> None:
    assert attention_heads(expression, (8, 16, 32)) == expected


@pytest.mark.parametrize("expression", ["3", "1.2", "a.b.c", "0.2.1", "2.1.1", "1.4.1", "1..3", "1..0", "1..-2"])
def test_an_expression_that_fits_no_network_is_refused(expression: str) -> None:
    with pytest.raises(OptionError, match="--attention"):
        attention_heads(expression, (8, 16, 32))


def test_attention_is_that_of_torch() -> None:
    ours = excited(SelfAttention(8, 2))
    assert isinstance(ours, SelfAttention)
    theirs = nn.MultiheadAttention(8, 2, batch_first=True).double()
    theirs.load_state_dict(
        {
            "in_proj_weight": ours.look.weight,
            "in_proj_bias": ours.look.bias,
            "out_proj.weight": ours.tell.weight,
            "out_proj.bias": ours.tell.bias,
        }
    )
    images = torch.rand(2, 8, 3, 5, dtype=torch.double)
    tokens = ours.norm(images).flatten(2).mT
    seen, _ = theirs(tokens, tokens, tokens)
    torch.testing.assert_close(ours(images), images + ours.add(seen).mT.reshape(images.shape))


# -- borders -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("padding", "mode"), [("reflect", "reflect"), ("zeros", "constant"), ("circular", "circular")])
@pytest.mark.parametrize(("before", "after"), [((1, 1), (1, 1)), ((2, 0), (1, 3))])
def test_borders_are_those_of_torch_where_it_has_them(
    padding: Padding, mode: str, before: tuple[int, int], after: tuple[int, int]
) -> None:
    images = torch.rand(2, 3, 5, 6)
    expected = F.pad(images, (before[1], after[1], before[0], after[0]), mode=mode)
    assert torch.equal(padded(images, before, after, padding), expected)


def test_a_narrow_image_is_mirrored_along_its_long_side_and_repeated_along_its_short_one() -> None:
    image = torch.arange(8.0).view(1, 1, 2, 4)
    found = padded(image, (2, 2), (2, 2), "reflect")[0, 0]
    assert torch.equal(found[:, 2:6], image[0, 0][[0, 0, 0, 1, 1, 1]])
    assert found[2].tolist() == [2, 1, 0, 1, 2, 3, 2, 1]


def test_a_periodic_image_goes_around_as_often_as_needed() -> None:
    found = padded(torch.arange(3.0).view(1, 1, 1, 3), (0, 4), (0, 5), "circular")[0, 0, 0]
    assert found.tolist() == [2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1]


@pytest.mark.parametrize("padding", PADDINGS)
def test_a_padded_convolution_is_that_of_torch(padding: Padding) -> None:
    ours = PaddedConv2d(2, 3, 5)
    theirs = nn.Conv2d(2, 3, 5, padding=2, padding_mode=padding)
    theirs.load_state_dict(ours.state_dict())
    images: Tensor = torch.rand(2, 2, 7, 9)
    torch.testing.assert_close(ours(images, padding), theirs(images))

"""The published networks: their size, their function, and that the quick way to compute it changes nothing."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lasernet.models.base import count_parameters
from lasernet.nn.dcgan import DcganCritic, DcganGenerator


def plain_generator(network: DcganGenerator, z: Tensor) -> Tensor:
    """Nearest-neighbor doubling, then a 3 x 3 convolution, step by step."""
    x = network.dense(z).view(-1, 4, 4, 512).permute(0, 3, 1, 2)
    for block in network.blocks:
        x = F.leaky_relu(F.conv2d(F.interpolate(x, scale_factor=2), block.weight, block.bias, padding=1), 0.2)
    return torch.tanh(network.head(F.interpolate(x, scale_factor=2)))


def plain_critic(network: DcganCritic, x: Tensor) -> Tensor:
    for block in network.blocks:
        x = F.leaky_relu(F.conv2d(x, block.weight, block.bias, stride=2, padding=1), 0.2)
    return network.head(x.permute(0, 2, 3, 1).flatten(1))[:, 0]


def gradients(score: Tensor, network: nn.Module) -> list[Tensor]:
    return list(torch.autograd.grad(score, list(network.parameters())))


def test_networks_have_the_published_number_of_parameters() -> None:
    assert count_parameters(DcganGenerator()) == 2_376_705
    assert count_parameters(DcganCritic()) == 2_762_689


def test_images_are_gray_values_in_range_and_scores_one_per_image() -> None:
    images = DcganGenerator()(10 * torch.randn(3, 100))
    assert images.shape == (3, 1, 64, 64)
    assert images.abs().max() <= 1
    assert DcganCritic()(images).shape == (3,)


def test_generator_equals_doubling_and_convolving_step_by_step() -> None:
    torch.manual_seed(0)
    network, z = DcganGenerator().double(), torch.randn(2, 100, dtype=torch.float64)
    weight = torch.randn(2, 1, 64, 64, dtype=torch.float64)
    quick, plain = network(z), plain_generator(network, z)
    torch.testing.assert_close(quick, plain, rtol=0, atol=1e-12)
    for a, b in zip(
        gradients((quick * weight).sum(), network), gradients((plain * weight).sum(), network), strict=True
    ):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-10 * float(b.abs().max()))


def test_critic_equals_its_convolutions_step_by_step() -> None:
    torch.manual_seed(0)
    network, images = DcganCritic().double(), torch.randn(2, 1, 64, 64, dtype=torch.float64)
    quick, plain = network(images), plain_critic(network, images)
    torch.testing.assert_close(quick, plain, rtol=0, atol=1e-12)
    for a, b in zip(gradients(quick.sum(), network), gradients(plain.sum(), network), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-10 * float(b.abs().max()))


def test_score_of_an_image_does_not_depend_on_its_batch() -> None:
    torch.manual_seed(0)
    network, images = DcganCritic().double(), torch.randn(5, 1, 64, 64, dtype=torch.float64)
    torch.testing.assert_close(network(images)[3:4], network(images[3:4]), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("network", [DcganGenerator(), DcganCritic()])
def test_weights_start_with_the_variance_of_glorot_and_biases_at_zero(network: nn.Module) -> None:
    for layer in network.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d):
            area = layer.weight[0, 0].numel()
            limit = (6 / ((layer.weight.shape[0] + layer.weight.shape[1]) * area)) ** 0.5
            assert 0.9 * limit < layer.weight.abs().max() <= limit
            assert not layer.bias.any()


def test_mixed_precision_gives_images_and_scores_in_single_precision() -> None:
    generator, critic = DcganGenerator(), DcganCritic()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        images = generator(torch.randn(1, 100))
        scores = critic(images)
    assert images.dtype == scores.dtype == torch.float32

"""Quick convolutions of stride 2 against the built-in ones, with first and second derivatives."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from lasernet.nn import columns, winograd
from lasernet.nn.piecewise_linear import leaky_relu_
from lasernet.nn.strided_conv import doubling_conv, enlarged_kernel, halving_conv

SHAPES = [(3, 5, 8, 4), (2, 3, 4, 4), (1, 2, 12, 16)]


def random(*shape: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(sum(shape)))


@pytest.mark.parametrize(("channels", "features", "height", "width"), SHAPES)
@pytest.mark.parametrize("part", [1, 1 << 20])
def test_three_maps_equal_a_convolution_and_its_gradients(
    monkeypatch: pytest.MonkeyPatch, channels: int, features: int, height: int, width: int, part: int
) -> None:
    monkeypatch.setattr(winograd, "CACHED", part)
    monkeypatch.setattr(winograd, "ROWS", part)
    images = random(5, channels, height, width).contiguous(memory_format=torch.channels_last).requires_grad_()
    weight, bias = random(features, channels, 4, 4).requires_grad_(), random(features)
    expected = F.conv2d(images, weight, bias, stride=2, padding=1)
    signal = random(*expected.shape)
    to_images, to_weight = torch.autograd.grad(expected, [images, weight], signal)
    with torch.no_grad():
        for maps in (winograd, columns) if channels == 1 else (winograd,):
            torch.testing.assert_close(maps.convolve(images, weight, bias), expected, rtol=0, atol=1e-12)
            torch.testing.assert_close(maps.spread(signal, weight), to_images, rtol=0, atol=1e-12)
            torch.testing.assert_close(maps.correlate(images, signal), to_weight, rtol=0, atol=1e-12)


@pytest.mark.parametrize("channels", [1, 32])
def test_single_precision_is_as_exact_as_the_built_in_convolution(channels: int) -> None:
    images, weight = random(4, channels, 16, 16), random(64, channels, 4, 4)
    exact = F.conv2d(images, weight, stride=2, padding=1)
    built_in = F.conv2d(images.float(), weight.float(), stride=2, padding=1)
    quick = halving_conv(images.float(), weight.float())
    assert (quick - exact).square().mean() <= 4 * (built_in - exact).square().mean()


@pytest.mark.parametrize("channels", [1, 32])
def test_derivatives_of_any_order_are_right(channels: int) -> None:
    x, weight = random(1, channels, 4, 4).requires_grad_(), random(32, channels, 4, 4).requires_grad_()
    y, bias = random(1, 32, 2, 2).requires_grad_(), random(32).requires_grad_()
    assert torch.autograd.gradcheck(halving_conv, (x, weight, bias), fast_mode=True)
    assert torch.autograd.gradgradcheck(halving_conv, (x, weight, bias), fast_mode=True)
    assert torch.autograd.gradcheck(doubling_conv, (y, weight), fast_mode=True)
    assert torch.autograd.gradgradcheck(doubling_conv, (y, weight), fast_mode=True)


@pytest.mark.parametrize("features", [1, 32])
def test_doubling_by_the_nearest_neighbor_and_convolving_is_one_map(features: int) -> None:
    x, weight, bias = random(2, 32, 6, 4), random(features, 32, 3, 3), random(features)
    expected = F.conv2d(F.interpolate(x, scale_factor=2), weight, bias, padding=1)
    torch.testing.assert_close(doubling_conv(x, enlarged_kernel(weight), bias), expected, rtol=0, atol=1e-12)


def test_sizes_that_do_not_divide_are_convolved_all_the_same() -> None:
    x, weight = random(2, 32, 6, 10), random(32, 32, 4, 4)
    torch.testing.assert_close(halving_conv(x, weight), F.conv2d(x, weight, stride=2, padding=1))


def test_leaky_relu_has_the_slope_of_the_built_in_one() -> None:
    x, signal = random(50).requires_grad_(), random(50).requires_grad_()
    for result in (leaky_relu_(x + 0, 0.3), F.leaky_relu(x, 0.3)):
        (slope,) = torch.autograd.grad(result, x, signal, create_graph=True)
        torch.testing.assert_close(slope, torch.where(x > 0, 1, 0.3) * signal)
        (back,) = torch.autograd.grad(slope, signal, signal.detach())
        torch.testing.assert_close(back, torch.where(x > 0, 1, 0.3) * signal.detach())

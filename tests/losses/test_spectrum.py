"""Spectra against the laws of Fourier: Parseval, scaling, and blindness to places."""

import math

import pytest
import torch
from torch import Tensor

from lasernet.losses.spectrum import Spectral, multiplicity, power_spectrum, ring_means, rings

SIZES = [(8, 8), (7, 9), (6, 11), (1, 12), (5, 1), (1, 1)]
VARIANTS = [{"compare": compare, "level": level} for compare in ("radial", "full") for level in ("log", "amplitude")]


def image(height: int, width: int, items: int = 2, seed: int = 0) -> Tensor:
    return torch.rand(items, 9, height, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def everywhere(like: Tensor) -> dict[str, Tensor]:
    return {"mask": torch.ones(len(like), 1, *like.shape[-2:], dtype=torch.bool)}


@pytest.mark.parametrize("size", SIZES)
def test_mean_power_is_the_mean_square_under_the_window(size: tuple[int, int]) -> None:
    x = image(*size)
    lines = [torch.sin(torch.pi * (torch.arange(n, dtype=torch.float64) + 0.5) / n) ** 2 for n in size]
    window = lines[0][:, None] * lines[1]
    counts = multiplicity(*size)
    assert counts.sum() == size[0] * size[1]
    mean = (power_spectrum(x) * counts).sum((-2, -1)) / counts.sum()
    torch.testing.assert_close(mean, (x * window).square().mean((-2, -1)) / window.square().mean())


@pytest.mark.parametrize("size", SIZES)
def test_ring_means_are_those_of_the_whole_plane_of_waves(size: tuple[int, int]) -> None:
    height, width = size
    power = torch.fft.fft2(image(*size)).abs().square()
    down, along = torch.fft.fftfreq(height)[:, None], torch.fft.fftfreq(width)
    radius = (torch.hypot(down, along) * max(size)).round().long()
    expected = [power[..., radius == r].mean(-1) for r in radius.unique()]
    half = power[..., : width // 2 + 1].flatten(2)
    found = ring_means(half, multiplicity(*size).double().flatten(), rings(*size).flatten())
    torch.testing.assert_close(found, torch.stack(expected, -1))


@pytest.mark.parametrize("size", [(8, 8), (7, 9), (13, 30)])
@pytest.mark.parametrize("compare", ["radial", "full"])
def test_a_contrast_of_one_half_costs_the_logarithm_of_two_in_any_unit(size: tuple[int, int], compare: str) -> None:
    target = image(*size)
    mean = target.mean((-2, -1), keepdim=True)
    prediction = mean + 0.5 * (target - mean)
    for scale, shift in ((1.0, 0.0), (3000.0, 300.0)):
        value = Spectral(compare=compare)(scale * prediction + shift, scale * target + shift, everywhere(target))
        assert value.item() == pytest.approx(math.log(2), rel=2e-3)


@pytest.mark.parametrize("compare", ["radial", "full"])
def test_amplitudes_are_in_the_unit_of_the_field(compare: str) -> None:
    prediction, target = image(9, 14)[:, :1], image(9, 14, seed=1)[:, :1]  # one channel: no rounding of colors
    loss = Spectral(compare=compare, level="amplitude")
    value = loss(prediction, target, everywhere(target))
    torch.testing.assert_close(loss(50 * prediction, 50 * target, everywhere(target)), 50 * value)


@pytest.mark.parametrize("options", VARIANTS)
def test_it_does_not_see_places(options: dict[str, str]) -> None:
    target = image(7, 12)
    value = Spectral(**options)(target.flip(-1, -2), target, everywhere(target))
    assert value.item() == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("options", VARIANTS)
def test_blur_and_noise_both_cost(options: dict[str, str]) -> None:
    target = image(24, 30)
    blurred = torch.nn.functional.avg_pool2d(target, 3, stride=1, padding=1, count_include_pad=False)
    noisy = target + 0.3 * torch.randn(target.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    loss, batch = Spectral(**options), everywhere(target)
    slightly = loss(target + 0.1 * (blurred - target), target, batch)
    assert 0 < slightly < loss(blurred, target, batch)
    assert slightly < loss(noisy, target, batch)


def test_radial_forgives_a_turn_of_the_image_and_full_does_not() -> None:
    target = image(12, 12) * torch.arange(12)
    turned = target.mT
    radial = Spectral(compare="radial")(turned, target, everywhere(target))
    assert radial.item() == pytest.approx(0, abs=1e-9)
    assert Spectral(compare="full")(turned, target, everywhere(target)) > 0.1


def test_one_image_without_any_contrast_is_finite() -> None:
    flat, target = torch.full((1, 9, 6, 7), 0.4, requires_grad=True), torch.zeros(1, 9, 6, 7)
    value = Spectral()(flat, target, everywhere(target))
    value.backward()
    assert 0 < value < 50
    assert flat.grad is not None
    assert flat.grad.isfinite().all()


def test_what_is_weaker_than_the_rounding_of_colors_is_noise() -> None:
    target = torch.zeros(1, 9, 12, 14, dtype=torch.float64)
    values = [Spectral()(target + rms * (image(12, 14, 1) - 0.5), target, everywhere(target)) for rms in (1e-5, 1e-1)]
    assert values[0] < 1e-3
    assert values[1] > 1


@pytest.mark.parametrize("channels", [9, 1])
@pytest.mark.parametrize("options", VARIANTS)
def test_two_black_images_cost_nothing_and_have_a_gradient(options: dict[str, str], channels: int) -> None:
    black, target = torch.zeros(1, channels, 6, 7, requires_grad=True), torch.zeros(1, channels, 6, 7)
    value = Spectral(**options)(black, target, everywhere(target))
    value.backward()
    assert value == 0
    assert black.grad is not None
    assert black.grad.isfinite().all()

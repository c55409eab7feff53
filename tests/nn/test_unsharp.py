import math

import pytest
import torch

from lasernet.nn.unsharp import unsharp


def everywhere(images: torch.Tensor) -> torch.Tensor:
    return torch.ones_like(images[:, :1], dtype=torch.bool)


def test_a_constant_stays_one_beside_gaps_and_borders() -> None:
    keep = torch.rand(2, 1, 9, 13, generator=torch.Generator().manual_seed(0)) < 0.6
    images = torch.full((2, 3, 9, 13), 0.7, dtype=torch.float64)
    torch.testing.assert_close(unsharp(images, keep, amount=2.0, radius=1.5), images, rtol=0, atol=1e-14)


@pytest.mark.parametrize("across", [False, True])
def test_a_wave_grows_by_what_the_gaussian_takes_away(across: bool) -> None:
    """A Gaussian of radius r takes exp(−k²r²/2) of a wave of number k; seen far from the ends."""
    wave, radius, amount = 2 * math.pi / 16, 2.0, 0.5
    line = torch.sin(wave * torch.arange(96, dtype=torch.float64))
    image = (line.expand(5, -1) if not across else line[:, None].expand(-1, 5))[None, None]
    found = unsharp(image, everywhere(image), amount=amount, radius=radius)
    inside = (..., slice(24, -24), slice(None)) if across else (..., slice(24, -24))
    expected = image[inside] * (1 + amount * (1 - math.exp(-((wave * radius) ** 2) / 2)))
    torch.testing.assert_close(found[inside], expected, rtol=0, atol=1e-7)


def test_a_step_gets_steeper_where_it_is_and_a_slope_stays() -> None:
    step = (torch.arange(40) >= 20).double().expand(1, 1, 3, -1)
    found = unsharp(step, everywhere(step), amount=0.5, radius=1.0)
    weights = [math.exp(-(d**2) / 2) for d in range(-19, 20)]
    beyond = sum(weights[:19]) / sum(weights)  # of the weights of the first upper cell lie on the lower side
    torch.testing.assert_close(found[..., 20], step[..., 20] + 0.5 * beyond, rtol=0, atol=1e-9)
    torch.testing.assert_close(found[..., 19], step[..., 19] - 0.5 * beyond, rtol=0, atol=1e-9)
    slope = torch.linspace(0, 1, 40, dtype=torch.float64).expand(1, 1, 3, -1)
    same = unsharp(slope, everywhere(slope), amount=0.5, radius=1.0)
    torch.testing.assert_close(same[..., 10:-10], slope[..., 10:-10], rtol=0, atol=1e-9)


def test_cells_that_are_left_out_neither_change_nor_contribute() -> None:
    generator = torch.Generator().manual_seed(1)
    images = torch.rand(2, 9, 8, 11, generator=generator)
    keep = torch.rand(2, 1, 8, 11, generator=generator) < 0.7
    other = torch.where(keep, images, torch.nan)
    one, two = (unsharp(x, keep, amount=0.8, radius=1.2) for x in (images, other))
    assert torch.equal(torch.where(keep, one, 0), torch.where(keep, two, 0))
    assert torch.equal(torch.where(keep, 0, one), torch.where(keep, 0, images))
    assert not torch.equal(torch.where(keep, one, 0), torch.where(keep, images, 0))


def test_an_image_without_a_kept_cell_stays() -> None:
    images = torch.rand(1, 1, 4, 5)
    assert torch.equal(unsharp(images, torch.zeros(1, 1, 4, 5, dtype=torch.bool), amount=1.0, radius=1.0), images)

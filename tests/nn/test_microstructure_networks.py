"""The fully convolutional pair: equivariant where it is periodic, of any size, each image judged alone."""

from collections.abc import Callable

import pytest
import torch

from lasernet.nn.microstructure_generator import (
    COARSE,
    FINE,
    GLOBAL,
    CellGenerator,
    MicrostructureGenerator,
    PixelGenerator,
    WallGenerator,
)
from lasernet.nn.patch_critic import PatchCritic


@pytest.mark.parametrize("make", [lambda: CellGenerator(12), lambda: WallGenerator(12, 4), lambda: PixelGenerator(12)])
def test_shifting_the_noise_shifts_the_image(make: Callable[[], MicrostructureGenerator]) -> None:
    torch.manual_seed(0)
    network = make().double()
    noise = torch.randn(2, network.noise_size(32, 40), dtype=torch.float64)
    whole, coarse, fine = noise.split([GLOBAL, COARSE * 20, FINE * 80], 1)
    coarse = torch.roll(coarse.view(2, COARSE, 4, 5), (1, 2), (2, 3)).flatten(1)
    fine = torch.roll(fine.view(2, FINE, 8, 10), (2, 4), (2, 3)).flatten(1)
    condition = torch.tensor([0.0, 1.0], dtype=torch.float64)
    wanted = torch.tensor([12.0, 18.0], dtype=torch.float64)
    with torch.no_grad():
        image = network(noise, condition, wanted, 32, 40)
        shifted = network(torch.cat([whole, coarse, fine], 1), condition, wanted, 32, 40)
    assert image.shape == (2, 1, 32, 40)
    assert 0 <= float(image.min()) <= float(image.max()) <= 1
    torch.testing.assert_close(shifted, torch.roll(image, (8, 16), (2, 3)).to(shifted), rtol=1e-4, atol=1e-4)


def test_a_periodic_critic_does_not_see_where_the_edge_is() -> None:
    torch.manual_seed(0)
    image, condition = torch.randn(3, 1, 32, 32), torch.randn(3)
    for periodic in (True, False):
        critic = PatchCritic(4, periodic=periodic)
        moved = critic(torch.roll(image, (8, 16), (2, 3)), condition)
        assert torch.allclose(moved, critic(image, condition), rtol=1e-4, atol=1e-5) == periodic


def test_a_score_belongs_to_its_own_image_and_condition() -> None:
    torch.manual_seed(0)
    critic = PatchCritic(4, periodic=True)
    image, condition = torch.randn(3, 1, 32, 32), torch.randn(3)
    scores = critic(image, condition)
    torch.testing.assert_close(critic(image[1:2], condition[1:2]), scores[1:2])
    assert not torch.allclose(critic(image, -condition), scores)

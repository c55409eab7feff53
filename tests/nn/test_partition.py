"""Walls between the regions of a partition: exact for Voronoi cells, closed, of learned width."""

import numpy as np
import torch
from scipy.ndimage import label

from lasernet.nn.partition import Walls, wall_distance


def paraboloids(seeds: torch.Tensor, size: int) -> torch.Tensor:
    """Order parameters -|x - p|²/2 of seeds (K, 2) in the plane, (1, K, size, size)."""
    axis = torch.arange(size, dtype=torch.float64)
    place = torch.stack(torch.meshgrid(axis, axis, indexing="ij"))
    return -(place - seeds[:, :, None, None]).square().sum(1)[None] / 2


def test_paraboloids_give_the_exact_distance_to_the_nearest_bisector() -> None:
    seeds = torch.rand(9, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 32
    found = wall_distance(paraboloids(seeds, 32))[0, 0]
    pixels = torch.stack(torch.meshgrid(torch.arange(32.0), torch.arange(32.0), indexing="ij"), -1).double()
    squared = (pixels[:, :, None] - seeds).square().sum(-1)
    nearest, owner = squared.min(-1)
    apart = (seeds[owner][:, :, None] - seeds).norm(dim=-1)
    bisector = ((squared - nearest[..., None]) / (2 * apart.clamp_min(1e-12))).masked_fill(apart == 0, float("inf"))
    inside = slice(1, -1)  # the plane is no torus: differences across the edge are not those of the paraboloids
    torch.testing.assert_close(found[inside, inside], bisector.amin(-1)[inside, inside], rtol=1e-3, atol=1e-5)


def test_the_distance_depends_neither_on_the_scale_nor_on_a_common_field() -> None:
    generator = torch.Generator().manual_seed(1)
    order = torch.rand(2, 5, 16, 16, dtype=torch.float64, generator=generator) * 100
    common = torch.rand(2, 1, 16, 16, dtype=torch.float64, generator=generator) * 100
    torch.testing.assert_close(wall_distance(1000 * order + common), wall_distance(1000 * order))
    torch.testing.assert_close(wall_distance(1000 * order), wall_distance(2000 * order), rtol=1e-4, atol=1e-6)


def test_walls_are_closed_between_owners() -> None:
    generator = torch.Generator().manual_seed(2)
    coarse = torch.rand(1, 6, 8, 8, generator=generator)
    order = torch.nn.functional.interpolate(coarse, scale_factor=8.0, mode="bicubic")
    gray = Walls(3.0)(order)[0, 0].detach().numpy()
    owner = order.argmax(1)[0].numpy()
    regions, count = label(gray > 0.5)
    assert count > 3
    for region in range(1, count + 1):
        assert len(np.unique(owner[regions == region])) == 1, "a bright region reaches across a wall"


def test_the_gray_of_a_straight_wall_is_a_gaussian_of_the_width() -> None:
    place = torch.arange(32.0)[None, :].expand(32, 32)
    order = torch.stack([-(place - 15.5), place - 15.5])[None]
    gray = Walls(2.0)(order)[0, 0, 10, 4:28]
    expected = 1 - torch.exp(-(((place[0, 4:28] - 15.5) / 2.0) ** 2))
    torch.testing.assert_close(gray, expected, rtol=1e-3, atol=1e-4)


def test_gradients_are_finite_everywhere() -> None:
    order = torch.zeros(1, 3, 8, 8, requires_grad=True)
    Walls()(order).sum().backward()
    assert order.grad is not None
    assert order.grad.isfinite().all()

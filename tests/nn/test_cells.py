"""Cells of generalized power diagrams: Voronoi where weights and shapes are equal, periodic, with sound gradients."""

import numpy as np
import pytest
import torch

from lasernet.nn.cells import PARAMETERS, REACH, SITE, WEIGHT, Cells, throw
from lasernet.physics.grains import count_grains

Sites = tuple[torch.Tensor, torch.Tensor]


def sites(size: int) -> Sites:
    """Parameters of a grid, and the sites with cells: none yet."""
    shape = (size // SITE, size // SITE)
    return torch.zeros(1, PARAMETERS, *shape, dtype=torch.float64), torch.zeros(1, 1, *shape, dtype=torch.bool)


def put(grid: Sites, row: int, column: int, y: float, x: float, weight: float = 0.0) -> tuple[float, float]:
    """Let a site have a cell whose center is off its middle by (y, x) px; where the center is."""
    parameters, seeds = grid
    seeds[0, 0, row, column] = True
    parameters[0, 0, row, column] = np.arctanh(y / REACH)
    parameters[0, 1, row, column] = np.arctanh(x / REACH)
    parameters[0, 2, row, column] = np.arctanh(weight / WEIGHT)
    return SITE * (row + 0.5) + y, SITE * (column + 0.5) + x


def bisectors(centers: np.ndarray, size: int) -> np.ndarray:
    """Exact distance to the nearest wall of the periodic Voronoi tessellation, by all images of all centers."""
    shifts = np.array([(a, b) for a in (-1, 0, 1) for b in (-1, 0, 1)]) * size
    points = (centers[:, None] + shifts).reshape(-1, 2)
    pixel = np.stack(np.meshgrid(np.arange(size), np.arange(size), indexing="ij"), -1).reshape(-1, 1, 2) + 0.5
    squared = ((pixel - points) ** 2).sum(-1)
    own = squared.argmin(1)
    apart = np.linalg.norm(points[own][:, None] - points, axis=-1)
    apart[np.arange(len(own)), own] = np.inf
    with np.errstate(invalid="ignore"):
        found = (squared - squared[np.arange(len(own)), own][:, None]) / (2 * apart)
    found[np.arange(len(own)), own] = np.inf
    return found.min(1).reshape(size, size)


def test_equal_weights_and_shapes_give_the_exact_periodic_voronoi_distance() -> None:
    generator = np.random.default_rng(0)
    grid, centers = sites(48), []
    for row in range(0, 12, 2):
        for column in range(0, 12, 2):
            centers.append(put(grid, row, column, *generator.uniform(-2, 2, 2)))
    found = Cells().wall_distance(*grid)[0, 0].numpy()
    np.testing.assert_allclose(found, bisectors(np.array(centers), 48), rtol=0.01, atol=1e-6)


def test_a_heavier_cell_moves_its_wall_as_in_a_power_diagram() -> None:
    grid = sites(32)
    one, other = put(grid, 3, 2, 0, 0, weight=16.0), put(grid, 3, 5, 0, 0)
    apart = other[1] - one[1]
    wall = one[1] + apart / 2 + 16.0 / (2 * apart)
    row = Cells().wall_distance(*grid)[0, 0, int(one[0]), int(one[1]) : int(other[1])]
    expected = (torch.arange(len(row), dtype=torch.float64) + int(one[1]) + 0.5 - wall).abs()
    torch.testing.assert_close(row, expected, rtol=2e-3, atol=1e-3)


def random_cells(shape: tuple[int, int], wanted: list[float], seed: int = 0) -> Sites:
    """Unlike cells at random sites."""
    generator = torch.Generator().manual_seed(seed)
    parameters = torch.randn(len(wanted), PARAMETERS, *shape, generator=generator)
    return parameters, throw(torch.randn(len(wanted), 1, *shape, generator=generator), torch.tensor(wanted))


def test_shifting_the_sites_shifts_the_image() -> None:
    grid = random_cells((8, 10), [10.0, 15.0])
    cells = Cells().requires_grad_(False)
    shifted = cells(*(torch.roll(part, (1, 3), (2, 3)) for part in grid))
    torch.testing.assert_close(shifted, torch.roll(cells(*grid), (4, 12), (2, 3)))
    assert 0 <= float(shifted.min()) <= float(shifted.max()) <= 1


def test_gradients_are_finite_and_right() -> None:
    parameters, seeds = random_cells((8, 8), [12.0], seed=1)
    parameters = parameters.double().requires_grad_()
    cells = Cells().double()
    cells.wall_distance(parameters, seeds).clamp(max=3).sum().backward()
    gradient = parameters.grad
    assert gradient is not None
    assert gradient.isfinite().all()
    step = 1e-6 * torch.randn(parameters.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    with torch.no_grad():
        ahead, behind = (cells.wall_distance(parameters + sign * step, seeds).clamp(max=3).sum() for sign in (1, -1))
    torch.testing.assert_close((ahead - behind) / 2, (gradient * step).sum(), rtol=1e-3, atol=1e-9)


def test_the_gradient_stays_bounded_where_two_centers_meet() -> None:
    grid = sites(32)
    put(grid, 3, 3, 2.0, 0.0)
    put(grid, 4, 3, -2.0 + 1e-4, 0.0)  # at the same place but for 1e-4 px
    put(grid, 3, 6, 0.0, 0.0)
    parameters = grid[0].requires_grad_()
    Cells().wall_distance(parameters, grid[1]).clamp(max=3).sum().backward()
    assert parameters.grad is not None
    assert float(parameters.grad.abs().max()) < 32**2 * (2 * 16 * 2**0.5) * REACH  # px that each of the pixels sees


@pytest.mark.parametrize("wanted", [1, 30, 256])
def test_as_many_sites_get_cells_as_are_wanted(wanted: int) -> None:
    seeds = throw(torch.randn(4, 1, 16, 16), torch.full((4,), float(wanted)))
    assert seeds.flatten(1).sum(1).tolist() == [wanted] * 4


@pytest.mark.parametrize("wanted", [1, 5, 12, 30])
def test_as_many_cells_are_seen_as_are_wanted(wanted: int) -> None:
    parameters, seeds = random_cells((16, 16), [float(wanted)] * 8, seed=3)
    parameters[:, 2:] = 0
    with torch.no_grad():
        images = Cells()(parameters, seeds)
    seen = count_grains(images[:, 0].numpy(), threshold=0.8, periodic=True, smallest=1)
    assert abs(seen.mean() - wanted) < 0.1 * wanted

"""Cells of generalized power diagrams: Voronoi where weights and shapes are equal, periodic, with sound gradients."""

import numpy as np
import torch

from lasernet.nn.cells import DEEPEST, PARAMETERS, REACH, SITE, Cells

HIDDEN = 50.0
SHIFT = 40.0  # px², below 0, the weight of an ordinary cell


def sites(size: int) -> torch.Tensor:
    """Parameters of a grid on which no cell is there yet."""
    parameters = torch.zeros(1, PARAMETERS, size // SITE, size // SITE, dtype=torch.float64)
    parameters[:, 2] = HIDDEN
    return parameters


def put(
    parameters: torch.Tensor, row: int, column: int, y: float, x: float, weight: float = 0.0
) -> tuple[float, float]:
    """Let a site have a cell whose center is off its middle by (y, x) px; where the center is."""
    parameters[0, 0, row, column] = np.arctanh(y / REACH)
    parameters[0, 1, row, column] = np.arctanh(x / REACH)
    parameters[0, 2, row, column] = -np.log(DEEPEST / (SHIFT - weight) - 1)
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
    parameters, centers = sites(48), []
    for row in range(0, 12, 2):
        for column in range(0, 12, 2):
            centers.append(put(parameters, row, column, *generator.uniform(-3.9, 3.9, 2)))
    found = Cells().wall_distance(parameters)[0, 0].numpy()
    np.testing.assert_allclose(found, bisectors(np.array(centers), 48), rtol=1e-3, atol=1e-6)


def test_a_heavier_cell_moves_its_wall_as_in_a_power_diagram() -> None:
    parameters = sites(32)
    one, other = put(parameters, 3, 2, 0, 0, weight=16.0), put(parameters, 3, 5, 0, 0)
    apart = other[1] - one[1]
    wall = one[1] + apart / 2 + 16.0 / (2 * apart)
    row = Cells().wall_distance(parameters)[0, 0, int(one[0]), int(one[1]) : int(other[1])]
    expected = (torch.arange(len(row), dtype=torch.float64) + int(one[1]) + 0.5 - wall).abs()
    torch.testing.assert_close(row, expected, rtol=1e-3, atol=1e-3)


def test_shifting_the_sites_shifts_the_image() -> None:
    parameters = torch.randn(2, PARAMETERS, 8, 10, generator=torch.Generator().manual_seed(0))
    cells = Cells().requires_grad_(False)
    shifted = cells(torch.roll(parameters, (1, 3), (2, 3)))
    torch.testing.assert_close(shifted, torch.roll(cells(parameters), (4, 12), (2, 3)))
    assert 0 <= float(shifted.min()) <= float(shifted.max()) <= 1


def test_gradients_are_finite_and_right() -> None:
    torch.manual_seed(1)
    parameters = (0.3 * torch.randn(1, PARAMETERS, 8, 8, dtype=torch.float64)).requires_grad_()
    cells = Cells().double()
    cells.wall_distance(parameters).clamp(max=3).sum().backward()
    gradient = parameters.grad
    assert gradient is not None
    assert gradient.isfinite().all()
    step = 1e-6 * torch.randn_like(parameters)
    with torch.no_grad():
        ahead, behind = (cells.wall_distance(parameters + sign * step).clamp(max=3).sum() for sign in (1, -1))
    torch.testing.assert_close((ahead - behind) / 2, (gradient * step).sum(), rtol=1e-3, atol=1e-9)

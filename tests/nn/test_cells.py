"""Cells of generalized power diagrams: Voronoi where weights and shapes are equal, periodic, with sound gradients."""

import numpy as np
import pytest
import torch

from lasernet.nn.cells import PARAMETERS, REACH, SITE, WEIGHT, Cells
from lasernet.physics.grains import count_grains


def sites(size: int) -> torch.Tensor:
    """Parameters of a grid on which no cell is there yet."""
    parameters = torch.zeros(1, PARAMETERS, size // SITE, size // SITE, dtype=torch.float64)
    parameters[:, 2] = -1.0
    return parameters


def put(
    parameters: torch.Tensor, row: int, column: int, y: float, x: float, weight: float = 0.0
) -> tuple[float, float]:
    """Let a site have a cell whose center is off its middle by (y, x) px; where the center is."""
    parameters[0, 0, row, column] = np.arctanh(y / REACH)
    parameters[0, 1, row, column] = np.arctanh(x / REACH)
    parameters[0, 2, row, column] = 1.0
    parameters[0, 3, row, column] = np.arctanh(weight / WEIGHT)
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
    found = Cells().wall_distance(parameters, torch.tensor([36.0]))[0, 0].detach().numpy()
    np.testing.assert_allclose(found, bisectors(np.array(centers), 48), rtol=1e-3, atol=1e-6)


def test_a_heavier_cell_moves_its_wall_as_in_a_power_diagram() -> None:
    parameters = sites(32)
    one, other = put(parameters, 3, 2, 0, 0, weight=16.0), put(parameters, 3, 5, 0, 0)
    apart = other[1] - one[1]
    wall = one[1] + apart / 2 + 16.0 / (2 * apart)
    row = Cells().wall_distance(parameters, torch.tensor([2.0]))[0, 0, int(one[0]), int(one[1]) : int(other[1])]
    expected = (torch.arange(len(row), dtype=torch.float64) + int(one[1]) + 0.5 - wall).abs()
    torch.testing.assert_close(row, expected, rtol=1e-3, atol=1e-3)


def test_shifting_the_sites_shifts_the_image() -> None:
    parameters = torch.randn(2, PARAMETERS, 8, 10, generator=torch.Generator().manual_seed(0))
    cells, wanted = Cells().requires_grad_(False), torch.tensor([10.0, 15.5])
    shifted = cells(torch.roll(parameters, (1, 3), (2, 3)), wanted)
    torch.testing.assert_close(shifted, torch.roll(cells(parameters, wanted), (4, 12), (2, 3)))
    assert 0 <= float(shifted.min()) <= float(shifted.max()) <= 1


def test_gradients_are_finite_and_right() -> None:
    torch.manual_seed(1)
    parameters = (0.3 * torch.randn(1, PARAMETERS, 8, 8, dtype=torch.float64)).requires_grad_()
    cells, wanted = Cells().double(), torch.tensor([12.3], dtype=torch.float64)
    cells.wall_distance(parameters, wanted).clamp(max=3).sum().backward()
    gradient = parameters.grad
    assert gradient is not None
    assert gradient.isfinite().all()
    step = 1e-6 * torch.randn_like(parameters)
    step[:, 2] = 0  # the choice of sites is a step; its gradient is an estimate
    with torch.no_grad():
        ahead, behind = (cells.wall_distance(parameters + sign * step, wanted).clamp(max=3).sum() for sign in (1, -1))
    torch.testing.assert_close((ahead - behind) / 2, (gradient * step).sum(), rtol=1e-3, atol=1e-9)


@pytest.mark.parametrize("wanted", [12, 30])
def test_as_many_cells_are_seen_as_are_wanted(wanted: int) -> None:
    scores = torch.randn(4, PARAMETERS, 16, 16, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        images = Cells()(scores * torch.tensor([1, 1, 1, 0, 0, 0.0])[:, None, None], torch.full((4,), float(wanted)))
    seen = count_grains(images[:, 0].numpy(), threshold=0.8, periodic=True, smallest=1)
    assert abs(seen.mean() - wanted) < 0.1 * wanted


def test_a_site_gains_by_a_score_what_a_weight_gains_its_cell() -> None:
    parameters = torch.zeros(1, PARAMETERS, 8, 8, dtype=torch.float64)
    parameters[:, 2] = torch.linspace(-1, 1, 64, dtype=torch.float64).view(8, 8)
    parameters.requires_grad_()
    Cells().wall_distance(parameters, torch.tensor([9.0])).clamp(max=3).square().sum().backward()
    gradient = parameters.grad
    assert gradient is not None
    gain = 1 - torch.tanh(parameters[0, 2] - (parameters[0, 2, 6, 6] + parameters[0, 2, 6, 7]) / 2) ** 2
    by_weight, by_score = gradient[0, 3].flatten()[55:], gradient[0, 2].flatten()[55:]
    bar = gradient[0, 2].flatten()[54]
    torch.testing.assert_close(by_score[1:], (gain.flatten()[55:] * by_weight)[1:])
    torch.testing.assert_close(by_score[0] - gain.flatten()[55] * by_weight[0], bar - gradient[0, 3].flatten()[54])

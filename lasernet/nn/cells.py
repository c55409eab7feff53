"""Grains as cells of a generalized balanced power diagram, around seeds that were thrown at random."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor, nn

SITE = 4  # pixels along each side of a site
REACH = 6.0  # pixels by which a cell's center may lie off the middle of its site
DEEPEST = 400.0  # px²: a site without a cell owns what no cell's center is within 20 px of
WEIGHT = 40.0  # px², the largest weight of a cell
WINDOW = 6  # sites in each direction whose cells may own a pixel
CLOSE = 1.0  # added to squared slopes, which are (2 px)² where centers are 1 px apart: bounds the gradient
FAST = 10.0  # the width learns so much faster than other weights
NEAREST = 12  # cells that are looked at closely, of those in the window
STRETCH = 0.3  # largest logarithm of the ratio by which a cell is stretched along an axis
PARAMETERS = 5  # place (2), weight, stretch (2)
COEFFICIENTS = 6  # of a quadratic function of two variables


class Cells(nn.Module):
    """Gray value from the distance to the nearest wall between cells: 0 on it, 1 far away, a Gaussian of learned width.

    Cell i has the field f_i(x) = w_i - (x - p_i)ᵀ A_i (x - p_i), and the largest field owns a pixel. With equal weights
    and A = 1 the cells are those of a Voronoi tessellation; weights make power diagrams, shapes bend the walls and
    stretch the grains. A cell whose field is nowhere the largest is not there. Weights are limited and the
    determinant of A is 1: with free sizes, training made cells round and let them run away. Distances to walls are
    taken to first order, (f_i - f_k) / |grad f_i - grad f_k|, which is exact where the walls are straight.

    Alpers et al., Generalized balanced power diagrams for 3D representations of polycrystals, Phil. Mag. 95 (2015).

    Args:
        width: px, where the training begins.
    """

    def __init__(self, width: float = 2.0) -> None:
        super().__init__()
        self.log_width = nn.Parameter(torch.tensor(math.log(width) / FAST))

    def forward(self, parameters: Tensor, seeds: Tensor) -> Tensor:
        """Unbounded numbers of the sites of a periodic image (B, 5, H/4, W/4), and which have cells (B, 1, H/4, W/4).

        Returns:
            Gray in [0, 1], (B, 1, H, W).
        """
        distance = self.wall_distance(parameters.float(), seeds)
        return -torch.expm1(-(distance / (FAST * self.log_width).exp()).square())

    def wall_distance(self, parameters: Tensor, seeds: Tensor) -> Tensor:
        """Pixels to the nearest wall, (B, 1, H, W)."""
        batch, _, rows, columns = parameters.shape
        polynomials = self._chosen(_polynomials(parameters, seeds))  # (B, N, J, 6)
        basis = _basis(parameters)
        field, down, right = (polynomials @ part for part in basis)  # (B, N, J, 16)
        largest, owner = field.max(2, keepdim=True)
        slope = (down.gather(2, owner) - down).square() + (right.gather(2, owner) - right).square()
        distance = (largest - field) / torch.sqrt(slope + CLOSE)
        nearest = distance.scatter(2, owner, float("inf")).amin(2)  # (B, N, 16)
        blocks = nearest.view(batch, rows, columns, SITE, SITE).transpose(2, 3)
        return blocks.reshape(batch, 1, rows * SITE, columns * SITE)

    @staticmethod
    def _chosen(polynomials: Tensor) -> Tensor:
        """Of all cells in the window, those with the largest fields in the middle of each site."""
        middle = polynomials[..., 0].detach()
        count = min(NEAREST, middle.shape[2])
        best = middle.topk(count, dim=2, sorted=False).indices
        return polynomials.gather(2, best[..., None].expand(-1, -1, -1, COEFFICIENTS))


def throw(chances: Tensor, wanted: Tensor) -> Tensor:
    """The sites that get a cell: of random numbers (B, 1, h, w) the ``wanted`` (B,) highest; bool, as the numbers."""
    ordered = chances.flatten(1).sort(1, descending=True).values
    last = wanted.round().long().clamp(1, ordered.shape[1])[:, None] - 1
    return chances >= ordered.gather(1, last)[:, :, None, None]


def _polynomials(parameters: Tensor, seeds: Tensor) -> Tensor:
    """Fields of the cells around each site, as coefficients of 1, u, v, u², uv, v² about its middle, (B, N, J, 6)."""
    rows, columns = parameters.shape[2:]
    index, away = (part.to(parameters.device) for part in _window(rows, columns))
    raw = parameters.flatten(2).transpose(1, 2)  # (B, N, 5)
    places = REACH * torch.tanh(raw[..., :2])
    weight = torch.where(seeds.flatten(1), WEIGHT * torch.tanh(raw[..., 2]), -DEEPEST)
    stretch = STRETCH * torch.tanh(raw[..., 3])
    cross = math.sinh(STRETCH) * torch.tanh(raw[..., 4])
    size = torch.sqrt(1 + cross.square())  # so that the determinant of A is 1
    down, right = size * torch.exp(stretch), size * torch.exp(-stretch)
    cells = torch.stack([weight, places[..., 0], places[..., 1], down, cross, right], -1)
    weight, y, x, down, cross, right = cells[:, index].unbind(-1)  # (B, N, J) each
    y, x = y + away[:, 0], x + away[:, 1]
    ay, ax = down * y + cross * x, cross * y + right * x
    return torch.stack([weight - y * ay - x * ax, 2 * ay, 2 * ax, -down, -2 * cross, -right], -1)


@lru_cache(maxsize=8)
def _window(rows: int, columns: int) -> tuple[Tensor, Tensor]:
    """The sites around each site of a periodic grid, (N, J), and where they lie from it in px, (J, 2)."""
    reaches = [range(-min(WINDOW, (size - 1) // 2), min(WINDOW, (size - 1) // 2) + 1) for size in (rows, columns)]
    steps = torch.cartesian_prod(*(torch.tensor(list(reach)) for reach in reaches))
    site = torch.cartesian_prod(torch.arange(rows), torch.arange(columns))
    around = site[:, None] + steps
    index = (around[..., 0] % rows) * columns + around[..., 1] % columns
    return index, SITE * steps.float()


def _basis(like: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """What turns coefficients into a field and its two slopes at the pixels of a site, (6, 16) each."""
    axis = torch.arange(SITE, dtype=like.dtype, device=like.device) - (SITE - 1) / 2
    u, v = (part.flatten() for part in torch.meshgrid(axis, axis, indexing="ij"))
    one, zero = torch.ones_like(u), torch.zeros_like(u)
    field = torch.stack([one, u, v, u * u, u * v, v * v])
    return field, torch.stack([zero, one, zero, 2 * u, v, zero]), torch.stack([zero, zero, one, zero, u, 2 * v])

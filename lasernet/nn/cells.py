"""Grains as cells of a generalized balanced power diagram, around seeds that were thrown at random."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from torch import Tensor, nn

SITE = 4  # pixels along each side of a site
REACH = 6.0  # pixels by which a cell's center may lie off the middle of its site
WEIGHT = 40.0  # px², the largest weight of a cell
STRETCH = 0.3  # largest logarithm of the ratio by which a cell is stretched along an axis
NEAREST = 12  # cells that may own the pixels of a site
CLOSE = 1.0  # added to squared slopes, which are (2 px)² where centers are 1 px apart: bounds the gradient
FAST = 10.0  # the width learns so much faster than other weights
PARAMETERS = 5  # place (2), weight, stretch (2)


class Cells(nn.Module):
    """Gray value from the distance to the nearest wall between cells: 0 on it, 1 far away, a Gaussian of learned width.

    Cell i has the field f_i(x) = w_i - (x - p_i)ᵀ A_i (x - p_i), and the largest field owns a pixel. With equal weights
    and A = 1 the cells are those of a Voronoi tessellation; weights make power diagrams, shapes bend the walls and
    stretch the grains. Weights are limited and the determinant of A is 1: with free sizes, training made cells round
    and let them run away. Distances to walls are taken to first order, (f_i - f_k) / |grad f_i - grad f_k|, which is
    exact where the walls are straight.

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
        polynomials = _polynomials(parameters, seeds)  # (B, N, J, 6)
        field, down, right = (polynomials @ part for part in _basis(parameters))  # (B, N, J, 16)
        largest, owner = field.max(2, keepdim=True)
        slope = (down.gather(2, owner) - down).square() + (right.gather(2, owner) - right).square()
        distance = (largest - field) / torch.sqrt(slope + CLOSE)
        nearest = distance.scatter(2, owner, float("inf")).amin(2)  # (B, N, 16)
        blocks = nearest.view(batch, rows, columns, SITE, SITE).transpose(2, 3)
        return blocks.reshape(batch, 1, rows * SITE, columns * SITE)


def throw(chances: Tensor, wanted: Tensor) -> Tensor:
    """The sites that get a cell: of random numbers (B, 1, h, w) the ``wanted`` (B,) highest; bool, as the numbers."""
    ordered = chances.flatten(1).sort(1, descending=True).values
    last = wanted.round().long().clamp(1, ordered.shape[1])[:, None] - 1
    return chances >= ordered.gather(1, last)[:, :, None, None]


def _polynomials(parameters: Tensor, seeds: Tensor) -> Tensor:
    """Fields of the cells around each site, as coefficients of 1, u, v, u², uv, v² about its middle, (B, N, J, 6)."""
    raw = parameters.flatten(2).transpose(1, 2)  # (B, N, 5)
    middle = _middles(*parameters.shape[2:]).to(raw)  # (N, 2)
    center = middle + REACH * torch.tanh(raw[..., :2])
    weight = WEIGHT * torch.tanh(raw[..., 2:3])
    stretch = STRETCH * torch.tanh(raw[..., 3:4])
    cross = math.sinh(STRETCH) * torch.tanh(raw[..., 4:])
    size = torch.sqrt(1 + cross.square())  # so that the determinant of A is 1
    cells = torch.cat([center, weight, size * torch.exp(stretch), cross, size * torch.exp(-stretch)], -1)
    index, shift = _nearest(cells[..., :3].detach(), seeds.flatten(1), parameters.shape[2:])
    chosen = cells.gather(1, index.flatten(1)[..., None].expand(-1, -1, cells.shape[2])).view(*index.shape, -1)
    place = chosen[..., :2] + shift.to(raw) - middle[:, None]
    (y, x), (weight, down, cross, right) = place.unbind(-1), chosen[..., 2:].unbind(-1)
    ay, ax = down * y + cross * x, cross * y + right * x
    return torch.stack([weight - y * ay - x * ax, 2 * ay, 2 * ax, -down, -2 * cross, -right], -1)


def _middles(rows: int, columns: int) -> Tensor:
    """Where the middles of sites lie, px, (N, 2)."""
    return SITE * (torch.cartesian_prod(torch.arange(rows), torch.arange(columns)) + 0.5)


def _nearest(cells: Tensor, seeds: Tensor, grid: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Cells whose fields are the largest in the middle of each site, but for their shapes.

    Lifted by the root of what its weight lacks to the largest, a center is the nearer the larger its field is.

    Args:
        cells: centers in px and weights, (B, N, 3).
        seeds: which sites have cells, (B, N).
        grid: sites along both axes.

    Returns:
        Numbers of sites (B, N, J), and by which period their centers are shifted, px (B, N, J, 2).
    """
    periods = SITE * np.array(grid)
    tiles = periods * np.array([(a, b) for a in (0, -1, 1) for b in (0, -1, 1)])
    middles = np.pad(_middles(*grid).numpy(), ((0, 0), (0, 1)))
    values, present = cells.double().cpu().numpy(), seeds.cpu().numpy()
    count = min(NEAREST, len(tiles) * int(present.sum(1).min()))
    found = [
        _around(middles, one[has], np.flatnonzero(has), tiles, count) for one, has in zip(values, present, strict=True)
    ]
    index, shift = (torch.from_numpy(np.stack(part)).to(cells.device) for part in zip(*found, strict=True))
    return index, shift


def _around(
    middles: NDArray[np.float64],
    cells: NDArray[np.float64],
    sites: NDArray[np.int64],
    tiles: NDArray[np.int64],
    count: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The same for one image, (N, J) and (N, J, 2)."""
    lifted = np.column_stack([cells[:, :2], np.sqrt(np.maximum(WEIGHT - cells[:, 2], 0))])
    copies = (lifted + np.pad(tiles, ((0, 0), (0, 1)))[:, None]).reshape(-1, 3)
    chosen = cKDTree(copies).query(middles, count)[1].reshape(len(middles), count)
    return sites[chosen % len(cells)], tiles[chosen // len(cells)]


def _basis(like: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """What turns coefficients into a field and its two slopes at the pixels of a site, (6, 16) each."""
    axis = torch.arange(SITE, dtype=like.dtype, device=like.device) - (SITE - 1) / 2
    u, v = (part.flatten() for part in torch.meshgrid(axis, axis, indexing="ij"))
    one, zero = torch.ones_like(u), torch.zeros_like(u)
    field = torch.stack([one, u, v, u * u, u * v, v * v])
    return field, torch.stack([zero, one, zero, 2 * u, v, zero]), torch.stack([zero, zero, one, zero, u, 2 * v])

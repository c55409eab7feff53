"""Grains as cells of a generalized balanced power diagram: as many sites as asked for put one, of learned shape."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor, nn

from lasernet.nn.partition import FLAT

SITE = 4  # pixels along each side of a site
REACH = 4.0  # pixels by which a cell's center may lie off the middle of its site
DEEPEST = 400.0  # px²: a site without a cell owns what no cell's center is within 20 px of
WEIGHT = 40.0  # px², the largest weight of a cell
WINDOW = 6  # sites in each direction whose cells may own a pixel
FAST = 10.0  # the width learns so much faster than other weights
NEAREST = 12  # cells that are looked at closely, of those in the window
STRETCH = 0.3  # largest logarithm of the ratio by which a cell is stretched along an axis
PARAMETERS = 6  # place (2), score, weight, stretch (2)
COEFFICIENTS = 6  # of a quadratic function of two variables


class Cells(nn.Module):
    """Gray value from the distance to the nearest wall between cells: 0 on it, 1 far away, a Gaussian of learned width.

    Cell i has the field f_i(x) = w_i - (x - p_i)ᵀ A_i (x - p_i), and the largest field owns a pixel. With equal weights
    and A = 1 the cells are those of a Voronoi tessellation; weights make power diagrams, shapes bend the walls and
    stretch the grains. A cell whose field is nowhere the largest is not there. Weights are limited and the
    determinant of A is 1: with free sizes, training made cells round and let them run away. Distances to walls are
    taken to first order, (f_i - f_k) / |grad f_i - grad f_k|, which is exact where the walls are straight.

    Each site has a score, and the sites with the highest ones have cells, as many as are wanted.

    Alpers et al., Generalized balanced power diagrams for 3D representations of polycrystals, Phil. Mag. 95 (2015).

    Args:
        width: px, where the training begins.
    """

    def __init__(self, width: float = 2.0) -> None:
        super().__init__()
        self.log_width = nn.Parameter(torch.tensor(math.log(width) / FAST))

    def forward(self, parameters: Tensor, wanted: Tensor) -> Tensor:
        """Unbounded numbers of the sites of a periodic image (B, 6, H/4, W/4) and how many cells are wanted (B,).

        Returns:
            Gray in [0, 1], (B, 1, H, W).
        """
        distance = self.wall_distance(parameters.float(), wanted.float())
        return -torch.expm1(-(distance / (FAST * self.log_width).exp()).square())

    def wall_distance(self, parameters: Tensor, wanted: Tensor) -> Tensor:
        """Pixels to the nearest wall, (B, 1, H, W)."""
        batch, _, rows, columns = parameters.shape
        bar = _bar(parameters[:, 2].flatten(1), wanted)
        polynomials = self._chosen(_polynomials(parameters, bar))  # (B, N, J, 6)
        basis = _basis(parameters)
        field, down, right = (polynomials @ part for part in basis)  # (B, N, J, 16)
        largest, owner = field.max(2, keepdim=True)
        slope = (down.gather(2, owner) - down).square() + (right.gather(2, owner) - right).square()
        distance = (largest - field) / torch.sqrt(slope + FLAT)
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


def _bar(scores: Tensor, count: Tensor) -> Tensor:
    """Midway between the last score that is among the ``count`` (B,) highest of (B, N) and the next one, (B, 1)."""
    ordered = scores.sort(1, descending=True).values
    last = count.round().long().clamp(1, scores.shape[1] - 1)[:, None] - 1
    return (ordered.gather(1, last) + ordered.gather(1, last + 1)) / 2


def _weight(margin: Tensor, weight: Tensor) -> Tensor:
    """Weights of cells; of sites whose score is below the bar, one that keeps them out of sight, (B, N).

    The step at the bar has no gradient; the score gets that of the weight, falling with the distance to the bar, so
    that a cell which should shrink can also give its place to another site's (a straight-through estimate: Bengio
    et al., Estimating or propagating gradients through stochastic neurons, 2013).
    """
    slope = WEIGHT * torch.tanh(margin)
    present = margin > 0
    return torch.where(present, weight, -DEEPEST) + slope - slope.detach()


def _polynomials(parameters: Tensor, bar: Tensor) -> Tensor:
    """Fields of the cells around each site, as coefficients of 1, u, v, u², uv, v² about its middle, (B, N, J, 6)."""
    rows, columns = parameters.shape[2:]
    index, away = (part.to(parameters.device) for part in _window(rows, columns))
    raw = parameters.flatten(2).transpose(1, 2)  # (B, N, 6)
    places = REACH * torch.tanh(raw[..., :2])
    weight = _weight(raw[..., 2] - bar, WEIGHT * torch.tanh(raw[..., 3]))
    stretch = STRETCH * torch.tanh(raw[..., 4])
    cross = math.sinh(STRETCH) * torch.tanh(raw[..., 5])
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

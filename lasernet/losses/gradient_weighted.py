"""Squared error weighted by the steepness of the temperature: the rim of the melt pool counts most."""

from __future__ import annotations

from typing import Annotated

import torch
import torch.nn.functional as F
from torch import Tensor

from lasernet.errors import OptionError
from lasernet.losses.base import Batch, Loss, difference, require_field, weighted_mean
from lasernet.physics.solidification import per_item
from lasernet.registry import register_loss


@register_loss("gradient-weighted")
class GradientWeighted(Loss):
    """Squared error weighted by the temperature's gradient, relative to its mean over the item.

    Weights are cut at both ends, then divided by their mean. A uniform temperature weighs all cells alike.
    """

    def __init__(
        self,
        *,
        least: Annotated[float, "smallest weight, as a multiple of that of a cell of mean gradient"] = 0.1,
        most: Annotated[float, "largest weight, likewise"] = 10.0,
    ) -> None:
        super().__init__()
        if not 0 <= least <= 1 <= most < float("inf"):
            raise OptionError(
                f"--gradient-weighted-least {least} --gradient-weighted-most {most}: expected 0 ≤ least ≤ 1 ≤ most"
            )
        self.least, self.most = least, most

    def forward(self, prediction: Tensor, target: Tensor, batch: Batch) -> Tensor:
        temperature = require_field("gradient-weighted", batch, "future_temperature")
        weights = self.weights(temperature.detach(), batch["mask"])
        return weighted_mean(difference(prediction, target, batch).square(), weights)

    def weights(self, temperature: Tensor, mask: Tensor) -> Tensor:
        """(B, 1, H, W), 0 where there is no cell, 1 where nothing is steeper than anything else."""
        steepness = sobel_magnitude(temperature, mask)
        cells = mask.flatten(1).sum(1).clamp(min=1)
        mean = per_item(steepness.flatten(1).sum(1) / cells)
        relative = torch.where(mean > 0, steepness / mean.clamp(min=torch.finfo(mean.dtype).tiny), 1)
        return torch.where(mask, relative.clamp(self.least, self.most), 0)


def sobel_magnitude(image: Tensor, mask: Tensor) -> Tensor:
    """Magnitude of the gradient by Sobel's operator, in the image's unit per cell; 0 where there is no cell.

    Only steps between valid cells count, each part of the operator being divided by the weights of those that
    are there: so a plane has the same gradient everywhere, also beside gaps and borders.

    Args:
        image: (B, 1, H, W); need not be finite in cells that are not there.
        mask: bool, (B, 1, H, W).
    """
    image = torch.where(mask, image, 0)
    down = _derivative(image, mask)
    along = _derivative(image.mT, mask.mT).mT
    return torch.where(mask, torch.hypot(down, along), 0)


def _derivative(image: Tensor, mask: Tensor) -> Tensor:
    """From row to row: the mean of the steps before and after a cell, smoothed over columns by 1, 2, 1."""
    both = mask[..., 1:, :] & mask[..., :-1, :]
    steps = torch.where(both, image.diff(dim=-2), 0)
    total, count = (_smooth(_sum_of_sides(x)) for x in (steps, both.to(steps.dtype)))
    return total / count.clamp(min=1)


def _sum_of_sides(x: Tensor) -> Tensor:
    """Values between rows (…, H − 1, W) → the sum of those on both sides of each row (…, H, W)."""
    return F.pad(x, (0, 0, 1, 0)) + F.pad(x, (0, 0, 0, 1))


def _smooth(x: Tensor) -> Tensor:
    return 2 * x + F.pad(x, (1, 0))[..., :-1] + F.pad(x, (0, 1))[..., 1:]

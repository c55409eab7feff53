"""Structural similarity as a loss: the metric of ``eval``, differentiable."""

from __future__ import annotations

import math
from typing import Annotated

import torch
from torch import Tensor

from lasernet.errors import OptionError
from lasernet.losses.base import COLORS, Batch, Loss, full_precision, masked_mean, positive, widened
from lasernet.metrics.image import K1, K2, SIGMA, WINDOW
from lasernet.metrics.regions import DATA_RANGE
from lasernet.physics.solidification import per_item
from lasernet.registry import register_loss


@register_loss("ssim")
class SSIM(Loss):
    """One minus the structural similarity: local means, contrasts and structure.

    1 − SSIM of Wang, Bovik, Sheikh & Simoncelli (2004), with window, constants and borders of
    :func:`lasernet.metrics.image.ssim_map`. Outside the mask both images are 0. Between 0 and 2.
    """

    def __init__(
        self,
        *,
        data_range: Annotated[float | None, "span of possible values (left out: 1 for colors, 3000 K)"] = None,
    ) -> None:
        super().__init__()
        self.data_range = None if data_range is None else positive("ssim-data-range", data_range)

    def forward(self, prediction: Tensor, target: Tensor, batch: Batch) -> Tensor:
        mask, span = batch["mask"], self._span(target, batch)
        x, y = (widened(torch.where(mask, image, 0)) / span for image in (prediction, target))
        with full_precision(x):
            return masked_mean(dissimilarity_map(x, y), mask)

    def _span(self, target: Tensor, batch: Batch) -> Tensor | float:
        """The data range in the unit of the target."""
        channels = target.shape[1]
        if channels == COLORS:
            return self.data_range or DATA_RANGE["ipf"]
        if channels == 1 and "future_temperature" in batch:
            return (self.data_range or DATA_RANGE["temperature"]) / kelvin_per_unit(target, batch)
        if self.data_range is None:
            raise OptionError("--loss ssim: this field has no usual range; give --ssim-data-range")
        return self.data_range


def kelvin_per_unit(target: Tensor, batch: Batch) -> Tensor:
    """In which unit of each item a model hands over its temperatures, (B, 1, 1, 1) in K."""
    mask = batch["mask"]
    ours, kelvin = (
        torch.where(mask, image, 0).flatten(1).sum(1) for image in (widened(target), batch["future_temperature"])
    )
    known = (ours > 0) & (kelvin > 0)
    return per_item(torch.where(known, kelvin / torch.where(known, ours, 1), 1))


def dissimilarity_map(x: Tensor, y: Tensor) -> Tensor:
    """1 − SSIM around every cell and in every channel, (B, C, H, W) like the images, whose data range is 1.

    Written with the mean and the variance of x − y, so that no digits are lost where the images nearly agree:
    SSIM = (1 − m²/(µx² + µy² + c1)) (1 − v/(σx² + σy² + c2)).
    """
    c1, c2 = K1**2, K2**2
    error = x - y
    mean_x, mean, squares, square = _blur(torch.stack([x, error, x * x + y * y, error * error])).unbind()
    energy = mean_x.square() + (mean_x - mean).square()
    luminance = mean.square() / (energy + c1)
    structure = (square - mean.square()).clamp(min=0) / ((squares - energy).clamp(min=0) + c2)
    return luminance + structure - luminance * structure


def _blur(images: Tensor) -> Tensor:
    """Gaussian mean around each cell of (…, H, W), borders mirrored with the edge cell repeated."""
    height, width = images.shape[-2:]
    blurred: Tensor = _blur_matrix(height, images) @ images @ _blur_matrix(width, images).T
    return blurred


def _blur_matrix(size: int, like: Tensor) -> Tensor:
    """The Gaussian mean of a line of cells as a matrix: the fastest way by far, and no digits lost on GPUs."""
    radius = min(WINDOW, size - 1 + size % 2) // 2
    weights = [math.exp(-(offset**2) / (2 * SIGMA**2)) for offset in range(-radius, radius + 1)]
    line = torch.eye(size, dtype=like.dtype, device=like.device)
    mirrored = torch.cat([line[:radius].flip(0), line, line[size - radius :].flip(0)])
    return sum((w * mirrored[k : k + size] for k, w in enumerate(weights)), torch.zeros_like(line)) / sum(weights)

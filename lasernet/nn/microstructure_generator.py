"""A fully convolutional generator of periodic microstructures: noise laid out in space, images of any size."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lasernet.nn.partition import Walls
from lasernet.nn.periodic import wrap
from lasernet.nn.resample import upsample

SLOPE = 0.2  # of the leaky ReLU
COARSE, FINE, GLOBAL = 16, 4, 8  # noise channels: per 8 x 8 pixels, per 4 x 4 pixels, one vector for the image
CELL = 8  # pixels per site of the coarse noise


class MicrostructureGenerator(nn.Module):
    """Noise and a condition → gray images (B, 1, H, W) in [0, 1], periodic, H and W multiples of 8.

    Convolutions with circular padding at one eighth, one quarter and half of the resolution. What they give is
    either the order parameters of a partition into grains, whose walls are drawn (``walls``), or gray values
    (``pixels``).

    Args:
        channels: at the coarse resolutions.
        labels: order parameters of the ``walls`` head.
    """

    def __init__(self, channels: int, labels: int, head: Literal["walls", "pixels"]) -> None:
        super().__init__()
        c = channels
        self.entry = PeriodicConv(COARSE + GLOBAL + 1, c)
        self.coarse = nn.ModuleList(PeriodicConv(c, c) for _ in range(4))
        self.middle = nn.ModuleList([PeriodicConv(c + FINE, c), PeriodicConv(c, c // 3 * 2)])
        self.fine = PeriodicConv(c // 3 * 2, c // 2)
        self.walls: Walls | None = None
        if head == "walls":
            self.fields, self.walls = PeriodicConv(c // 2, labels), Walls()
        else:
            self.detail, self.fields = PeriodicConv(c // 2, c // 4), PeriodicConv(c // 4, 1)

    @staticmethod
    def noise_size(height: int, width: int) -> int:
        """How many normal numbers an image needs."""
        sites = (height // CELL) * (width // CELL)
        return GLOBAL + COARSE * sites + FINE * 4 * sites

    def forward(self, noise: Tensor, condition: Tensor, height: int, width: int) -> Tensor:
        """Images from noise (B, noise_size) and conditions (B,)."""
        rows, columns = height // CELL, width // CELL
        whole, coarse, fine = torch.split(noise, [GLOBAL, COARSE * rows * columns, FINE * 4 * rows * columns], 1)
        everywhere = torch.cat([whole, condition[:, None].to(whole.dtype)], 1)[:, :, None, None]
        x = torch.cat([coarse.view(-1, COARSE, rows, columns), everywhere.expand(-1, -1, rows, columns)], 1)
        x = self.entry(x.contiguous(memory_format=torch.channels_last))
        for first, second in zip(self.coarse[::2], self.coarse[1::2], strict=True):
            x = x + second(_active(first(_active(x))))
        x = F.interpolate(x, scale_factor=2.0)
        x = torch.cat([x, fine.view(-1, FINE, 2 * rows, 2 * columns).to(x.dtype)], 1)
        for layer in self.middle:
            x = _active(layer(x))
        x = _active(self.fine(upsample(x).contiguous(memory_format=torch.channels_last)))
        if self.walls is not None:
            gray: Tensor = self.walls(upsample(self.fields(x).float()))
            return gray
        x = _active(self.detail(upsample(x).contiguous(memory_format=torch.channels_last)))
        return torch.sigmoid(self.fields(x).float())


class PeriodicConv(nn.Conv2d):
    """A 3 x 3 convolution of a periodic image."""

    def __init__(self, channels: int, features: int) -> None:
        super().__init__(channels, features, 3)

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, H, W) → (B, features, H, W)."""
        return super().forward(wrap(x))


def _active(x: Tensor) -> Tensor:
    return F.leaky_relu(x, SLOPE)

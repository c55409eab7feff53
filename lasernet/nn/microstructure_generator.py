"""A fully convolutional generator of periodic microstructures: noise laid out in space, images of any size."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lasernet.nn.cells import PARAMETERS, Cells, throw
from lasernet.nn.partition import Walls
from lasernet.nn.periodic import wrap
from lasernet.nn.resample import upsample

SLOPE = 0.2  # of the leaky ReLU
COARSE, FINE, GLOBAL = 16, 4, 8  # noise channels: per 8 x 8 pixels, per 4 x 4 pixels, one vector for the image
CELL = 8  # pixels per site of the coarse noise


class MicrostructureGenerator(nn.Module):
    """Noise and a condition → gray images (B, 1, H, W) in [0, 1], periodic, H and W multiples of 8.

    Convolutions with circular padding at one eighth, one quarter and, but for ``cells``, half of the resolution.
    What they give are the cells of a generalized power diagram (``cells``) or the order parameters of a partition
    (``walls``), whose walls are drawn, or gray values (``pixels``).

    Args:
        channels: at the coarse resolutions.
        labels: order parameters of the ``walls`` head.
    """

    def __init__(self, channels: int, labels: int, head: Literal["cells", "walls", "pixels"]) -> None:
        super().__init__()
        c = channels
        self.entry = PeriodicConv(COARSE + GLOBAL + 1, c)
        self.coarse = nn.ModuleList(PeriodicConv(c, c) for _ in range(4))
        own = FINE + (head == "cells")
        self.middle = nn.ModuleList([PeriodicConv(c + own, c), PeriodicConv(c, c // 3 * 2)])
        self.head = head
        self.drawing: nn.Module = nn.Sigmoid()
        if head == "cells":
            self.fields, self.drawing = PeriodicConv(c // 3 * 2 + own, PARAMETERS), Cells()
            return
        self.fine = PeriodicConv(c // 3 * 2, c // 2)
        if head == "walls":
            self.fields, self.drawing = PeriodicConv(c // 2, labels), Walls()
        else:
            self.detail, self.fields = PeriodicConv(c // 2, c // 4), PeriodicConv(c // 4, 1)

    @staticmethod
    def noise_size(height: int, width: int) -> int:
        """How many normal numbers an image needs."""
        sites = (height // CELL) * (width // CELL)
        return GLOBAL + COARSE * sites + FINE * 4 * sites

    def forward(self, noise: Tensor, condition: Tensor, wanted: Tensor, height: int, width: int) -> Tensor:
        """Images from noise (B, noise_size), conditions (B,) and how many cells are wanted, (B,)."""
        rows, columns = height // CELL, width // CELL
        whole, coarse, fine = torch.split(noise, [GLOBAL, COARSE * rows * columns, FINE * 4 * rows * columns], 1)
        everywhere = torch.cat([whole, condition[:, None].to(whole.dtype)], 1)[:, :, None, None]
        x = torch.cat([coarse.view(-1, COARSE, rows, columns), everywhere.expand(-1, -1, rows, columns)], 1)
        x = self.entry(x.contiguous(memory_format=torch.channels_last))
        for first, second in zip(self.coarse[::2], self.coarse[1::2], strict=True):
            x = x + second(_active(first(_active(x))))
        own = fine.view(-1, FINE, 2 * rows, 2 * columns).to(x.dtype)
        if self.head == "cells":
            seeds = throw(own[:, :1], wanted)
            own = torch.cat([own, seeds.to(own.dtype)], 1)
        x = torch.cat([F.interpolate(x, scale_factor=2.0), own], 1)
        for layer in self.middle:
            x = _active(layer(x))
        if self.head == "cells":
            x = torch.cat([x, own], 1)  # so that neighboring sites can differ
        else:
            x = _active(self.fine(upsample(x).contiguous(memory_format=torch.channels_last)))
        if self.head == "pixels":
            x = _active(self.detail(upsample(x).contiguous(memory_format=torch.channels_last)))
        fields = self.fields(x).float()
        gray: Tensor
        if self.head == "cells":
            gray = self.drawing(fields, seeds)
        else:
            gray = self.drawing(upsample(fields) if self.head == "walls" else fields)
        return gray


class PeriodicConv(nn.Conv2d):
    """A 3 x 3 convolution of a periodic image."""

    def __init__(self, channels: int, features: int) -> None:
        super().__init__(channels, features, 3)

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, H, W) → (B, features, H, W)."""
        return super().forward(wrap(x))


def _active(x: Tensor) -> Tensor:
    return F.leaky_relu(x, SLOPE)

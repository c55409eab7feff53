"""Fully convolutional generators of periodic microstructures: noise laid out in space, images of any size."""

from __future__ import annotations

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
    """What all of them share: from noise to features at a quarter of the resolution, by periodic convolutions.

    Args:
        channels: at the coarse resolutions.
        own: channels that each fine site brings itself.
    """

    def __init__(self, channels: int, own: int = FINE) -> None:
        super().__init__()
        c = channels
        self.entry = PeriodicConv(COARSE + GLOBAL + 1, c)
        self.coarse = nn.ModuleList(PeriodicConv(c, c) for _ in range(4))
        self.middle = nn.ModuleList([PeriodicConv(c + own, c), PeriodicConv(c, features_of(c))])

    @staticmethod
    def noise_size(height: int, width: int) -> int:
        """How many normal numbers an image needs."""
        sites = (height // CELL) * (width // CELL)
        return GLOBAL + COARSE * sites + FINE * 4 * sites

    def forward(self, noise: Tensor, condition: Tensor, wanted: Tensor, height: int, width: int) -> Tensor:
        """Gray images in [0, 1], (B, 1, height, width), the sides multiples of 8.

        Args:
            noise: (B, noise_size).
            condition: (B,).
            wanted: how many grains, (B,).
        """
        rows, columns = height // CELL, width // CELL
        whole, coarse, fine = torch.split(noise, [GLOBAL, COARSE * rows * columns, FINE * 4 * rows * columns], 1)
        everywhere = torch.cat([whole, condition[:, None].to(whole.dtype)], 1)[:, :, None, None]
        x = torch.cat([coarse.view(-1, COARSE, rows, columns), everywhere.expand(-1, -1, rows, columns)], 1)
        x = self.entry(x.contiguous(memory_format=torch.channels_last))
        for first, second in zip(self.coarse[::2], self.coarse[1::2], strict=True):
            x = x + second(_active(first(_active(x))))
        sites = fine.view(-1, FINE, 2 * rows, 2 * columns).to(x.dtype)
        return self.draw(F.interpolate(x, scale_factor=2.0), sites, wanted)

    def draw(self, x: Tensor, sites: Tensor, wanted: Tensor) -> Tensor:
        """The image from coarse features brought to a quarter of the resolution, and the noise there."""
        raise NotImplementedError

    def mixed(self, x: Tensor, own: Tensor) -> Tensor:
        """Features at a quarter of the resolution."""
        x = torch.cat([x, own], 1)
        for layer in self.middle:
            x = _active(layer(x))
        return x


class CellGenerator(MicrostructureGenerator):
    """Walls between the cells of a generalized power diagram, around seeds at random sites, as many as are wanted."""

    def __init__(self, channels: int) -> None:
        own = FINE + 1
        super().__init__(channels, own)
        self.fields, self.drawing = PeriodicConv(features_of(channels) + own, PARAMETERS), Cells()

    def draw(self, x: Tensor, sites: Tensor, wanted: Tensor) -> Tensor:
        """The first of a site's random numbers decides whether it has a cell; the network sees where they are."""
        seeds = throw(sites[:, :1], wanted)
        own = torch.cat([sites, seeds.to(sites.dtype)], 1)
        fields = self.fields(torch.cat([self.mixed(x, own), own], 1))  # own again, so that neighbors can differ
        gray: Tensor = self.drawing(fields.float(), seeds)
        return gray


class WallGenerator(MicrostructureGenerator):
    """Walls of a free partition of the plane.

    Args:
        labels: how many order parameters.
    """

    def __init__(self, channels: int, labels: int) -> None:
        super().__init__(channels)
        self.fine = PeriodicConv(features_of(channels), channels // 2)
        self.fields, self.drawing = PeriodicConv(channels // 2, labels), Walls()

    def draw(self, x: Tensor, sites: Tensor, wanted: Tensor) -> Tensor:
        """One more convolution at half of the resolution, then order parameters."""
        x = _active(self.fine(doubled(self.mixed(x, sites))))
        gray: Tensor = self.drawing(upsample(self.fields(x).float()))
        return gray


class PixelGenerator(MicrostructureGenerator):
    """Gray values."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.fine = PeriodicConv(features_of(channels), channels // 2)
        self.detail, self.fields = PeriodicConv(channels // 2, channels // 4), PeriodicConv(channels // 4, 1)

    def draw(self, x: Tensor, sites: Tensor, wanted: Tensor) -> Tensor:
        """Convolutions at half and at full resolution."""
        x = _active(self.fine(doubled(self.mixed(x, sites))))
        x = _active(self.detail(doubled(x)))
        return torch.sigmoid(self.fields(x).float())


class PeriodicConv(nn.Conv2d):
    """A 3 x 3 convolution of a periodic image."""

    def __init__(self, channels: int, features: int) -> None:
        super().__init__(channels, features, 3)

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, H, W) → (B, features, H, W)."""
        return super().forward(wrap(x))


def features_of(channels: int) -> int:
    """Channels at a quarter of the resolution."""
    return channels // 3 * 2


def doubled(x: Tensor) -> Tensor:
    """Twice the resolution, in the layout that convolutions like."""
    return upsample(x).contiguous(memory_format=torch.channels_last)


def _active(x: Tensor) -> Tensor:
    return F.leaky_relu(x, SLOPE)

"""Generator and critic of a published WGAN-GP for 64 × 64 images of Voronoi microstructures."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from lasernet.nn.convlstm import at_least_float32
from lasernet.nn.piecewise_linear import leaky_relu_
from lasernet.nn.strided_conv import doubling_conv, enlarged_kernel, halving_conv

SLOPE = 0.2  # of the leaky ReLU


class DcganGenerator(nn.Module):
    """Noise (B, 100) → gray images (B, 1, 64, 64) in [-1, 1]; 2,376,705 parameters.

    A dense layer without activation gives 4 × 4 × 512; then the resolution doubles four times (nearest
    neighbor, 3 × 3 convolution with zero padding, leaky ReLU). The final tanh is taken in fp32. Doubling
    and convolution are computed as one map, which is exact and cheaper (:func:`enlarged_kernel`).
    """

    noise = 100
    side = 64

    def __init__(self) -> None:
        super().__init__()
        self.dense = nn.Linear(self.noise, 4 * 4 * 512)
        self.blocks = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1) for a, b in pairwise([512, 256, 128, 64]))
        self.head = nn.Conv2d(64, 1, 3, padding=1)
        initialize(self)

    def forward(self, z: Tensor) -> Tensor:
        """Images of noise z (B, 100)."""
        x = (
            self.dense(z.to(self.dense.weight.dtype)).view(-1, 4, 4, 512).permute(0, 3, 1, 2)
        )  # channels last, at no cost
        for block in self.blocks:
            assert isinstance(block, nn.Conv2d)
            x = leaky_relu_(doubling_conv(x, enlarged_kernel(block.weight), block.bias), SLOPE)
        x = doubling_conv(x, enlarged_kernel(self.head.weight), self.head.bias)
        return torch.tanh(at_least_float32(x))


class DcganCritic(nn.Module):
    """Gray images (B, 1, 64, 64) in [-1, 1] → scores (B,) in fp32; 2,762,689 parameters.

    Four 4 × 4 convolutions of stride 2 with leaky ReLU, then a dense layer; neither normalization nor
    dropout, so that the score of an image does not depend on its batch, as the gradient penalty needs.
    """

    def __init__(self) -> None:
        super().__init__()
        widths = [1, 64, 128, 256, 512]
        self.blocks = nn.ModuleList(nn.Conv2d(a, b, 4, stride=2, padding=1) for a, b in pairwise(widths))
        self.head = nn.Linear(4 * 4 * 512, 1)
        initialize(self)

    def forward(self, image: Tensor) -> Tensor:
        """Scores of images (B, 1, 64, 64)."""
        x = image.to(memory_format=torch.channels_last)
        for block in self.blocks:
            assert isinstance(block, nn.Conv2d)
            x = leaky_relu_(halving_conv(x, block.weight, block.bias), SLOPE)
        with torch.autocast(x.device.type, enabled=False):
            score: Tensor = self.head(x.permute(0, 2, 3, 1).flatten(1).to(self.head.weight.dtype))  # H, W, C
        return score[:, 0]


def initialize(network: nn.Module) -> None:
    """Weights uniform with variance 2 / (fan in + fan out), biases zero (Glorot & Bengio 2010, eq. 16)."""
    for module in network.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)

"""A fully convolutional critic: it judges patches everywhere in an image, and the whole."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lasernet.nn.periodic import wrap
from lasernet.nn.piecewise_linear import leaky_relu_

SLOPE = 0.2  # of the leaky ReLU


class PatchCritic(nn.Module):
    """Images (B, 1, H, W) in [-1, 1] and their conditions (B,) → scores (B,); sides are multiples of 8.

    Three convolutions of stride 2 with two of stride 1 between; the score is the mean over patches, plus a linear
    function of the mean features, plus another one times the condition: how well the image agrees with it (Miyato
    and Koyama, cGANs with Projection Discriminator, 2018). Without normalization, since the gradient penalty holds
    for each image of its own.

    Args:
        channels: of the first convolution; the next ones have two and four times as many.
        periodic: the images continue at the opposite edge; else they end in zeros.
    """

    def __init__(self, channels: int, *, periodic: bool) -> None:
        super().__init__()
        c = channels
        self.periodic = periodic
        sizes = [(2, c, 4), (c, 2 * c, 4), (2 * c, 2 * c, 3), (2 * c, 4 * c, 4), (4 * c, 4 * c, 3)]
        layers = [nn.Conv2d(a, b, k, stride=2 if k == 4 else 1) for a, b, k in sizes]
        for layer in layers:
            nn.init.kaiming_normal_(layer.weight, SLOPE)
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
        self.convolutions = nn.ModuleList(layers)
        self.patch = nn.Conv2d(4 * c, 1, 3)
        self.whole = nn.Linear(4 * c, 2)

    def forward(self, images: Tensor, condition: Tensor) -> Tensor:
        """Scores of images, in fp32."""
        plane = condition.to(images.dtype)[:, None, None, None].expand_as(images)
        x = torch.cat([images, plane], 1).contiguous(memory_format=torch.channels_last)
        for layer in self.convolutions:
            x = leaky_relu_(layer(self._bordered(x)), SLOPE)
        patches: Tensor = self.patch(self._bordered(x)).float().mean((1, 2, 3))
        whole, agreement = self.whole(x.mean((2, 3))).float().unbind(1)
        score: Tensor = patches + whole + condition * agreement
        return score

    def _bordered(self, x: Tensor) -> Tensor:
        return wrap(x) if self.periodic else F.pad(x, (1, 1, 1, 1))

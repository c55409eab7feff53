"""The small network that tries to tell generated images from real ones."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

STAGES = ((32, 5), (64, 3), (64, 3), (64, 3))  # channels and kernel, each halving the image


class TwoSampleNetwork(nn.Module):
    """Convolutional classifier of one gray image: four halvings, then the mean over space.

    The first layer has eight channels for every pixel that it merges, so that it can keep faults one pixel wide; the
    last sees 33 × 33 pixels, about eight grains of the default set. Batch normalization, unlike normalization
    within an image, leaves differences of overall brightness or contrast visible.

    Args:
        periodic: whether opposite edges of an image meet. Otherwise images are padded with zeros.
    """

    def __init__(self, *, periodic: bool) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs = 1
        mode: Literal["circular", "zeros"] = "circular" if periodic else "zeros"
        for outputs, kernel in STAGES:
            layers += [
                nn.Conv2d(inputs, outputs, kernel, stride=2, padding=kernel // 2, padding_mode=mode, bias=False),
                nn.BatchNorm2d(outputs),
                nn.ReLU(inplace=True),
            ]
            inputs = outputs
        self.layers = nn.Sequential(*layers)
        self.head = nn.Linear(inputs, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Log-odds that an image is generated, (B,), from images (B, 1, H, W)."""
        logits: Tensor = self.head(self.layers(images).mean((2, 3)))
        return logits.squeeze(1)

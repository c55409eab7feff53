"""Fully connected networks on flattened images."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn


class MultilayerPerceptron(nn.Module):
    """Linear layers, each normalized and followed by ReLU and dropout; the last one is linear alone.

    LayerNorm, of as many parameters as batch normalization, keeps items apart.
    """

    def __init__(self, inputs: int, hidden: Sequence[int], outputs: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Sequential(nn.Linear(a, b), nn.LayerNorm(b), nn.ReLU(inplace=True), nn.Dropout(dropout))
            for a, b in pairwise([inputs, *hidden])
        )
        self.head = nn.Linear([inputs, *hidden][-1], outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs) → (B, outputs)."""
        for layer in self.layers:
            x = layer(x)
        result: Tensor = self.head(x)
        return result


class FrameMixer(nn.Module):
    """One coarse image from those of all frames, by a fully connected network.

    Args:
        frames: how many there are.
        size: height and width.
    """

    def __init__(
        self, frames: int, channels: int, size: tuple[int, int], hidden: Sequence[int], dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.image = (channels, *size)
        cells = channels * size[0] * size[1]
        self.perceptron = MultilayerPerceptron(frames * cells, hidden, cells, dropout)

    def forward(self, frames: Tensor) -> Tensor:
        """Frames (B, L, C, h, w) → (B, C, h, w)."""
        result: Tensor = self.perceptron(frames.flatten(1)).unflatten(1, self.image)
        return result

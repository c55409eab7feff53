"""Attention on features: over the frames of a context, and over the cells of an image."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

HEADS = 8  # or the largest number below it that divides the channels
RATIO = 4  # of the hidden layer's width to the channels
LONGEST = 10_000.0  # base of the wavelengths that encode an age, as in Vaswani et al. 2017


class TransformerLayer(nn.Module):
    """Self-attention, then two linear layers with GELU; both normalize first and add to what they got.

    Vaswani et al. 2017, in the order of Xiong et al. 2020. The last maps of both start at zero, so that the layer
    starts as the identity.

    Args:
        causal: a token sees itself and those before it only.
    """

    def __init__(self, channels: int, *, causal: bool = False) -> None:
        super().__init__()
        self.causal = causal
        self.heads = math.gcd(HEADS, channels)
        self.norm_attention = nn.LayerNorm(channels)
        self.look = nn.Linear(channels, 3 * channels)
        self.tell = nn.Linear(channels, channels)
        self.norm_mix = nn.LayerNorm(channels)
        self.widen = nn.Linear(channels, RATIO * channels)
        self.narrow = nn.Linear(RATIO * channels, channels)
        for layer in (self.tell, self.narrow):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens (N, S, C) → as many."""
        parts = self.look(self.norm_attention(tokens)).unflatten(-1, (3, self.heads, -1))  # (N, S, 3, heads, C/heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4).unbind()
        seen = F.scaled_dot_product_attention(query, key, value, is_causal=self.causal)
        tokens = tokens + self.tell(seen.transpose(1, 2).flatten(2))
        mixed: Tensor = tokens + self.narrow(F.gelu(self.widen(self.norm_mix(tokens))))
        return mixed


class TemporalAttention(nn.Module):
    """Every cell of a frame looks at the same cell in the frames before it, which it knows by their age.

    Ages count back from the last frame, so that any length of context has them.
    """

    def __init__(self, channels: int, layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(TransformerLayer(channels, causal=True) for _ in range(layers))

    def forward(self, frames: Tensor) -> Tensor:
        """Frames (B, L, C, h, w) → as many; each depends on itself and those before it."""
        items, _, _, height, width = frames.shape
        tokens = frames.permute(0, 3, 4, 1, 2).flatten(0, 2)  # (B·h·w, L, C)
        tokens = tokens + ages(tokens.shape[1], tokens.shape[2]).to(tokens)
        for layer in self.layers:
            tokens = layer(tokens)
        return tokens.reshape(items, height, width, *tokens.shape[1:]).permute(0, 3, 4, 1, 2)


class SpatialTransformer(nn.Module):
    """Every cell of a coarse image looks at all others.

    Where a cell is, it knows from a 3 × 3 convolution per channel that sees the border (Chu et al. 2021,
    Conditional positional encodings); so images of any size are alike to it.
    """

    def __init__(self, channels: int, layers: int) -> None:
        super().__init__()
        self.place = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.layers = nn.ModuleList(TransformerLayer(channels) for _ in range(layers))

    def forward(self, image: Tensor) -> Tensor:
        """(B, C, h, w) → (B, C, h, w)."""
        tokens: Tensor = (image + self.place(image)).flatten(2).transpose(1, 2)
        for layer in self.layers:
            tokens = layer(tokens)
        return tokens.transpose(1, 2).reshape(image.shape)


def ages(steps: int, channels: int) -> Tensor:
    """Sines and cosines of steps − 1, …, 1, 0 at wavelengths from 2π on, (steps, channels)."""
    age = torch.arange(steps - 1, -1, -1, dtype=torch.float32)
    turns = age[:, None] * LONGEST ** (-torch.arange(0, channels, 2) / channels)
    return torch.stack([torch.sin(turns), torch.cos(turns)], dim=-1).flatten(1)[:, :channels]

"""Convolutional LSTM (Shi et al. 2015, without peepholes)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lasernet.nn.blocks import ChannelNorm

State = tuple[Tensor, Tensor]


class ConvLSTMCell(nn.Module):
    """One layer: i, f, g, o from one 3 × 3 convolution of [x, h]; c' = f·c + i·g, h' = o·tanh(c').

    States start at zero; the forget gate has no extra bias. With ``normalized``, h' is normalized over the
    channels of each cell, for the layer above and for the next step.
    """

    def __init__(self, inputs: int, hidden: int, *, normalized: bool = False) -> None:
        super().__init__()
        self.inputs, self.hidden = inputs, hidden
        self.gates = nn.Conv2d(inputs + hidden, 4 * hidden, 3, padding=1)
        self.norm = ChannelNorm(hidden) if normalized else None

    def of_input(self, x: Tensor) -> Tensor:
        """The input's part of the gates, which may be computed for many steps at once."""
        return F.conv2d(x, self.gates.weight[:, : self.inputs], self.gates.bias, padding=1)

    def forward(self, gates_x: Tensor, state: State | None) -> State:
        """One step: the input's part of the gates and (h, c), where ``None`` is zero → the next (h, c)."""
        if state is not None:
            gates_x = gates_x + F.conv2d(state[0], self.gates.weight[:, self.inputs :], padding=1)
        i, f, g, o = at_least_float32(gates_x).chunk(4, dim=1)
        c = torch.sigmoid(i) * torch.tanh(g)
        if state is not None:
            c = c + torch.sigmoid(f) * state[1]
        h = torch.sigmoid(o) * torch.tanh(c)
        return (h if self.norm is None else self.norm(h)), c


class ConvLSTM(nn.Module):
    """Stacked layers: each reads the layer below at the same step.

    A layer runs through all steps before the next one starts, so that its input convolution is one call.

    Args:
        normalized: see :class:`ConvLSTMCell`.
        dropout: share of a layer's channels that the layer above does not see in training.
    """

    def __init__(
        self, inputs: int, hidden: int, layers: int, *, normalized: bool = False, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            ConvLSTMCell(hidden if index else inputs, hidden, normalized=normalized) for index in range(layers)
        )
        self.dropout = nn.Dropout2d(dropout)

    def forward(self, frames: Tensor) -> Tensor:
        """Frames (B, L, inputs, H, W) → the top layer's last h (B, hidden, H, W)."""
        batch = len(frames)
        inputs = frames.transpose(0, 1).flatten(0, 1)  # (L·B, inputs, H, W)
        outputs: list[Tensor] = []
        for layer in self.layers:
            assert isinstance(layer, ConvLSTMCell)
            parts = torch.split(layer.of_input(inputs), batch)
            outputs = []
            state: State | None = None
            for part in parts:
                h, c = layer(part, state)
                state = h, c
                outputs.append(h)
            inputs = self.dropout(torch.cat(outputs))
        return outputs[-1]


def at_least_float32(x: Tensor) -> Tensor:
    """Half precision widened, for states that are summed over steps; other types unchanged."""
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x

"""Causal LSTM and gradient highway unit, the core of PredRNN++ (Wang et al. 2018, PredRNN++, ICML)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lasernet.nn.convlstm import at_least_float32


class CausalLSTMCell(nn.Module):
    """One layer, whose spatial memory m is computed from its temporal memory c of the same step (eq. 1).

    ::

        g, i, f    = tanh, σ, σ (W1 [x, h, c])
        c'         = f·c + i·g
        g', i', f' = tanh, σ, σ (W2 [x, c', m])
        m'         = f'·tanh(W3 m) + i'·g'           m: of the layer below
        o          = tanh(W4 [x, c', m'])
        h'         = o·tanh(W5 [c', m'])

    W3 and W5 are 1 × 1, all others 3 × 3. Each W is one convolution per image that it reads, that of x for all
    gates at once; biases belong to the convolution of x.
    """

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.x = nn.Conv2d(inputs, 7 * hidden, 3, padding=1)
        self.h = nn.Conv2d(hidden, 3 * hidden, 3, padding=1, bias=False)
        self.c_before = nn.Conv2d(hidden, 3 * hidden, 3, padding=1, bias=False)
        self.c = nn.Conv2d(hidden, 4 * hidden, 3, padding=1, bias=False)
        self.m_below = nn.Conv2d(hidden, 3 * hidden, 3, padding=1, bias=False)
        self.m = nn.Conv2d(hidden, hidden, 3, padding=1, bias=False)
        self.carry = nn.Conv2d(hidden, hidden, 1, bias=False)
        self.fuse = nn.Conv2d(2 * hidden, hidden, 1, bias=False)

    def forward(
        self, gates_x: Tensor, h: Tensor | None, c: Tensor | None, m: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """One step: the input's part of the gates, ``self.x(x)``, and the states, where ``None`` is zero.

        Returns:
            h', c' and m'.
        """
        hidden = self.m.out_channels
        temporal, spatial, o = torch.split(gates_x, [3 * hidden, 3 * hidden, hidden], dim=1)
        if h is not None:
            temporal = temporal + self.h(h)
        if c is not None:
            temporal = temporal + self.c_before(c)
        g, i, f = at_least_float32(temporal).chunk(3, dim=1)
        new = torch.sigmoid(i) * torch.tanh(g)
        c = new if c is None else new + torch.sigmoid(f) * c
        *of_c, o_c = self.c(c).chunk(4, dim=1)
        spatial = spatial + torch.cat(of_c, dim=1)
        if m is not None:
            spatial = spatial + self.m_below(m)
        g, i, f = at_least_float32(spatial).chunk(3, dim=1)
        new = torch.sigmoid(i) * torch.tanh(g)
        m = new if m is None else new + torch.sigmoid(f) * torch.tanh(self.carry(m))
        o = torch.tanh(o + o_c + self.m(m))
        return o * torch.tanh(self.fuse(torch.cat([c, m], dim=1))), c, m


class GradientHighway(nn.Module):
    """A state z that gradients reach past all other states (eq. 2): z' = s·p + (1 − s)·z.

    p = tanh(W_p [x, z]), s = σ(W_s [x, z]).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.x = nn.Conv2d(channels, 2 * channels, 3, padding=1)
        self.z = nn.Conv2d(channels, 2 * channels, 3, padding=1, bias=False)

    def forward(self, x: Tensor, z: Tensor | None) -> Tensor:
        """One step: (B, C, H, W) and the state, where ``None`` is zero → the next state."""
        both = self.x(x) if z is None else self.x(x) + self.z(z)
        p, s = at_least_float32(both).chunk(2, dim=1)
        s = torch.sigmoid(s)
        return s * torch.tanh(p) if z is None else s * torch.tanh(p) + (1 - s) * z


class PredRNNPlusPlus(nn.Module):
    """Stacked causal LSTMs with a gradient highway between the first two; m zigzags as in PredRNN.

    Args:
        layers: at least 2.
    """

    def __init__(self, inputs: int, hidden: int, layers: int) -> None:
        super().__init__()
        assert layers > 1
        self.layers = nn.ModuleList(CausalLSTMCell(hidden if index else inputs, hidden) for index in range(layers))
        self.highway = GradientHighway(hidden)

    def forward(self, frames: Tensor) -> Tensor:
        """Frames (B, L, inputs, H, W) → the top layer's last h (B, hidden, H, W)."""
        batch, steps = frames.shape[:2]
        cells = [cell for cell in self.layers if isinstance(cell, CausalLSTMCell)]
        bottom = torch.split(cells[0].x(frames.transpose(0, 1).flatten(0, 1)), batch)
        zero = self._zero(frames) if steps == 1 else None
        h: list[Tensor | None] = [zero] * len(cells)
        c: list[Tensor | None] = [zero] * len(cells)
        m, z, top = zero, zero, frames
        for step in range(steps):
            for index, cell in enumerate(cells):
                gates = cell.x(top) if index else bottom[step]
                top, c[index], m = cell(gates, h[index], c[index], m)
                h[index] = top
                if index == 0:
                    top = z = self.highway(top, z)
        return top

    def _zero(self, frames: Tensor) -> Tensor:
        """An explicit zero state: with one step only, it is what lets every parameter take part."""
        return frames.new_zeros(frames.shape[0], self.highway.z.in_channels, *frames.shape[-2:])

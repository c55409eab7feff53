"""Spatio-temporal LSTM, the core of PredRNN (Wang et al. 2017; PredRNN-V2: Wang et al. 2022)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lasernet.nn.blocks import ChannelNorm
from lasernet.nn.convlstm import at_least_float32


class STLSTMCell(nn.Module):
    """One layer with a temporal memory c and a spatio-temporal memory m (PredRNN-V2, eq. 4).

    ::

        c' = f·c + i·g            from x and h
        m' = f'·m + i'·g'         from x and m
        o  = σ(x, h, [c', m'])
        h' = LayerNorm(o·tanh(W [c', m']))     W: 1 × 1

    All other convolutions are 3 × 3, gates have no forget bias, and LayerNorm acts on the channels of each
    cell. Biases, if any, belong to the convolutions of x, of [c', m'] for o, and to W. Without ``memory`` it is
    the cell of a published source system, in which o and h read c' only: m then changes nothing and what feeds
    it (7 of 15 gate convolutions of 64 × 64 channels each) has a gradient of exactly zero.
    """

    def __init__(self, inputs: int, hidden: int, *, memory: bool = True, bias: bool = False) -> None:
        super().__init__()
        self.memory = memory
        self.x = nn.Conv2d(inputs, 7 * hidden, 3, padding=1, bias=bias)
        self.h = nn.Conv2d(hidden, 4 * hidden, 3, padding=1, bias=False)
        self.m = nn.Conv2d(hidden, 3 * hidden, 3, padding=1, bias=False)
        self.o = nn.Conv2d(2 * hidden if memory else hidden, hidden, 3, padding=1, bias=bias)
        self.fuse = nn.Conv2d(2 * hidden, hidden, 1, bias=bias) if memory else None
        self.norm = ChannelNorm(hidden)

    def forward(
        self, gates_x: Tensor, h: Tensor | None, c: Tensor | None, m: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """One step: the input's part of the gates, ``self.x(x)``, and the states, where ``None`` is zero.

        Returns:
            h', c', m', and the increments i·g and i'·g' of c and m.
        """
        i, f, g, i_m, f_m, g_m, o = gates_x.chunk(7, dim=1)
        if h is not None:
            i_h, f_h, g_h, o_h = self.h(h).chunk(4, dim=1)
            i, f, g, o = i + i_h, f + f_h, g + g_h, o + o_h
        if m is not None:
            i_s, f_s, g_s = self.m(m).chunk(3, dim=1)
            i_m, f_m, g_m = i_m + i_s, f_m + f_s, g_m + g_s
        delta_c = at_least_float32(torch.sigmoid(i) * torch.tanh(g))
        delta_m = at_least_float32(torch.sigmoid(i_m) * torch.tanh(g_m))
        c = delta_c if c is None else delta_c + torch.sigmoid(f) * c
        m = delta_m if m is None else delta_m + torch.sigmoid(f_m) * m
        if self.fuse is None:
            # 0·m: parallel training waits for a gradient of every parameter, were it zero.
            h = torch.sigmoid(o + self.o(c)) * torch.tanh(c) + 0 * m
        else:
            both = torch.cat([c, m], dim=1)
            h = torch.sigmoid(o + self.o(both)) * torch.tanh(self.fuse(both))
        return self.norm(h), c, m, delta_c, delta_m


class PredRNN(nn.Module):
    """Stacked ST-LSTM layers; m zigzags: up through the layers of a step, then to the bottom of the next.

    Args:
        memory: False for the dead memory of the source system (see :class:`STLSTMCell`), whose bottom
            layer reads its own m of the step before instead of the top layer's.
        decouple: adds the 1 × 1 convolution, shared by all layers, that :meth:`forward` needs to return
            the decoupling loss.
        bias: of the gates, as in :class:`STLSTMCell`.
    """

    def __init__(
        self,
        inputs: int,
        hidden: int,
        layers: int,
        *,
        memory: bool = True,
        decouple: bool = False,
        bias: bool = False,
    ) -> None:
        super().__init__()
        self.memory = memory
        self.layers = nn.ModuleList(
            STLSTMCell(hidden if index else inputs, hidden, memory=memory, bias=bias) for index in range(layers)
        )
        self.adapter = nn.Conv2d(hidden, hidden, 1, bias=False) if decouple else None

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor | None]:
        """Frames (B, L, inputs, H, W) → the top layer's last h (B, hidden, H, W), and the decoupling loss.

        The loss is the mean over layers and steps of :func:`similarity` of the adapted increments of c
        and m (PredRNN-V2, eq. 5), or ``None`` without ``decouple``.
        """
        batch, steps = frames.shape[:2]
        cells = [cell for cell in self.layers if isinstance(cell, STLSTMCell)]
        bottom = torch.split(cells[0].x(frames.transpose(0, 1).flatten(0, 1)), batch)
        zero = self._zero(frames) if steps == 1 else None
        h: list[Tensor | None] = [zero] * len(cells)
        c: list[Tensor | None] = [None] * len(cells)
        m: Tensor | None = zero
        own: Tensor | None = zero
        similarities = []
        top = frames
        for step in range(steps):
            m = m if self.memory else own
            for index, cell in enumerate(cells):
                gates = bottom[step] if index == 0 else cell.x(top)
                top, c[index], m, delta_c, delta_m = cell(gates, h[index], c[index], m)
                h[index] = top
                own = m if index == 0 else own
                if self.adapter is not None:
                    similarities.append(similarity(self.adapter(delta_c), self.adapter(delta_m)))
        return top, torch.stack(similarities).mean() if similarities else None

    def _zero(self, frames: Tensor) -> Tensor:
        """An explicit zero state: with one step only, it is what lets every parameter take part."""
        cell = self.layers[0]
        assert isinstance(cell, STLSTMCell)
        return frames.new_zeros(frames.shape[0], cell.h.in_channels, *frames.shape[-2:])


def similarity(a: Tensor, b: Tensor) -> Tensor:
    """Mean absolute cosine between two sets of images (B, C, H, W), each channel taken as a vector: 0 to 1."""
    cosine = F.cosine_similarity(at_least_float32(a).flatten(2), at_least_float32(b).flatten(2), dim=2)
    return cosine.abs().mean()

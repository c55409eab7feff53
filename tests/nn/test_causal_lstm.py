"""PredRNN++ against its equations, written down one image at a time."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lasernet.nn.causal_lstm import CausalLSTMCell, GradientHighway, PredRNNPlusPlus


def conv(images: list[Tensor], parts: list[Tensor], bias: Tensor | None = None) -> Tensor:
    """One convolution of concatenated images (C, H, W) whose weight is given by the images' parts."""
    weight = torch.cat(parts, dim=1)
    return F.conv2d(torch.cat(images)[None], weight, bias, padding=weight.shape[-1] // 2)[0]


def plain_cell(cell: CausalLSTMCell, x: Tensor, h: Tensor, c: Tensor, m: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Equation 1 of Wang et al. 2018."""
    n = cell.m.out_channels
    of_x, b = cell.x.weight, cell.x.bias
    first = slice(0, 3 * n), slice(3 * n, 6 * n), slice(6 * n, 7 * n)
    w1 = [of_x[first[0]], cell.h.weight, cell.c_before.weight]
    g, i, f = conv([x, h, c], w1, b[first[0]]).split(n)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    w2 = [of_x[first[1]], cell.c.weight[: 3 * n], cell.m_below.weight]
    g, i, f = conv([x, c, m], w2, b[first[1]]).split(n)
    m = torch.sigmoid(f) * torch.tanh(conv([m], [cell.carry.weight])) + torch.sigmoid(i) * torch.tanh(g)
    w4 = [of_x[first[2]], cell.c.weight[3 * n :], cell.m.weight]
    o = torch.tanh(conv([x, c, m], w4, b[first[2]]))
    return o * torch.tanh(conv([c, m], [cell.fuse.weight[:, :n], cell.fuse.weight[:, n:]])), c, m


def plain_highway(unit: GradientHighway, x: Tensor, z: Tensor) -> Tensor:
    """Equation 2."""
    p, s = conv([x, z], [unit.x.weight, unit.z.weight], unit.x.bias).chunk(2)
    s = torch.sigmoid(s)
    return s * torch.tanh(p) + (1 - s) * z


def plain_stack(network: PredRNNPlusPlus, frames: Tensor) -> Tensor:
    """Figure 2b: the highway between the first and the second layer; m from the top to the bottom of the next step."""
    cells = [layer for layer in network.layers if isinstance(layer, CausalLSTMCell)]
    zero = torch.zeros(cells[0].m.out_channels, *frames.shape[-2:], dtype=frames.dtype)
    h, c, m, z = [zero] * len(cells), [zero] * len(cells), zero, zero
    for x in frames:
        h[0], c[0], m = plain_cell(cells[0], x, h[0], c[0], m)
        z = plain_highway(network.highway, h[0], z)
        below = z
        for index, cell in enumerate(cells[1:], start=1):
            h[index], c[index], m = plain_cell(cell, below, h[index], c[index], m)
            below = h[index]
    return h[-1]


def excited(layers: int) -> PredRNNPlusPlus:
    torch.manual_seed(0)
    network = PredRNNPlusPlus(3, 2, layers).double()
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.5)
    return network


@pytest.mark.parametrize("layers", [2, 4])
@pytest.mark.parametrize("steps", [1, 4])
def test_it_is_the_recurrence_of_the_paper(layers: int, steps: int) -> None:
    network = excited(layers)
    frames = torch.randn(2, steps, 3, 5, 6, dtype=torch.float64)
    with torch.no_grad():
        output = network(frames)
        for item in range(2):
            torch.testing.assert_close(output[item], plain_stack(network, frames[item]), rtol=0, atol=1e-12)


def test_a_closed_switch_keeps_the_highway_s_state() -> None:
    unit = GradientHighway(4)
    with torch.no_grad():
        unit.x.bias[4:] = -100.0  # s = 0
        z = torch.randn(1, 4, 3, 3)
        torch.testing.assert_close(unit(torch.randn(1, 4, 3, 3), z), z)
        unit.x.bias[4:] = 100.0  # s = 1: nothing of z but through p
        assert not torch.allclose(unit(torch.randn(1, 4, 3, 3), z), z)


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_every_parameter_takes_part(steps: int) -> None:
    network = excited(3)
    output = network(torch.randn(2, steps, 3, 5, 5, dtype=torch.float64))
    (output * torch.randn_like(output)).sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert steps == 1 or parameter.grad.any(), name  # a first step has no state to weigh


def test_frames_count_in_their_order() -> None:
    network, frames = excited(2), torch.randn(1, 3, 3, 4, 4, dtype=torch.float64)
    with torch.no_grad():
        assert not torch.allclose(network(frames), network(frames.flip(1)))

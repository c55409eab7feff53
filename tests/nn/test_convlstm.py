import math

import pytest
import torch
from torch import Tensor

from lasernet.nn.convlstm import ConvLSTM, ConvLSTMCell


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def convolved(image: Tensor, kernel: Tensor, row: int, column: int) -> float:
    """One value of a zero-padded 3 x 3 cross-correlation of (C, H, W) with (C, 3, 3)."""
    channels, rows, columns = image.shape
    total = 0.0
    for channel in range(channels):
        for i in range(3):
            for j in range(3):
                r, c = row + i - 1, column + j - 1
                if 0 <= r < rows and 0 <= c < columns:
                    total += float(image[channel, r, c]) * float(kernel[channel, i, j])
    return total


def plain_convlstm(network: ConvLSTM, frames: Tensor) -> Tensor:
    """The last h of the top layer for one item, cell by cell, step by step."""
    steps, _, rows, columns = frames.shape
    cells = [layer for layer in network.layers if isinstance(layer, ConvLSTMCell)]
    h = [torch.zeros(cell.hidden, rows, columns, dtype=frames.dtype) for cell in cells]
    c = [torch.zeros_like(state) for state in h]
    for step in range(steps):
        x = frames[step]
        for index, cell in enumerate(cells):
            joined = torch.cat([x, h[index]])
            new_h, new_c = torch.zeros_like(h[index]), torch.zeros_like(c[index])
            for row in range(rows):
                for column in range(columns):
                    for unit in range(cell.hidden):
                        i, f, g, o = (
                            convolved(joined, cell.gates.weight[gate * cell.hidden + unit], row, column)
                            + float(cell.gates.bias[gate * cell.hidden + unit])
                            for gate in range(4)
                        )
                        value = sigmoid(f) * float(c[index][unit, row, column]) + sigmoid(i) * math.tanh(g)
                        new_c[unit, row, column] = value
                        new_h[unit, row, column] = sigmoid(o) * math.tanh(value)
            h[index], c[index] = new_h, new_c
            x = new_h
    return h[-1]


@pytest.mark.parametrize("layers", [1, 2])
def test_it_is_the_cell_by_cell_recurrence(layers: int) -> None:
    torch.manual_seed(0)
    network = ConvLSTM(3, 2, layers).double()
    frames = torch.randn(2, 3, 3, 3, 4, dtype=torch.float64)
    with torch.no_grad():
        output = network(frames)
        for item in range(2):
            torch.testing.assert_close(output[item], plain_convlstm(network, frames[item]), rtol=0, atol=1e-12)


def test_counts() -> None:
    assert sum(p.numel() for p in ConvLSTM(64, 64, 1).parameters()) == 295_168
    assert sum(p.numel() for p in ConvLSTM(64, 64, 2).parameters()) == 590_336


def test_order_of_frames_matters() -> None:
    network = ConvLSTM(2, 4, 1)
    frames = torch.randn(1, 3, 2, 4, 4)
    assert not torch.allclose(network(frames), network(frames.flip(1)))


def test_every_parameter_learns_even_from_one_frame() -> None:
    for steps in (1, 3):
        network = ConvLSTM(2, 4, 2)
        network(torch.randn(1, steps, 2, 4, 4)).square().sum().backward()
        assert all(parameter.grad is not None for parameter in network.parameters())


def test_half_precision_keeps_single_precision_states() -> None:
    network = ConvLSTM(2, 4, 2)
    with torch.autocast("cpu", torch.bfloat16):
        output = network(torch.randn(1, 3, 2, 4, 4))
    assert output.dtype == torch.float32
    assert output.isfinite().all()


def test_a_normalized_state_has_no_mean_and_unit_variance_in_every_cell() -> None:
    torch.manual_seed(0)
    network, frames = ConvLSTM(3, 16, 2, normalized=True), torch.randn(2, 3, 3, 5, 6)
    with torch.no_grad():
        output = network(frames)
    torch.testing.assert_close(output.mean(1), torch.zeros(2, 5, 6), atol=1e-5, rtol=0)
    assert output.var(1, unbiased=False).max() < 1.001
    assert output.var(1, unbiased=False).min() > 0.5


def test_dropout_lies_between_layers_in_training_only() -> None:
    frames = torch.randn(1, 3, 3, 5, 6)
    for layers, changes in ((1, False), (2, True)):
        network = ConvLSTM(3, 8, layers, dropout=0.5)
        assert torch.equal(network(frames), network(frames)) is not changes
        network.eval()
        assert torch.equal(network(frames), network(frames))

import pytest
import torch
from torch import Tensor

from lasernet.nn.stlstm import PredRNN, STLSTMCell, similarity


def convolve(image: Tensor, weight: Tensor) -> Tensor:
    """Cross-correlation of (C, H, W) with (N, C, k, k), zero-padded to the same size, in loops."""
    outputs, channels, side, _ = weight.shape
    _, rows, columns = image.shape
    half = side // 2
    result = torch.zeros(outputs, rows, columns, dtype=image.dtype)
    for row in range(rows):
        for column in range(columns):
            for i in range(side):
                for j in range(side):
                    r, c = row + i - half, column + j - half
                    if 0 <= r < rows and 0 <= c < columns:
                        for channel in range(channels):
                            result[:, row, column] += weight[:, channel, i, j] * image[channel, r, c]
    return result


def plain_predrnn(network: PredRNN, frames: Tensor) -> Tensor:
    """The zigzag by the book: m of the top layer at one step enters the bottom layer at the next."""
    steps, _, rows, columns = frames.shape
    cells = [layer for layer in network.layers if isinstance(layer, STLSTMCell)]
    units = cells[0].h.in_channels
    h = [torch.zeros(units, rows, columns, dtype=frames.dtype) for _ in cells]
    c = [torch.zeros_like(state) for state in h]
    m = torch.zeros_like(h[0])
    for step in range(steps):
        x = frames[step]
        for index, cell in enumerate(cells):
            x_i, x_f, x_g, x_is, x_fs, x_gs, x_o = convolve(x, cell.x.weight).split(units)
            h_i, h_f, h_g, h_o = convolve(h[index], cell.h.weight).split(units)
            m_i, m_f, m_g = convolve(m, cell.m.weight).split(units)
            i, f, g = torch.sigmoid(x_i + h_i), torch.sigmoid(x_f + h_f), torch.tanh(x_g + h_g)
            c[index] = f * c[index] + i * g
            i_s, f_s, g_s = torch.sigmoid(x_is + m_i), torch.sigmoid(x_fs + m_f), torch.tanh(x_gs + m_g)
            m = f_s * m + i_s * g_s
            both = torch.cat([c[index], m])
            assert cell.fuse is not None
            o = torch.sigmoid(x_o + h_o + convolve(both, cell.o.weight))
            out = o * torch.tanh(convolve(both, cell.fuse.weight))
            centered = out - out.mean(0)
            out = centered / (centered.square().mean(0) + cell.norm.eps).sqrt()
            x = h[index] = out * cell.norm.weight[:, None, None] + cell.norm.bias[:, None, None]
    return h[-1]


@pytest.mark.parametrize("layers", [1, 3])
def test_it_is_the_recurrence_of_the_paper(layers: int) -> None:
    torch.manual_seed(0)
    network = PredRNN(3, 2, layers).double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
        frames = torch.randn(2, 3, 3, 3, 4, dtype=torch.float64)
        output, decoupling = network(frames)
        for item in range(2):
            torch.testing.assert_close(output[item], plain_predrnn(network, frames[item]), rtol=0, atol=1e-12)
    assert decoupling is None


def test_top_memory_of_one_step_reaches_the_bottom_of_the_next() -> None:
    network = PredRNN(2, 4, 3)
    top, bottom = network.layers[-1], network.layers[0]
    with torch.no_grad():
        bottom.h.weight.zero_()
    seen: list[Tensor] = []
    handles = [
        top.register_forward_hook(lambda _m, _i, output: seen.append(output[2])),
        bottom.register_forward_hook(lambda _m, inputs, _o: seen.append(inputs[3])),
    ]
    network(torch.randn(1, 2, 2, 4, 4))
    for handle in handles:
        handle.remove()
    assert seen[2] is seen[1]  # m into the bottom at step 2 is m out of the top at step 1


@pytest.mark.parametrize("steps", [1, 3])
def test_every_parameter_of_the_zigzag_gets_a_gradient(steps: int) -> None:
    network = PredRNN(2, 4, 3, decouple=True)
    output, decoupling = network(torch.randn(2, steps, 2, 5, 5))
    assert decoupling is not None
    (output * torch.randn_like(output)).sum().add(decoupling).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        if steps > 1:
            assert parameter.grad.any(), name


def test_dead_memory_never_learns() -> None:
    network = PredRNN(64, 64, 4, memory=False)
    output, _ = network(torch.randn(1, 3, 64, 3, 3))
    (output * torch.randn_like(output)).sum().backward()
    dead = sum(int((parameter.grad == 0).sum()) for parameter in network.parameters() if parameter.grad is not None)
    assert dead == 884_736
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_dead_memory_changes_nothing() -> None:
    network = PredRNN(2, 4, 2, memory=False)
    frames = torch.randn(1, 3, 2, 4, 4)
    before, _ = network(frames)
    with torch.no_grad():
        for cell in network.layers:
            cell.m.weight.normal_()
    assert torch.equal(network(frames)[0], before)


def test_counts_per_layer() -> None:
    assert sum(p.numel() for p in PredRNN(64, 64, 1).parameters()) == 598_144
    assert sum(p.numel() for p in PredRNN(64, 64, 1, memory=False).parameters()) == 553_088
    assert sum(p.numel() for p in PredRNN(64, 64, 1, decouple=True).parameters()) == 598_144 + 4_096


def test_similarity_is_0_for_orthogonal_and_1_for_parallel_increments() -> None:
    a = torch.zeros(2, 3, 4, 4)
    b = torch.zeros(2, 3, 4, 4)
    a[..., :2], b[..., 2:] = 1.5, -2.0
    assert float(similarity(a, b)) == 0
    x = torch.randn(2, 3, 4, 4)
    torch.testing.assert_close(similarity(x, -3 * x), torch.tensor(1.0))


def test_decoupling_is_the_mean_over_layers_and_steps() -> None:
    network = PredRNN(2, 4, 2, decouple=True)
    increments: list[tuple[Tensor, Tensor]] = []
    for cell in network.layers:
        cell.register_forward_hook(lambda _m, _i, output: increments.append(output[3:]))
    assert network.adapter is not None
    with torch.no_grad():
        _, decoupling = network(torch.randn(1, 3, 2, 4, 4))
        values = [similarity(network.adapter(c), network.adapter(m)) for c, m in increments]
    assert len(values) == 6
    torch.testing.assert_close(decoupling, torch.stack(values).mean())


def test_half_precision_is_finite() -> None:
    network = PredRNN(2, 4, 2, decouple=True)
    with torch.autocast("cpu", torch.bfloat16):
        output, decoupling = network(torch.randn(1, 3, 2, 4, 4))
    assert output.isfinite().all()
    assert decoupling is not None
    assert decoupling.isfinite()


def test_biases_add_nine_numbers_per_channel_and_layer() -> None:
    plain, biased = PredRNN(3, 8, 2), PredRNN(3, 8, 2, bias=True)
    extra = sum(p.numel() for p in biased.parameters()) - sum(p.numel() for p in plain.parameters())
    assert extra == 2 * 9 * 8

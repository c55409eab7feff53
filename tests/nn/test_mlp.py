import pytest
import torch

from lasernet.nn.mlp import FrameMixer, MultilayerPerceptron


@pytest.mark.parametrize(("hidden", "count"), [((7,), 5 * 7 + 3 * 7 + 7 * 3 + 3), ((), 5 * 3 + 3)])
def test_widths_and_norms_make_the_count(hidden: tuple[int, ...], count: int) -> None:
    assert sum(parameter.numel() for parameter in MultilayerPerceptron(5, hidden, 3).parameters()) == count


def test_items_are_kept_apart() -> None:
    network, x = MultilayerPerceptron(6, (8, 8), 4).train(), torch.randn(5, 6)
    torch.testing.assert_close(network(x)[2:3], network(x[2:3]))


def test_every_cell_of_every_frame_reaches_every_cell() -> None:
    torch.manual_seed(0)
    mixer = FrameMixer(3, 2, (2, 4), (64,))
    frames = torch.randn(1, 3, 2, 2, 4, requires_grad=True)
    answer = mixer(frames)
    assert answer.shape == (1, 2, 2, 4)
    for cell in answer.flatten():
        (gradient,) = torch.autograd.grad(cell, frames, retain_graph=True)
        assert gradient.ne(0).all()

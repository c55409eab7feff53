import pytest
import torch
from torch import nn

from lasernet.nn.simvp import LargeKernelAttention, SimVP, SmoothBlock, TranslatorBlock


def small(**options: int) -> SimVP:
    torch.manual_seed(0)
    return SimVP(3, 2, **{"frames": 4, "hidden": 8, "width": 16, "blocks": 2, "levels": 2, **options})  # type: ignore[arg-type]


@pytest.mark.parametrize("levels", [1, 2, 3])
@pytest.mark.parametrize("frames", [1, 4])
def test_one_frame_comes_out_in_the_size_of_those_that_went_in(levels: int, frames: int) -> None:
    assert small(levels=levels, frames=frames)(torch.randn(2, frames, 3, 16, 24)).shape == (2, 2, 16, 24)


def test_every_parameter_gets_a_gradient() -> None:
    network = small()
    network(torch.randn(2, 4, 3, 8, 16)).square().mean().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.any(), name


def test_every_frame_counts_and_only_the_last_one_skips() -> None:
    network, frames = small().eval(), torch.randn(1, 4, 3, 8, 16)
    with torch.no_grad():
        for step in range(4):
            changed = frames.clone()
            changed[:, step] += 1
            assert not torch.equal(network(changed), network(frames))
        nn.init.zeros_(network.leave.weight)  # what is left is the skip
        changed = frames.clone()
        changed[:, :3] += 1
        assert torch.equal(network(changed), network(frames))


def test_attention_sees_23_cells() -> None:
    attention, x = LargeKernelAttention(2).double(), torch.zeros(1, 2, 41, 41, dtype=torch.float64, requires_grad=True)
    attention(x)[0, :, 20, 20].sum().backward()
    assert x.grad is not None
    rows, columns = x.grad[0].abs().sum(0).nonzero().T
    assert (int(rows.min()), int(rows.max())) == (int(columns.min()), int(columns.max())) == (9, 31)


def test_a_block_starts_near_the_identity() -> None:
    x = torch.randn(2, 16, 8, 8)
    assert (TranslatorBlock(16, "group")(x) - x).abs().mean() < 0.1 * x.abs().mean()


def test_growing_undoes_a_stride() -> None:
    x = torch.randn(1, 4, 6, 10)
    half = SmoothBlock(4, 8, "group", stride=2)(x)
    assert half.shape == (1, 8, 3, 5)
    assert SmoothBlock(8, 4, "group", grow=2)(half).shape == x.shape

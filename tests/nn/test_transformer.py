import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lasernet.nn.transformer import SpatialTransformer, TemporalAttention, TransformerLayer, ages


def excited(module: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.3)
    return module.double().eval()


def plain_layer(layer: TransformerLayer, tokens: Tensor) -> Tensor:
    """Attention of one sequence (S, C), token by token and head by head."""
    steps, channels = tokens.shape
    width = channels // layer.heads
    parts = layer.look(layer.norm_attention(tokens)).reshape(steps, 3, layer.heads, width)
    told = torch.zeros_like(tokens)
    for head in range(layer.heads):
        for at in range(steps):
            end = at + 1 if layer.causal else steps
            scores = torch.stack([parts[at, 0, head] @ parts[seen, 1, head] for seen in range(end)])
            shares = torch.softmax(scores / math.sqrt(width), 0)
            told[at, head * width : (head + 1) * width] = shares @ parts[:end, 2, head]
    tokens = tokens + layer.tell(told)
    return tokens + layer.narrow(F.gelu(layer.widen(layer.norm_mix(tokens))))


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("channels", [16, 12])
def test_it_is_attention_by_the_book(causal: bool, channels: int) -> None:
    layer = excited(TransformerLayer(channels, causal=causal))
    tokens = torch.randn(3, 5, channels, dtype=torch.float64)
    with torch.no_grad():
        found = layer(tokens)
        for item in range(3):
            torch.testing.assert_close(found[item], plain_layer(layer, tokens[item]), rtol=0, atol=1e-12)


def test_a_fresh_layer_is_the_identity() -> None:
    tokens = torch.randn(2, 4, 16)
    assert torch.equal(TransformerLayer(16)(tokens), tokens)


def test_a_frame_sees_itself_and_those_before_it_only() -> None:
    module, frames = excited(TemporalAttention(8, 2)), torch.randn(2, 5, 8, 3, 4, dtype=torch.float64)
    changed = frames.clone()
    changed[:, 3] += 1
    with torch.no_grad():
        before, after = module(frames), module(changed)
    assert torch.equal(before[:, :3], after[:, :3])
    assert not torch.equal(before[:, 3], after[:, 3])
    assert not torch.equal(before[:, 4], after[:, 4])


def test_a_cell_looks_back_at_itself_only() -> None:
    module, frames = excited(TemporalAttention(8, 1)), torch.randn(1, 3, 8, 3, 4, dtype=torch.float64)
    changed = frames.clone()
    changed[:, 0, :, 1, 2] += 1
    with torch.no_grad():
        differs = (module(frames) != module(changed)).any(2)[0, -1]
    assert differs.nonzero().tolist() == [[1, 2]]


def test_ages_count_back_from_the_last_frame() -> None:
    assert torch.equal(ages(3, 8), ages(7, 8)[-3:])
    assert torch.equal(ages(1, 6)[0], torch.tensor([0.0, 1.0, 0.0, 1.0, 0.0, 1.0]))
    assert ages(4, 5).shape == (4, 5)


@pytest.mark.parametrize("size", [(2, 29), (1, 1), (5, 3)])
def test_every_cell_reaches_every_other(size: tuple[int, int]) -> None:
    module = excited(SpatialTransformer(8, 1))
    image = torch.randn(1, 8, *size, dtype=torch.float64, requires_grad=True)
    module(image)[0, :, 0, 0].square().sum().backward()
    assert image.grad is not None
    assert image.grad.abs().sum(1).gt(0).all()


def test_a_border_tells_where_a_cell_is() -> None:
    image = torch.ones(1, 8, 5, 5, dtype=torch.float64)
    with torch.no_grad():
        answer = excited(SpatialTransformer(8, 1))(image)
    assert not torch.allclose(answer[..., 0, 0], answer[..., 2, 2])

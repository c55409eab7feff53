import torch
import torch.nn.functional as F
from torch import nn

from lasernet.nn.residual_unet import ResidualBlock, ResidualDecoder, ResidualEncoder, output_head


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_a_block_adds_what_it_got() -> None:
    block = ResidualBlock(8, 8).eval()
    nn.init.zeros_(block.second.weight)
    nn.init.zeros_(block.norm.bias)
    x = torch.randn(2, 8, 5, 7)
    torch.testing.assert_close(block(x), F.relu(x))


def test_a_shortcut_has_weights_only_where_the_width_changes() -> None:
    same, other = count(ResidualBlock(8, 8)), count(ResidualBlock(4, 8))
    assert same == 2 * 9 * 8 * 8 + 2 * 2 * 8
    assert other == 9 * 4 * 8 + 9 * 8 * 8 + 2 * 2 * 8 + 4 * 8


def test_dropout_acts_in_training_only() -> None:
    block, x = ResidualBlock(4, 16, dropout=0.5), torch.randn(2, 4, 6, 6)
    assert not torch.equal(block(x), block(x))
    block.eval()
    assert torch.equal(block(x), block(x))


def test_features_before_every_pooling_reach_the_decoder() -> None:
    encoder, decoder = ResidualEncoder(3, (4, 8, 8)), ResidualDecoder(5, (4, 8, 8), 2)
    *skips, coarse = encoder(torch.randn(2, 3, 16, 24))
    assert [tuple(skip.shape[1:]) for skip in skips] == [(4, 16, 24), (8, 8, 12), (8, 4, 6)]
    assert torch.equal(coarse, F.max_pool2d(skips[-1], 2))
    features = decoder(torch.randn(2, 5, 2, 3), skips)
    assert features.shape == (2, 4, 16, 24)
    assert decoder.head(features).shape == (2, 2, 16, 24)
    for level in range(3):
        changed = [skip + (index == level) for index, skip in enumerate(skips)]
        assert not torch.equal(decoder(torch.zeros(2, 5, 2, 3), changed), decoder(torch.zeros(2, 5, 2, 3), skips))


def test_without_skips_only_the_coarse_features_count() -> None:
    decoder = ResidualDecoder(5, (4, 8), 2, skips=False)
    x = torch.randn(1, 5, 2, 3)
    skips = [torch.randn(1, 4, 8, 12), torch.randn(1, 8, 4, 6)]
    assert torch.equal(decoder(x, skips), decoder(x, [skip + 1 for skip in skips]))


def test_a_head_of_one_channel_has_a_hidden_one() -> None:
    assert output_head(1, 3)(torch.randn(1, 1, 4, 4)).shape == (1, 3, 4, 4)

import socket
from multiprocessing.queues import Queue

import pytest
import torch
import torch.distributed as dist
from commands import FORKS, prepare
from torch import Tensor, nn

from lasernet.errors import OptionError
from lasernet.nn.blocks import SynchronizedBatchNorm2d, conv_block, crop, normalization, pad_to_multiple
from lasernet.nn.encoder_decoder import Decoder, Encoder


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize("size", [(47, 465), (24, 96), (93, 464), (94, 47), (9, 13), (8, 8), (1, 1)])
def test_padding_repeats_the_border_and_is_undone_by_the_crop(size: tuple[int, int]) -> None:
    x = torch.rand(2, 3, *size)
    padded, cut = pad_to_multiple(x, 8)
    assert padded.shape[-2] % 8 == 0
    assert padded.shape[-1] % 8 == 0
    assert max(padded.shape[-2] - size[0], padded.shape[-1] - size[1]) < 8
    assert torch.equal(crop(padded, cut), x)
    assert torch.equal(padded[..., -1, -1], x[..., -1, -1])


@pytest.mark.parametrize("channels", [16, 24, 9])
def test_both_normalizations_have_two_parameters_per_channel(channels: int) -> None:
    assert count(normalization(channels, "group")) == count(normalization(channels, "batch")) == 2 * channels
    assert count(conv_block(10, channels)) == 9 * 10 * channels + 2 * channels


def test_group_norm_sees_one_item_only() -> None:
    block = conv_block(3, 8, "group")
    x = torch.randn(4, 3, 6, 6)
    torch.testing.assert_close(block(x)[:1], block(x[:1]))


def test_alone_it_is_plain_batch_norm() -> None:
    ours, plain = SynchronizedBatchNorm2d(5), nn.BatchNorm2d(5)
    x = torch.randn(4, 5, 6, 7)
    assert torch.equal(ours(x), plain(x))
    assert torch.equal(ours.running_var, plain.running_var)
    assert torch.equal(ours.eval()(x), plain.eval()(x))


def test_two_processes_equal_one_with_the_joint_batch() -> None:
    # Uneven shares and a mean far from 0, where a one-pass variance would lose its digits.
    x = torch.randn(5, 3, 4, 4, generator=torch.Generator().manual_seed(0)) + 1e3
    plain = nn.BatchNorm2d(3)
    with torch.no_grad():
        plain.weight.copy_(torch.tensor([0.5, 1.0, 2.0]))
    joint = x.clone().requires_grad_()
    expected = plain(joint)
    (expected * weights(x)).sum().backward()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    prepare()
    queue = FORKS.Queue()
    workers = [FORKS.Process(target=normalize_share, args=(rank, port, x, queue)) for rank in range(2)]
    for worker in workers:
        worker.start()
    shares = dict(queue.get(timeout=300) for _ in workers)
    for worker in workers:
        worker.join(300)
    output, gradient, affine, mean, variance = (
        [torch.tensor(shares[rank][index]) for rank in range(2)] for index in range(5)
    )
    torch.testing.assert_close(torch.cat(output), expected.detach(), atol=2e-3, rtol=1e-3)
    assert joint.grad is not None
    assert plain.weight.grad is not None
    assert plain.running_mean is not None
    assert plain.running_var is not None
    torch.testing.assert_close(torch.cat(gradient), joint.grad, atol=2e-3, rtol=1e-3)
    torch.testing.assert_close(sum(affine), plain.weight.grad, atol=1e-2, rtol=1e-3)
    for rank in range(2):
        torch.testing.assert_close(mean[rank], plain.running_mean)
        torch.testing.assert_close(variance[rank], plain.running_var)


def weights(x: Tensor) -> Tensor:
    return torch.linspace(-1, 1, x.numel()).reshape(x.shape)


def normalize_share(rank: int, port: int, x: Tensor, queue: "Queue[object]") -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    rows = slice(0, 2) if rank == 0 else slice(2, 5)
    layer = SynchronizedBatchNorm2d(3)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([0.5, 1.0, 2.0]))
    share = x[rows].clone().requires_grad_()
    output = layer(share)
    (output * weights(x)[rows]).sum().backward()
    assert share.grad is not None
    found = (output, share.grad, layer.weight.grad, layer.running_mean, layer.running_var)
    queue.put((rank, tuple(value.detach().tolist() for value in found if value is not None)))
    dist.destroy_process_group()


def test_encoder_halves_and_decoder_doubles() -> None:
    context, future = Encoder(10, (16, 32, 64)), Encoder(1, (16, 32, 64))
    seen, known = context(torch.rand(2, 10, 16, 24)), future(torch.rand(2, 1, 16, 24))
    assert [tuple(features.shape[1:]) for features in seen] == [(16, 16, 24), (16, 8, 12), (32, 4, 6), (64, 2, 3)]
    decoder = Decoder(128, (16, 32, 64), 9)
    *skips, coarse = (torch.cat(pair, 1) for pair in zip(seen, known, strict=True))
    features = decoder(coarse, skips)
    assert features.shape == (2, decoder.width, 16, 24)
    assert decoder.head(features).shape == (2, 9, 16, 24)


def test_skips_cost_their_channels_only_at_coarse_levels() -> None:
    extra = count(Decoder(128, (16, 32, 64), 9, skips=True)) - count(Decoder(128, (16, 32, 64), 9, skips=False))
    assert extra == 9 * (2 * 32 * 64 + 2 * 16 * 32) == 46_080


@pytest.mark.parametrize("channels", [(16,), (16, 40, 64)])
def test_widths_that_do_not_allow_for_skips_are_refused(channels: tuple[int, ...]) -> None:
    with pytest.raises(OptionError, match="twice"):
        Decoder(64, channels, 9, skips=True)
    Decoder(64, channels, 9, skips=False)

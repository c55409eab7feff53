"""Periodic borders equal the library's circular padding, with all derivatives."""

import torch
import torch.nn.functional as F

from lasernet.nn.periodic import wrap


def test_it_equals_circular_padding_and_keeps_channels_last() -> None:
    x = torch.randn(2, 3, 5, 7).contiguous(memory_format=torch.channels_last)
    padded = wrap(x)
    assert torch.equal(padded, F.pad(x, (1, 1, 1, 1), mode="circular"))
    assert padded.is_contiguous(memory_format=torch.channels_last)


def test_first_and_second_derivatives_are_right() -> None:
    x = torch.randn(1, 2, 3, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(wrap, (x,))
    assert torch.autograd.gradgradcheck(lambda y: wrap(y).pow(3), (x,))

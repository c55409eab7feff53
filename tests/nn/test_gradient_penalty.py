"""The gradient penalty against closed forms, finite differences and built-in double backward."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lasernet.nn.dcgan import DcganCritic
from lasernet.nn.gradient_penalty import gradient_penalty, interpolate


def random(*shape: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(sum(shape)))


class Smooth(nn.Module):
    """A critic that is curved everywhere."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(random(16, 7))

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(x.flatten(1) @ self.weight).square().sum(1)


def test_penalty_of_a_linear_critic_is_that_of_the_norm_of_its_weights() -> None:
    w = random(16)
    found = gradient_penalty(lambda x: x.flatten(1) @ w, random(3, 1, 4, 4), random(4, 1, 4, 4)[:3], torch.rand(3))
    torch.testing.assert_close(found, (w.norm() - 1).square())


def test_unit_critic_along_a_shift_pays_nothing_and_measures_the_shift() -> None:
    real = random(6, 1, 4, 4)
    shift = random(1, 1, 4, 4)
    fake = real + shift
    direction = shift.flatten() / shift.norm()

    def critic(x: Tensor) -> Tensor:
        return x.flatten(1) @ direction

    torch.testing.assert_close(critic(fake).mean() - critic(real).mean(), shift.norm())
    assert gradient_penalty(critic, real, fake, torch.rand(6)) < 1e-24


def test_derivative_equals_finite_differences() -> None:
    critic, real, fake, alpha = Smooth(), random(3, 1, 4, 4), random(5, 1, 4, 4)[:3], torch.tensor([0.1, 0.5, 0.9])
    gradient_penalty(critic, real, fake, alpha).backward()
    direction, step = random(16, 7), 1e-6
    values = []
    for sign in (1, -1):
        moved = Smooth()
        with torch.no_grad():
            moved.weight.add_(sign * step * direction)
        values.append(float(gradient_penalty(moved, real, fake, alpha).detach()))
    expected = (values[0] - values[1]) / (2 * step)
    assert math.isclose(float((critic.weight.grad * direction).sum()), expected, rel_tol=1e-6)


def test_critic_without_slope_has_a_finite_derivative() -> None:
    weight = torch.zeros(16, requires_grad=True)
    penalty = gradient_penalty(
        lambda x: x.flatten(1) @ weight, torch.rand(2, 1, 4, 4), torch.rand(2, 1, 4, 4), torch.rand(2)
    )
    penalty.backward()
    assert penalty == 1
    assert weight.grad is not None
    assert weight.grad.isfinite().all()


def test_derivative_is_finite_where_only_some_images_have_no_slope() -> None:
    weight = torch.ones(16, requires_grad=True)
    gate = torch.tensor([0.0, 1.0])
    images = torch.rand(2, 1, 4, 4)
    gradient_penalty(lambda x: gate * (x.flatten(1) @ weight), images, images, torch.rand(2)).backward()
    torch.testing.assert_close(weight.grad, torch.full((16,), (4 - 1) / 4))


def test_places_lie_between_real_and_fake_and_outside_of_their_graphs() -> None:
    real, fake = random(2, 1, 4, 4).requires_grad_(), random(3, 1, 4, 4)[:2].requires_grad_()
    middle = interpolate(real, fake, torch.tensor([0.0, 1.0]))
    torch.testing.assert_close(middle, torch.stack([real[0], fake[1]]).detach())
    assert not middle.requires_grad


def test_critic_without_zero_paths_has_the_derivative_of_the_built_in_layers() -> None:
    torch.manual_seed(0)
    critic = DcganCritic().double()

    def built_in(x: Tensor) -> Tensor:
        for block in critic.blocks:
            x = F.leaky_relu(F.conv2d(x, block.weight, block.bias, stride=2, padding=1), 0.2)
        return F.linear(x.permute(0, 2, 3, 1).flatten(1), critic.head.weight)[:, 0]

    real, fake, alpha = random(2, 1, 64, 64), random(3, 1, 64, 64)[:2], torch.rand(2)
    weights = [parameter for name, parameter in critic.named_parameters() if name.endswith("weight")]
    quick = torch.autograd.grad(gradient_penalty(critic, real, fake, alpha), weights)
    plain = torch.autograd.grad(gradient_penalty(built_in, real, fake, alpha), weights)
    for a, b in zip(quick, plain, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-10 * float(b.abs().max()))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_norm_is_taken_in_single_precision(dtype: torch.dtype) -> None:
    weight = torch.full((4096,), 300.0, dtype=dtype)  # the sum of squares is beyond fp16
    images = torch.zeros(1, 1, 64, 64, dtype=dtype)
    found = gradient_penalty(lambda x: (x.flatten(1) * weight).sum(1), images, images, torch.rand(1))
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, torch.tensor((300.0 * 64 - 1) ** 2))

"""Gradient penalty of Wasserstein critics (Gulrajani et al. 2017)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Critic = Callable[[Tensor], Tensor]


def gradient_penalty(critic: Critic, real: Tensor, fake: Tensor, alpha: Tensor) -> Tensor:
    """Mean over images of (‖∇D(x̂)‖₂ − 1)², x̂ = real + α (fake − real) (Gulrajani et al. 2017, eq. 3).

    For any critic, by double backward. Norm and mean are taken in fp32 at least, also under mixed
    precision. Where the gradient is exactly 0, the penalty is 1 and its derivative is taken as 0.

    Args:
        critic: images (B, C, H, W) → scores (B,), each of its own image only.
        real, fake: images (B, C, H, W); no gradient flows back to them.
        alpha: place on the line between them, (B,) in [0, 1].
    """
    middle = interpolate(real, fake, alpha).requires_grad_()
    with torch.enable_grad():
        score = critic(middle)
        (gradient,) = torch.autograd.grad(score.sum(), middle, create_graph=True)
    return penalty_of(gradient)


def interpolate(real: Tensor, fake: Tensor, alpha: Tensor) -> Tensor:
    """Images between real and fake ones, outside of any graph: real + α (fake − real), α (B,)."""
    return torch.lerp(real.detach(), fake.detach(), alpha.to(real.dtype).view(-1, *[1] * (real.dim() - 1)))


def penalty_of(gradient: Tensor) -> Tensor:
    """Mean of (‖g‖₂ − 1)² over the gradients (B, ...) of images, in fp32 at least."""
    return (gradient_norm(gradient) - 1).square().mean()


def gradient_norm(gradient: Tensor) -> Tensor:
    """Euclidean norm of each image's gradient (B, ...) → (B,) in fp32 at least, its derivative 0 at 0."""
    flat = gradient.flatten(1)
    flat = flat.float() if flat.dtype in (torch.float16, torch.bfloat16) else flat
    squares = flat.square().sum(1)
    there = squares > 0
    # The inner "where" keeps the infinite slope of the root at 0 out of the backward pass.
    return torch.where(there, torch.where(there, squares, 1).sqrt(), 0)

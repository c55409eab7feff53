"""A plain PyTorch port of the published WGAN-GP networks and losses, to measure the package against."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lasernet.models.base import Phase
from lasernet.nn.noise import normal, uniform

Batch = dict[str, Tensor]


class PortGenerator(nn.Module):
    """Noise (B, 100) → images (B, 1, 64, 64) in [-1, 1]."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = nn.Linear(100, 8192)
        self.blocks = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1) for a, b in ((512, 256), (256, 128), (128, 64)))
        self.head = nn.Conv2d(64, 1, 3, padding=1)

    def forward(self, z: Tensor) -> Tensor:
        x = self.dense(z).view(-1, 512, 4, 4)
        for block in self.blocks:
            x = F.leaky_relu(block(F.interpolate(x, scale_factor=2)), 0.2)
        return torch.tanh(self.head(F.interpolate(x, scale_factor=2)))


class PortCritic(nn.Module):
    """Images (B, 1, 64, 64) → scores (B,)."""

    def __init__(self) -> None:
        super().__init__()
        widths = ((1, 64), (64, 128), (128, 256), (256, 512))
        self.blocks = nn.ModuleList(nn.Conv2d(a, b, 4, stride=2, padding=1) for a, b in widths)
        self.head = nn.Linear(8192, 1)

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = F.leaky_relu(block(x), 0.2)
        return self.head(x.flatten(1))[:, 0]


class Port(nn.Module):
    """Both networks with the losses of the paper; ``batch`` brings images in [0, 1] and the seeds of the noise."""

    def __init__(self) -> None:
        super().__init__()
        self.generator, self.critic = PortGenerator(), PortCritic()

    def phases(self) -> list[Phase]:
        """As those of a model of the package."""
        return [Phase("critic", self.critic, self._critic_loss), Phase("generator", self.generator, self._fake_loss)]

    def _critic_loss(self, batch: Batch, _: object = None) -> tuple[Tensor, dict[str, Tensor]]:
        real = 2 * batch["image"] - 1
        with torch.no_grad():
            fake = self.generator(normal(batch["seed"], 100).to(real.dtype))
        alpha = uniform(batch["seed"], 6)[:, 5].to(real.dtype).view(-1, 1, 1, 1)
        middle = (real + alpha * (fake - real)).requires_grad_()
        (gradient,) = torch.autograd.grad(self.critic(middle).sum(), middle, create_graph=True)
        penalty = (gradient.flatten(1).norm(dim=1) - 1).square().mean()
        return self.critic(fake).mean() - self.critic(real).mean() + 10 * penalty, {}

    def _fake_loss(self, batch: Batch, _: object = None) -> tuple[Tensor, dict[str, Tensor]]:
        noise = normal(batch["seed"], 100).to(batch["image"].dtype)
        return -self.critic(self.generator(noise)).mean(), {}


def as_port(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Tensors named as the package's parameters, in the order of the port's.

    The package's dense layers count height, width, channels, as the source's do; the port's channels, height, width.
    """
    order = torch.arange(8192).view(4, 4, 512).permute(2, 0, 1).flatten()
    found = dict(tensors)
    for name in ("generator.dense.weight", "generator.dense.bias"):
        found[name] = found[name][order]
    found["critic.head.weight"] = found["critic.head.weight"][:, order]
    return found

"""Small models that the tests train: one ordinary, one with two phases and a schedule of its own."""

from typing import Annotated

import torch
from torch import Tensor, nn

from lasernet import Model, Phase, register_model


@register_model("toy-conv")
class ToyConv(Model):
    """One convolution on the last colors and the coming temperature."""

    def __init__(
        self,
        *,
        width: Annotated[int, "channels in between"] = 4,
        noise: Annotated[float, "standard deviation of noise on the input while training"] = 0.0,
    ) -> None:
        super().__init__()
        self.noise = noise
        self.net = nn.Sequential(nn.Conv2d(10, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, 9, 1))

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        inputs = torch.cat([batch["ipf"][:, -1], batch["future_temperature"] / 1000], 1)
        if self.training and self.noise:
            inputs = inputs + self.noise * torch.randn_like(inputs)
        return self.net(inputs)


@register_model("toy-two-phase")
class ToyTwoPhase(Model):
    """A judge learns the mean gray value, then a painter learns colors with a judged term."""

    default_loss = None

    def __init__(self, *, every: Annotated[int, "painter's turn on every n-th update"] = 2) -> None:
        super().__init__()
        self.every = every
        self.judge = nn.Conv2d(9, 1, 1)
        self.painter = nn.Conv2d(10, 9, 1)
        self.turns = {"judge": 0, "painter": 0}

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        return self.painter(torch.cat([batch["ipf"][:, -1], batch["future_temperature"] / 1000], 1))

    def loss(self, batch: dict[str, Tensor], criterion: object) -> tuple[Tensor, dict[str, Tensor]]:
        return (self(batch) - batch["target"]).square().mean(), {}

    def judge_loss(self, batch: dict[str, Tensor], criterion: object) -> tuple[Tensor, dict[str, Tensor]]:
        assert not any(parameter.requires_grad for parameter in self.painter.parameters())
        gray = batch["target"].mean(1, keepdim=True)
        return (self.judge(batch["target"]) - gray).square().mean(), {}

    def painter_loss(self, batch: dict[str, Tensor], criterion: object) -> tuple[Tensor, dict[str, Tensor]]:
        assert not any(parameter.requires_grad for parameter in self.judge.parameters())
        loss, _ = self.loss(batch, None)
        return loss + 0.01 * self.judge(self(batch)).square().mean(), {"error": loss}

    def phases(self) -> list[Phase]:
        return [
            Phase("judge", self.judge, self.judge_loss, lr=4.0, schedule=lambda done: 1 - done),
            Phase("painter", self.painter, self.painter_loss, every=self.every),
        ]

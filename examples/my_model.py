"""A model of your own in one file: lasernet train ./examples/my_model.py:ResConv --width 24 --epochs 10"""

from typing import Annotated

import torch
from torch import Tensor, nn

from lasernet import Model


class ResConv(Model):
    """Three convolutions that correct the last known frame.

    The constructor's keyword-only parameters are its options; ``forward`` answers the next frame's colors.
    """

    def __init__(self, *, width: Annotated[int, "channels of the hidden layers"] = 16) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(10, width, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(width, 9, 1),
        )

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        last = batch["ipf"][:, -1]
        liquidus = batch["liquidus"].reshape(-1, 1, 1, 1)
        undercooling = (batch["future_temperature"] - liquidus) / 100
        return last + self.net(torch.cat([last, undercooling.clamp(-3, 3)], 1))

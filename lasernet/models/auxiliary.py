"""Further outputs of a frame predictor that are only learned: what they say, and how they are judged."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lasernet.losses.base import Batch, masked_mean
from lasernet.models.base import Terms
from lasernet.models.scaled_frames import UNDERCOOLING
from lasernet.nn.convlstm import at_least_float32
from lasernet.physics.solidification import front, per_item

LEAST_GRADIENT = 1.0  # K per cell, below which the velocity of an isotherm is noise


class AuxiliaryHead(nn.Module):
    """Temperature gradient, phase and front velocity of frame t+1 from a network's last features.

    They have no part in the answer: what they teach the features is all that remains of them.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.head = nn.Conv2d(channels, 4, 1)

    def losses(self, features: Tensor, batch: Batch) -> Terms:
        """Three losses by name, each a mean over items of a mean over valid cells.

        ``gradient``: squared error of asinh of both components, in 100 K per cell. ``phase``: cross entropy of
        being molten. ``velocity``: squared error of asinh of the normal velocity in cells per frame, in the
        front band.
        """
        output = at_least_float32(self.head(features))
        gradient, phase, velocity = output[:, :2], output[:, 2:3], output[:, 3:]
        temperature, mask = batch["future_temperature"], batch["mask"]
        whole = with_neighbors(mask)
        slopes = temperature_slopes(temperature)
        speed = front_velocity(batch["temperature"][:, -1], temperature, batch["cell_height"], batch["cell_width"])
        molten = batch["target_molten"].to(phase.dtype)
        band = whole & front(temperature, batch["front_low"], batch["front_high"])
        return {
            "gradient": masked_mean((gradient - torch.asinh(slopes / UNDERCOOLING)).square(), whole),
            "phase": masked_mean(F.binary_cross_entropy_with_logits(phase, molten, reduction="none"), mask),
            "velocity": masked_mean((velocity - torch.asinh(speed)).square(), band),
        }


def temperature_slopes(temperature: Tensor) -> Tensor:
    """K per cell along rows and columns, (B, 1, H, W) → (B, 2, H, W): central, one-sided at the border."""
    slopes = []
    for axis in (-2, -1):
        single = temperature.shape[axis] == 1
        slopes.append(torch.zeros_like(temperature) if single else torch.gradient(temperature, dim=axis)[0])
    return torch.cat(slopes, dim=1)


def front_velocity(now: Tensor, then: Tensor, cell_height: Tensor, cell_width: Tensor) -> Tensor:
    """How far isotherms move toward the hot side until the next frame, in cells of the mean size, (B, 1, H, W).

    The temperature drop over the gradient, which is at least 1 K per cell.

    Args:
        now, then: K, (B, 1, H, W).
        cell_height, cell_width: m, (B,); cells of the mean size have a side of √(height·width).
    """
    side = per_item((cell_height * cell_width).sqrt())
    sides = torch.stack([cell_height, cell_width], dim=1)[:, :, None, None]
    gradient = (temperature_slopes(then) * side / sides).square().sum(1, keepdim=True).sqrt()
    return (now - then) / gradient.clamp(min=LEAST_GRADIENT)


def with_neighbors(mask: Tensor) -> Tensor:
    """Valid cells all of whose neighbors in the image are valid, (B, 1, H, W) bool."""
    return F.max_pool2d((~mask).float(), 3, stride=1, padding=1) == 0

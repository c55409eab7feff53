"""The temperature of frame t+1, asked of a network: what it is shown, and what its output means."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from lasernet.losses.base import Batch, masked_mean
from lasernet.models.scaled_frames import UNDERCOOLING, ScaledFrames
from lasernet.physics.solidification import per_item

SMALLEST_UNIT = 1.0  # K, of the loss: a drift below it is noise


class NextTemperature:
    """Temperature of frame t+1 from those before it; the future is not shown, and nothing is clamped.

    With ``residual``, the reference is the last frame moved with the scan, plus the drift: what moving the frame
    before it has missed of the last one. The drift is large where the pool still grows and where cold ground
    enters, and stays nearly the same from frame to frame. The network reads the moved frame as one more of the
    sequence and answers by which share the drift will change; at the start, by none. So its errors shrink with
    the drift as the pool becomes steady, on any track; the loss is in units of the drift as well. Without, it
    regresses the temperature, linear in the range of training, and the loss is in K².
    """

    channels = 1
    outputs = 1
    fits: tuple[str, ...] = ()

    def __init__(self, *, residual: bool) -> None:
        self.residual = self.starts_at_reference = residual
        self.further_frames = int(residual)
        self.inputs: tuple[str, ...] = ("advected_temperature", "temperature_drift") if residual else ()

    def fit(self, batches: Iterable[Batch]) -> dict[str, float]:
        """Nothing of its own; the range of temperatures is fitted on the way."""
        for _ in batches:
            pass
        return {}

    def frames(self, batch: Batch, model: ScaledFrames) -> Tensor:
        """(B, L, 1, H, W) in network units; with ``residual`` one more, the moved frame."""
        frames = batch["temperature"]
        if self.residual:
            frames = torch.cat([frames, batch["advected_temperature"][:, None]], dim=1)
        return model.scaled_temperature(frames, batch)

    def answer(self, output: Tensor, batch: Batch, model: ScaledFrames) -> Tensor:
        """One output → K, (B, 1, H, W)."""
        if not self.residual:
            low, high = model.fitted_range()
            return low + (high - low) * output
        moved = batch["advected_temperature"]
        if batch["temperature"].shape[1] == 1:  # no frame before the last, so the drift must not be known
            return moved + UNDERCOOLING * output
        return moved + batch["temperature_drift"] * (1 + output)

    def limited(self, prediction: Tensor) -> Tensor:
        """As it is."""
        return prediction

    def unit(self, batch: Batch) -> Tensor | None:
        """K in which the loss is, (B, 1, 1, 1): the item's drift, where that is known.

        Otherwise the first frames, where the pool grows, would outweigh all others a hundred times.
        """
        if not self.residual or batch["temperature"].shape[1] == 1:
            return None
        cells = batch["mask"].flatten(1).sum(1).clamp(min=1)
        squares = torch.where(batch["mask"], batch["temperature_drift"].square(), 0).flatten(1).sum(1)
        return per_item((squares / cells).sqrt().clamp(min=SMALLEST_UNIT))

    def terms(self, prediction: Tensor, batch: Batch) -> dict[str, Tensor]:
        """The error in K², whatever the unit of the loss."""
        return {"mse_in_kelvin": masked_mean((prediction - batch["target"]).square(), batch["mask"])}

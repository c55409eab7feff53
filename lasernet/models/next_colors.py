"""The colors of frame t+1, asked of a network: what it is shown, and what its outputs mean."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from lasernet.losses.base import Batch
from lasernet.models.baselines import nearest_in_plane
from lasernet.models.frame_options import CopyFrom
from lasernet.models.melting import TemperatureHistogram, best_threshold
from lasernet.models.scaled_frames import ScaledFrames
from lasernet.physics.solidification import may_freeze, per_item

IPF_CHANNELS = 9


class NextColors:
    """Colors of frame t+1 from the context, and from the temperature of each frame after the one that is shown.

    With ``residual``, the network decides only about cells that may freeze: molten at t, below liquidus
    + 100 K at t+1 (see :func:`frozen_color`). All others are :func:`melt_mask`, bit by bit, with a melting
    threshold fitted on training frames. Without, it regresses every color of every cell.
    """

    channels = 1 + IPF_CHANNELS + 1  # of a frame: its temperature, its colors, the temperature that comes next
    outputs = IPF_CHANNELS
    further_frames = 0
    starts_at_reference = False
    fits: tuple[str, ...] = ("melting",)  # K about liquidus

    def __init__(self, *, residual: bool, copy_from: CopyFrom) -> None:
        self.residual, self.copy_from = residual, copy_from
        self.inputs: tuple[str, ...] = ("nearest_ipf_3d",) if residual and copy_from == "volume" else ()

    def fit(self, batches: Iterable[Batch]) -> dict[str, float]:
        """The melting threshold by least squares."""
        return {"melting": fit_melting(batches)}

    def frames(self, batch: Batch, model: ScaledFrames) -> Tensor:
        """(B, L, 11, H, W) in network units."""
        now = model.scaled_temperature(batch["temperature"], batch)
        future = model.scaled_temperature(batch["future_temperature"], batch)
        coming = torch.cat([now[:, 1:], future[:, None]], dim=1)
        return torch.cat([now, batch["ipf"], coming], dim=2)

    def answer(self, output: Tensor, batch: Batch, model: ScaledFrames) -> Tensor:
        """Nine outputs → colors (B, 9, H, W), not clamped."""
        if not self.residual:
            return output
        free = may_freeze(batch["molten"][:, -1], batch["future_temperature"], batch["liquidus"])
        copied = batch["nearest_ipf_3d"] if self.copy_from == "volume" else nearest_in_plane(batch)[0]
        return torch.where(free, frozen_color(output, copied), melt_mask(batch, model.get_buffer("melting")))

    def limited(self, prediction: Tensor) -> Tensor:
        """Colors in [0, 1]."""
        return prediction.clamp(0, 1)

    def unit(self, batch: Batch) -> Tensor | None:
        """Colors are judged as they are."""
        return None

    def terms(self, prediction: Tensor, batch: Batch) -> dict[str, Tensor]:
        """Nothing more to log."""
        return {}


def fit_melting(batches: Iterable[Batch], *, caution: float = 1.0) -> float:
    """The temperature of frame t+1 from which solid cells are best called molten, K about liquidus, by least squares.

    Args:
        caution: by how much the error of a cell that is called molten counts more than that of one that is kept.
    """
    histogram = TemperatureHistogram(2)
    for batch in batches:
        solid = ~batch["molten"][:, -1] & batch["mask"]
        target, copied = batch["target"], batch["ipf"][:, -1]
        costs = torch.stack([target.square().sum(1), (target - copied).square().sum(1)], -1)
        excess = batch["future_temperature"] - per_item(batch["liquidus"])
        histogram.add(excess[solid], costs[solid[:, 0]])
    return best_threshold(caution * histogram.above()[:, 0] + histogram.below()[:, 1])[1]


def melt_mask(batch: Batch, threshold: Tensor | float = 0.0) -> Tensor:
    """Persistence with the melt mask: frame t, and 0 in cells that are molten or will be too hot to stay solid.

    Args:
        threshold: K about liquidus of T(t+1), from which a solid cell melts.
    """
    return torch.where(stays_solid(batch, threshold), batch["ipf"][:, -1], 0)


def stays_solid(batch: Batch, threshold: Tensor | float = 0.0) -> Tensor:
    """Cells that are not molten at t, and will be colder than the threshold, K about liquidus: (B, 1, H, W) bool."""
    excess = batch["future_temperature"] - per_item(batch["liquidus"])
    return ~batch["molten"][:, -1] & (excess < threshold)


def frozen_color(output: Tensor, copied: Tensor) -> Tensor:
    """What a network's nine outputs say of a cell that may freeze: chance of freezing times corrected copy.

    Their sum is the logit of having frozen; their deviations from their mean correct the copied color. So
    *when* a cell freezes and *which* color it takes are separate decisions, and neither is an average of colors.

    Args:
        output: (B, 9, H, W), unbounded.
        copied: color of the nearest solid cell, (B, 9, H, W).
    """
    chance = torch.sigmoid(output.sum(1, keepdim=True))
    return chance * (copied + output - output.mean(1, keepdim=True))

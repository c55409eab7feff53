"""Spectra as a loss: as much of every wavelength as in the truth, wherever it lies."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from torch import Tensor

from lasernet.losses.base import COLORS, Batch, Loss, widened
from lasernet.physics.solidification import per_item
from lasernet.registry import register_loss

FLOOR = 1e-6  # of the mean power: what is weaker counts as noise
ROUNDING = 1 / (12 * 255**2)  # power of the rounding of colors to 8 bits
TINY = 1e-24  # keeps the logarithm of nothing finite

Compare = Literal["radial", "full"]
Level = Literal["log", "amplitude"]


@register_loss("spectral")
class Spectral(Loss):
    """Difference between the spectra of prediction and truth; sees blur and noise, not places.

    Missing cells and the ends of a window get the truth's mean over valid cells, in both. Waves as weak as the
    rounding of colors, or a thousandth as strong as the mean, count as noise. The spectrum is blind to
    phases: noise of the right spectrum costs nothing, so it is added to a loss that compares cell by cell.
    """

    def __init__(
        self,
        *,
        compare: Annotated[Compare, "mean power by wavelength, or every wave vector by itself"] = "radial",
        level: Annotated[Level, "compare logarithms (relative) or amplitudes (in the field's unit)"] = "log",
    ) -> None:
        super().__init__()
        self.radial, self.log = compare == "radial", level == "log"

    def forward(self, prediction: Tensor, target: Tensor, batch: Batch) -> Tensor:
        mask = batch["mask"]
        cells = mask.flatten(1).sum(1)
        target = widened(torch.where(mask, target, 0))
        mean = target.sum((-2, -1), keepdim=True) / per_item(cells.clamp(min=1))
        images = (torch.where(mask, widened(image) - mean, 0) for image in (prediction, target))
        ours, theirs = (power_spectrum(image).flatten(2) for image in images)
        height, width = target.shape[-2:]
        share = multiplicity(height, width).to(ours).flatten()
        share = share / share.sum()
        floor = FLOOR * ((ours + theirs) * share).sum(-1).mean(1)[:, None, None]
        floor = floor + (ROUNDING if target.shape[1] == COLORS else TINY)
        if self.radial:
            ring = rings(height, width).flatten().to(ours.device)
            ours, theirs = (ring_means(power, share, ring) for power in (ours, theirs))
            share = torch.full_like(ours[0, 0], 1 / ours.shape[-1])
        change = self._level(ours + floor) - self._level(theirs + floor)
        return torch.where(cells > 0, (change.abs() * share).sum(-1).mean(1), 0).mean()

    def _level(self, power: Tensor) -> Tensor:
        return power.log() / 2 if self.log else power.sqrt()


def power_spectrum(image: Tensor) -> Tensor:
    """Squared amplitudes of the waves of an image under a Hann window, (B, C, H, W // 2 + 1).

    Over all waves (:func:`multiplicity`), their mean is the mean square of the image as the window weighs it.
    """
    window = _hann(image.shape[-2], image)[:, None] * _hann(image.shape[-1], image)
    waves = torch.fft.rfft2(image * (window / window.square().mean().sqrt()), norm="ortho")
    power: Tensor = waves.real.square() + waves.imag.square()
    return power


def multiplicity(height: int, width: int) -> Tensor:
    """How many waves each entry of a spectrum of real images stands for: (H, W // 2 + 1), 1 or 2."""
    columns = torch.arange(width // 2 + 1)
    counts: Tensor = torch.where((columns == 0) | (columns * 2 == width), 1, 2)
    return counts.expand(height, -1)


def rings(height: int, width: int) -> Tensor:
    """The ring of each entry of a spectrum, (H, W // 2 + 1): 0 for the mean, then by wavelength, none empty.

    Rings are as wide as one wave over the longer side, so that a wavelength is the same along both axes.
    """
    down, along = torch.fft.fftfreq(height)[:, None], torch.fft.rfftfreq(width)  # waves per cell
    radius = (torch.hypot(down, along) * max(height, width)).round().long()
    ring: Tensor = torch.unique(radius, return_inverse=True)[1]
    return ring


def ring_means(power: Tensor, share: Tensor, ring: Tensor) -> Tensor:
    """Mean power of the waves of each ring: (B, C, K) → (B, C, rings), from the share and the ring of each."""
    size = int(ring.max()) + 1
    total = power.new_zeros(*power.shape[:2], size).index_add(2, ring, power * share)
    return total / share.new_zeros(size).index_add(0, ring, share)


def _hann(size: int, like: Tensor) -> Tensor:
    """Hann's window sampled at cell centers, so that no cell is lost and one cell has weight 1."""
    centers = (torch.arange(size, device=like.device, dtype=like.dtype) + 0.5) / size
    window: Tensor = torch.sin(torch.pi * centers).square()
    return window

"""Whether predicted frames are as sharp as the truth, and whether what is sharp in them is true."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy import fft
from torch import Tensor

from lasernet.data.base import Batch
from lasernet.metrics.regions import ratio
from lasernet.physics.solidification import regions

SHARPNESS_REGIONS = ("all", "active")
MARGIN = 2  # cells around active ones over which an image fades: half the longest wave of the band
LOWEST = 0.25  # waves per cell, half of Nyquist's: waves of the band are at most four cells long
ROUNDING = 1e-12  # of an image's energy: a weaker band holds nothing but the rounding of float32
SUMS = ("pairs", "steps", "true_steps", "energy", "true_energy", "band", "true_band", "common")


class SharpnessScores:
    """How steep predictions are beside the truth, and how much of their fine structure is the truth's.

    With prediction p and truth y, and sums over items and channels:

    - ``gradient_ratio`` = Σ(∂p)² / Σ(∂y)² over pairs of neighboring valid cells, along rows and along columns; in
      ``active``, pairs of which at least one cell is active. 1 means not blurred, less means blurred.
    - ``coherence`` = (Σ P Y*)² / (Σ|P|² Σ|Y|²), with the discrete Fourier transforms P and Y, over the high band: all
      wave vectors (k₁, k₂) with k₁² + k₂² ≥ ¼², the corners included, where k is in waves per *cell* along each axis
      and Nyquist's wave number ½. 1 means the same fine structure, 0 unrelated noise.
    - ``band_ratio`` = Σ|P|² / Σ|Y|² over the same band.

    Read ratios and coherence together. Noise, or a boundary in the wrong place, makes up for what a blur took away
    and brings both ratios back to 1, but lowers the coherence. The coherence in turn does not see a factor, nor
    its sign: it is 1 for 0.1·y, whose ratios are 0.01, and a blur lowers it only as far as it weakens waves unequally.

    Images are transformed whole, as if periodic, after w·(p − m) for p, with m the mean of p weighted by w, by item and
    channel, and the same for y. w is 1 in the region and 0 in missing cells; about the active cells it falls to ⅔ and ⅓
    in the two next rings of cells, and is 0 beyond. A sharp rim of the region would be the same in both images, and
    would make unrelated ones coherent and blurred ones sharp.
    """

    def __init__(self) -> None:
        self._sums = np.zeros((len(SHARPNESS_REGIONS), len(SUMS)))

    @torch.no_grad()
    def update(self, answer: Tensor, batch: Batch) -> None:
        """Take in answers (B, C, H, W), to be compared with ``batch["target"]``."""
        if answer.shape != batch["target"].shape:
            shapes = f"{tuple(answer.shape)} to a target of shape {tuple(batch['target'].shape)}"
            raise ValueError(f"answer of shape {shapes}")
        mask = batch["mask"]
        images = torch.stack([torch.where(mask, image, 0).float() for image in (answer, batch["target"])], dim=1)
        active = regions(batch)["active"]
        self._sums[:, :3] += _steps(images, mask, active)
        rings = [F.max_pool2d(active.float(), 2 * r + 1, stride=1, padding=r) for r in range(MARGIN + 1)]
        faded = torch.where(mask, torch.stack(rings).mean(0), 0)
        for row, weight in zip(self._sums, (mask.float(), faded), strict=True):
            for pair, one in zip(images.numpy(), weight[:, 0].numpy(), strict=True):
                row[3:] += _bands(pair, one)

    def compute(self) -> dict[str, dict[str, float | int | None]]:
        """By region ``gradient_ratio``, ``coherence``, ``band_ratio``, and how many ``pairs``; None if undefined."""
        return {name: _scores(*row.tolist()) for name, row in zip(SHARPNESS_REGIONS, self._sums, strict=True)}


def _scores(
    pairs: float,
    steps: float,
    true_steps: float,
    energy: float,
    true_energy: float,
    band: float,
    true_band: float,
    common: float,
) -> dict[str, float | int | None]:
    band, true_band = (0.0 if b <= ROUNDING * e else b for b, e in ((band, energy), (true_band, true_energy)))
    return {
        "gradient_ratio": ratio(steps, true_steps),
        "coherence": ratio(common**2, band * true_band),
        "band_ratio": ratio(band, true_band),
        "pairs": round(pairs),
    }


def _steps(images: Tensor, mask: Tensor, active: Tensor) -> NDArray[np.float64]:
    """Pairs of cells, and squared steps of p and of y over them, (2 regions, 3).

    Args:
        images: (B, 2, C, H, W), each prediction and its truth.
        mask, active: bool, (B, 1, H, W).
    """
    sums = np.zeros((2, 3))
    for axis in (-2, -1):
        count = images.shape[axis] - 1
        both = mask.narrow(axis, 0, count) & mask.narrow(axis, 1, count)
        some = both & (active.narrow(axis, 0, count) | active.narrow(axis, 1, count))
        squares = images.diff(dim=axis).square_().sum(2)  # (B, 2, H, W)
        for row, chosen in zip(sums, (both, some), strict=True):
            steps = torch.where(chosen, squares, 0).sum((0, 2, 3), dtype=torch.float64)
            row += [int(chosen.sum()), *steps.tolist()]
    return sums


def _bands(pair: NDArray[np.float32], weight: NDArray[np.float32]) -> NDArray[np.float64]:
    """Energies of p and y, those of their high bands, and what the bands have in common, (5,).

    Args:
        pair: p and y, (2, C, H, W), 0 in missing cells.
        weight: (H, W), in [0, 1].
    """
    if not weight.any():
        return np.zeros(5)
    shape, box = weight.shape, tuple(slice(places.min(), places.max() + 1) for places in np.nonzero(weight))
    pair, weight = pair[:, :, *box], weight[box]  # a place changes no product P Y*; zeros outside are filled in again
    images = pair * weight
    energies = [_product(image, image) for image in images]
    images -= images.sum((2, 3), keepdims=True) / weight.sum() * weight
    waves = fft.rfft2(images, shape, norm="ortho")
    waves *= _band(*shape)
    predicted, true = waves.view(np.float32)
    common = ((predicted, predicted), (true, true), (predicted, true))
    return np.array([*energies, *(_product(first, second) for first, second in common)])


def _product(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    return float(np.vecdot(first, second).sum(dtype=np.float64))  # by rows, the same with any number of threads


@lru_cache(maxsize=8)
def _band(height: int, width: int) -> NDArray[np.float32]:
    """Root of how many waves of the high band each entry of a real image's spectrum stands for, (H, W // 2 + 1)."""
    columns = np.arange(width // 2 + 1)
    counts = np.where((columns == 0) | (2 * columns == width), 1, 2)
    radius = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width))
    band: NDArray[np.float32] = np.where(radius >= LOWEST * (1 - 1e-9), np.sqrt(counts), 0).astype(np.float32)
    return band

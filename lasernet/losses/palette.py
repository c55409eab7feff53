"""Colors that exist: frozen cells should take a color that the slice already had."""

from __future__ import annotations

import torch
from torch import Tensor

from lasernet.losses.base import Batch, Loss, full_precision, masked_mean, require_colors, require_field, widened
from lasernet.registry import register_loss

MOST_DISTANCES = 1 << 22  # held at once: 16 MiB


@register_loss("palette")
class Palette(Loss):
    """Distance of predicted colors to the nearest color of the last known frame, over cells that are solid.

    A grain that freezes nearly always continues one that is there; a mean of two grains is the color of none. The
    distance is the root mean square over channels; it does not say which grain is right, so it is added to a loss
    that does. Items without a solid cell in their last known frame count as 0.
    """

    def forward(self, prediction: Tensor, target: Tensor, batch: Batch) -> Tensor:
        require_colors("palette", prediction)
        molten, valid = (require_field("palette", batch, name)[:, -1] for name in ("molten", "valid"))
        known = valid & ~molten
        cells = batch["mask"] & ~require_field("palette", batch, "target_molten")
        cells = cells & known.flatten(1).any(1)[:, None, None, None]
        prediction = widened(torch.where(cells, prediction, 0))
        frame = require_field("palette", batch, "ipf")[:, -1]
        nearest = _nearest_colors(prediction.detach(), cells, frame.to(prediction.dtype), known)
        away = torch.where(cells, prediction - nearest, 0)
        distance = torch.linalg.vector_norm(away, dim=1, keepdim=True) / away.shape[1] ** 0.5
        return masked_mean(distance, cells)


@torch.no_grad()
def _nearest_colors(prediction: Tensor, cells: Tensor, frame: Tensor, known: Tensor) -> Tensor:
    """The known color nearest to each cell's prediction, (B, C, H, W); 0 in other cells."""
    answer = torch.zeros_like(prediction)
    for item in range(len(prediction)):
        wanted = prediction[item][:, cells[item, 0]].T  # (N, C)
        if len(wanted):
            palette = torch.unique(frame[item][:, known[item, 0]].T, dim=0)  # (P, C)
            answer[item][:, cells[item, 0]] = palette[nearest_rows(wanted, palette)].T
    return answer


def nearest_rows(colors: Tensor, palette: Tensor) -> Tensor:
    """Which row of the palette (P, C) is nearest to each of (N, C) colors, in bounded memory."""
    half = palette.square().sum(1) / 2
    rows = max(1, MOST_DISTANCES // len(palette))
    with full_precision(colors):
        parts = [(part @ palette.T - half).argmax(1) for part in torch.split(colors, rows)]
    return torch.cat(parts)

"""What may be asked of a run's velocities or pressures beside the plain answer, never while it learns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import torch
from torch import Tensor

from lasernet.data.base import Batch
from lasernet.errors import OptionError
from lasernet.nn.projection import project as nearest_flow
from lasernet.nn.stencils import places as open_places
from lasernet.nn.windows import in_windows, places


class FlowAnswers:
    """Slices answered window by window; velocities as the nearest ones that conserve mass.

    Windows see their part of the geometry alone, as if it were driven by the gradient of the whole. What flows through
    windows one after the other must be the same flux, so each cross-section's velocity is then scaled to the one that
    the gradient of the whole can drive: the harmonic mean over x of the fluxes (resistances in a row add up). Pressures
    of windows are shifted to agree where they overlap.

    Raises:
        OptionError: where nothing is asked, or sizes do not fit.
    """

    def __init__(
        self,
        *,
        project: Annotated[bool, "take the nearest velocity that conserves mass and rests on walls"] = False,
        window: Annotated[int | None, "answer slices in windows of so many cells"] = None,
        overlap: Annotated[int | None, "cells that neighboring windows share; left out: half a window"] = None,
    ) -> None:
        if window is None and overlap is not None:
            raise OptionError(f"--overlap {overlap} has no effect without --window; add --window, as --window 64")
        if not project and window is None:
            raise OptionError("nothing is asked of the answers; expected --project or --window")
        shared = (window or 0) // 2 if overlap is None else overlap
        if window is not None and not (window >= 8 and 0 <= shared < window):
            raise OptionError(f"--window {window} --overlap {shared}: expected 8 or more cells, and fewer shared ones")
        self.project, self.window, self.overlap = project, window, shared

    def __call__(self, ask: Callable[[Batch], Tensor], batch: Batch) -> Tensor:
        """Another answer of the same shape and unit, projected ones in double precision.

        Raises:
            OptionError: for a projection of pressures, or of velocities in the centers of cells.
        """
        answer = ask(batch) if self.window is None else self._in_windows(ask, batch)
        if not self.project:
            return answer
        if answer.shape[1] == 1:
            raise OptionError("--project is of velocities, this run predicts pressures; leave it out")
        if not bool(batch["faces"].all()):
            raise OptionError(
                "--project needs velocities on faces of a periodic block, these are in the centers of cells; "
                "leave it out for imported flows"
            )
        return nearest_flow(answer.double(), batch["mask"], batch["spacing"].to(torch.float64))

    def describe(self) -> dict[str, float]:
        """The options, for results and provenance."""
        asked: dict[str, float] = {"project": True} if self.project else {}
        return asked if self.window is None else {**asked, "window": self.window, "overlap": self.overlap}

    def _in_windows(self, ask: Callable[[Batch], Tensor], batch: Batch) -> Tensor:
        assert self.window is not None
        rows, columns = batch["mask"].shape[-2:]
        if max(rows, columns) <= self.window:
            return ask(batch)
        alone = torch.zeros_like(batch["faces"])  # a window does not go on at its other end
        parts = {**batch, "faces": alone}
        if batch["target"].shape[1] == 1:
            return _level(ask, parts, self.window, self.overlap)
        blended = in_windows(ask, parts, self.window, self.overlap)
        return one_flux(torch.where(open_places(batch["mask"], batch["faces"]), blended, 0))


def one_flux(velocity: Tensor) -> Tensor:
    """Cross-sections scaled to the flux that one gradient drives through all of them in a row, (B, 3, Z, Y, X).

    A block in which some section lets nothing through, or carries fluid backward, stays as it is.
    """
    flux = velocity[:, :1].sum((2, 3), keepdim=True)  # (B, 1, 1, 1, X)
    passable = (flux > 0).all(dim=-1, keepdim=True)
    safe = torch.where(passable, flux, 1)
    whole = 1 / (1 / safe).mean(dim=-1, keepdim=True)
    return velocity * whole / safe


def _level(ask: Callable[[Batch], Tensor], batch: Batch, window: int, overlap: int) -> Tensor:
    """Pressures of windows, each shifted to agree with those before it where they overlap; 0 on average in the end."""
    rows, columns = batch["mask"].shape[-2:]
    known = torch.zeros_like(batch["mask"])
    field = torch.zeros_like(batch["mask"], dtype=torch.float32)
    spots = iter(places(rows, columns, window, overlap))

    def shifted(part: Batch) -> Tensor:
        high, wide = next(spots)
        answer = ask(part).float()
        shared = known[..., high, wide] & part["mask"]
        count = shared.sum((-1, -2), keepdim=True)
        gap = torch.where(shared, field[..., high, wide] - answer, 0).sum((-1, -2), keepdim=True) / count.clamp_min(1)
        answer = answer + gap
        field[..., high, wide] = torch.where(known[..., high, wide], field[..., high, wide], answer)
        known[..., high, wide] = True
        return answer

    blended = in_windows(shifted, batch, window, overlap)
    mask = batch["mask"]
    mean = torch.where(mask, blended, 0).sum((-1, -2), keepdim=True) / mask.sum((-1, -2), keepdim=True).clamp_min(1)
    return torch.where(mask, blended - mean, 0)

"""What may be done to predicted frames after the model has answered, never while it learns."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated

from torch import Tensor

from lasernet.data.base import Batch
from lasernet.errors import OptionError
from lasernet.nn.unsharp import unsharp as sharpen

COLORS = 9


class FrameSharpening:
    """An unsharp mask on predicted colors or temperatures.

    Cells that are missing or, of colors, predicted as molten (all channels 0) neither contribute nor change. Colors
    are cut to [0, 1], temperatures at 0 K.

    Raises:
        OptionError: for values that sharpen nothing.
    """

    def __init__(
        self,
        *,
        unsharp: Annotated[float | None, "how much of what a Gaussian blurs away is added"] = None,
        unsharp_radius: Annotated[float, "standard deviation of that Gaussian, in cells"] = 1.0,
    ) -> None:
        if unsharp is None:
            raise OptionError(f"--unsharp-radius {unsharp_radius} has no effect without --unsharp; add --unsharp 0.5")
        for name, value in (("unsharp", unsharp), ("unsharp-radius", unsharp_radius)):
            if not 0 < value < math.inf:
                raise OptionError(f"--{name} {value}: expected a number above 0, as 0.5")
        self.amount, self.radius = unsharp, unsharp_radius

    def __call__(self, ask: Callable[[Batch], Tensor], batch: Batch) -> Tensor:
        """A sharpened answer (B, C, H, W), in its unit."""
        answer = ask(batch)
        colors = answer.shape[1] == COLORS
        keep = batch["mask"]
        if colors:
            keep = keep & (answer != 0).any(dim=1, keepdim=True)
        sharp = sharpen(answer.float(), keep, amount=self.amount, radius=self.radius)
        return sharp.clamp(0, 1 if colors else None).where(keep, answer.float())

    def describe(self) -> dict[str, float]:
        """The options, for results and provenance."""
        return {"unsharp": self.amount, "unsharp_radius": self.radius}

"""What networks of frames share: the scale of temperatures, and a record of what their blocks answer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar

import torch
from torch import Tensor, nn

from lasernet.losses.base import Batch
from lasernet.models.base import Model
from lasernet.models.baselines import require_fit
from lasernet.models.frame_options import TemperatureScale
from lasernet.models.melting import FIT_ITEMS

UNDERCOOLING = 100.0  # K, where asinh turns from linear to logarithmic


class ScaledFrames(Model):
    """What networks of frames share: the scale of temperatures, and a record of what their blocks answer."""

    fit_items: ClassVar[int | None] = FIT_ITEMS
    low: Tensor
    high: Tensor

    def __init__(self, temperature_scale: TemperatureScale) -> None:
        super().__init__()
        self.temperature_scale = temperature_scale
        self.register_buffer("low", torch.tensor(float("nan")))  # K
        self.register_buffer("high", torch.tensor(float("nan")))

    def fit_range(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """The same batches; with the last one, the range of the temperatures of their valid cells is known."""
        low, high = float("inf"), float("-inf")
        for batch in batches:
            seen = torch.cat([batch["temperature"][batch["valid"]], batch["future_temperature"][batch["mask"]]])
            if seen.numel():
                low, high = min(low, float(seen.min())), max(high, float(seen.max()))
            yield batch
        if low < float("inf"):
            self.low.fill_(low)
            self.high.fill_(max(high, low + 1.0))  # a uniform temperature has no range

    def fitted_range(self) -> tuple[Tensor, Tensor]:
        """The lowest and the highest temperature of training, K.

        Raises:
            RunError: if it was never fitted.
        """
        require_fit(self, torch.stack([self.low, self.high]))
        return self.low, self.high

    def scaled_temperature(self, temperature: Tensor, batch: Batch) -> Tensor:
        """Network units: asinh((T − liquidus) / 100 K), or linear in the fitted range. Neither is clamped."""
        if self.temperature_scale == "range":
            low, high = self.fitted_range()
            return (temperature - low) / (high - low)
        liquidus = batch["liquidus"].reshape(-1, *[1] * (temperature.ndim - 1))
        return torch.asinh((temperature - liquidus) / UNDERCOOLING)

    def recorded_blocks(self) -> dict[str, nn.Module]:
        """The blocks that tell something, by name and in the order of the computation.

        Those whose names begin with ``context`` answer all context frames of the batch at once.
        """
        raise NotImplementedError

    @torch.no_grad()
    def record_activations(self, batch: Batch) -> dict[str, Tensor]:
        """Each block's output for the last context frame, (B, C, h, w), in the order of the computation.

        A vector is an image of one cell.
        """
        items = len(batch["liquidus"])
        blocks = self.recorded_blocks()
        recorded: dict[str, Tensor] = {}

        def keep(name: str, output: Tensor | tuple[Tensor, ...]) -> None:
            image = output[0] if isinstance(output, tuple) else output
            if image.ndim == 2:
                image = image[..., None, None]
            if name.startswith("context"):
                image = image.reshape(items, -1, *image.shape[-3:])[:, -1]
            recorded[name] = image.detach().clone()

        handles = [
            block.register_forward_hook(lambda _module, _inputs, output, name=name: keep(name, output))
            for name, block in blocks.items()
        ]
        training = self.training
        try:
            self.eval()
            self(batch)
        finally:
            self.train(training)
            for handle in handles:
                handle.remove()
        return {name: recorded[name] for name in blocks}


def numbered(name: str, blocks: nn.ModuleList) -> dict[str, nn.Module]:
    """Blocks under names such as ``decoder.1``."""
    return {f"{name}.{index}": block for index, block in enumerate(blocks, start=1)}

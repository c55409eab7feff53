"""What the recurrent frame predictors share: encoders, decoder, scaling, and the melt mask they never leave."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from lasernet.errors import OptionError
from lasernet.losses.base import Batch
from lasernet.models.base import Model
from lasernet.models.baselines import nearest_in_plane, require_fit
from lasernet.models.melting import FIT_ITEMS, TemperatureHistogram, best_threshold
from lasernet.nn.blocks import Norm, crop, pad_to_multiple
from lasernet.nn.convlstm import at_least_float32
from lasernet.nn.encoder_decoder import Decoder, Encoder
from lasernet.physics.solidification import may_freeze, per_item

TemperatureScale = Literal["undercooling", "range"]
CopyFrom = Literal["slice", "volume"]
IPF_CHANNELS = 9
UNDERCOOLING = 100.0  # K, where asinh turns from linear to logarithmic

PAPER: dict[str, object] = {
    "epochs": 200,
    "batch_size": 16,
    "lr": 1e-3,
    "clip": 1.0,
    "early_stopping": 25,
    "schedule": "none",
    "optimizer": "adam",
    "warmup_steps": 0,
}


def check_sizes(*, rnn_layers: int, hidden: int, channels: tuple[int, ...]) -> None:
    """Refuse sizes of which no network can be built.

    Raises:
        OptionError: if a size is below 1, or no width is given.
    """
    if rnn_layers < 1:
        raise OptionError(f"--rnn-layers {rnn_layers}: expected at least 1")
    if hidden < 1:
        raise OptionError(f"--hidden {hidden}: expected at least 1")
    if not channels or min(channels) < 1:
        raise OptionError(f"--channels {','.join(map(str, channels))}: expected widths of at least 1, as in 16,32,64")


def check_dropout(dropout: float) -> None:
    """Refuse a share that leaves nothing.

    Raises:
        OptionError: if it is below 0, or 1 or more.
    """
    if not 0 <= dropout < 1:
        raise OptionError(f"--dropout {dropout}: expected a share in [0, 1)")


def melt_mask(batch: Batch, threshold: Tensor | float = 0.0) -> Tensor:
    """Persistence with the melt mask: frame t, and 0 in cells that are molten or will be too hot to stay solid.

    Args:
        threshold: K about liquidus of T(t+1), from which a solid cell melts.
    """
    excess = batch["future_temperature"] - per_item(batch["liquidus"])
    stays = ~batch["molten"][:, -1] & (excess < threshold)
    return torch.where(stays, batch["ipf"][:, -1], 0)


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

    def scaled_temperature(self, temperature: Tensor, batch: Batch) -> Tensor:
        """Network units: asinh((T − liquidus) / 100 K), or linear in the fitted range. Neither is clamped."""
        if self.temperature_scale == "range":
            require_fit(self, torch.stack([self.low, self.high]))
            return (temperature - self.low) / (self.high - self.low)
        liquidus = batch["liquidus"].reshape(-1, *[1] * (temperature.ndim - 1))
        return torch.asinh((temperature - liquidus) / UNDERCOOLING)

    def recorded_blocks(self) -> dict[str, nn.Module]:
        """The blocks that tell something, by name and in the order of the computation.

        Those whose names begin with ``context`` answer all context frames of the batch at once.
        """
        raise NotImplementedError

    @torch.no_grad()
    def record_activations(self, batch: Batch) -> dict[str, Tensor]:
        """Each block's output for the last context frame, (B, C, h, w), in the order of the computation."""
        items = len(batch["liquidus"])
        blocks = self.recorded_blocks()
        recorded: dict[str, Tensor] = {}

        def keep(name: str, output: Tensor | tuple[Tensor, ...]) -> None:
            image = output[0] if isinstance(output, tuple) else output
            if name.startswith("context"):
                image = image.reshape(items, -1, *image.shape[1:])[:, -1]
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


class FrameNetwork(ScaledFrames):
    """Encoders of the context frames and of the future temperature, a recurrent core and a decoder.

    Images of any size of at least 8 x 8 cells (for three widths) are padded to whole pooling windows by
    repeating their last row and column, and cut back, so that every cell of the answer lies on its cell of the input.

    With ``residual``, the network decides only about cells that may freeze: molten at t, below liquidus
    + 100 K at t+1 (see :func:`frozen_color`). All others are :func:`melt_mask`, bit by bit, with a melting
    threshold fitted on training frames. Without, it regresses every color of every cell.

    Args:
        core: turns the context's coarse features (B, L, C, h, w) into a state (B, hidden, h, w).
    """

    presets: ClassVar[dict[str, dict[str, object]]] = {"paper": PAPER}
    melting: Tensor

    def __init__(
        self,
        core: nn.Module,
        *,
        hidden: int,
        channels: tuple[int, ...],
        skips: bool,
        norm: Norm,
        residual: bool,
        copy_from: CopyFrom,
        temperature_scale: TemperatureScale,
        dropout: float,
    ) -> None:
        super().__init__(temperature_scale)
        check_dropout(dropout)
        self.residual, self.copy_from = residual, copy_from
        self.inputs = ("nearest_ipf_3d",) if residual and copy_from == "volume" else ()
        self.core = core
        self.context_encoder = Encoder(1 + IPF_CHANNELS, channels, norm)
        self.future_encoder = Encoder(1, channels, norm)
        self.decoder = Decoder(hidden + channels[-1], channels, IPF_CHANNELS, skips=skips, norm=norm, dropout=dropout)
        self.multiple = 2 ** len(channels)
        self.register_buffer("melting", torch.tensor(0.0))  # K about liquidus

    @torch.no_grad()
    def fit(self, batches: Iterable[Batch]) -> None:
        """The melting threshold by least squares, and the range of temperatures of valid cells, in one pass."""
        histogram = TemperatureHistogram(2)
        for batch in self.fit_range(batches):
            solid = ~batch["molten"][:, -1] & batch["mask"]
            target, copied = batch["target"], batch["ipf"][:, -1]
            costs = torch.stack([target.square().sum(1), (target - copied).square().sum(1)], -1)
            excess = batch["future_temperature"] - per_item(batch["liquidus"])
            histogram.add(excess[solid], costs[solid[:, 0]])
        _, threshold = best_threshold(histogram.above()[:, 0] + histogram.below()[:, 1])
        self.melting.fill_(threshold)

    def forward(self, batch: Batch) -> Tensor:
        return self.answer(batch)[0]

    def answer(self, batch: Batch) -> tuple[Tensor, Tensor | None]:
        """The colors of frame t+1, not clamped, and the core's own loss where it has one."""
        temperature = self.scaled_temperature(batch["temperature"], batch)
        future, size = pad_to_multiple(self.scaled_temperature(batch["future_temperature"], batch), self.multiple)
        context = torch.cat([temperature, batch["ipf"]], dim=2)  # (B, L, 10, H, W)
        items, steps = context.shape[:2]
        frames, _ = pad_to_multiple(context.flatten(0, 1), self.multiple)
        seen = self.context_encoder(frames.contiguous(memory_format=torch.channels_last))
        known = self.future_encoder(future.contiguous(memory_format=torch.channels_last))
        state, extra = self.remember(seen[-1].unflatten(0, (items, steps)))
        last = [features.unflatten(0, (items, steps))[:, -1] for features in seen]
        output = self.decoder(torch.cat([state.to(known[-1].dtype), known[-1]], dim=1), last, known)
        output = at_least_float32(crop(output, size))
        if not self.residual:
            return output, extra
        free = may_freeze(batch["molten"][:, -1], batch["future_temperature"], batch["liquidus"])
        copied = batch["nearest_ipf_3d"] if self.copy_from == "volume" else nearest_in_plane(batch)[0]
        return torch.where(free, frozen_color(output, copied), melt_mask(batch, self.melting)), extra

    def remember(self, frames: Tensor) -> tuple[Tensor, Tensor | None]:
        """Run the core over the context's coarse features; a core with a loss of its own overrides this."""
        state: Tensor = self.core(frames)
        return state, None

    def predict(self, batch: Batch) -> Tensor:
        prediction: Tensor = self(batch)
        return prediction.clamp(0, 1)

    def recorded_blocks(self) -> dict[str, nn.Module]:
        blocks: dict[str, nn.Module] = {}
        for name, part in (("context", self.context_encoder.blocks), ("future", self.future_encoder.blocks)):
            blocks |= {f"{name}.{index + 1}": block for index, block in enumerate(part)}
        blocks |= {f"memory.{index + 1}": layer for index, layer in enumerate(self.core_layers())}
        return blocks | {f"decoder.{index + 1}": block for index, block in enumerate(self.decoder.blocks)}

    def core_layers(self) -> Iterable[nn.Module]:
        """The recurrent layers, bottom first; each answers h, or a tuple that starts with it."""
        layers = self.core.layers
        assert isinstance(layers, nn.ModuleList)
        return layers

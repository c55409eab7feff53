"""TempNet: a recurrent U-Net for the temperature of the next frame."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Annotated, ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lasernet.losses.base import Batch, Criterion, masked_mean
from lasernet.metrics.image import mean_gradient
from lasernet.models.base import Terms
from lasernet.models.baselines import require_fit
from lasernet.models.frame_network import PAPER, UNDERCOOLING, ScaledFrames, check_dropout, check_sizes
from lasernet.nn.blocks import conv_block, crop, pad_to_multiple
from lasernet.nn.convlstm import ConvLSTM, at_least_float32
from lasernet.nn.encoder_decoder import Encoder
from lasernet.physics.solidification import per_item
from lasernet.registry import register_model

SMALLEST_UNIT = 1.0  # K, of the loss: a drift below it is noise


@register_model("tempnet")
class TempNet(ScaledFrames):
    """Recurrent U-Net for the temperature: convolutional LSTM between an encoder of frames and a decoder.

    775,425 parameters; 480,257 with one layer; 1,743,745 with ``--preset wider``. Images of any size are padded
    to whole pooling windows by repeating their last row and column, and cut back, so that every cell of the
    answer lies on its cell of the input.

    With ``residual``, the reference is the last frame moved with the scan, plus the drift: what moving the frame
    before it has missed of the last one. The drift is large where the pool still grows and where cold ground
    enters, and stays nearly the same from frame to frame. The network reads the moved frame as one more of the
    sequence and answers by which share the drift will change; at the start, by none. So its errors shrink with
    the drift as the pool becomes steady, on any track; the loss is in units of the drift as well. Without, it
    regresses the temperature, linear in the range of training, and the loss is in K². It never sees the future
    temperature, and nothing is clamped.
    """

    tasks = ("temperature",)
    defaults: ClassVar[dict[str, object]] = {"epochs": 20, "lr": 1e-3, "warmup_steps": 20}
    presets: ClassVar[dict[str, dict[str, object]]] = {
        "wider": {"channels": (24, 48, 96, 96), "hidden": 96},
        "paper": {
            **PAPER,
            "lr": 5e-4,
            "early_stopping": 0,
            "seq_length": 2,
            "split_ratio": "10,8,6",
            "norm": "batch",
            "residual": False,
            "temperature_scale": "range",
        },
    }

    def __init__(
        self,
        *,
        rnn_layers: Annotated[int, "ConvLSTM layers"] = 2,
        hidden: Annotated[int, "channels of the ConvLSTM"] = 64,
        channels: Annotated[tuple[int, ...], "widths of the encoder, fine to coarse"] = (16, 32, 64, 64),
        norm: Annotated[Literal["group", "batch"], "normalize each item by itself, or the batch"] = "group",
        residual: Annotated[bool, "correct the frame moved with the scan; else regress the temperature"] = True,
        temperature_scale: Annotated[
            Literal["undercooling", "range"], "asinh about liquidus, or linear in the range of training"
        ] = "undercooling",
        dropout: Annotated[float, "share of the ConvLSTM's channels set to 0 in training"] = 0.0,
    ) -> None:
        super().__init__(temperature_scale)
        check_sizes(rnn_layers=rnn_layers, hidden=hidden, channels=channels)
        check_dropout(dropout)
        self.residual = residual
        self.inputs = ("advected_temperature", "temperature_drift") if residual else ()
        self.encoder = Encoder(1, channels, norm)
        self.core = ConvLSTM(channels[-1], hidden, rnn_layers)
        self.dropout = nn.Dropout2d(dropout)
        widths = [hidden, *reversed([channels[0], *channels[:-1]])]  # of the state, and of each block's answer
        self.decoder = nn.ModuleList(
            conv_block(below + skip, width, norm)
            for (below, width), skip in zip(pairwise(widths), reversed(channels), strict=True)
        )
        self.head = nn.Conv2d(channels[0], 1, 1)
        if residual:
            nn.init.zeros_(self.head.weight)
            assert self.head.bias is not None
            nn.init.zeros_(self.head.bias)
        self.multiple = 2 ** len(channels)

    @torch.no_grad()
    def fit(self, batches: Iterable[Batch]) -> None:
        """The range of temperatures of valid cells."""
        for _ in self.fit_range(batches):
            pass

    def forward(self, batch: Batch) -> Tensor:
        frames = batch["temperature"]  # (B, L, 1, H, W)
        if not self.residual:
            require_fit(self, torch.stack([self.low, self.high]))
            return self.low + (self.high - self.low) * self.answer(frames, batch)
        moved, drift = batch["advected_temperature"], batch["temperature_drift"]
        change = self.answer(torch.cat([frames, moved[:, None]], dim=1), batch)
        if frames.shape[1] == 1:  # no frame before the last, so the drift must not be known
            return moved + UNDERCOOLING * change
        return moved + drift * (1 + change)

    def loss(self, batch: Batch, criterion: Criterion | None) -> tuple[Tensor, Terms]:
        """The criterion, with ``residual`` on temperatures in units of the item's drift; the log has the MSE in K² too.

        Otherwise the first frames, where the pool grows, would outweigh all others a hundred times.
        """
        assert criterion is not None
        prediction, target = self(batch), batch["target"]
        unit = prediction.new_ones(())
        if self.residual and batch["temperature"].shape[1] > 1:
            cells = batch["mask"].flatten(1).sum(1).clamp(min=1)
            squares = torch.where(batch["mask"], batch["temperature_drift"].square(), 0).flatten(1).sum(1)
            unit = per_item((squares / cells).sqrt().clamp(min=SMALLEST_UNIT))
        total, terms = criterion(prediction / unit, target / unit, batch)
        terms["mse_in_kelvin"] = masked_mean((prediction.detach() - target).square(), batch["mask"])
        terms["gradient_prediction"] = mean_gradient(prediction.detach(), batch["mask"])
        terms["gradient_target"] = mean_gradient(target, batch["mask"])
        return total, terms

    def answer(self, frames: Tensor, batch: Batch) -> Tensor:
        """The network alone: frames in K (B, L, 1, H, W) → (B, 1, H, W), unbounded."""
        items = len(frames)
        x, size = pad_to_multiple(self.scaled_temperature(frames, batch).flatten(0, 1), self.multiple)
        skips: list[Tensor] = []
        for block in self.encoder.blocks:
            x = block(x)
            skips.append(by_frame(x, items)[:, -1])
            x = F.max_pool2d(x, 2)
        state: Tensor = self.dropout(self.core(by_frame(x, items)))
        x = state.to(x.dtype)
        for block, skip in zip(self.decoder, reversed(skips), strict=True):
            x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
            x = block(torch.cat([x, skip], dim=1))
        return at_least_float32(crop(self.head(x), size))

    def recorded_blocks(self) -> dict[str, nn.Module]:
        blocks: dict[str, nn.Module] = {}
        for name, part in (("context", self.encoder.blocks), ("memory", self.core.layers), ("decoder", self.decoder)):
            blocks |= {f"{name}.{index + 1}": block for index, block in enumerate(part)}
        return blocks


def by_frame(images: Tensor, items: int) -> Tensor:
    """Features of all frames of a batch (B·L, C, h, w) → (B, L, C, h, w)."""
    return images.reshape(items, -1, *images.shape[1:])

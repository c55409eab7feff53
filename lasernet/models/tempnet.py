"""TempNet: a recurrent U-Net for the temperature of the next frame."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lasernet.models.base import Terms
from lasernet.models.frame_options import PAPER, NormOption, Residual, ScaleOption, check_dropout, check_sizes
from lasernet.models.frame_predictor import FramePredictor
from lasernet.models.published import TEMPNET
from lasernet.models.scaled_frames import numbered
from lasernet.nn.blocks import conv_block, crop, pad_to_multiple
from lasernet.nn.convlstm import ConvLSTM
from lasernet.nn.encoder_decoder import Encoder
from lasernet.registry import register_model


@register_model("tempnet")
class TempNet(FramePredictor):
    """Recurrent U-Net for the temperature: convolutional LSTM between an encoder of frames and a decoder.

    775,425 parameters; 480,257 with one layer; 1,743,745 with ``--preset wider``. Images of any size are padded
    to whole pooling windows by repeating their last row and column, and cut back, so that every cell of the
    answer lies on its cell of the input.

    With ``residual``, the reference is the last frame moved with the scan, plus the drift: what moving the frame
    before it has missed of the last one. The network answers by which share the drift will change, so that its
    errors shrink with the drift as the pool becomes steady, on any track; the loss is in units of the drift as
    well. Without, it regresses the temperature, linear in the range of training, and the loss is in K². It never
    sees the future temperature, and nothing is clamped.
    """

    tasks = ("temperature",)
    defaults: ClassVar[dict[str, object]] = {"epochs": 20, "lr": 1e-3, "warmup_steps": 20}
    presets: ClassVar[dict[str, dict[str, object]]] = {
        "wider": {"channels": (24, 48, 96, 96), "hidden": 96},
        **TEMPNET,
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
        norm: NormOption = "group",
        residual: Residual = True,
        temperature_scale: ScaleOption = "undercooling",
        dropout: Annotated[float, "share of the ConvLSTM's channels set to 0 in training"] = 0.0,
    ) -> None:
        super().__init__(task="temperature", residual=residual, temperature_scale=temperature_scale)
        check_sizes(rnn_layers=rnn_layers, hidden=hidden, channels=channels)
        check_dropout(dropout)
        self.encoder = Encoder(1, channels, norm)
        self.core = ConvLSTM(channels[-1], hidden, rnn_layers)
        self.dropout = nn.Dropout2d(dropout)
        widths = [hidden, *reversed([channels[0], *channels[:-1]])]  # of the state, and of each block's answer
        self.decoder = nn.ModuleList(
            conv_block(below + skip, width, norm)
            for (below, width), skip in zip(pairwise(widths), reversed(channels), strict=True)
        )
        self.head = nn.Conv2d(channels[0], 1, 1)
        self.start_at_reference(self.head)
        self.multiple = 2 ** len(channels)

    def network(self, frames: Tensor) -> tuple[Tensor, Terms]:
        items = len(frames)
        x, size = pad_to_multiple(frames.flatten(0, 1), self.multiple)
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
        return crop(self.head(x), size), {}

    def recorded_blocks(self) -> dict[str, nn.Module]:
        parts = (("context", self.encoder.blocks), ("memory", self.core.layers), ("decoder", self.decoder))
        return {name: block for part, blocks in parts for name, block in numbered(part, blocks).items()}


def by_frame(images: Tensor, items: int) -> Tensor:
    """Features of all frames of a batch (B·L, C, h, w) → (B, L, C, h, w)."""
    return images.reshape(items, -1, *images.shape[1:])

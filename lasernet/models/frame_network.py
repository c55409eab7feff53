"""Encoder, core and decoder: the network of CNN-LSTM, PredRNN and their relatives."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from lasernet.losses.base import Batch
from lasernet.models.auxiliary import AuxiliaryHead
from lasernet.models.base import Terms
from lasernet.models.frame_options import CopyFrom, Design, TemperatureScale, check_dropout, check_weight
from lasernet.models.frame_predictor import FramePredictor
from lasernet.models.scaled_frames import numbered
from lasernet.nn.blocks import Norm, crop, pad_to_multiple
from lasernet.nn.encoder_decoder import Decoder, Encoder
from lasernet.nn.residual_unet import ResidualDecoder, ResidualEncoder
from lasernet.nn.transformer import SpatialTransformer, TemporalAttention


class FrameNetwork(FramePredictor):
    """An encoder of frames, a core that makes one state of all of them, and a decoder.

    In the design ``micronet``, the coming temperature has an encoder of its own; in ``deep``, one encoder of
    residual blocks reads it as a channel of every frame. Images of any size of at least 8 x 8 cells (for three
    widths) are padded to whole pooling windows by repeating their last row and column, and cut back, so that
    every cell of the answer lies on its cell of the input.

    Args:
        core: turns the context's coarse features (B, L, C, h, w) into a state (B, hidden, h, w).
        temporal_attention, transformer: layers of attention before and after the core.
        auxiliary: weight of the losses of :class:`lasernet.models.auxiliary.AuxiliaryHead`.
    """

    only_learns = ("auxiliary",)

    def __init__(
        self,
        core: nn.Module,
        *,
        task: str,
        design: Design,
        hidden: int,
        channels: tuple[int, ...],
        skips: bool,
        norm: Norm,
        residual: bool,
        copy_from: CopyFrom,
        temperature_scale: TemperatureScale,
        dropout: float,
        temporal_attention: int = 0,
        transformer: int = 0,
        auxiliary: float = 0.0,
    ) -> None:
        super().__init__(task=task, residual=residual, copy_from=copy_from, temperature_scale=temperature_scale)
        check_dropout(dropout)
        check_weight("auxiliary", auxiliary)
        check_weight("temporal_attention", temporal_attention)
        check_weight("transformer", transformer)
        self.core = core
        self.multiple = 2 ** len(channels)
        inputs, outputs = self.question.channels, self.question.outputs
        self.context_encoder: Encoder | ResidualEncoder
        self.future_encoder: Encoder | None = None
        self.decoder: Decoder | ResidualDecoder
        if design == "micronet":
            self.context_encoder = Encoder(inputs - 1, channels, norm)
            self.future_encoder = Encoder(1, channels, norm)
            self.decoder = Decoder(hidden + channels[-1], channels, outputs, skips=skips, norm=norm, dropout=dropout)
        else:
            self.context_encoder = ResidualEncoder(inputs, channels, norm, dropout)
            self.decoder = ResidualDecoder(hidden, channels, outputs, skips=skips, norm=norm, dropout=dropout)
            self.start_at_reference(self.decoder.head[-1])
        self.temporal = TemporalAttention(channels[-1], temporal_attention) if temporal_attention else None
        self.transformer = SpatialTransformer(hidden, transformer) if transformer else None
        self.auxiliary_weight = auxiliary
        self.auxiliary = AuxiliaryHead(self.decoder.width) if auxiliary else None

    def network(self, frames: Tensor) -> tuple[Tensor, Terms]:
        items, steps, size = *frames.shape[:2], (frames.shape[-2], frames.shape[-1])
        known: list[Tensor] = []
        if self.future_encoder is not None:
            known = self.future_encoder(self._padded(frames[:, -1, -1:]))
            frames = frames[:, :, :-1]
        seen = self.context_encoder(self._padded(frames.flatten(0, 1)))
        coarse = seen[-1].unflatten(0, (items, steps))
        if self.temporal is not None:
            coarse = self.temporal(coarse)
        state, beside = self.remember(coarse)
        if self.transformer is not None:
            state = self.transformer(state)
        levels = [features.unflatten(0, (items, steps))[:, -1] for features in seen[:-1]]
        levels.append(state.to(seen[-1].dtype))
        if known:
            levels = [torch.cat(pair, dim=1) for pair in zip(levels, known, strict=True)]
        features = self.decoder(levels[-1], levels[:-1])
        return crop(self.decoder.head(features), size), {**beside, "features": crop(features, size)}

    def _padded(self, images: Tensor) -> Tensor:
        return pad_to_multiple(images, self.multiple)[0].contiguous(memory_format=torch.channels_last)

    def remember(self, frames: Tensor) -> tuple[Tensor, Terms]:
        """Run the core over the context's coarse features; a core with a loss of its own overrides this."""
        state: Tensor = self.core(frames)
        return state, {}

    def further_losses(self, beside: Terms, batch: Batch) -> Iterator[tuple[str, float, Tensor]]:
        if self.auxiliary is not None:
            for name, value in self.auxiliary.losses(beside["features"], batch).items():
                yield f"auxiliary_{name}", self.auxiliary_weight, value

    def recorded_blocks(self) -> dict[str, nn.Module]:
        blocks = numbered("context", self.context_encoder.blocks)
        if self.future_encoder is not None:
            blocks |= numbered("future", self.future_encoder.blocks)
        if self.temporal is not None:
            blocks["context.attention"] = self.temporal
        blocks |= numbered("memory", self.core_layers())
        if self.transformer is not None:
            blocks["transformer"] = self.transformer
        return blocks | numbered("decoder", self.decoder.blocks)

    def core_layers(self) -> nn.ModuleList:
        """The layers of the core, bottom first; each answers h, or a tuple that starts with it."""
        layers = self.core.layers
        assert isinstance(layers, nn.ModuleList)
        return layers

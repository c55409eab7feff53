"""A memory at full resolution: no pooling, so that no detail of a grain boundary is lost."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lasernet.models.base import Terms
from lasernet.models.frame_options import CopyFrom, TemperatureScale, check_dropout
from lasernet.models.frame_predictor import FramePredictor
from lasernet.models.scaled_frames import numbered
from lasernet.nn.blocks import Norm, conv_block
from lasernet.nn.residual_unet import output_head


class FlatNetwork(FramePredictor):
    """Two convolutions of each frame, a core that makes one state of all frames, two convolutions of that.

    For colors, the coming temperature is a channel of every frame.

    Args:
        core: turns features (B, L, features, H, W) into a state (B, hidden, H, W).
    """

    def __init__(
        self,
        core: nn.Module,
        *,
        task: str,
        features: int,
        hidden: int,
        norm: Norm,
        residual: bool,
        copy_from: CopyFrom,
        temperature_scale: TemperatureScale,
        dropout: float,
    ) -> None:
        super().__init__(task=task, residual=residual, copy_from=copy_from, temperature_scale=temperature_scale)
        check_dropout(dropout)
        self.encoder = nn.ModuleList(
            [conv_block(self.question.channels, features, norm), conv_block(features, features, norm)]
        )
        self.dropout = nn.Dropout2d(dropout)
        self.core = core
        self.head = output_head(hidden, self.question.outputs)
        self.start_at_reference(self.head[-1])

    def network(self, frames: Tensor) -> tuple[Tensor, Terms]:
        images = frames.flatten(0, 1).contiguous(memory_format=torch.channels_last)
        images = self.encoder[1](self.dropout(self.encoder[0](images)))
        state = self.remember(images.unflatten(0, frames.shape[:2]))
        return self.head(state.to(images.dtype)), {}

    def remember(self, frames: Tensor) -> Tensor:
        """Run the core; one that answers more than a state overrides this."""
        state: Tensor = self.core(frames)
        return state

    def recorded_blocks(self) -> dict[str, nn.Module]:
        layers = self.core.layers
        assert isinstance(layers, nn.ModuleList)
        return numbered("context", self.encoder) | numbered("memory", layers) | {"head.1": self.head[1]}

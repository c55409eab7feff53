"""Features as a loss: textures and edges of a region rather than single cells."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated, Literal

import torch
from torch import Tensor

from lasernet.errors import OptionError
from lasernet.losses.base import Batch, Loss, full_precision, require_colors, weighted_mean
from lasernet.losses.feature_encoder import FeatureEncoder, color_images, file_hash, halve, load_encoder
from lasernet.registry import register_loss

FeatureError = Literal["absolute", "squared"]
log = logging.getLogger(__name__)


@register_loss("perceptual")
class Perceptual(Loss):
    """Difference between features of a fixed convolutional encoder, over all three sample directions.

    The features of three scales are compared, each weighted by the share of its cells that count; masked cells are
    0 in both images. Weights come from a seed, or from a file that
    :func:`~lasernet.losses.feature_encoder.save_encoder` wrote. After Johnson, Alahi & Fei-Fei (2016), ECCV,
    without a network trained on photographs.
    """

    def __init__(
        self,
        *,
        error: Annotated[FeatureError, "compare by the absolute or the squared difference"] = "absolute",
        seed: Annotated[int, "seed of the encoder's random weights"] = 0,
        encoder: Annotated[str | None, "safetensors file of a trained encoder, instead of random weights"] = None,
    ) -> None:
        super().__init__()
        if encoder is not None and seed:
            raise OptionError(
                f"--perceptual-seed {seed} has no effect with --perceptual-encoder {encoder}; leave one out"
            )
        self.measure = torch.abs if error == "absolute" else torch.square
        self.encoder = (load_encoder(Path(encoder)) if encoder else FeatureEncoder(seed)).requires_grad_(False)
        if encoder:
            log.info("perceptual encoder %s, sha256 %s", encoder, file_hash(Path(encoder)))

    def forward(self, prediction: Tensor, target: Tensor, batch: Batch) -> Tensor:
        require_colors("perceptual", prediction)
        mask = batch["mask"]
        share, terms = mask.to(next(self.encoder.parameters()).dtype), []
        with full_precision(prediction):
            ours = self.encoder(color_images(prediction, mask).to(share.dtype))
            with torch.no_grad():
                theirs = self.encoder(color_images(target, mask).to(share.dtype))
            for x, y in zip(ours, theirs, strict=True):
                share = halve(share)
                directions = self.measure(x - y).reshape(len(mask), -1, *x.shape[-2:])  # (B, 3C, h, w)
                terms.append(weighted_mean(directions, share))
        return torch.stack(terms).mean()

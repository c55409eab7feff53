"""A small encoder of colors whose features a loss compares: of fixed random weights, or trained on itself."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import skip_init

from lasernet import weights
from lasernet.atomic import write_bytes
from lasernet.errors import OptionError, RunError
from lasernet.losses.base import Batch, masked_mean, require_colors, widened
from lasernet.nn.noise import normal

WIDTHS = (3, 16, 32, 64)


class FeatureEncoder(nn.Module):
    """Three stages of 3 × 3 convolution, ReLU and 2 × 2 mean pooling, on images of three channels.

    Without normalization, so that features keep contrasts and an image's do not depend on its batch. The weights
    follow from the seed alone (He et al. 2015), and making them leaves torch's generator as it is.

    Raises:
        OptionError: for a seed that is none.
    """

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        if not 0 <= seed < 2**31:
            raise OptionError(f"--perceptual-seed {seed}: expected a whole number in [0, 2³¹)")
        self.stages = _convolutions(WIDTHS, seed)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Images (N, 3, H, W) → the features of each stage, of halved sides rounded up."""
        features = []
        for stage in self.stages:
            images = halve(F.relu(stage(images)))
            features.append(images)
        return features


def _convolutions(widths: tuple[int, ...], seed: int) -> nn.ModuleList:
    layers = nn.ModuleList()
    for index, (inputs, outputs) in enumerate(pairwise(widths)):
        layer: nn.Conv2d = skip_init(nn.Conv2d, inputs, outputs, 3, padding=1)  # type: ignore[no-untyped-call]
        count = inputs * 9
        numbers = normal(torch.tensor([(seed << 8) + index]), outputs * count)
        with torch.no_grad():
            layer.weight.copy_(numbers.reshape(layer.weight.shape) * (2 / count) ** 0.5)
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
        layers.append(layer)
    return layers


def halve(images: Tensor) -> Tensor:
    """Means of 2 × 2 cells; at an odd end, of those that are there."""
    return F.avg_pool2d(images, 2, ceil_mode=True)


def color_images(colors: Tensor, mask: Tensor) -> Tensor:
    """Colors (B, 9, H, W) → an image for each sample direction, (3B, 3, H, W), 0 in cells that do not count."""
    return widened(torch.where(mask, colors, 0)).reshape(-1, 3, *colors.shape[-2:])


def train_encoder(batches: Iterable[Batch], *, seed: int = 0, epochs: int = 1, lr: float = 1e-3) -> FeatureEncoder:
    """Train an encoder to describe true colors: as the front half of an autoencoder of ``batch["target"]``.

    Args:
        batches: training batches of the microstructure task, iterable as often as there are epochs.
        seed: of the weights; nothing else is random.
        lr: learning rate of Adam.

    Raises:
        OptionError: if the batches hold no colors.
    """
    encoder = FeatureEncoder(seed)
    decoder = _convolutions(WIDTHS[::-1], seed + 2**31)
    optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=lr)
    for _ in range(epochs):
        for batch in batches:
            require_colors("perceptual", batch["target"])
            optimizer.zero_grad()
            error = reconstruction_error(encoder, decoder, batch)
            error.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    return encoder.requires_grad_(False)


def reconstruction_error(encoder: FeatureEncoder, decoder: nn.ModuleList, batch: Batch) -> Tensor:
    """Mean squared error of the colors that the decoder makes of the last stage's features, over valid cells."""
    images = color_images(batch["target"], batch["mask"])
    sizes = [images.shape[-2:]]
    for _ in WIDTHS[2:]:
        sizes.append(torch.Size((side + 1) // 2 for side in sizes[-1]))
    answer = encoder(images)[-1]
    for index, (layer, size) in enumerate(zip(decoder, reversed(sizes), strict=True)):
        answer = layer(F.interpolate(answer if index == 0 else F.relu(answer), size=size))
    return masked_mean((answer - images).square(), batch["mask"].repeat_interleave(3, dim=0))


def save_encoder(encoder: FeatureEncoder, path: Path) -> None:
    """Write the weights as a safetensors file that ``--perceptual-encoder`` takes."""
    write_bytes(path, weights.pack(encoder.state_dict(), {"kind": "feature-encoder"}))


def load_encoder(path: Path) -> FeatureEncoder:
    """The encoder of a file that :func:`save_encoder` wrote.

    Raises:
        OptionError: if the file is missing or damaged, or holds other tensors; the latter with its hash.
    """
    try:
        tensors, _ = weights.read(path)
    except RunError as error:
        raise OptionError(f"--perceptual-encoder {error}") from None
    encoder = FeatureEncoder()
    wanted = {name: tuple(value.shape) for name, value in encoder.state_dict().items()}
    found = {name: tuple(value.shape) for name, value in tensors.items()}
    if found != wanted or not all(value.is_floating_point() and value.isfinite().all() for value in tensors.values()):
        wrong = next((name for name in {**wanted, **found} if found.get(name) != wanted.get(name)), "values")
        raise OptionError(
            f"--perceptual-encoder {path} (sha256 {file_hash(path)[:16]}): {wrong} {found.get(wrong, 'missing')}, "
            f"expected {wanted.get(wrong, 'finite numbers')}; "
            "give a file of lasernet.losses.feature_encoder.save_encoder"
        )
    encoder.load_state_dict(tensors)
    return encoder


def file_hash(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()

"""Microstructures drawn by a Wasserstein GAN with gradient penalty."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn

from lasernet.errors import OptionError
from lasernet.losses.base import Batch, Criterion
from lasernet.metrics.set_distances import distances
from lasernet.models.base import Model, Phase, Terms
from lasernet.nn.cells import SITE
from lasernet.nn.dcgan import DcganCritic, DcganGenerator
from lasernet.nn.gradient_penalty import gradient_penalty
from lasernet.nn.microstructure_generator import (
    CELL,
    CellGenerator,
    MicrostructureGenerator,
    PixelGenerator,
    WallGenerator,
)
from lasernet.nn.noise import normal, uniform
from lasernet.nn.patch_critic import PatchCritic
from lasernet.nn.symmetry import transformed
from lasernet.options import Only
from lasernet.registry import register_model

QUANTILES = 1001  # of the grain numbers of the training images, kept to draw from
MARGIN = 2 * CELL  # pixels cut off around an image that must not be periodic
VALIDATION_DRAWS = 500
PIXELS = 50 * 64**2  # drawn at a time where nothing is learned
FILM_SEED, VALIDATION_SEED = 1 << 60, 1 << 61  # far from the seeds that a user gives
REQUESTS = 1  # stream of the random numbers that choose how many grains a draw is asked for


@register_model("wgan")
class Wgan(Model):
    """WGAN-GP microstructure synthesis: draws periodic grain structures of any size and grain number.

    The default architecture is fully convolutional; ``--arch dcgan`` is the source system's pair of networks.
    Gulrajani et al., Improved Training of Wasserstein GANs, 2017.
    """

    tasks = ("synthesis",)
    default_loss = None
    only_learns = ("critic",)
    defaults: ClassVar[dict[str, object]] = {
        "lr": 1e-4,
        "beta1": 0.5,
        "beta2": 0.9,
        "schedule": "cosine",
        "batch_size": 64,
        "epochs": 100,
        "ema": 0.999,
        "clip": 0.0,
    }
    presets: ClassVar[dict[str, dict[str, object]]] = {
        "cpu": {"batch_size": 16, "n_critic": 2, "lr": 3e-4, "critic_lr": 3.333, "epochs": 10},  # two cores, an hour
    }

    def __init__(
        self,
        *,
        spec: Mapping[str, Mapping[str, Any]],
        arch: Annotated[Literal["fcn", "dcgan"], "fully convolutional, or the published networks for 64 x 64"] = "fcn",
        head: Annotated[
            Literal["cells", "walls", "pixels"],
            "of fcn: walls between the cells of a power diagram, walls of a free partition, or gray values",
            Only("arch", ("fcn",)),
        ] = "cells",
        channels: Annotated[int, "width of the fcn generator", Only("arch", ("fcn",))] = 96,
        critic_channels: Annotated[int, "width of the fcn critic's first layer", Only("arch", ("fcn",))] = 32,
        labels: Annotated[int, "order parameters of the walls head", Only("head", ("walls",))] = 16,
        n_critic: Annotated[int, "critic updates for each of the generator"] = 5,
        gp_weight: Annotated[float, "weight of the gradient penalty"] = 10.0,
        critic_lr: Annotated[float, "learning rate of the critic as a multiple of --lr"] = 4.0,
        symmetries: Annotated[bool, "show the critic mirrored, turned and (if periodic) shifted images"] = True,
    ) -> None:
        super().__init__()
        image = spec["image"]
        self.height, self.width = (int(side) for side in image["shape"])
        self.periodic = bool(image["periodic"])
        self.arch, self.n_critic, self.gp_weight = arch, n_critic, gp_weight
        self.critic_lr, self.symmetries = critic_lr, symmetries
        if n_critic < 1:
            raise OptionError(f"--n-critic {n_critic}: expected at least 1")
        if arch == "dcgan" and (self.height, self.width) != (64, 64):
            raise OptionError(f"--arch dcgan draws 64 x 64 images, the data are {self.height} x {self.width}; use fcn")
        if self.height % CELL or self.width % CELL:
            raise OptionError(
                f"the images are {self.height} x {self.width}; expected multiples of {CELL}; import patches of such"
            )
        self.generator: nn.Module
        self.critic: nn.Module
        if arch == "dcgan":
            self.generator, self.critic = DcganGenerator(), DcganCritic()
        else:
            self.generator = _generator(head, channels, labels)
            self.critic = PatchCritic(critic_channels, periodic=self.periodic)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.register_buffer("grains", torch.full((QUANTILES,), 1.0))

    grains: Tensor

    def fit(self, batches: Iterable[Batch]) -> None:
        """Remember how many grains training images have."""
        counts = np.concatenate([batch["grains"].cpu().numpy() for batch in batches])
        levels = np.linspace(0, 1, QUANTILES)
        self.grains.copy_(torch.from_numpy(np.quantile(counts, levels, method="inverted_cdf").astype(np.float32)))

    # -- learning ----------------------------------------------------------------------------

    def phases(self) -> list[Phase]:
        """The critic at every update, the generator at every ``n_critic``-th."""
        return [
            Phase("critic", self.critic, self._critic_loss, lr=self.critic_lr),
            Phase("generator", self.generator, self._generator_loss, every=self.n_critic),
        ]

    def _critic_loss(self, batch: Batch, criterion: Criterion | None) -> tuple[Tensor, Terms]:
        seeds, grains = batch["seed"], batch["grains"]
        chance = uniform(seeds, 6).to(grains.device)
        real = 2 * batch["image"] - 1
        if self.symmetries:
            real = transformed(real, chance[:, :5], shift=self.periodic)
        with torch.no_grad():
            fake = 2 * self._draw(seeds, grains, self.height, self.width, periodic=self.periodic) - 1
        count = len(real)
        scores = self._score(torch.cat([real, fake]), grains.repeat(2))
        distance = scores[:count].mean() - scores[count:].mean()
        penalty = gradient_penalty(lambda images: self._score(images, grains), real, fake, chance[:, 5])
        return self.gp_weight * penalty - distance, {"wasserstein": distance.detach(), "penalty": penalty.detach()}

    def _generator_loss(self, batch: Batch, criterion: Criterion | None) -> tuple[Tensor, Terms]:
        grains = batch["grains"]
        fake = 2 * self._draw(batch["seed"], grains, self.height, self.width, periodic=self.periodic) - 1
        return -self._score(fake, grains).mean(), {}

    def _score(self, images: Tensor, grains: Tensor) -> Tensor:
        if self.arch == "dcgan":
            scores: Tensor = self.critic(images)
        else:
            scores = self.critic(images, self._condition(grains))
        return scores

    def _condition(self, grains: Tensor) -> Tensor:
        """Grain numbers (B,) of an image of the training size, in standard deviations from their mean."""
        return (grains - self.grains.mean()) / self.grains.std().clamp_min(1.0)

    def _density(self, grains: Tensor) -> Tensor:
        """Grains per square pixel where images of the training size show ``grains`` (B,).

        A window of area A and perimeter P shows parts of 1 + ρA + 2P√ρ/π grains of a Poisson-Voronoi tessellation,
        which has walls of length 2√ρ per area (Okabe et al., Spatial Tessellations, 2000, chapter 5).
        """
        area = self.height * self.width
        if self.periodic:
            return grains / area
        half = 2 * (self.height + self.width) / torch.pi
        root = torch.sqrt(half**2 + area * (grains.clamp_min(1.0) - 1)) - half
        return (root / area).square()

    def _draw(self, seeds: Tensor, grains: Tensor, height: int, width: int, *, periodic: bool) -> Tensor:
        """Images in [0, 1] with about ``grains`` (B,) grains per area of a training image."""
        device = grains.device
        if self.arch == "dcgan":
            images: Tensor = (self.generator(normal(seeds, DcganGenerator.noise).to(device)) + 1) / 2
            return images
        margin = 0 if periodic else MARGIN
        size = (height + margin, width + margin)
        noise = normal(seeds, MicrostructureGenerator.noise_size(*size)).to(device)
        wanted = self._density(grains) * size[0] * size[1]
        drawn: Tensor = self.generator(noise, self._condition(grains), wanted, *size)
        return drawn[..., :height, :width]

    # -- drawing -----------------------------------------------------------------------------

    def sample(
        self,
        seeds: Tensor,
        *,
        grains: Annotated[float | None, "grains in each image; left out, as the training images have"] = None,
        size: Annotated[int | None, "pixels along each side, a multiple of 8 [that of the training images]"] = None,
        periodic: Annotated[bool | None, "let images continue at the opposite edge [as the training images]"] = None,
    ) -> tuple[Tensor, Tensor]:
        """Images in [0, 1], (B, 1, H, W), and the grain numbers that were asked for, (B,); row i from ``seeds[i]``.

        Raises:
            OptionError: for what the architecture cannot draw.
        """
        height, width = (self.height, self.width) if size is None else (size, size)
        periodic = self.periodic if periodic is None else periodic
        self._check(grains, height, width, periodic=periodic)
        areas = height * width / (self.height * self.width)
        if grains is None:
            places = (uniform(seeds, 1, stream=REQUESTS)[:, 0] * (QUANTILES - 1)).round().long()
            density = self.grains.cpu()[places]
        else:
            density = torch.full((len(seeds),), grains / areas)
        device = self.grains.device
        step = max(1, PIXELS // (height * width))
        parts = [
            self._draw(seeds[i : i + step], density[i : i + step].to(device), height, width, periodic=periodic)
            for i in range(0, len(seeds), step)
        ]
        return torch.cat(parts), density * areas

    def _check(self, grains: float | None, height: int, width: int, *, periodic: bool) -> None:
        if self.arch == "dcgan":
            if grains is not None:
                raise OptionError(f"--grains {grains:g}: the dcgan networks take no condition; leave it out")
            if (height, width) != (self.height, self.width):
                raise OptionError(f"--size {height}: the dcgan networks draw 64 x 64 only; leave it out")
            if periodic != self.periodic:
                raise OptionError("--periodic: the dcgan networks draw as they were trained; leave it out")
        if height % CELL or height < 4 * CELL:
            raise OptionError(f"--size {height}: expected a multiple of {CELL}, {4 * CELL} at least")
        if grains is not None and not 1 <= grains <= (height // SITE) * (width // SITE):
            raise OptionError(
                f"--grains {grains:g}: expected 1 to {(height // SITE) * (width // SITE)} in {height} x {width} pixels"
                "; ask for fewer, or a larger --size"
            )

    def watch(self) -> Tensor:
        """Sixteen draws that are the same at every call, but for the weights."""
        return self.sample(torch.arange(16) + FILM_SEED)[0]

    def validate(self, batches: Iterable[Batch]) -> dict[str, float]:
        """How far the statistics of draws are from those of the validation images; ``loss`` is their sum."""
        real: list[Tensor] = []
        for batch in batches:
            real.append(batch["image"].cpu())
            if sum(map(len, real)) >= VALIDATION_DRAWS:
                break
        images = torch.cat(real)[:VALIDATION_DRAWS, 0]
        drawn = self.sample(torch.arange(len(images)) + VALIDATION_SEED)[0].cpu()[:, 0]
        found = distances(_gray(drawn), _gray(images), periodic=self.periodic)
        return {"loss": sum(found.values()), **found}


def _generator(head: str, channels: int, labels: int) -> MicrostructureGenerator:
    if head == "walls":
        return WallGenerator(channels, labels)
    return CellGenerator(channels) if head == "cells" else PixelGenerator(channels)


def _gray(images: Tensor) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Images as they are stored, in 256 levels."""
    return (255 * images.float()).round().clamp(0, 255).to(torch.uint8).numpy()

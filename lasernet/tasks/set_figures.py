"""Figures of drawn sets of microstructures: one function per name of ``visualize --what``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lasernet.data.images import ImageSplit
from lasernet.errors import OptionError, RunError
from lasernet.metrics.memorization import Nearest, aligned, nearest_images
from lasernet.metrics.microstructure import Descriptors
from lasernet.physics.grains import count_grains, equivalent_diameters
from lasernet.tasks.base import Answering
from lasernet.tasks.set_scores import FLOOR_SPLIT, draw

SHOWN = 36  # images of each side on a sheet
MEASURED = 500  # draws and real images in the figures of statistics
AUDITED = 100  # draws whose nearest training images are looked for
FIRST = 5 << 50  # seed of the first draw in a figure


def choose(split: ImageSplit, *, item: int | None, position: int | None, timestep: int | None, n: int) -> list[int]:
    """Rows of a split to draw: all of them, since sets are compared, not items."""
    for name, value in (("item", item), ("slice", position), ("timestep", timestep)):
        if value is not None:
            raise OptionError(f"--{name} {value}: sets of images are compared as a whole; leave it out")
    if not len(split):
        raise OptionError("the split has no items; choose another with --split")
    return list(range(len(split)))


def samples(run: Answering, split: ImageSplit, rows: Sequence[int], folder: Path) -> list[Path]:
    """Real images beside draws."""
    from lasernet.viz.montage import real_and_generated

    real = split.images()[:SHOWN]
    drawn, _ = draw(run.model, len(real), first=FIRST)
    return [real_and_generated(real, drawn, folder / "samples.png")]


def statistics(run: Answering, split: ImageSplit, rows: Sequence[int], folder: Path) -> list[Path]:
    """Correlation functions and distributions of draws, of real images, and of other real images."""
    from lasernet.viz.set_statistics import set_statistics

    real = split.images()[:MEASURED]
    sets = {"real": real, "generated": draw(run.model, len(real), first=FIRST)[0]}
    other = split.data.split(FLOOR_SPLIT["test"]).images()[: len(real)]
    if len(other) and split.items["index"][0] != split.data.split(FLOOR_SPLIT["test"]).items["index"][0]:
        sets["real_again"] = other
    measured = {name: Descriptors.of(images, periodic=split.data.periodic) for name, images in sets.items()}
    shown = {name: {key: take(one) for key, one in measured.items()} for name, take in TAKEN.items()}
    return [set_statistics(shown, folder / "statistics.png")]


def _chords(one: Descriptors) -> NDArray[np.float64]:
    chords = one.chords["grain"]
    return np.repeat(chords.values, chords.counts)


def _over_mean(values: NDArray[Any]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = values / max(float(values.mean()), 1e-12) if values.size else values.astype(np.float64)
    return found


TAKEN: dict[str, Callable[[Descriptors], NDArray[Any]]] = {
    "two_point": lambda one: one.two_point[0, : one.shape[2] // 2],
    "lineal_path": lambda one: one.lineal_path["grain"].mean(0)[: one.shape[2] // 2],
    "chord_length": _chords,
    "boundary_fraction": lambda one: one.boundary_fraction,
    "grains_strict": lambda one: one.grains.strict,
    "grains_tolerant": lambda one: one.grains.tolerant,
    "grain_size": lambda one: _over_mean(equivalent_diameters(one.grains.area)),
    "neighbors": lambda one: one.grains.neighbors,
    "solidity": lambda one: one.grains.solidity,
}


def conditioning(run: Answering, split: ImageSplit, rows: Sequence[int], folder: Path) -> list[Path]:
    """Grain numbers that were asked for against those that were counted."""
    from lasernet.viz.conditioning import conditioning as scatter

    drawn, requested = draw(run.model, MEASURED, first=FIRST)
    counted = {
        f"gray > {threshold}": count_grains(drawn, threshold=threshold, periodic=split.data.periodic)
        for threshold in (0.5, 0.7)
    }
    return [scatter(requested, counted, folder / "conditioning.png")]


def nearest(run: Answering, split: ImageSplit, rows: Sequence[int], folder: Path) -> list[Path]:
    """The draws that are closest to training images, beside held-out images and copies as controls."""
    from lasernet.viz.nearest import nearest_pairs

    train, held_out = split.data.split("train").images(), split.images()[:AUDITED]
    copies = np.roll(train[:4, ::-1], (5, 9), (1, 2))
    sets = {
        "generated": draw(run.model, AUDITED, first=FIRST)[0],
        "held out": held_out,
        "positive control: mirrored and shifted copies of training images": copies,
    }
    found = {name: nearest_images(images, train) for name, images in sets.items()}
    pairs = {name: _pairs(images, train, found[name]) for name, images in sets.items()}
    distances = {name: found[name].distance for name in ("generated", "held out")}
    return [nearest_pairs(pairs, folder / "nearest.png", distances=distances)]


def _pairs(images: NDArray[np.uint8], train: NDArray[np.uint8], found: Nearest) -> Any:
    from lasernet.viz.nearest import Pairs

    closest = np.argsort(found.distance, kind="stable")[:4]
    partners = [aligned(train[found.index[row]], int(found.symmetry[row]), found.shift[row]) for row in closest]
    return Pairs(images[closest], np.stack(partners), found.distance[closest])


def tracking(run: Answering, split: ImageSplit, rows: Sequence[int], folder: Path) -> list[Path]:
    """The critic's loss against the distance of chord lengths, over the training."""
    from lasernet.viz.critic_tracking import critic_tracking

    return [critic_tracking(run.run.metrics(), folder / "tracking.png")]


def training(run: Answering, split: ImageSplit, rows: Sequence[int], folder: Path) -> list[Path]:
    """The film of the training, from its frames.

    Raises:
        RunError: if the run has none.
    """
    from lasernet.viz.growth import frame_files, growth_animation

    frames = folder / "training"
    if not frames.is_dir():
        raise RunError(f"{run.run.path} has no frames of its training in figures/training; train it again to see one")
    return [growth_animation(frame_files(frames, unit="update"), folder / "training.gif")]


FIGURES = {
    "samples": samples,
    "statistics": statistics,
    "conditioning": conditioning,
    "nearest": nearest,
    "tracking": tracking,
    "training": training,
}

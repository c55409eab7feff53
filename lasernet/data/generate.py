"""Data files from generators: every generator by name, and one function that runs any of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import scipy

from lasernet import __version__
from lasernet.data.fiber_file import write_flows
from lasernet.data.image_file import ImageSetWriter
from lasernet.data.laser_file import write_laser
from lasernet.errors import OptionError
from lasernet.options import resolve
from lasernet.registry import suggestion
from lasernet.simulate import fiber_flow, laser, voronoi
from lasernet.simulate.stokes_checks import check_stokes
from lasernet.simulate.voronoi_checks import check_voronoi

BLOCK_PIXELS = 1 << 20  # images are made and written in blocks of about so many

Progress = Callable[[int, int], None]


class Writer(Protocol):
    """Writes ``count`` cases, samples or images of one generator into a new file."""

    def __call__(
        self,
        path: Path,
        options: Mapping[str, Any],
        *,
        count: int,
        seed: int,
        overwrite: bool,
        provenance: Mapping[str, object],
        progress: Progress,
    ) -> None: ...


@dataclass(frozen=True)
class Generator:
    """One kind of data that can be made.

    Attributes:
        summary: one line.
        unit: what is counted.
        version: rises when the same options and seed give other content.
        counts: how many a preset makes.
        presets: options that a preset sets.
        recipe: its keyword-only parameters are the options.
        write: makes the file from resolved options.
        checks: compares the generator with its exact references, one object per check.
    """

    summary: str
    unit: str
    version: int
    counts: Mapping[str, int]
    recipe: Callable[..., object]
    write: Writer
    checks: Callable[[], list[dict[str, object]]]
    presets: Mapping[str, Mapping[str, object]] = field(default_factory=dict)


def write_voronoi(
    path: Path,
    options: Mapping[str, Any],
    *,
    count: int,
    seed: int,
    overwrite: bool,
    provenance: Mapping[str, object],
    progress: Progress,
) -> None:
    """Write an image set of Voronoi structures, with labels."""
    structures = voronoi.VoronoiStructures(**options)
    block = max(1, BLOCK_PIXELS // structures.size**2)
    with ImageSetWriter(
        path, overwrite=overwrite, periodic=structures.periodic, provenance=provenance, labelled=True
    ) as out:
        for start in range(0, count, block):
            drawn = [structures.draw(index, seed=seed) for index in range(start, min(start + block, count))]
            out.write(np.stack([one.image for one in drawn]), labels=np.stack([one.labels for one in drawn]))
            progress(start + len(drawn), count)


def check_laser() -> list[dict[str, object]]:
    """Every check of the laser generator."""
    from lasernet.simulate import laser_checks  # imports numba, which takes a second

    return laser_checks.check_laser()


GENERATORS: dict[str, Generator] = {
    "laser": Generator(
        "Grains grown behind a laser-melted pool",
        "cases",
        version=laser.VERSION,
        counts={"small": 1, "default": 4, "paper": 1},
        presets={
            "small": {"cells": (72, 24, 16), "spacing": 5e-6},
            "paper": {"cells": (465, 94, 47), "power": (90.0,), "beam_radius": 80e-6, "beam_depth": 40e-6},
        },
        recipe=laser.LaserTracks,
        write=write_laser,
        checks=check_laser,
    ),
    "flow": Generator(
        "Flow through fibers, with permeability",
        "samples",
        version=fiber_flow.VERSION,
        counts={"small": 600, "default": 20, "paper": 500},
        presets={
            "small": {
                "cells": (64, 64, 11),
                "size": 35.2e-6,
                "slice_distance": 50e-6 / 11,
                "fraction": (0.16, 0.34),
            },
        },
        recipe=fiber_flow.FiberFlows,
        write=write_flows,
        checks=check_stokes,
    ),
    "voronoi": Generator(
        "Grain structures: Poisson–Voronoi cells between dark boundaries",
        "images",
        version=voronoi.VERSION,
        counts={"small": 200, "default": 14_000, "paper": 20_000},  # default: 10,000 to train on, 2 x 2,000 held out
        recipe=voronoi.VoronoiStructures,
        write=write_voronoi,
        checks=check_voronoi,
    ),
}


def generator_named(name: str) -> Generator:
    """The generator of that name.

    Raises:
        OptionError: if there is none.
    """
    if name not in GENERATORS:
        raise OptionError(f"no generator named '{name}'; {suggestion(name, list(GENERATORS))}")
    return GENERATORS[name]


def recipe_of(
    name: str, *, preset: str = "default", n: int | None = None, seed: int = 0, **options: object
) -> dict[str, Any]:
    """Everything that determines the content of a generated file: what ``generate`` keeps as provenance.

    Raises:
        OptionError: for an unknown name, or a number or option that the generator does not take.
    """
    generator = generator_named(name)
    if preset not in generator.counts:
        raise OptionError(f"--preset {preset}: {suggestion(preset, list(generator.counts))}")
    count = generator.counts[preset] if n is None else n
    if count < 1:
        raise OptionError(f"--n {count}: expected at least one of the {generator.unit}")
    if seed < 0:
        raise OptionError(f"--seed {seed}: expected 0 or more")
    chosen = {**generator.presets.get(preset, {}), **options}
    resolved = resolve(generator.recipe, chosen, what=f"data generate {name}")
    generator.recipe(**resolved)  # checks the values
    return {"generator": name, "version": generator.version, "n": count, "seed": seed, "options": resolved}


def generate(
    name: str,
    path: Path | str,
    *,
    preset: str = "default",
    n: int | None = None,
    seed: int = 0,
    overwrite: bool = False,
    progress: Progress | None = None,
    **options: object,
) -> Path:
    """Run a generator and write its file, whole or not at all; return the path.

    Args:
        preset: how many to make and at what size: small, default or paper.
        n: how many to make instead.
        seed: number i of a set depends on the seed and i alone: a longer set begins with the shorter one.
        progress: called with how many are done, of how many.
        options: of the generator.

    Raises:
        OptionError: for an unknown name or option.
        DataError: if the place cannot be written, or a file is there already.
    """
    recipe = recipe_of(name, preset=preset, n=n, seed=seed, **options)
    generator_named(name).write(
        Path(path),
        recipe["options"],
        count=recipe["n"],
        seed=seed,
        overwrite=overwrite,
        provenance={**recipe, "made_with": made_with()},
        progress=progress or (lambda _done, _total: None),
    )
    return Path(path)


def made_with() -> dict[str, str]:
    """Versions of what a generated file depends on, for its provenance."""
    compiler = version("numba")  # not imported here, as that takes a second
    return {"lasernet": __version__, "numba": compiler, "numpy": np.__version__, "scipy": scipy.__version__}


def verify_generators() -> list[dict[str, object]]:
    """Every check of every generator, as {"name", "value", "reference", "tolerance", "ok"}."""
    return [check for generator in GENERATORS.values() for check in generator.checks()]

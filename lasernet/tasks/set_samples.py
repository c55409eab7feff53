"""Drawn microstructures as files: HDF5 in the data layout, a sheet of images, single images, or an array."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from lasernet.atomic import write_bytes
from lasernet.data.image_file import write_image_set
from lasernet.data.images import ImageData
from lasernet.errors import OptionError
from lasernet.tasks.base import Answering, Request
from lasernet.tasks.set_scores import draw

ENDINGS = "expected a name that ends in .h5, .png or .npy, or a directory"


def sample(run: Answering, open: Callable[[], ImageData], folder: Path, request: Request) -> Path:
    """Draw images and write them; draw i is the same for every ``n``.

    The data set is not opened: a model that draws needs none.
    """
    for name, value in (("item", request.item), ("split", request.split), ("data", request.data or None)):
        if value is not None:
            raise OptionError(f"--{name}: this model draws from noise, it answers no items; leave it out")
    target = request.out if request.out is not None else folder / "samples.h5"
    suffix = target.suffix.lower()
    if suffix not in (".h5", ".hdf5", ".png", ".npy", ""):
        raise OptionError(f"--out {target}: {ENDINGS}")
    if suffix != "" and request.out is not None and target.exists():
        raise OptionError(f"--out {target} is there already; expected a new file; name another, or remove it")
    seed = request.seed or 0
    images, grains = draw(run.model, request.n, first=seed << 20, **request.options)
    if suffix in (".h5", ".hdf5"):
        asked = {name: value for name, value in request.options.items() if value is not None}
        notes: dict[str, Any] = {"drawn_by": run.run.model_name, "seed": seed, "options": asked}
        notes["grains_asked_for"] = [float(grains.min()), float(grains.max())]
        periodic = request.options.get("periodic")
        periodic = run.model.periodic if periodic is None else bool(periodic)
        return write_image_set(target, images, periodic=periodic, provenance=notes, overwrite=request.out is None)
    if suffix == ".npy":
        import io

        content = io.BytesIO()
        np.save(content, images)
        write_bytes(target, content.getvalue())
        return target
    from lasernet.viz.montage import write_montage

    if suffix == ".png":
        return write_montage(images, target)
    target.mkdir(parents=True, exist_ok=True)
    for index, image in enumerate(images):
        write_montage(image[None], target / f"sample-{seed}-{index:05d}.png", scale=1, gap=0)
    return target

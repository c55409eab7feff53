"""Image sets as the items of microstructure synthesis: whole groups in train, val and test."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lasernet.data.image_file import ImageFile, ImageSet, open_image_file
from lasernet.data.splits import SPLITS, divide, hash_items
from lasernet.errors import DataError, OptionError

log = logging.getLogger(__name__)

Batch = dict[str, Tensor]
ITEM = np.dtype([("case", "<i4"), ("index", "<i4"), ("group", "<i4")])
TOLERANT = 0.7  # gray above which pixels are grain when grains must be counted: about unbiased for Voronoi textures
BLOCK = 1024  # images counted at once


class ImageData:
    """Image sets, split into train, val and test by group.

    Args:
        files: HDF5 files of image sets in the toolkit's layout.
        task: name of the task, for messages.
        inputs: derived fields that a model wants; image sets have none.

    Raises:
        DataError: if a file holds something else, or the sets do not fit together.
        OptionError: if the options leave nothing to train on.
    """

    def __init__(
        self,
        files: Sequence[Path],
        task: str = "synthesis",
        inputs: Sequence[str] = (),
        *,
        split_ratio: Annotated[str, "train,val,test shares of the images; a group stays whole"] = "10,2,2",
        split_by: Annotated[Literal["order", "random"], "cut the groups in file order, or shuffled"] = "order",
        split_seed: Annotated[int, "seed of --split-by random"] = 0,
        preload: Annotated[bool, "hold the images in memory"] = True,
    ) -> None:
        if inputs:
            raise OptionError(f"the {task} task has no derived field '{inputs[0]}'; expected a model that needs none")
        self.task, self.inputs, self.preload = task, tuple(inputs), preload
        self.files = [Path(file) for file in files]
        self.shelves = _open_shelves(self.files, preload=preload)
        self.case_names = [
            shelf.name if len(self.files) == 1 else f"{shelf.path.stem}/{shelf.name}" for shelf in self.shelves
        ]
        self.size, self.periodic = self._common()
        self.hash = hashlib.sha256("".join(shelf.content_hash for shelf in self.shelves).encode()).hexdigest()
        self._items = self._cut(split_ratio, split_by, split_seed)
        self.split_hash = hash_items(self._items)

    def split(self, name: str) -> ImageSplit:
        """The images of one split; ``all`` joins the three."""
        if name == "all":
            return ImageSplit(self, np.sort(np.concatenate([self._items[part] for part in SPLITS])))
        return ImageSplit(self, self._items[name])

    @property
    def spec(self) -> dict[str, dict[str, object]]:
        """Channels, unit, size of the images; least and most grains of a training image."""
        grains = self.split("train").grains()
        span = (float(grains.min()), float(grains.max()))
        image = {"channels": 1, "unit": "1", "shape": self.size, "periodic": self.periodic}
        return {"image": image, "grains": {"channels": 1, "unit": "1", "range": span}}

    def _common(self) -> tuple[tuple[int, int], bool]:
        sizes = sorted({shelf.size for shelf in self.shelves})
        if len(sizes) > 1:
            raise DataError(
                f"the images have different sizes ({', '.join(f'{rows} x {columns}' for rows, columns in sizes)}); "
                "expected one size in all files; train on one size at a time"
            )
        if len({shelf.periodic for shelf in self.shelves}) > 1:
            listed = ", ".join(
                f"{name} {'is' if shelf.periodic else 'is not'}"
                for name, shelf in zip(self.case_names, self.shelves, strict=True)
            )
            raise DataError(f"some image sets are periodic and others are not ({listed[:200]}); expected all or none")
        return sizes[0], self.shelves[0].periodic

    def _cut(self, ratio: str, split_by: str, seed: int) -> dict[str, NDArray[np.void]]:
        keys = [key for shelf in self.shelves for key in shelf.group_keys]
        numbers = {key: number for number, key in enumerate(dict.fromkeys(keys))}
        items = np.zeros(len(keys), dtype=ITEM)
        items["case"] = np.repeat(np.arange(len(self.shelves)), [len(shelf) for shelf in self.shelves])
        items["index"] = np.concatenate([np.arange(len(shelf)) for shelf in self.shelves])
        items["group"] = [numbers[key] for key in keys]
        return divide(items, ratio=ratio, seed=seed if split_by == "random" else None, what="image")


class ImageSplit:
    """The images of one split; ``fetch`` makes batches.

    Attributes:
        items: structured array with ``case``, ``index`` (in its set) and ``group`` (over all sets) of every image.
    """

    def __init__(self, data: ImageData, items: NDArray[np.void]) -> None:
        self.data = data
        self.items = items

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, rows: int | Sequence[int]) -> Batch:
        return self.fetch([rows] if isinstance(rows, int) else rows)

    def fetch(self, rows: Sequence[int]) -> Batch:
        """The images in ``rows`` as one batch: gray in [0, 1], (B, 1, H, W), and grains, (B,)."""
        chosen = np.asarray(rows, dtype=np.int64)
        gray = self._images(self.items[chosen])[:, None].astype(np.float32) / np.float32(255)
        return {
            "image": torch.from_numpy(gray),
            "grains": torch.from_numpy(self._grains(self.items[chosen])),
            "item": torch.from_numpy(chosen),
        }

    def images(self) -> NDArray[np.uint8]:
        """All images, uint8, (N, H, W)."""
        return self._images(self.items)

    def grains(self) -> NDArray[np.float32]:
        """Number of grains of all images, (N,): as stored, else counted in the image."""
        return self._grains(self.items)

    def _images(self, items: NDArray[np.void]) -> NDArray[np.uint8]:
        found = np.empty((len(items), *self.data.size), dtype=np.uint8)
        for case in np.unique(items["case"]):
            here = items["case"] == case
            found[here] = self.data.shelves[case].images(items["index"][here])
        return found

    def _grains(self, items: NDArray[np.void]) -> NDArray[np.float32]:
        found = np.empty(len(items), dtype=np.float32)
        for case in np.unique(items["case"]):
            here = items["case"] == case
            found[here] = self.data.shelves[case].grains()[items["index"][here]]
        return found


class Shelf:
    """One image set: its images, from memory or from disk, and their grains."""

    def __init__(self, path: Path, name: str, file: ImageFile, *, preload: bool) -> None:
        self.path, self.name = path, name
        self._file, self._pid = file, os.getpid()
        case = file.cases[name]
        self.size = case.shape[1:]
        self.periodic, self.content_hash = case.periodic, case.content_hash
        self.group_keys = [(case.group_prefix, int(group)) for group in case.groups]
        self._held: NDArray[np.uint8] | None = case.read("image") if preload else None
        self._grains: NDArray[np.int32] | None = case.grains

    def __len__(self) -> int:
        return len(self.group_keys)

    def images(self, indices: NDArray[np.int32]) -> NDArray[np.uint8]:
        """Images of the set, uint8, (n, H, W), in the order of ``indices``."""
        if self._held is not None:
            return self._held[indices]
        case = self._open()
        if len(indices) and (np.diff(indices) == 1).all():
            run: NDArray[np.uint8] = case.read("image", slice(int(indices[0]), int(indices[-1]) + 1))
            return run
        return np.stack([case.read("image", int(index)) for index in indices])

    def grains(self) -> NDArray[np.int32]:
        """Number of grains of each image of the set, (N,): as stored, else counted once in the images."""
        if self._grains is None:
            from lasernet.physics.grains import count_grains

            log.info(
                "%s: counting the grains of %d images, of which '%s' says nothing", self.path.name, len(self), self.name
            )
            starts = range(0, len(self), BLOCK)
            blocks = [self.images(np.arange(start, min(start + BLOCK, len(self)), dtype=np.int32)) for start in starts]
            counted = [count_grains(block, threshold=TOLERANT, periodic=self.periodic) for block in blocks]
            self._grains = np.concatenate(counted)
        return self._grains

    def _open(self) -> ImageSet:
        if self._pid != os.getpid():  # an HDF5 handle must not be shared with a forked worker
            self._file, self._pid = open_image_file(self.path, check=False), os.getpid()
        return self._file.cases[self.name]


def _open_shelves(files: Sequence[Path], *, preload: bool) -> list[Shelf]:
    shelves = []
    for path in files:
        file = open_image_file(path)
        shelves += [Shelf(path, name, file, preload=preload) for name in file.cases]
        if preload:
            file.close()
    if not shelves:
        raise DataError("no file named; expected at least one file of image sets")
    return shelves

"""Files of image sets: micrographs or synthetic textures of one size, with grains where they are known."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from lasernet.data import image_structure
from lasernet.data.image_structure import FIELDS, KIND
from lasernet.data.image_writer import ImageSetWriter, count_labels
from lasernet.data.reading import OpenFile, open_checked, read_stored
from lasernet.errors import DataError

__all__ = ["ImageFile", "ImageSet", "ImageSetWriter", "count_labels", "open_image_file", "write_image_set"]


class ImageSet:
    """One set of a file; images and labels stay on disk until they are read.

    Attributes:
        shape: (N, H, W).
        fields: those that the set holds, of image, labels, grains, group.
        groups: (N,); images of one group never lie in two splits.
        grains: (N,), number of grains of each image, or None where the source does not know it.
        group_prefix: group numbers mean the same in all sets that share it.
        pixel_size: m; 0 where it is not known.
    """

    def __init__(self, name: str, folder: h5py.Group, path: Path) -> None:
        attributes = folder.attrs
        self.name = name
        self.path = path
        self._datasets = {field: folder[field] for field in FIELDS if field in folder}
        self.fields: tuple[str, ...] = tuple(self._datasets)
        count, rows, columns = self._datasets["image"].shape
        self.shape: tuple[int, int, int] = (int(count), int(rows), int(columns))
        self.groups: NDArray[np.int32] = self.read("group")
        self.grains: NDArray[np.int32] | None = self.read("grains") if "grains" in self.fields else None
        self.periodic = bool(attributes["periodic"])
        self.pixel_size = float(attributes["pixel_size"])
        self.group_prefix = str(attributes["group_prefix"])
        self.provenance: dict[str, object] = json.loads(attributes["provenance"])
        self.content_hash = str(attributes["content_hash"])

    def __len__(self) -> int:
        return self.shape[0]

    def read(self, field: str, index: Any = ()) -> NDArray[Any]:
        """A part of a field as it is stored, by a number, slice or increasing list of images; all of it by default.

        Raises:
            DataError: if the set has no such field, or its stored bytes are damaged.
        """
        dataset = self._datasets.get(field)
        if dataset is None:
            raise DataError(
                f"{self.path.name}: image set '{self.name}' has no field '{field}' (found: {', '.join(self.fields)}); "
                "import or generate a set that holds it"
            )
        return read_stored(dataset, index, f"{self.path.name}: '{field}' of image set '{self.name}'")


ImageFile = OpenFile[ImageSet]


def open_image_file(path: Path | str, *, check: bool = True) -> ImageFile:
    """Open a file of image sets for reading.

    Args:
        check: let a child process look at the structure first. False only for a file that this program has
            already opened with the check, as in the workers of a data loader.

    Raises:
        DataError: if the file is missing, of another kind, damaged, or reaches outside itself.
    """
    return open_checked(Path(path), Path(image_structure.__file__), KIND, partial(OpenFile, ImageSet), check=check)


def write_image_set(
    path: Path | str,
    images: NDArray[np.uint8],
    *,
    labels: NDArray[np.int32] | None = None,
    grains: NDArray[np.int32] | None = None,
    groups: NDArray[np.int32] | None = None,
    periodic: bool,
    pixel_size: float = 0.0,
    provenance: Mapping[str, object],
    overwrite: bool = False,
    group_prefix: str = "",
) -> Path:
    """Write one image set that is in memory (see ``ImageSetWriter``); return its path."""
    with ImageSetWriter(
        Path(path),
        overwrite=overwrite,
        periodic=periodic,
        pixel_size=pixel_size,
        provenance=provenance,
        labelled=labels is not None,
        group_prefix=group_prefix,
    ) as out:
        out.write(images, labels=labels, grains=grains, groups=groups)
    return Path(path)

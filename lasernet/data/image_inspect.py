"""What a file of image sets holds, for people: sizes, gray, grains and groups."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lasernet.data.image_file import ImageSet, open_image_file
from lasernet.data.image_structure import KIND, UNITS

BLOCK = 1 << 24  # pixels read at once


def describe_images(path: Path) -> dict[str, object]:
    """A JSON-like summary of a file; reads every image once.

    Raises:
        DataError: if the file cannot be read.
    """
    with open_image_file(path) as file:
        cases = [describe_set(case) for case in file.cases.values()]
        return {"file": file.path.name, "hash": file.content_hash, "kind": KIND, "cases": cases}


def describe_set(case: ImageSet) -> dict[str, object]:
    """A JSON-like summary of one set."""
    grays = np.zeros(256, dtype=np.int64)
    labels: list[int] = []
    for rows in blocks(case):
        grays += np.bincount(case.read("image", rows).ravel(), minlength=256)
        if "labels" in case.fields:
            found = case.read("labels", rows)
            labels += [int(found.min()), int(found.max())]
    pixels = int(grays.sum())
    present = np.flatnonzero(grays) / 255
    spans = {"image": present, "labels": labels, "grains": case.grains, "group": case.groups}
    sizes = np.unique(case.groups, return_counts=True)[1]
    return {
        "name": case.name,
        "shape": dict(zip(("images", "height", "width"), case.shape, strict=True)),
        "fields": {
            field: {
                "dtype": str(case.read(field, 0).dtype),
                "shape": list(case.shape if field in ("image", "labels") else case.shape[:1]),
                "unit": UNITS[field],
                "range": _range(spans[field]),
            }
            for field in case.fields
        },
        "periodic": case.periodic,
        "pixel_size": case.pixel_size or None,
        "gray": {
            "mean": float(grays @ np.arange(256)) / (255 * pixels),
            "share_black": int(grays[0]) / pixels,
            "share_white": int(grays[255]) / pixels,
        },
        "grains": None if case.grains is None else _moments(case.grains),
        "groups": {"count": len(sizes), "smallest": int(sizes.min()), "largest": int(sizes.max())},
        "group_prefix": case.group_prefix,
        "provenance": case.provenance,
        "hash": case.content_hash,
    }


def blocks(case: ImageSet) -> list[slice]:
    """Slices that cover all images of a set, each small enough to be read at once."""
    step = max(1, BLOCK // (case.shape[1] * case.shape[2]))
    return [slice(start, min(start + step, len(case))) for start in range(0, len(case), step)]


def _moments(grains: NDArray[np.int32]) -> dict[str, float]:
    return {
        "mean": float(grains.mean()),
        "std": float(grains.std()),
        "lowest": int(grains.min()),
        "highest": int(grains.max()),
    }


def _range(values: object) -> list[float]:
    array = np.asarray(values)
    return [array.min().item(), array.max().item()]

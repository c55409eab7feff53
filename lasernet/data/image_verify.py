"""Checks of one file of image sets: what the layout promises of its values, recomputed from the values."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from lasernet.data.checks import check
from lasernet.data.image_file import ImageSet, count_labels, open_image_file
from lasernet.data.image_inspect import blocks
from lasernet.data.image_structure import image_hash


def verify_images(path: Path) -> list[dict[str, object]]:
    """Every check of a file, as in ``verify.verify_file``.

    Raises:
        DataError: if the file cannot be read at all, or its structure is not that of the layout.
    """
    with open_image_file(path) as file:
        checks = [check("schema", "lasernet", "lasernet", None)]  # open_image_file refuses anything else
        for case in file.cases.values():
            checks += verify_set(case)
    return checks


def verify_set(case: ImageSet) -> list[dict[str, object]]:
    """Every check of one set."""
    digests = {field: hashlib.sha256() for field in case.fields}
    negative, miscounted = 0, 0
    for rows in blocks(case):
        for field in case.fields:
            values = case.read(field, rows)
            digests[field].update(np.ascontiguousarray(values).data)
            if field == "labels" and case.grains is not None:
                negative += int((values < 0).sum())
                miscounted += int((count_labels(values) != case.grains[rows]).sum())
    shapes = {field: case.shape if field in ("image", "labels") else case.shape[:1] for field in case.fields}
    attributes = {"periodic": case.periodic, "pixel_size": case.pixel_size, "group_prefix": case.group_prefix}
    found = image_hash(attributes, {field: (shapes[field], digests[field].hexdigest()) for field in case.fields})
    checks = [check(f"{case.name}/hash", found, case.content_hash, None)]
    if case.grains is not None:
        crowded = int((case.grains > case.shape[1] * case.shape[2]).sum())
        checks.append(check(f"{case.name}/images with more grains than pixels", crowded, 0, 0))
    if "labels" in case.fields:
        checks.append(check(f"{case.name}/pixels with a label below 0", negative, 0, 0))
        checks.append(check(f"{case.name}/images whose labels do not count their grains", miscounted, 0, 0))
    return checks

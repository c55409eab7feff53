"""What a file of image sets must look like beside what ``container`` asks of every file.

``image_file.open_image_file`` runs this file as a script in a child process with limits (see ``container``).
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from lasernet.data.container import (
    Refused,
    check_container,
    check_dataset,
    check_provenance,
    limited,
    members,
    number,
    text,
)

KIND = "images"
DTYPES = {"image": "|u1", "labels": "<i4", "grains": "<i4", "group": "<i4"}
FIELDS = tuple(DTYPES)  # the canonical order
UNITS = {"image": "1", "labels": "1", "grains": "1", "group": "1", "pixel_size": "m"}
TEXTS = ("group_prefix", "provenance", "content_hash", "units")
NUMBERS = ("periodic", "pixel_size")
MAX_IMAGES = 1 << 22
MAX_SIDE = 1 << 14  # pixels
MAX_PREFIX = 200


def image_hash(attributes: Mapping[str, Any], fields: Mapping[str, tuple[object, str]]) -> str:
    """SHA-256 of a set's content: fields as (shape, hash of the values in C order) and physical attributes.

    Chunks, filters and provenance do not enter.
    """
    described = {
        "fields": {name: [list(fields[name][0]), fields[name][1]] for name in fields},  # type: ignore[call-overload]
        "periodic": bool(attributes["periodic"]),
        "pixel_size": float(attributes["pixel_size"]).hex(),
        "group_prefix": str(attributes["group_prefix"]),
    }
    return hashlib.sha256(json.dumps(described, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def check_attributes(attributes: Mapping[str, Any], where: str) -> None:
    """Refuse attributes that no image set has.

    Raises:
        Refused: what was found, what was expected.
    """
    if attributes["periodic"] not in (0, 1):
        raise Refused(f"{where} has periodic {attributes['periodic']:g}; expected 0 or 1")
    if not 0 <= attributes["pixel_size"] <= 1:
        raise Refused(f"{where} has a pixel size of {attributes['pixel_size']:g} m; expected 0 (unknown) to 1")
    prefix = attributes["group_prefix"]
    if not 0 < len(prefix) <= MAX_PREFIX or not prefix.isprintable():
        raise Refused(f"{where} has an unusable group prefix; expected 1 to {MAX_PREFIX} printable characters")
    check_provenance(attributes["provenance"], where)


def check_size(shape: tuple[int, ...], where: str) -> None:
    """Refuse a number or size of images that no set has.

    Args:
        shape: (N, H, W).

    Raises:
        Refused: what was found, what was expected.
    """
    if len(shape) != 3 or not 1 <= shape[0] <= MAX_IMAGES or not all(1 <= side <= MAX_SIDE for side in shape[1:]):
        raise Refused(
            f"'image' of {where} has shape {shape}; expected (N, H, W) with 1 to {MAX_IMAGES} images and sides of "
            f"1 to {MAX_SIDE} pixels"
        )


def _check_case(case: h5py.Group, where: str, seen: set[object], file_size: int) -> str:
    found = dict(members(case, where, len(FIELDS), seen))
    for name, item in found.items():
        if name not in FIELDS:
            raise Refused(f"{where} holds '{name}', which the layout does not know")
        if not isinstance(item, h5py.Dataset):
            raise Refused(f"'{name}' of {where} is no dataset")
    needed = ("image", "group", "grains") if "labels" in found else ("image", "group")
    missing = [name for name in needed if name not in found]
    if missing:
        raise Refused(f"{where} has no '{missing[0]}'")
    shape = found["image"].shape or ()
    check_size(shape, where)
    fields = {}
    for name in FIELDS:
        if name in found:
            what = f"'{name}' of {where}"
            expected = shape if name in ("image", "labels") else shape[:1]
            check_dataset(found[name], what, DTYPES[name], (expected,), file_size)
            fields[name] = (expected, text(found[name], "sha256", what))
            if len(expected) == 1:
                _check_list(found[name][()], fields[name][1], what)
    if abs(number(found["image"], "scale", (), f"'image' of {where}") - 1 / 255) > 1e-12:
        raise Refused(f"'image' of {where} has another scale than 1/255")
    attributes: dict[str, object] = {name: text(case, name, where) for name in TEXTS}
    attributes |= {name: number(case, name, (), where) for name in NUMBERS}
    check_attributes(attributes, where)
    stored = attributes["content_hash"]
    if stored != image_hash(attributes, fields):
        raise Refused(
            f"the content hash of {where} does not fit its attributes; the file was changed or damaged; "
            "import or generate it again"
        )
    return str(stored)


def _check_list(values: NDArray[np.int32], sha256: str, what: str) -> None:
    """One number per image: small enough to be read here, and the split depends on it."""
    if values.min() < 0:
        raise Refused(f"{what} holds {int(values.min())}; expected 0 or more")
    if hashlib.sha256(np.ascontiguousarray(values).data).hexdigest() != sha256:
        raise Refused(f"{what} does not fit its hash; the file was changed or damaged")


if __name__ == "__main__":
    sys.exit(limited(lambda: check_container(sys.argv[1], sys.argv[2], _check_case)))

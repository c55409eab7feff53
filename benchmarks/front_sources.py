"""How well rules without learning name the grain that a freezing cell joins: python benchmarks/front_sources.py T.h5.

For a laser track with grain ids, as .bench/full-track/track.h5 of benchmarks/full_track.py. Writes
results/front_sources.json.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from campaign import ROOT, origin
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, distance_transform_edt

from lasernet.data.layout import Case, open_file
from lasernet.models.front_view import LATEST, LAWS
from lasernet.physics.arrival import arrivals

RESULTS = ROOT / "results" / "front_sources.json"
FRAMES = range(3, 23, 3)
Ids = NDArray[np.int32]


def main() -> None:
    """Count and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, metavar="T.h5")
    given = parser.parse_args()
    right: dict[str, int] = {}
    cells = 0
    with open_file(given.file) as file:
        (case,) = file.cases.values()
        for frame in FRAMES:
            now, then = case.frame("grain_id", frame), case.frame("grain_id", frame + 1)
            froze = (now == 0) & (then > 0)
            cells += int(froze.sum())
            for rule, answer in answers(case, frame, now).items():
                right[rule] = right.get(rule, 0) + int((answer == then)[froze].sum())
        found = {
            **origin(f"python benchmarks/front_sources.py {given.file.name}"), "hash": file.content_hash,
            "frames": list(FRAMES), "cells": cells, "right": {rule: count / cells for rule, count in right.items()},
        }  # fmt: skip
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found["right"], indent=1))


def answers(case: Case, frame: int, ids: Ids) -> dict[str, Ids]:
    """The grain that each rule names for every molten cell of a frame."""
    solid = ids > 0
    edge = solid & binary_dilation(~solid, np.ones((3, 3, 3)))
    spacing = tuple(float(axis[1] - axis[0]) for axis in (case.x, case.y, case.z))
    nearest = distance_transform_edt(~edge, sampling=spacing, return_distances=False, return_indices=True)
    found = {"the nearest solid cell, in the whole volume": ids[tuple(nearest)]}
    for slices in (1, 3, 5, ids.shape[1]):
        where = "in the whole volume" if slices == ids.shape[1] else f"in {slices} slice{'s' if slices > 1 else ''}"
        for material, law in zip(("316L", "IN625"), LAWS, strict=True):
            found[f"where the front comes from, {where}, law of {material}"] = arriving(case, frame, ids, slices, law)
    return found


def arriving(case: Case, frame: int, ids: Ids, slices: int, law: tuple[float, float]) -> Ids:
    """The grain from which the front comes in each xz slice, if only so many slices around it are seen."""
    now, then = (case.liquidus - case.frame("temperature", at).astype(np.float64) for at in (frame, frame + 1))
    spacing = tuple(float(axis[1] - axis[0]) for axis in (case.x, case.y, case.z))
    found = np.zeros_like(ids)
    whole = slices >= ids.shape[1]
    for middle in [0] if whole else range(ids.shape[1]):
        seen = slice(None) if whole else slice(max(0, middle - slices // 2), middle + slices // 2 + 1)
        part = np.ascontiguousarray(ids[:, seen])
        fields = (np.ascontiguousarray(field[:, seen]) for field in (now, then))
        _, source = arrivals(
            part > 0, part == 0, *fields, spacing=(spacing[0], spacing[1], spacing[2]),
            time_step=float(case.t[1] - case.t[0]), law=law, latest=LATEST,
        )  # fmt: skip
        named = np.where(source < 0, 0, part.ravel()[source])
        if whole:
            return np.asarray(named, dtype=np.int32)
        found[:, middle] = named[:, middle - max(0, middle - slices // 2)]
    return found


if __name__ == "__main__":
    main()

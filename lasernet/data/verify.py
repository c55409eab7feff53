"""Checks of one file; of laser tracks: what the layout promises of its values, recomputed from the values."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from lasernet.data.checks import check
from lasernet.data.flow_structure import KIND as FLOW
from lasernet.data.flow_verify import verify_flows
from lasernet.data.image_structure import KIND
from lasernet.data.image_verify import verify_images
from lasernet.data.inspect import molten_of
from lasernet.data.layout import Case, open_file
from lasernet.data.reading import by_kind
from lasernet.data.structure import ORIENTATION, REGULAR, case_hash, irregularity
from lasernet.simulate.materials import MATERIALS

HOTTEST = 1e5  # K


def verify_file(path: Path | str) -> list[dict[str, object]]:
    """Every check of a file of any kind, as in ``checks.check``.

    Raises:
        DataError: if the file cannot be read at all, or its structure is not that of the layout.
    """
    return by_kind(path, {"laser": verify_tracks, KIND: verify_images, FLOW: verify_flows})


def verify_tracks(path: Path) -> list[dict[str, object]]:
    """Every check of a file of laser tracks.

    Raises:
        DataError: as in :func:`verify_file`.
    """
    with open_file(path) as file:
        checks = [check("schema", "lasernet", "lasernet", None)]  # open_file refuses anything else
        for case in file.cases.values():
            checks += verify_case(case)
    return checks


def verify_case(case: Case) -> list[dict[str, object]]:
    """Every check of one case."""
    wrong = dict.fromkeys(("temperature", "missing", "colors", "solid", "hot", "molten", "cold"), 0)
    coldest = coldest_melt(case)
    digests: dict[str, list[bytes]] = {field: [] for field in case.fields}
    for frame in range(case.shape[0]):
        valid = case.valid(frame)
        volumes = {field: case.frame(field, frame) for field in case.fields}
        for field, volume in volumes.items():
            digests[field].append(hashlib.sha256(np.ascontiguousarray(volume).data).digest())
        temperature, ipf, ids = (volumes.get(field) for field in ("temperature", "ipf", "grain_id"))
        if temperature is not None:
            counted = temperature[valid]
            wrong["temperature"] += int((~(np.isfinite(counted) & (counted > 0) & (counted <= HOTTEST))).sum())
            wrong["missing"] += int((~np.isnan(temperature[~valid])).sum())
        if ipf is not None:
            wrong["missing"] += int(ipf[:, ~valid].any(axis=0).sum())
        if ids is not None:
            wrong["missing"] += int((ids[~valid] != 0).sum())
        if ipf is not None and ids is not None:
            wrong["colors"] += int((ipf.any(axis=0) & molten_of(volumes, valid)).sum())
        if temperature is not None and (ipf is not None or ids is not None):
            molten = molten_of(volumes, valid)
            solid = valid & ~molten
            wrong["solid"] += int(solid.sum())
            wrong["hot"] += int((temperature[solid] >= case.liquidus).sum())
            wrong["molten"] += int(molten.sum())
            wrong["cold"] += int((temperature[molten] < coldest).sum())
    prefix = case.name
    checks = [check(f"{prefix}/hash", _recomputed_hash(case, digests), case.content_hash, None)]
    for axis, values in (("x", case.x), ("y", case.y), ("z", case.z)):
        checks.append(check(f"{prefix}/regular/{axis}", irregularity(values), 0.0, REGULAR))
    if "temperature" in case.fields:
        checks.append(check(f"{prefix}/temperature/impossible cells", wrong["temperature"], 0, 0))
    checks.append(check(f"{prefix}/cells without a point that hold a value", wrong["missing"], 0, 0))
    if {"ipf", "grain_id"} <= set(case.fields):
        checks.append(check(f"{prefix}/molten cells with a color", wrong["colors"], 0, 0))
    if wrong["solid"] or wrong["molten"]:
        # What we generate melts at liquidus, to the cell. Elsewhere both are counted, not judged: an automaton may
        # keep a temperature of its own (on the ExaCA tracks, 100 to 600 solid cells per frame are above liquidus).
        ours = case.provenance.get("generator") == "laser"
        checks.append(check(f"{prefix}/solid cells above liquidus", wrong["hot"], 0, 0 if ours else wrong["solid"]))
        # A front that follows the beam is not colder than that; single cells where it turns or stops may be.
        allowed = wrong["molten"] // 1000 if ours else wrong["molten"]
        checks.append(check(f"{prefix}/molten cells below liquidus - ΔT(V)", wrong["cold"], 0, allowed))
    return checks


def coldest_melt(case: Case) -> float:
    """The temperature in K at which dendrites grow as fast as the beam moves; 0 where that is not known."""
    if case.material not in MATERIALS:
        return 0.0
    law = MATERIALS[case.material].growth
    speed = float(np.linalg.norm(case.scan_velocity))
    if speed > float(law.velocity(law.largest_undercooling)):
        return 0.0
    return case.liquidus - float(law.undercooling(speed))


def _recomputed_hash(case: Case, digests: dict[str, list[bytes]]) -> str:
    moving = "mask" in case.fields and case.read("mask", (0, 0, 0)).ndim > 0
    fields: dict[str, tuple[object, str]] = {}
    for field, found in digests.items():
        if field == "mask":
            shape: tuple[int, ...] = case.shape if moving else case.shape[1:]
            found = found if moving else found[:1]
        else:
            shape = (case.shape[0], 9, *case.shape[1:]) if field == "ipf" else case.shape
        fields[field] = (shape, hashlib.sha256(b"".join(found)).hexdigest())
    if (table := case.orientations) is not None:
        fields[ORIENTATION] = (table.shape, hashlib.sha256(np.ascontiguousarray(table, "<f8").data).hexdigest())
    attributes: dict[str, object] = {
        "solidus": case.solidus,
        "liquidus": case.liquidus,
        "front_low": case.front[0],
        "front_high": case.front[1],
        "scan_velocity": case.scan_velocity,
        "material": case.material,
        "ipf_key": case.ipf_key,
        "group": case.group,
    }
    axes = {"t": case.t, "x": case.x, "y": case.y, "z": case.z}
    return case_hash(attributes, axes, fields)

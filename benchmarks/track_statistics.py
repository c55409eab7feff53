"""What can be counted in a laser track whoever made it: the pool, what it froze into, and where it froze."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from statistics import fmean

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion, generate_binary_structure

from lasernet.physics.melt_pool_size import pool_size
from lasernet.simulate.orientation import rotation_matrices

LATE = 6  # last frames, whose pools are measured and whose front is looked at
SMALLEST = 27  # cells; smaller pieces of grains have no shape
BAND = 60.0  # K below liquidus down to which the front band reaches
SIX = generate_binary_structure(3, 1)

Ints = NDArray[np.int32]
Mask = NDArray[np.bool_]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Frames:
    """All frames of a track.

    Attributes:
        temperature: K, (T, X, Y, Z); x the scan direction, the last z the surface.
        grain: rows of the two tables, 0 where molten, (T, X, Y, Z).
        orientations: unit quaternions, (N + 1, 4); row 0 unused.
        colors: 0…255, (N + 1, 9).
        spacing: m.
        liquidus: K.
    """

    temperature: NDArray[np.float32]
    grain: Ints
    orientations: Floats
    colors: NDArray[np.uint8]
    spacing: float
    liquidus: float

    @cached_property
    def molten(self) -> Mask:
        """(T, X, Y, Z)."""
        return np.asarray(self.grain == 0)

    @cached_property
    def regrown(self) -> Mask:
        """Cells that were molten in some frame and are solid in the last one, (X, Y, Z)."""
        return np.asarray(self.molten.any(axis=0) & ~self.molten[-1])

    @cached_property
    def untouched(self) -> Mask:
        """Cells that were never molten in any frame, (X, Y, Z)."""
        return np.asarray(~self.molten.any(axis=0))


def statistics(track: Frames) -> dict[str, float]:
    """All numbers about one track, lengths in µm."""
    return {**pool(track), **front(track), **grains(track), **texture(track), **colors(track)}


def pool(track: Frames) -> dict[str, float]:
    """Size of the pool, mean over the late frames: of what is hotter than liquidus, and of all molten cells."""
    cell = track.spacing * 1e6
    hot = np.mean([pool_size(t, (cell, cell, cell), track.liquidus) for t in track.temperature[-LATE:]], axis=0)
    late = track.molten[-LATE:]
    melt = [cell * np.count_nonzero(late.any(axis=tuple({1, 2, 3} - {axis}))) / LATE for axis in (1, 2, 3)]
    names = ("length", "width", "depth")
    return {
        **{f"hot_{name}": float(value) for name, value in zip(names, hot, strict=True)},
        **{f"melt_{name}": float(value) for name, value in zip(names, melt, strict=True)},
        "remelted_cells": float(np.count_nonzero(track.molten.any(axis=0))),
    }


def front(track: Frames) -> dict[str, float]:
    """Where it freezes in the late frames, by the stored temperature of the frame in which a cell is solid again."""
    late = range(len(track.grain) - LATE, len(track.grain))
    pairs = [(track.molten[k - 1] & ~track.molten[k], track.temperature[k]) for k in late]
    below = track.liquidus - np.concatenate([temperature[new] for new, temperature in pairs])  # K
    solid_hot = [np.count_nonzero(~track.molten[k] & (track.temperature[k] > track.liquidus)) for k in late]
    liquid_cold = [np.count_nonzero(track.molten[k] & (track.temperature[k] < track.liquidus)) for k in late]
    coldest = [track.liquidus - float(track.temperature[k][track.molten[k]].min()) for k in late]
    return {
        "newly_solid": len(below) / LATE,
        "below_band": float(np.mean(below > BAND)),
        "in_band": float(np.mean((below >= 0) & (below <= BAND))),
        "above_band": float(np.mean(below < 0)),
        "undercooling_median": float(np.median(below)),
        "solid_hot": fmean(solid_hot),
        "liquid_cold": fmean(liquid_cold),
        "liquid_undercooling": fmean(coldest),
    }


def grains(track: Frames) -> dict[str, float]:
    """Sizes and shapes of grains where it froze again and where it never melted, in the last frame."""
    grain, cell = track.grain[-1], track.spacing * 1e6
    found: dict[str, float] = {}
    for name, region in (("regrown", track.regrown), ("substrate", track.untouched)):
        for axis, letter in enumerate("xyz"):
            found[f"{name}_intercept_{letter}"] = cell * intercept(grain, region, axis)
        found[f"{name}_intercept"] = fmean(found[f"{name}_intercept_{letter}"] for letter in "xyz")
        volumes = np.bincount(grain[region])
        diameters = cell * np.cbrt(6 / np.pi * volumes[volumes > 0])
        found[f"{name}_diameter"] = float(np.average(diameters, weights=volumes[volumes > 0]))
    found["regrown_grains"] = float(len(np.unique(grain[track.regrown])))
    found["regrown_aspect"] = aspect_ratio(grain, track.regrown)
    inside = binary_erosion(track.regrown, SIX)
    found["rough"] = float(np.mean(like_neighbors(grain)[inside] <= 4))
    found["same_as_before"] = float(np.mean((grain == track.grain[0])[track.regrown]))
    return found


def intercept(grain: Ints, region: Mask, axis: int) -> float:
    """Mean distance between grain boundaries along an axis, in cells: one over the share of unlike neighbors."""
    grain, region = np.moveaxis(grain, axis, 0), np.moveaxis(region, axis, 0)
    both = region[1:] & region[:-1]
    unlike = int(np.count_nonzero((grain[1:] != grain[:-1])[both]))
    return int(np.count_nonzero(both)) / max(unlike, 1)


def aspect_ratio(grain: Ints, region: Mask) -> float:
    """Longest over shortest axis of the ellipsoids with the moments of the grains' pieces, weighted by their volume."""
    owner, places = grain[region], np.argwhere(region).astype(np.float64)
    volumes = np.bincount(owner)
    kept = np.flatnonzero(volumes >= SMALLEST)
    moments = np.zeros((len(volumes), 3, 3))
    means = np.stack([np.bincount(owner, axis) for axis in places.T], axis=1) / np.maximum(volumes, 1)[:, None]
    away = places - means[owner]
    for i in range(3):
        for k in range(3):
            moments[:, i, k] = np.bincount(owner, away[:, i] * away[:, k]) / np.maximum(volumes, 1)
    lengths = np.sqrt(np.linalg.eigvalsh(moments[kept] + np.eye(3) / 12))  # a cell is a cube, no point
    return float(np.average(lengths[:, -1] / lengths[:, 0], weights=volumes[kept]))


def like_neighbors(grain: Ints) -> NDArray[np.int64]:
    """How many of its six neighbors belong to the grain of a cell; those outside the block do not count."""
    count = np.zeros(grain.shape, dtype=np.int64)
    for axis in range(3):
        moved, counted = np.moveaxis(grain, axis, 0), np.moveaxis(count, axis, 0)
        same = moved[1:] == moved[:-1]
        counted[1:] += same
        counted[:-1] += same
    return count


def texture(track: Frames) -> dict[str, float]:
    """Cosine between a direction and the nearest <100>, mean over cells: 0.83 for random crystals, 1 if aligned."""
    axes = rotation_matrices(track.orientations)  # (N + 1, sample axis, crystal axis)
    nearest, grain = np.abs(axes).max(axis=2), track.grain[-1]
    found: dict[str, float] = {}
    for name, region in (("regrown", track.regrown), ("substrate", track.untouched)):
        for axis, letter in enumerate("xyz"):
            found[f"{name}_100_{letter}"] = float(nearest[grain[region], axis].mean())
        found[f"{name}_100"] = fmean(found[f"{name}_100_{letter}"] for letter in "xyz")
    gradient = growth_directions(track)[track.regrown]
    for name, frame in (("after", -1), ("before", 0)):
        solid = track.grain[frame][track.regrown]
        found[f"gradient_100_{name}"] = float(np.abs(np.einsum("ni,nij->nj", gradient, axes[solid])).max(axis=1).mean())
    return found


def growth_directions(track: Frames) -> Floats:
    """Direction of the temperature gradient between the two frames in which a cell froze last, unit, (X, Y, Z, 3)."""
    direction = np.zeros((*track.grain.shape[1:], 3))
    for k in range(1, len(track.grain)):
        new = track.molten[k - 1] & ~track.molten[k]
        if new.any():
            slope = np.gradient(track.temperature[k - 1] + track.temperature[k])
            direction[new] = np.stack([part[new] for part in slope], axis=-1)
    return np.asarray(direction / np.maximum(np.linalg.norm(direction, axis=-1, keepdims=True), 1e-30))


def colors(track: Frames) -> dict[str, float]:
    """Mean and standard deviation over regrown cells of the nine channels, in [0, 1], each averaged over channels."""
    values = track.colors[track.grain[-1][track.regrown]] / 255.0
    return {"color_mean": float(values.mean()), "color_deviation": float(values.std(axis=0).mean())}


def channels(track: Frames) -> NDArray[np.int64]:
    """How many regrown cells have each value of each channel, (9, 256)."""
    values = track.colors[track.grain[-1][track.regrown]]
    return np.stack([np.bincount(channel, minlength=256) for channel in values.T])

"""Generated 316L tracks beside ExaCA's: python benchmarks/exaca_tracks.py FOLDER [--seeds 16].

FOLDER holds tracks as NAME.npz.xz with NAME.json, which says how they were made; beside it lies orientations/ with
the crystal axes of ExaCA's grains. Each 316L track is generated again with its power, speed, beam, preheat, grid,
frames and laser path, three times over: as the generator does it, with ExaCA's heat constants, and with its
substrate too. Writes results/exaca_tracks.json and prints the table.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import lzma
import os
import platform
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import tables
from campaign import ROOT, origin
from numpy.typing import NDArray
from track_statistics import Frames, channels, statistics

from lasernet.metrics.distributions import Distribution, wasserstein
from lasernet.simulate.grain_growth import GrainGrowth
from lasernet.simulate.laser import Frame, LaserTracks, Track
from lasernet.simulate.materials import Material, constant
from lasernet.simulate.melt_pool import AnalyticHeat
from lasernet.simulate.orientation import from_rotation_matrices
from lasernet.simulate.scan_path import Path as ScanPath
from lasernet.simulate.substrate import Substrate

RESULTS = ROOT / "results" / "exaca_tracks.json"
SEEDS = 16
DIGITS = 5
WHOLE = (slice(None), slice(None), slice(None))
MADE = (
    "material", "absorbed_power_W", "speed_m_s", "sigma_um", "sigma_z_um", "preheat_K", "cell_um", "grid", "frames",
    "frame_spacing_us", "substrate_mean_grain_um", "nucleation", "heat_passes", "k_W_mK", "rho_kg_m3", "cp_J_kgK",
)  # fmt: skip
Counts = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Reference:
    """One of ExaCA's tracks.

    Attributes:
        name: of its files.
        made: how, as its JSON says.
        frames: what came out.
        axes: x, y, z, t, in m and s.
        data: its file and the hash of that.
    """

    name: str
    made: dict[str, Any]
    frames: Frames
    axes: dict[str, Any]
    data: dict[str, str]


def main() -> None:
    """Compare, write the results, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    given = parser.parse_args()
    if given.seeds < 2:
        parser.error(f"--seeds {given.seeds}: expected 2 or more, for a spread")
    vectors = np.loadtxt(
        given.folder.parent / "orientations" / "GrainOrientationVectors.csv", delimiter=",", skiprows=1
    )
    orientations = from_rotation_matrices(np.swapaxes(vectors.reshape(-1, 3, 3), 1, 2))  # crystal axes row by row
    rows, left_out = [], []
    for path in sorted(given.folder.glob("*.json")):
        made = json.loads(path.read_text())
        if "316L" in made["material"]:
            rows.append(compare(load(path, made, orientations), range(given.seeds)))
        else:
            left_out.append({"track": made["name"], "reason": f"{made['material']}, not 316L"})
    found = {
        **origin(f"python benchmarks/exaca_tracks.py {given.folder.name} --seeds {given.seeds}"),
        "machine": f"{os.cpu_count()} cores {platform.machine()}, no GPU, shared",
        "seeds": list(range(given.seeds)),
        "rows": rows,
        "left_out": left_out,
    }
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")
    print(tables.exaca_tracks())


def load(path: Path, made: dict[str, Any], orientations: NDArray[np.float64]) -> Reference:
    """A track as its files have it; ExaCA numbers orientations from 1, over and over, and nuclei negatively."""
    file = path.with_suffix(".npz.xz")
    packed = file.read_bytes()
    with np.load(io.BytesIO(lzma.decompress(packed)), allow_pickle=False) as stored:
        parts = {name: stored[name] for name in stored.files}
    ids = parts["grain_ids"]
    order = np.argsort(ids != 0, kind="stable")  # row 0: molten
    row = np.empty(len(ids), dtype=np.int32)
    row[order] = np.arange(len(ids))
    frames = Frames(
        temperature=np.cumsum(parts["T10dx"], axis=1).astype(np.float32) / 10,
        grain=row[parts["grain_index"]],
        orientations=orientations[(np.abs(ids[order]) - 1) % len(orientations)],
        colors=parts["ipf_table"][order],
        spacing=made["cell_um"] * 1e-6,
        liquidus=made["liquidus_K"],
    )
    axes = {axis: parts[axis] for axis in "xyzt"}
    return Reference(made["name"], made, frames, axes, {"file": file.name, "hash": hashlib.sha256(packed).hexdigest()})


def compare(reference: Reference, seeds: range) -> dict[str, Any]:
    """Statistics of a track, of those generated like it, and of their colors."""
    recipe, same_heat = generator(reference, exaca_heat=False), generator(reference, exaca_heat=True)
    own = [measure(generate(reference, recipe, seed)) for seed in seeds]
    heat = [measure(generate(reference, same_heat, seed)) for seed in seeds]
    twin, (real, real_colors) = regrow(reference, same_heat), measure(reference.frames)
    return {
        "track": reference.name,
        "made": {key: reference.made[key] for key in MADE},
        "data": reference.data,
        "exaca": real,
        "generated": columns([values for values, _ in own]),
        "same_heat": columns([values for values, _ in heat]),
        "same_substrate": columns([measure(twin)[0]]),
        "likeness": rounded(likeness(twin, reference.frames)),
        "colors": color_distances(real_colors, [counts for _, counts in own]),
    }


def measure(track: Frames) -> tuple[dict[str, float], Counts]:
    """Statistics of a track, and how often each value of each color channel occurs."""
    return rounded(statistics(track)), channels(track)


def generator(reference: Reference, *, exaca_heat: bool) -> LaserTracks:
    """The generator with the options of a track; with ExaCA's heat also its constants, and no limit at boiling."""
    made = reference.made
    recipe = LaserTracks(
        material="316L",
        beam_radius=2e-6 * made["sigma_um"],
        beam_depth=1e-6 * made["sigma_z_um"],
        cells=tuple(made["grid"]),
        spacing=reference.frames.spacing,
        frames=made["frames"],
        time_step=1e-6 * made["frame_spacing_us"],
        ipf_key="exaca",
    )
    if exaca_heat:
        values = {"conductivity": made["k_W_mK"], "density": made["rho_kg_m3"], "heat_capacity": made["cp_J_kgK"]}
        material: Material = constant(recipe.material, **values)
        recipe.material = replace(material, boiling=np.inf)
    return recipe


def generate(reference: Reference, recipe: LaserTracks, seed: int) -> Frames:
    """A track with grains of its own."""
    frames, growth = recipe.simulate(plan(reference, seed))
    return collect(frames, growth, recipe, reference)


def plan(reference: Reference, seed: int) -> Track:
    """Where the beam goes and when, and what it goes over; of ExaCA's mean grain, the cube root of its volume."""
    made = reference.made
    return Track(
        power=made["absorbed_power_W"],
        speed=made["speed_m_s"],
        preheat=made["preheat_K"],
        grain_size=made["substrate_mean_grain_um"] * 1e-6 * (6 / np.pi) ** (1 / 3),
        **reference.axes,
        path=laser_path(made["heat_passes"]),
        seed=seed,
    )


def laser_path(passes: list[dict[str, float]]) -> ScanPath:
    """All passes of the beam, with the laser off between them."""
    path: ScanPath | None = None
    for one in passes:
        t_on, t_off, speed = one["t_on_us"] * 1e-6, one["t_off_us"] * 1e-6, one["vx_m_s"]
        x, y = one["x0_um"] * 1e-6, one["y0_um"] * 1e-6
        end = (x + speed * (t_off - t_on), y)
        line = ScanPath.line((x, y), end, speed=speed, power=one["absorbed_W"], start_time=t_on)
        path = line if path is None else path.then(line, line.start - path.end)
    assert path is not None
    return path


def regrow(reference: Reference, recipe: LaserTracks) -> Frames:
    """The track again from the grains of its first frame, which are what it was before this pass."""
    track, first = plan(reference, 0), reference.frames
    growth = GrainGrowth(
        substrate=Substrate(first.grain[0], first.orientations), spacing=first.spacing, law=recipe.material.growth
    )
    heat = AnalyticHeat(
        recipe.material,
        **{axis: reference.axes[axis] for axis in "xyz"},
        path=track.path,
        radius=recipe.beam_radius,
        depth=recipe.beam_depth,
        preheat=track.preheat,
    )

    def frames() -> Iterator[Frame]:
        for before, now in zip([0.0, *track.t[:-1]], track.t, strict=True):
            growth.advance(heat, float(before), float(now))
            yield Frame(heat.field(float(now), WHOLE), growth.grain_id)

    return collect(frames(), growth, recipe, reference)


def collect(frames: Iterable[Frame], growth: GrainGrowth, recipe: LaserTracks, reference: Reference) -> Frames:
    """All frames of a generated track."""
    done = list(frames)
    return Frames(
        temperature=np.stack([frame.temperature for frame in done]),
        grain=np.stack([frame.grain_id for frame in done]),
        orientations=growth.orientations,
        colors=recipe.colors(growth.orientations),
        spacing=reference.frames.spacing,
        liquidus=reference.frames.liquidus,
    )


def likeness(twin: Frames, reference: Frames) -> dict[str, float]:
    """The share of the cells that froze again in both that went to one grain; how far temperatures are apart, K."""
    both = twin.regrown & reference.regrown
    same = twin.grain[-1] == reference.grain[-1]
    changed = both & (reference.grain[-1] != reference.grain[0])
    return {
        "same_grain": float(same[both].mean()),
        "same_grain_where_changed": float(same[changed].mean()),
        "temperature": float(np.abs(twin.temperature - reference.temperature).max()),
    }


def color_distances(real: Counts, drawn: list[Counts]) -> dict[str, Any]:
    """Mean Wasserstein-1 between colors of regrown cells: of ExaCA to all seeds, and of each seed to the others."""
    between = np.array([[color_distance(one, other) for other in drawn] for one in drawn])
    each = [moments(one) for one in drawn]
    found = {
        "exaca": fmean(color_distance(real, one) for one in drawn),
        "generated": (between.sum(axis=1) / (len(drawn) - 1)).tolist(),
        "channels_exaca": moments(real).tolist(),
        "channels_generated": np.mean(each, axis=0).tolist(),
        "channels_spread": np.std(each, axis=0, ddof=1).tolist(),
    }
    return {name: np.round(values, DIGITS).tolist() for name, values in found.items()}


def color_distance(one: Counts, other: Counts) -> float:
    """Wasserstein-1 of channels in [0, 1], mean over the nine."""
    pairs = zip(map(Distribution.from_counts, one), map(Distribution.from_counts, other), strict=True)
    return fmean(wasserstein(first, second) or 0.0 for first, second in pairs) / 255


def moments(counts: Counts) -> NDArray[np.float64]:
    """Means of the channels, and their standard deviations, in [0, 1]: (2, 9)."""
    found = [Distribution.from_counts(channel) for channel in counts]
    return np.array([[one.mean or 0.0, (one.variance or 0.0) ** 0.5] for one in found]).T / 255


def columns(rows: list[dict[str, float]]) -> dict[str, list[float]]:
    """The values of each name."""
    return {name: [row[name] for row in rows] for name in rows[0]}


def rounded(values: dict[str, float]) -> dict[str, float]:
    """To as many digits as a results file needs."""
    return {name: round(value, DIGITS) for name, value in values.items()}


if __name__ == "__main__":
    main()

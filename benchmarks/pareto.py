"""Error against time of every surrogate and of the generator itself: python benchmarks/pareto.py [--rounds 5].

Errors are those of results/laser_cases.json, whose runs are needed; the generator is run again for the same test
cases on coarser grids, from the start of each track, and compared with the stored cells in the same regions. Times
are CPU seconds per frame (all slices) on one thread, in interleaved rounds. Writes results/pareto.json and
docs/images/pareto.png.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from campaign import ROOT, origin
from laser_cases import DATA, every_run
from numpy.typing import NDArray

from lasernet.data.layout import open_file
from lasernet.data.sequences import FrameData, FrameSplit
from lasernet.engine.loaded import load_run
from lasernet.metrics.regions import RegionScores
from lasernet.physics.solidification import REGIONS
from lasernet.simulate.grain_growth import GrainGrowth
from lasernet.simulate.laser import LaserTracks
from lasernet.simulate.melt_pool import AnalyticHeat
from lasernet.simulate.substrate import Substrate, substrate

FACTORS = (1, 2, 4, 8)
BATCH = 8
FIELDS = {"microstructure": "ipf", "temperature": "temperature"}


def main() -> None:
    """Time and judge everything, draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    torch.set_num_threads(1)
    found = json.loads((ROOT / "results" / "laser_cases.json").read_text())
    rows = surrogates(found, given.rounds) + generators(given.rounds)
    result = {
        **origin("python benchmarks/pareto.py"),
        "rounds": given.rounds,
        "data": found["data"],
        "rows": rows,
    }
    (ROOT / "results" / "pareto.json").write_text(json.dumps(result, indent=1) + "\n")
    draw(result)


def surrogates(found: dict[str, Any], rounds: int) -> list[dict[str, Any]]:
    """Networks of the first seed and the fitted baselines: errors from the table, times measured here."""
    rows = []
    for task in FIELDS:
        runs = [(name, load_run(campaign.path(name, seed))) for campaign, name, seed in every_run() if seed == 0]
        runs = [(name, run) for name, run in runs if run.task.name == task]
        models: dict[str, Any] = {name: run.model for name, run in runs} | dict(runs[0][1].baselines())
        errors = {row["name"]: row["metrics"] for row in found["rows"] if row["task"] == task and row["seed"] == 0}
        errors |= found["baselines"][task]
        options = runs[0][1].run.config["data"]["options"] | {"preload": False}
        times = {name: [] for name in models}
        frames = _some_frames(FrameData([DATA], task, (), **options))
        for turn in range(rounds + 1):
            for name, model in models.items():
                data = FrameData([DATA], task, model.inputs, **options)
                seconds = _answer(model, data, *frames[turn % len(frames)])
                if turn:  # the first warms up
                    times[name].append(seconds)
        for name, seconds in times.items():
            kind = "networks" if name in dict(runs) else "baselines"
            rows.append({"task": task, "family": kind, "name": name, **_row(seconds, errors[name])})
            print(rows[-1])
    return rows


def _some_frames(data: FrameData) -> list[tuple[int, int]]:
    """Case and frame of the middle of every test track."""
    items = data.split("test").items
    return [(case, int(np.median(items["frame"][items["case"] == case]))) for case in np.unique(items["case"]).tolist()]


@torch.no_grad()
def _answer(model: Any, data: FrameData, case: int, frame: int) -> float:
    """CPU seconds to predict all slices of one frame, with the fields derived for it; reading is not counted."""
    split = data.split("test")
    rows = np.flatnonzero((split.items["case"] == case) & (split.items["frame"] == frame))
    for index in range(frame - data.seq_length - 1, frame + 1):
        data.tracks[case].frame(index)
    start = time.process_time()
    for part in np.split(rows, range(BATCH, len(rows), BATCH)):
        model.predict(FrameSplit(data, split.items).fetch(part.tolist()))
    return time.process_time() - start


def generators(rounds: int) -> list[dict[str, Any]]:
    """The generator of the file on its own grid and on coarser ones."""
    file = open_file(DATA)
    names = list(file.cases)
    provenance = file.cases[names[0]].provenance
    recipe = LaserTracks(**{key: tuple(v) if isinstance(v, list) else v for key, v in provenance["options"].items()})
    config = next(campaign.path(name, seed) for campaign, name, seed in every_run())
    options = load_run(config).run.config["data"]["options"] | {"preload": False}
    data = {task: FrameData([DATA], task, (), **options) for task in FIELDS}
    tests = np.unique(data["microstructure"].split("test").items["case"]).tolist()
    times: dict[tuple[str, int], list[float]] = {}
    scores = {(field, factor): RegionScores(field) for field in FIELDS.values() for factor in FACTORS}
    for case in tests:
        for factor in FACTORS:
            seconds = _run(recipe, case, int(provenance["seed"]), factor, data, scores)
            for field, value in seconds.items():
                times.setdefault((field, factor), []).append(value)
    rows = []
    for task, field in FIELDS.items():
        for factor in FACTORS:
            name = f"{1e6 * recipe.spacing * factor:g} µm"
            errors = scores[field, factor].compute()
            rows.append({"task": task, "family": "generator", "name": name, **_row(times[field, factor], errors)})
            print(rows[-1])
    return rows


def _run(
    recipe: LaserTracks, case: int, seed: int, factor: int, data: dict[str, FrameData], scores: dict[Any, RegionScores]
) -> dict[str, float]:
    """Simulate a case on cells ``factor`` times as large, judge its frames; CPU seconds per frame of both fields."""
    drawn = recipe.draw(case, seed=seed)
    fine = substrate(recipe.cells, recipe.spacing, drawn.grain_size, drawn.seed)
    middle = slice(factor // 2, None, factor)
    coarse = Substrate(np.ascontiguousarray(fine.grain_id[middle, middle, middle]), fine.orientations)
    axes = [_centers(axis, factor) for axis in (drawn.x, drawn.y, drawn.z)]
    track = data["microstructure"].tracks[case]
    table = recipe.colors(np.asarray(track.case.orientations))
    spent = {"ipf": 0.0, "temperature": 0.0}
    heat = AnalyticHeat(
        recipe.material, x=axes[0], y=axes[1], z=axes[2], path=drawn.path, radius=recipe.beam_radius,
        depth=recipe.beam_depth, preheat=drawn.preheat,
    )  # fmt: skip
    growth = GrainGrowth(substrate=coarse, spacing=recipe.spacing * factor, law=recipe.material.growth, seed=drawn.seed)
    whole = (slice(None), slice(None), slice(None))
    growth.advance(heat, min(drawn.path.start, 0.0), 0.0)
    for frame, (before, now) in enumerate(zip([0.0, *drawn.t[:-1]], drawn.t, strict=True)):
        spent["temperature"] += _timed(lambda now=now: heat.field(float(now), whole))
        spent["ipf"] += _timed(lambda before=before, now=now: growth.advance(heat, float(before), float(now)))
        ids = _enlarged(growth.grain_id, factor)
        colors = np.moveaxis(table[ids], -1, 0).astype(np.float32) / 255
        kelvin = _interpolated(heat.field(float(now), whole), axes, (drawn.x, drawn.y, drawn.z))
        for task, field in FIELDS.items():
            volume = colors if field == "ipf" else kelvin[None]
            _judge(scores[field, factor], data[task], case, frame, volume)
    return {field: seconds / len(drawn.t) for field, seconds in spent.items()}


def _timed(work: Callable[[], Any]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def _centers(axis: NDArray[np.float64], factor: int) -> NDArray[np.float64]:
    return axis[: len(axis) // factor * factor].reshape(-1, factor).mean(axis=1)


def _enlarged(volume: NDArray[np.int32], factor: int) -> NDArray[np.int32]:
    return volume.repeat(factor, 0).repeat(factor, 1).repeat(factor, 2)


def _interpolated(
    volume: NDArray[np.float32], axes: list[NDArray[np.float64]], wanted: tuple[NDArray[np.float64], ...]
) -> NDArray[np.float32]:
    """Linear between the coarse centers, and on beyond the outermost."""
    from scipy.interpolate import RegularGridInterpolator

    if all(len(a) == len(b) for a, b in zip(axes, wanted, strict=True)):
        return volume
    inside = RegularGridInterpolator(axes, volume, bounds_error=False, fill_value=None)
    return inside(tuple(np.meshgrid(*wanted, indexing="ij"))).astype(np.float32)


def _judge(scores: RegionScores, data: FrameData, case: int, frame: int, volume: NDArray[np.float32]) -> None:
    split = data.split("test")
    rows = np.flatnonzero((split.items["case"] == case) & (split.items["frame"] == frame))
    if not len(rows):
        return
    batch = split.fetch(rows.tolist())
    slices = volume.swapaxes(0, 2)[split.items["slice"][rows]]  # xz: (slices, X, C, Z)
    scores.update(torch.from_numpy(np.ascontiguousarray(slices.transpose(0, 2, 3, 1))), batch)


def _row(seconds: list[float], errors: dict[str, Any]) -> dict[str, Any]:
    quartiles = statistics.quantiles(seconds, n=4) if len(seconds) > 1 else seconds * 3
    return {
        "seconds": statistics.median(seconds),
        "quartiles": [quartiles[0], quartiles[2]],
        "mse": {region: errors[region]["mse"] for region in REGIONS},
    }


def draw(result: dict[str, Any]) -> Path:
    """The figure."""
    from lasernet.viz.tradeoff import error_against_time

    titles = {"microstructure": "IPF colors: MSE, active cells", "temperature": "temperature: MSE, active cells (K²)"}
    panels: dict[str, dict[str, list[tuple[str, float, float]]]] = {title: {} for title in titles.values()}
    for row in result["rows"]:
        group = panels[titles[row["task"]]].setdefault(row["family"], [])
        group.append((row["name"], row["seconds"], row["mse"]["active"]))
    return error_against_time(panels, ROOT / "docs" / "images" / "pareto.png", unit="CPU s per frame, one thread")


if __name__ == "__main__":
    main()

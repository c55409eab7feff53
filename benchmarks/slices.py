"""How long one plane slice of each field takes from a warm file: ``python benchmarks/slices.py [--all]``.

A Voronoi grain structure with a melt pool on 464 x 94 x 93 cells is written by the package and read back, by plain
h5py and through ``Case.read``. ``--all`` also writes the fields with other filters and chunks, to show why these were
chosen.
Prints one JSON object, and writes it to results/layout_slices.json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from scipy.spatial import cKDTree

from lasernet.data.case_writer import CHUNKS
from lasernet.data.layout import create_file, open_file
from lasernet.data.track_writer import LIBRARY

GRID = (464, 94, 93)
SPACING = 2.5e-6
GRAIN = 20e-6
FRAMES = 2
LIMIT_MS = 10.0
PLANES = {"x": 2, "y": 3, "z": 4}  # position in (t, channel, x, y, z)
ALTERNATIVES = {
    "temperature": [(58, 12, 12), (58, 16, 16), (58, 8, 8), (32, 16, 16), (32, 32, 32)],
    "grain_id": [(58, 12, 12), (58, 16, 16), (58, 8, 8), (32, 32, 32)],
    "ipf": [(29, 6, 5), (32, 6, 6), (58, 8, 8), (32, 4, 4), (16, 6, 6), (58, 12, 12)],
}
FILTERS: dict[str, dict[str, Any]] = {
    "lzf": {"compression": "lzf"},
    "gzip 1": {"compression": "gzip", "compression_opts": 1},
    "none": {},
}


def synthesize(seed: int = 0) -> dict[str, np.ndarray]:
    """Two frames of Voronoi grains of 20 µm with a melt pool that travels."""
    rng = np.random.default_rng(seed)
    size = np.array(GRID) * SPACING
    seeds = rng.uniform(0, size, (int(size.prod() / GRAIN**3), 3))
    axes = [np.arange(cells) * SPACING for cells in GRID]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), -1)
    _, nearest = cKDTree(seeds).query(points.reshape(-1, 3))
    palette = rng.integers(0, 256, (len(seeds) + 1, 9), dtype=np.uint8)
    palette[0] = 0
    fields: dict[str, list[np.ndarray]] = {"temperature": [], "ipf": [], "grain_id": []}
    for frame in range(FRAMES):
        center = np.array([0.55 + 0.1 * frame, 0.5, 1.0]) * size
        distance = np.sqrt((((points - center) * [1, 2, 2.5]) ** 2).sum(-1))
        temperature = (300 + 2700 * np.exp(-distance / 70e-6)).astype(np.float32)
        ids = np.where(temperature > 1723, 0, (nearest + 1).reshape(GRID)).astype(np.int32)
        fields["temperature"].append(temperature)
        fields["grain_id"].append(ids)
        fields["ipf"].append(np.moveaxis(palette[ids], -1, 0))
    return {field: np.stack(frames) for field, frames in fields.items()}


def milliseconds(read: Callable[[tuple[object, ...]], object], field: str, plane: str) -> dict[str, float]:
    """Median wall and CPU time and slowest of slices at different frames and positions, after one to warm the file."""
    size = GRID["xyz".index(plane)]
    taken, worked = [], []
    for number in range(14):
        index: list[object] = [number % FRAMES, slice(None), slice(None), slice(None), slice(None)]
        index[PLANES[plane]] = (7 + number * size // 14) % size
        if field != "ipf":
            del index[1]
        start, work = time.perf_counter(), time.process_time()
        read(tuple(index))
        taken.append((time.perf_counter() - start) * 1e3)
        worked.append((time.process_time() - work) * 1e3)
    wall, cpu = (round(float(np.median(times[1:])), 2) for times in (taken, worked))
    return {"median": wall, "cpu": cpu, "slowest": round(max(taken[1:]), 2)}


def measure_layout(fields: dict[str, np.ndarray], directory: Path) -> list[dict[str, object]]:
    """Slices of a file as the package writes it."""
    path = directory / "layout.h5"
    x, y, z = (np.arange(cells) * SPACING for cells in GRID)
    start = time.process_time()
    with create_file(path) as out:
        case = out.add_case(
            "a", x=x, y=y, z=z, t=np.arange(FRAMES) * 1e-5, material="316L", solidus=1696.5, liquidus=1723
        )
        for frame in range(FRAMES):
            case.write_frame(frame, **{field: volumes[frame] for field, volumes in fields.items()})
    written = time.process_time() - start
    rows: list[dict[str, object]] = []
    with open_file(path) as file, h5py.File(path) as plain:
        for field in fields:
            dataset = plain["cases/a"][field]
            row: dict[str, object] = {"field": field, "chunk": CHUNKS[field], "filter": dataset.compression}
            row["bytes"] = dataset.id.get_storage_size()
            for plane in PLANES:
                row[f"h5py_{plane}_ms"] = milliseconds(dataset.__getitem__, field, plane)
                row[f"case_{plane}_ms"] = milliseconds(partial(file.cases["a"].read, field), field, plane)
            rows.append(row)
    rows.append({"file_bytes": path.stat().st_size, "write_cpu_seconds": round(written, 2)})
    return rows


def measure_alternatives(fields: dict[str, np.ndarray], directory: Path) -> list[dict[str, object]]:
    """Slices with other chunks and filters, by plain h5py."""
    rows: list[dict[str, object]] = []
    for field, shapes in ALTERNATIVES.items():
        for shape in shapes:
            for name, options in FILTERS.items():
                path = directory / "alternative.h5"
                chunk = (1, 9, *shape) if field == "ipf" else (1, *shape)
                with h5py.File(path, "w", libver=LIBRARY) as file:
                    shuffle = field == "temperature" and name != "none"
                    file.create_dataset(
                        field, data=fields[field], chunks=chunk, shuffle=shuffle, fletcher32=True, **options
                    )
                row: dict[str, object] = {"field": field, "chunk": shape, "filter": name}
                row["bytes"] = path.stat().st_size
                with h5py.File(path) as file:
                    for plane in PLANES:
                        row[f"h5py_{plane}_ms"] = milliseconds(file[field].__getitem__, field, plane)
                rows.append(row)
    return rows


def main() -> None:
    """Measure, print and store."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--all", action="store_true", help="also measure other chunks and filters")
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "results" / "layout_slices.json")
    chosen = parser.parse_args()
    fields = synthesize()
    with tempfile.TemporaryDirectory() as directory:
        rows = measure_layout(fields, Path(directory))
        others = measure_alternatives(fields, Path(directory)) if chosen.all else []
    found: list[Any] = [value for row in rows for key, value in row.items() if key.endswith("_ms")]
    wall, cpu = (max(value[kind] for value in found) for kind in ("median", "cpu"))
    result = {
        "command": "python benchmarks/slices.py" + (" --all" if chosen.all else ""),
        "grid": GRID,
        "limit_ms": LIMIT_MS,
        "worst_plane_wall_ms": wall,
        "worst_plane_cpu_ms": cpu,
        "ok": cpu <= LIMIT_MS,  # other programs of a busy machine do not enter
        "layout": rows,
        "alternatives": others,
        "load_average": round(os.getloadavg()[0], 2),
        "versions": {"h5py": h5py.__version__, "hdf5": h5py.version.hdf5_version, "python": platform.python_version()},
    }
    text = json.dumps(result, indent=1)
    chosen.out.write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()

"""Small CSV point clouds with known content."""

import gzip
import io

import numpy as np

from lasernet.data.importers import import_source

STEP = 5e-6
GRID = (7, 4, 3)
NAMES = ["Points:0", "Points:1", "Points:2", "T", *(f"ipf_{a}:{c}" for a in "xyz" for c in range(3)), "ori_inds"]
KNOWN = {"material": "316L", "time_step": 1e-5, "scan_speed": 0.8}


def table(frame=0, grid=GRID, seed=3):
    """Rows of a frame: grid points in C order, colors 0 where the orientation index is."""
    rng = np.random.default_rng([seed, frame])
    axes = [np.round(np.arange(n) * STEP - shift, 10) for n, shift in zip(grid, (0, 1e-5, 2e-5), strict=True)]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)
    ids = rng.integers(0, 5, len(points))
    colors = np.where(ids[:, None], rng.integers(1, 256, (5, 9))[ids], 0) / 255
    temperature = np.round(rng.uniform(300, 2500, len(points)), 2)
    return np.column_stack([points, temperature, colors, ids])


def text(rows, names=NAMES):
    out = io.StringIO()
    np.savetxt(out, rows, delimiter=",", header=",".join(names), comments="", fmt="%.7g")
    return out.getvalue()


def make(directory, change=None, frames=3, suffix=".csv"):
    """Write frames; ``change`` maps the rows of each."""
    directory.mkdir(exist_ok=True)
    for frame in range(frames):
        rows = table(frame) if change is None else change(table(frame), frame)
        data = text(rows).encode()
        path = directory / f"Alldata_withpoints_{frame}{suffix}"
        path.write_bytes(gzip.compress(data) if suffix.endswith("gz") else data)
    return directory


def convert(source, out, **options):
    return import_source(str(source), out, **(KNOWN | options))


def volume(column, frame=0):
    return table(frame)[:, column].reshape(GRID)

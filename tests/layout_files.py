"""Small files of the HDF5 layout, with known content."""

import hashlib

import numpy as np

from lasernet.data.layout import create_file

GRID = (3, 5, 4, 6)
PHYSICS = {"material": "316L", "solidus": 1696.5, "liquidus": 1723.0}


def axes(grid=GRID):
    t, x, y, z = (np.arange(n) * step for n, step in zip(grid, (1e-5, 2e-6, 2e-6, 2e-6), strict=True))
    return {"t": t, "x": x, "y": y, "z": z}


def volumes(frame, grid=GRID, seed=0):
    rng = np.random.default_rng([seed, frame])
    ids = rng.integers(0, 4, grid[1:]).astype(np.int32)
    return {
        "temperature": rng.uniform(300, 3000, grid[1:]).astype(np.float32),
        "ipf": np.where(ids, rng.integers(1, 256, (9, *grid[1:])), 0).astype(np.uint8),
        "grain_id": ids,
    }


def write(path, order=range(3), names=("a",), **options):
    with create_file(path, **options) as out:
        for name in names:
            case = out.add_case(name, **axes(), **PHYSICS, scan_velocity=(0.8, 0, 0), provenance={"b": 1, "a": 2})
            for frame in order:
                case.write_frame(frame, **volumes(frame))
    return path


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()

"""Images in foreign formats, small, and what becomes of them."""

import os
from pathlib import Path

import h5py
import numpy as np
import pytest

from lasernet.data.image_file import open_image_file
from lasernet.data.importers import import_source
from lasernet.errors import LasernetError

RNG = np.random.default_rng(5)
BYTES = RNG.integers(0, 256, (7, 12, 12), dtype=np.uint8)
BYTES[0, 0, :2] = 0, 255


def stack(path: Path, values: np.ndarray, key: str = "images", **options: object) -> Path:
    with h5py.File(path, "w") as file:
        file.create_dataset(key, data=values, **options)
    return path


def read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    with open_image_file(path) as file:
        case = file.cases["images"]
        return case.read("image"), case.groups


def convert(source: object, **options: object) -> np.ndarray:
    out = Path(str(source)).parent / "out.h5"
    return read(import_source(str(source), out, overwrite=True, **options))[0]


def refused(source: object, **options: object) -> str:
    place = Path(str(source)).parent
    before = sorted(os.listdir(place))
    with pytest.raises(LasernetError) as caught:
        import_source(str(source), place / "never.h5", **options)
    assert sorted(os.listdir(place)) == before
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500
    return str(caught.value)


def folder(tmp_path: Path) -> Path:
    (tmp_path / "s").mkdir()
    return tmp_path / "s"

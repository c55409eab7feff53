from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from lasernet.errors import DataError
from lasernet.viz import points
from lasernet.viz.points import write_csv

X, Y, Z = np.arange(4) * 2.5e-6, np.arange(3) * 1e-6 - 1e-6, np.array([-3.3e-6, 0.0])


def frame() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        "temperature": (300 + 3000 * rng.random((4, 3, 2))).astype(np.float32),
        "ipf": rng.random((9, 4, 3, 2)).astype(np.float32),
        "orientation": rng.integers(0, 10000, (4, 3, 2)),
    }


def read(path: Path) -> dict[str, list[str]]:
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {key: [row[key] for row in rows] for key in rows[0]}


def test_every_value_comes_back_exactly_at_its_point(tmp_path: Path) -> None:
    fields = frame()
    found = read(write_csv(tmp_path / "a.csv", x=X, y=Y, z=Z, **fields))
    assert list(found) == [
        "Points:0", "Points:1", "Points:2", "T",
        *(f"ipf_{d}:{c}" for d in "xyz" for c in range(3)), "ori_inds",
    ]  # fmt: skip
    place = tuple(
        np.array([list(axis).index(float(text)) for text in found[f"Points:{n}"]]) for n, axis in enumerate((X, Y, Z))
    )
    assert len(set(zip(*(p.tolist() for p in place), strict=True))) == 24
    assert np.array_equal(np.array(found["T"], dtype=np.float32), fields["temperature"][place])
    for channel in range(9):
        text = found[f"ipf_{'xyz'[channel // 3]}:{channel % 3}"]
        assert np.array_equal(np.array(text, dtype=np.float32), fields["ipf"][channel][place])
    assert [int(text) for text in found["ori_inds"]] == fields["orientation"][place].tolist()


def test_unknown_columns_are_left_out(tmp_path: Path) -> None:
    found = read(write_csv(tmp_path / "a.csv", x=X, y=Y, z=Z, temperature=frame()["temperature"]))
    assert list(found) == ["Points:0", "Points:1", "Points:2", "T"]


def test_cells_without_data_have_no_row(tmp_path: Path) -> None:
    temperature, valid = frame()["temperature"], np.ones((4, 3, 2), dtype=bool)
    temperature[0, 0, 0] = np.nan
    valid[1] = False
    found = read(write_csv(tmp_path / "a.csv", x=X, y=Y, z=Z, temperature=temperature, valid=valid))
    assert len(found["T"]) == 24 - 1 - 6
    assert float(X[1]) not in {float(text) for text in found["Points:0"]}


def test_chunks_leave_no_seam(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = write_csv(tmp_path / "a.csv", x=X, y=Y, z=Z, **frame()).read_bytes()
    monkeypatch.setattr(points, "CHUNK", 7)
    assert write_csv(tmp_path / "b.csv", x=X, y=Y, z=Z, **frame()).read_bytes() == whole


@pytest.mark.parametrize("wrong", ["temperature", "ipf", "orientation", "valid"])
def test_shapes_that_do_not_fit_are_refused_and_leave_nothing(wrong: str, tmp_path: Path) -> None:
    fields = {**frame(), "valid": np.ones((4, 3, 2), dtype=bool)}
    fields[wrong] = fields[wrong][..., :1]
    with pytest.raises(DataError, match=wrong):
        write_csv(tmp_path / "a.csv", x=X, y=Y, z=Z, **fields)
    assert list(tmp_path.iterdir()) == []


def test_a_frame_without_any_data_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no cell"):
        write_csv(tmp_path / "a.csv", x=X, y=Y, z=Z, temperature=np.full((4, 3, 2), np.nan))

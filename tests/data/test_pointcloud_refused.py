"""CSV point clouds that are unsound: one error, and nothing is left."""

import gzip
import os
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from point_tables import NAMES, STEP, convert, make, table, text

from lasernet.data.importers import in_order
from lasernet.errors import DataError, OptionError


def cell(column, value, row=3):
    def change(rows):
        lines = text(rows).splitlines()
        parts = lines[row].split(",")
        parts[column] = value
        lines[row] = ",".join(parts)
        return "\n".join(lines)

    return change


def with_rows(change):
    return lambda rows: text(change(rows))


def jittered(size):
    rng = np.random.default_rng(2)
    return with_rows(lambda rows: rows + np.pad(rng.uniform(-size, size, (len(rows), 3)), ((0, 0), (0, 11))))


def stretched(rows):
    rows[:, 0] = np.where(rows[:, 0] > 2.2e-5, rows[:, 0] * 1.5, rows[:, 0])
    return rows


def outlier(value):
    def change(rows):
        rows[0, 0] = value
        return rows

    return with_rows(change)


def sparse(rows):
    return rows[(np.round(rows[:, :3] / STEP).sum(1) % 3) == 0]


BAD = {
    "missing column": lambda rows: text(np.delete(rows, 3, 1), [n for n in NAMES if n != "T"]),
    "missing color": lambda rows: text(np.delete(rows, 8, 1), [n for n in NAMES if n != "ipf_y:1"]),
    "doubled column": lambda rows: text(np.column_stack([rows, rows[:, 3]]), [*NAMES, "T"]),
    "renamed column": lambda rows: text(rows, ["temperature" if n == "T" else n for n in NAMES]),
    "nan temperature": cell(3, "nan"),
    "inf temperature": cell(3, "inf"),
    "huge temperature": cell(3, "1e400"),
    "hot temperature": cell(3, "1e18"),
    "zero kelvin": cell(3, "0"),
    "celsius": cell(3, "-20"),
    "empty cell": cell(3, ""),
    "text": cell(3, "hot"),
    "text coordinate": cell(0, "here"),
    "nan coordinate": cell(0, "nan"),
    "inf coordinate": cell(1, "-inf"),
    "nan color": cell(6, "nan"),
    "bright color": cell(6, "1.5"),
    "dark color": cell(6, "-0.1"),
    "color in bytes": cell(6, "255"),
    "nan index": cell(13, "nan"),
    "text index": cell(13, "grain"),
    "long field": cell(3, "1" * (20 << 20)),
    "long quoted field": cell(3, '"' + "x" * (20 << 20) + '"'),
    "irregular": with_rows(stretched),
    "jitter": jittered(0.1 * STEP),
    "small jitter": jittered(0.01 * STEP),
    "outlier": outlier(1e9),
    "near outlier": outlier(STEP * 500),
    "huge outlier": outlier(1e300),
    "doubled point": with_rows(lambda rows: np.vstack([rows[:-1], rows[:1]])),
    "one point more": with_rows(lambda rows: np.vstack([rows, rows[:1]])),
    "sparse": with_rows(sparse),
    "ragged short": lambda rows: text(rows) + "1,2,3\n",
    "ragged long": lambda rows: text(rows) + ",".join("1" * 15) + "\n",
    "semicolons": lambda rows: text(rows).replace(",", ";"),
    "decimal comma": lambda rows: text(rows).replace(",", ";").replace(".", ","),
    "quoted decimal comma": cell(3, '"812,5"'),
    "tabs": lambda rows: text(rows).replace(",", "\t"),
    "nul in a cell": cell(3, "812\0"),
    "utf-16": lambda rows: text(rows).encode("utf-16"),
    "utf-16 without mark": lambda rows: text(rows).encode("utf-16-le"),
    "binary": lambda rows: bytes(range(1, 256)) * 40,
    "empty": lambda rows: "",
    "only newlines": lambda rows: "\n\n\n",
    "only a header": lambda rows: text(rows[:0]),
    "no header": lambda rows: text(rows).split("\n", 1)[1],
    "truncated gzip": lambda rows: gzip.compress(text(rows).encode())[:-300],
    "gzip with a wrong sum": lambda rows: gzip.compress(text(rows).encode())[:-8] + b"\0" * 8,
    "damaged gzip": lambda rows: (lambda d: d[:900] + bytes(b ^ 255 for b in d[900:950]) + d[950:])(
        gzip.compress(text(rows).encode())
    ),
    "gzip header only": lambda rows: b"\x1f\x8b",
}


def refused(tmp_path, source, **options):
    before = sorted(os.listdir(tmp_path))
    with pytest.raises(DataError) as caught:
        convert(source, tmp_path / "out.h5", **options)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 700
    assert sorted(os.listdir(tmp_path)) == before
    return message


@pytest.mark.parametrize("position", [0, 1])
@pytest.mark.parametrize("name", BAD)
def test_unsound_tables_give_one_error_and_leave_nothing(tmp_path, name, position):
    source = make(tmp_path / "s", frames=2)
    bad = BAD[name](table(position))
    path = source / f"Alldata_withpoints_{position}.csv"
    path.write_bytes(bad if isinstance(bad, bytes) else bad.encode())
    assert path.name in refused(tmp_path, source)


@pytest.mark.parametrize("name", ["pipe", "empty directory", "missing", "no match", "zip", "device"])
def test_what_is_no_source_is_refused(tmp_path, name):
    source = tmp_path / "s"
    if name in ("pipe", "device"):
        source.mkdir()
        if name == "pipe":
            os.mkfifo(source / "Alldata_withpoints_0.csv")
        else:
            (source / "Alldata_withpoints_0.csv").symlink_to("/dev/zero")
    elif name == "empty directory":
        source.mkdir()
    elif name == "zip":
        source = tmp_path / "s.zip"
        source.write_bytes(b"PK")
    elif name == "no match":
        source = tmp_path / "none_*.csv"
    refused(tmp_path, source)


def test_a_grid_that_moves_between_frames_is_refused(tmp_path):
    def move(rows, frame):
        rows[:, 0] += frame * STEP / 2
        return rows

    assert "grid of the first frame" in refused(tmp_path, make(tmp_path / "s", move))


def test_a_grid_that_grows_between_frames_is_refused(tmp_path):
    source = make(tmp_path / "s")
    (source / "Alldata_withpoints_2.csv").write_text(text(table(2, (8, 4, 3))))
    refused(tmp_path, source)


@pytest.mark.parametrize("numbers", [(0, 1, 3), (0, 1, 1), (0, 1, None)])
def test_frames_that_are_missing_doubled_or_unnumbered_are_refused(numbers):
    names = [f"f_{number}.csv" if number is not None else "f.csv" for number in numbers]
    names[1:2] = [names[1] + ".gz"]
    with pytest.raises(DataError):
        in_order([Path(name) for name in names])


def test_an_existing_file_is_kept(tmp_path):
    source = make(tmp_path / "s")
    (tmp_path / "out.h5").write_text("mine")
    assert "exists already" in refused(tmp_path, source)
    convert(source, tmp_path / "out.h5", overwrite=True)


@pytest.mark.parametrize(
    "options",
    [
        {"material": "cheese"},
        {"material": "316L", "t_solidus": 1500.0},
        {"material": None, "t_solidus": 1500.0},
        {"material": None, "t_solidus": 1700.0, "t_liquidus": 1600.0},
        {"time_step": 0.0},
        {"time_step": float("nan")},
        {"scan_speed": -1.0},
        {"downsample": 0},
        {"ipf_key": "mine"},
        {"format": "xlsx"},
    ],
)
def test_impossible_options_are_refused(tmp_path, options):
    source = make(tmp_path / "s", frames=1)
    with pytest.raises(OptionError):
        convert(source, tmp_path / "out.h5", **options)
    assert os.listdir(tmp_path) == ["s"]


def test_a_grid_explosion_takes_no_memory(tmp_path):
    source = make(tmp_path / "s", frames=1)
    rows = table()
    rows[0, :3] = [STEP * 5000, STEP * 5000, STEP * 5000]
    (source / "Alldata_withpoints_0.csv").write_text(text(rows))
    tracemalloc.start()
    try:
        refused(tmp_path, source)
        assert tracemalloc.get_traced_memory()[1] < 50e6
    finally:
        tracemalloc.stop()

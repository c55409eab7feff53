"""CSV point clouds: whatever their order and packing, one content gives one file; what is unsound gives one error."""

import gzip
import io
import os
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import pytest

from lasernet.data.importers import import_source, in_order
from lasernet.data.layout import open_file
from lasernet.data.materials import AssumedWarning
from lasernet.errors import DataError, OptionError

STEP = 5e-6
GRID = (7, 4, 3)
NAMES = ["Points:0", "Points:1", "Points:2", "T", *(f"ipf_{a}:{c}" for a in "xyz" for c in range(3)), "ori_inds"]
KNOWN = {"material": "316L", "time_step": 1e-5, "scan_speed": 0.8}
REFERENCE = Path(__file__).resolve().parents[2].parent / "shared" / "reference" / "exaca_316l"


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


def test_every_value_lands_on_its_point(tmp_path):
    with open_file(convert(make(tmp_path / "s"), tmp_path / "a.h5")) as file:
        case = file.cases["track"]
        assert case.shape == (3, *GRID)
        assert case.fields == ("temperature", "ipf", "grain_id")
        for frame in range(3):
            np.testing.assert_array_equal(case.frame("temperature", frame), volume(3, frame).astype(np.float32))
            np.testing.assert_array_equal(case.frame("grain_id", frame), volume(13, frame))
            for channel in range(9):
                expected = np.rint(volume(4 + channel, frame) * 255)
                np.testing.assert_array_equal(case.frame("ipf", frame)[channel], expected)
        np.testing.assert_allclose(case.t, [0, 1e-5, 2e-5])
        np.testing.assert_allclose(case.y, np.arange(4) * STEP - 1e-5, atol=1e-12)
        assert case.scan_velocity.tolist() == [0.8, 0, 0]


def shuffled(rows, frame):
    return rows[np.random.default_rng(frame).permutation(len(rows))]


@pytest.mark.parametrize("way", ["shuffled", "gzip", "columns", "crlf", "bom", "no last newline", "quoted", "extra"])
def test_packing_and_order_do_not_change_a_byte(tmp_path, way):
    plain = convert(make(tmp_path / "s"), tmp_path / "a.h5").read_bytes()
    other = tmp_path / "other"
    if way in ("shuffled", "gzip"):
        make(other, shuffled if way == "shuffled" else None, suffix=".csv.gz" if way == "gzip" else ".csv")
    else:
        other.mkdir()
        for frame in range(3):
            rows, names = table(frame), list(NAMES)
            if way == "columns":
                order = np.random.default_rng(1).permutation(14)
                rows, names = rows[:, order], [names[k] for k in order]
            if way == "quoted":
                names = [f'"{name}"' for name in names]
            if way == "extra":
                rows, names = np.column_stack([rows, rows[:, 0]]), [*names, "more"]
            data = text(rows, names)
            data = data.replace("\n", "\r\n") if way == "crlf" else data
            data = "\ufeff" + data if way == "bom" else data
            data = data.rstrip("\n") if way == "no last newline" else data
            (other / f"Alldata_withpoints_{frame}.csv").write_bytes(data.encode())
    assert convert(other, tmp_path / "b.h5").read_bytes() == plain


def test_frames_are_sorted_by_number_not_by_name(tmp_path):
    source = make(tmp_path / "s", frames=11)
    with open_file(convert(source, tmp_path / "a.h5")) as file:
        np.testing.assert_array_equal(file.cases["track"].frame("temperature", 10), volume(3, 10).astype(np.float32))


@pytest.mark.parametrize("every", [2, 3])
def test_downsampling_keeps_exactly_every_nth_plane(tmp_path, every):
    source = make(tmp_path / "s", shuffled)
    with open_file(convert(source, tmp_path / "a.h5", downsample=every)) as file:
        case = file.cases["track"]
        for frame in range(3):
            expected = volume(3, frame).astype(np.float32)[::every, ::every, ::every]
            np.testing.assert_array_equal(case.frame("temperature", frame), expected)
        np.testing.assert_allclose(np.diff(case.x), every * STEP)


def test_missing_points_become_mask(tmp_path):
    source = make(tmp_path / "s", lambda rows, frame: np.delete(rows, [5, 17], 0) if frame == 1 else rows)
    with open_file(convert(source, tmp_path / "a.h5")) as file:
        case = file.cases["track"]
        assert case.valid(0).all()
        assert np.flatnonzero(~case.valid(1)).tolist() == [5, 17]
        assert np.isnan(case.frame("temperature", 1).ravel()[[5, 17]]).all()
        assert not case.molten(1).ravel()[[5, 17]].any()


def test_one_file_of_any_name_is_one_frame(tmp_path):
    source = make(tmp_path / "s", frames=1) / "Alldata_withpoints_0.csv"
    path = source.rename(source.with_name("melt pool.txt"))
    with open_file(convert(path, tmp_path / "a.h5")) as file:
        assert file.cases["track"].shape == (1, *GRID)


def test_a_pattern_chooses_frames(tmp_path):
    make(tmp_path / "s", frames=4)
    with open_file(convert(tmp_path / "s" / "*_[123].csv", tmp_path / "a.h5")) as file:
        np.testing.assert_allclose(file.cases["track"].t, [1e-5, 2e-5, 3e-5])


def test_an_index_that_is_not_zero_where_molten_is_left_out(tmp_path):
    def spoil(rows, frame):
        rows[:, 13] += frame == 2  # the frames before are sound
        return rows

    with open_file(convert(make(tmp_path / "s", spoil), tmp_path / "a.h5")) as file:
        case = file.cases["track"]
        assert case.fields == ("temperature", "ipf")
        np.testing.assert_array_equal(case.molten(1), volume(13, 1) == 0)


def test_a_source_without_an_index_gives_no_ids(tmp_path):
    (tmp_path / "f.csv").write_text(text(table()[:, :13], NAMES[:13]))
    with open_file(convert(tmp_path / "f.csv", tmp_path / "a.h5")) as file:
        assert file.cases["track"].fields == ("temperature", "ipf")


def test_assumed_values_are_said_and_recorded(tmp_path):
    source = make(tmp_path / "s")
    with pytest.warns(AssumedWarning) as caught:
        import_source(str(source), tmp_path / "a.h5")
    said = " ".join(str(warning.message) for warning in caught)
    assert all(option in said for option in ("--material", "--time-step", "--scan-speed"))
    with open_file(tmp_path / "a.h5") as file:
        assert file.cases["track"].provenance["assumed"] == ["material", "time step", "scan speed"]
    with warnings.catch_warnings():
        warnings.simplefilter("error", AssumedWarning)
        convert(source, tmp_path / "b.h5", material=None, t_solidus=1560, t_liquidus=1620)


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


def test_progress_counts_frames(tmp_path):
    seen = []
    convert(make(tmp_path / "s"), tmp_path / "a.h5", progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]


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


@pytest.mark.skipif(not REFERENCE.is_dir(), reason="the reference track is not here")
def test_the_reference_track_is_the_bundled_one(tmp_path):
    from lasernet.data.bundled import bundled_track, remake

    remade = remake(str(REFERENCE), tmp_path / "a.h5")
    with open_file(remade) as file, open_file(bundled_track()) as bundled:
        assert file.content_hash == bundled.content_hash
        case = bundled.cases["exaca-316l"]
        assert case.shape == (24, 96, 24, 24)
        assert (case.liquidus, case.front, case.ipf_key) == (1723.0, (1663.0, 1723.0), "exaca")
        assert not case.molten(0).any()

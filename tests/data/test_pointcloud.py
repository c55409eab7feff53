"""CSV point clouds: whatever their order and packing, one content gives one file."""

import warnings
from pathlib import Path

import numpy as np
import pytest
from point_tables import GRID, NAMES, STEP, convert, make, table, text, volume

from lasernet.data.importers import import_source
from lasernet.data.layout import open_file
from lasernet.data.materials import AssumedWarning

REFERENCE = Path(__file__).resolve().parents[2].parent / "shared" / "reference" / "exaca_316l"


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


def test_progress_counts_frames(tmp_path):
    seen = []
    convert(make(tmp_path / "s"), tmp_path / "a.h5", progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]


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

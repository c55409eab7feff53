"""Boundary maps of laser tracks: exact distances, regrown metal only, grains of one substrate in one group."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from conftest import write_track

from lasernet.data.image_file import open_image_file
from lasernet.data.importers import import_source
from lasernet.data.importers.boundaries import boundary_gray, smooth_labels
from lasernet.data.layout import open_file
from lasernet.errors import DataError, LasernetError, OptionError

SMALL = {"format": "boundaries", "plane": "xy", "patch": 4, "stride": 1, "solidified": 0.9}


def test_gray_follows_the_distance_to_a_straight_boundary() -> None:
    labels = np.ones((6, 20), np.int32)
    labels[:, 7:] = 2
    distance = np.abs(np.arange(20) + 0.5 - 7)
    expected = np.broadcast_to(1 - np.exp(-((distance / 1.5) ** 2)), (6, 20))
    assert np.allclose(boundary_gray(labels, 1.5), expected, atol=1e-12)


def test_gray_is_exact_against_every_edge_of_random_grains() -> None:
    labels = np.random.default_rng(0).integers(1, 4, (9, 11)).astype(np.int32).repeat(2, 0)
    rows, columns = np.indices(labels.shape) + 0.5
    nearest = np.full(labels.shape, np.inf)
    for (r, c), value in np.ndenumerate(labels):
        if c + 1 < labels.shape[1] and labels[r, c + 1] != value:
            nearest = np.minimum(nearest, np.hypot(np.maximum(np.abs(rows - r - 0.5) - 0.5, 0), columns - c - 1))
        if r + 1 < labels.shape[0] and labels[r + 1, c] != value:
            nearest = np.minimum(nearest, np.hypot(rows - r - 1, np.maximum(np.abs(columns - c - 0.5) - 0.5, 0)))
    assert np.allclose(boundary_gray(labels, 2.0), 1 - np.exp(-((nearest / 2) ** 2)), atol=1e-12)


def test_the_edge_of_the_melt_is_no_boundary() -> None:
    labels = np.zeros((5, 8), np.int32)
    labels[:, 3:] = 1
    assert (boundary_gray(labels, 1.5) == 1).all()


def test_smoothing_moves_no_straight_boundary_and_swallows_specks() -> None:
    labels = np.ones((20, 20), np.int32)
    labels[:, 10:] = 2
    assert np.array_equal(smooth_labels(labels, 1.5), labels)
    speck = labels.copy()
    speck[5, 4] = 3
    assert np.array_equal(smooth_labels(speck, 1.5), labels)
    hole = labels.copy()
    hole[8:12, 8:12] = 0
    assert np.array_equal(smooth_labels(hole, 1.5) == 0, hole == 0)


def test_patches_are_solid_regrown_and_labelled(track: Path, tmp_path: Path) -> None:
    import_source(str(track), tmp_path / "b.h5", **SMALL)
    with open_file(track) as file:
        case = file.cases["track"]
        molten = np.stack([case.molten(frame) for frame in range(case.shape[0])])
        ids = case.frame("grain_id", case.shape[0] - 1)
        spacing = float(case.x[1] - case.x[0])
    regrown = molten[:-1].any(0) & ~molten[-1]
    count = 0
    windows = []
    for z in range(ids.shape[2]):
        for x in range(ids.shape[0] - 3):
            for y in range(ids.shape[1] - 3):
                window = (slice(x, x + 4), slice(y, y + 4), z)
                if regrown[window].mean() >= 0.9 and (ids[window] > 0).all():
                    count += 1
                    windows.append(ids[window].T)
    with open_image_file(tmp_path / "b.h5") as found:
        case = found.cases["images"]
        labels, images = case.read("labels"), case.read("image")
        assert case.pixel_size == pytest.approx(spacing / 2)
        assert not case.periodic
    assert images.shape[1:] == (8, 8)
    assert 0 < len(images) <= count  # slices between slabs are left out
    shapes = {_partition(window.repeat(2, 0).repeat(2, 1)) for window in windows}
    for label in labels:
        assert label.min() == 1
        assert _partition(label) in shapes


def _partition(labels: np.ndarray) -> tuple[int, ...]:
    """The same for label images that differ in their numbers only."""
    first: dict[int, int] = {}
    return tuple(first.setdefault(value, len(first)) for value in labels.ravel().tolist())


def test_patches_keep_their_distance(track: Path, tmp_path: Path) -> None:
    counts = []
    for stride in (1, 2, 4):
        path = tmp_path / f"{stride}.h5"
        import_source(str(track), path, **(SMALL | {"stride": stride}))
        with open_image_file(path) as file:
            counts.append(len(file.cases["images"]))
    assert counts[0] > counts[1] > counts[2]


def test_tracks_of_several_substrates_are_one_group_each(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    for number, group in enumerate("aba"):
        write_track(tmp_path / "s" / f"{number}.h5", seed=number, name=f"t{number}", group=group)
    import_source(str(tmp_path / "s"), tmp_path / "b.h5", **SMALL)
    with open_image_file(tmp_path / "b.h5") as file:
        groups = file.cases["images"].groups
        assert file.cases["images"].provenance["tracks"]
    change = np.flatnonzero(np.diff(groups))
    assert groups[0] == 0
    assert groups[change + 1].tolist() == [1, 0]


def test_slabs_of_one_track_are_a_grain_apart(tmp_path: Path) -> None:
    from lasernet.data.importers.boundaries import _by_slab, _Grains

    labels = np.repeat(np.arange(10), 3)[None, None].repeat(8, 0).repeat(8, 1).astype(np.int32) + 1
    track = _Grains("t", "g", labels, np.ones(labels.shape, bool), 1e-6)
    slabs = [(group, set(positions)) for _, positions, group in _by_slab([track], "xy")]
    assert [group for group, _ in slabs] == [0, 1, 2, 3, 4]
    grains = [set(labels[0, 0, sorted(positions)].tolist()) for _, positions in slabs]
    assert all(not first & second for k, first in enumerate(grains) for second in grains[:k])


def test_colors_stand_for_grains_where_there_are_no_ids(track: Path, tmp_path: Path) -> None:
    from lasernet.data.layout import create_file

    with open_file(track) as file, create_file(tmp_path / "c.h5") as out:
        case = file.cases["track"]
        copy = out.add_case(
            "c", x=case.x, y=case.y, z=case.z, t=case.t, material="m", solidus=1600, liquidus=1700, group="track",
            fields=("temperature", "ipf"),
        )  # fmt: skip
        for frame in range(case.shape[0]):
            copy.write_frame(frame, temperature=case.frame("temperature", frame), ipf=case.frame("ipf", frame))
    found = []
    for source in (track, tmp_path / "c.h5"):
        import_source(str(source), tmp_path / "b.h5", overwrite=True, **SMALL)
        with open_image_file(tmp_path / "b.h5") as file:
            found.append(file.cases["images"].read("image"))
    assert np.array_equal(*found)


@pytest.mark.parametrize(
    "options",
    [{"plane": None}, {"plane": "zz"}, {"patch": 0}, {"solidified": 0.0}, {"boundary_width": 0.0}, {"invert": True},
     {"smooth": -1.0}, {"downsample": 2}],
)  # fmt: skip
def test_impossible_options_are_refused(track: Path, tmp_path: Path, options: dict[str, object]) -> None:
    with pytest.raises(OptionError):
        import_source(str(track), tmp_path / "b.h5", **(SMALL | options))
    assert not list(tmp_path.iterdir())


def test_no_patch_and_no_track_are_refused_and_leave_nothing(track: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="smaller --patch"):
        import_source(str(track), tmp_path / "b.h5", **(SMALL | {"patch": 12}))
    assert not list(tmp_path.iterdir())
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["a"] = np.zeros((4, 4))
    with pytest.raises(LasernetError, match=r"a\.h5"):
        import_source(str(tmp_path / "a.h5"), tmp_path / "b.h5", **SMALL)
    assert [path.name for path in tmp_path.iterdir()] == ["a.h5"]

from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import write_track

from lasernet.data.layout import open_file
from lasernet.data.sequences import FrameData
from lasernet.errors import DataError, OptionError

SPLIT = {"split_ratio": "4,2,2", "seq_length": 2}


@pytest.mark.parametrize(("plane", "shape", "slices"), [("xz", (10, 16), 6), ("xy", (6, 16), 10), ("yz", (10, 6), 16)])
def test_slices_are_cut_along_the_right_axis(track: Path, plane: str, shape: tuple[int, int], slices: int) -> None:
    data = FrameData([track], plane=plane, **SPLIT)
    split = data.split("test")
    assert len(split) == 2 * slices
    row = 3
    batch = split.fetch([row])
    assert batch["target"].shape == (1, 9, *shape)
    with open_file(track) as file:
        volume = file.cases["track"].frame("ipf", int(split.items[row]["frame"]))
    axis = {"xz": 2, "xy": 3, "yz": 1}[plane]
    expected = volume.take(int(split.items[row]["slice"]), axis=axis).swapaxes(1, 2) / np.float32(255)
    np.testing.assert_array_equal(batch["target"][0].numpy(), expected)


def test_the_context_ends_right_before_the_target(track: Path) -> None:
    split = FrameData([track], **SPLIT).split("val")
    batch = split.fetch([0])
    frame = int(split.items[0]["frame"])
    with open_file(track) as file:
        case = file.cases["track"]
        for place, index in enumerate((frame - 2, frame - 1)):
            expected = case.frame("temperature", index)[:, 0].T
            np.testing.assert_array_equal(batch["temperature"][0, place, 0].numpy(), expected)
        np.testing.assert_array_equal(
            batch["future_temperature"][0, 0].numpy(), case.frame("temperature", frame)[:, 0].T
        )


def test_preloaded_and_lazy_batches_are_equal(track: Path) -> None:
    inputs = ["nearest_ipf_3d", "solid_distance_3d", "advected_ipf", "advected_temperature"]
    one, other = (
        FrameData([track], inputs=inputs, preload=preload, **SPLIT).split("train").fetch([0, 5])
        for preload in (True, False)
    )
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_the_temperature_task_asks_for_the_coming_temperature(track: Path) -> None:
    batch = FrameData([track], "temperature", **SPLIT).split("train").fetch([0])
    assert torch.equal(batch["target"], batch["future_temperature"])


def test_groups_stay_together_when_split_by_case(tmp_path: Path) -> None:
    files = [
        write_track(tmp_path / f"{index}.h5", seed=index, frames=5, group=f"substrate-{index // 2}")
        for index in range(6)
    ]
    for split_by in ("case", "random"):
        data = FrameData(files, split_by=split_by, split_ratio="1,1,1", seq_length=2)
        seen = {
            name: {data.groups[case] for case in data.split(name).items["case"]} for name in ("train", "val", "test")
        }
        assert all(len(groups) == 1 for groups in seen.values())
        assert len(set.union(*seen.values())) == 3


def test_no_target_lies_in_two_splits(track: Path) -> None:
    data = FrameData([track], **SPLIT)
    parts = [set(map(tuple, data.split(name).items.tolist())) for name in ("train", "val", "test")]
    assert not parts[0] & parts[1] | parts[0] & parts[2] | parts[1] & parts[2]
    assert len(data.split("all")) == sum(map(len, parts))


def test_the_hash_sees_the_content_not_the_name(track: Path, tmp_path: Path) -> None:
    copy = tmp_path / "other-name.h5"
    copy.write_bytes(track.read_bytes())
    assert FrameData([track], **SPLIT).hash == FrameData([copy], **SPLIT).hash
    other = write_track(tmp_path / "other.h5", seed=5)
    assert FrameData([track], **SPLIT).hash != FrameData([other], **SPLIT).hash


def test_tracks_of_different_sizes_are_refused(track: Path, tmp_path: Path) -> None:
    other = write_track(tmp_path / "small.h5", shape=(8, 6, 10))
    with pytest.raises(DataError, match="different sizes"):
        FrameData([track, other], **SPLIT)
    assert len(FrameData([track, other], plane="yz", **SPLIT).split("train"))


@pytest.mark.parametrize(("options", "says"), [
    ({"seq_length": 0}, "--seq-length"),
    ({"seq_length": 30}, "no training window"),
    ({"split_ratio": "0,1,1"}, "no training window"),
    ({"first_frame": -1}, "--first-frame"),
])  # fmt: skip
def test_options_that_leave_nothing_are_refused(track: Path, options: dict[str, object], says: str) -> None:
    with pytest.raises(OptionError, match=says):
        FrameData([track], **{**SPLIT, **options})


def test_missing_cells_are_masked_and_never_zero_kelvin(tmp_path: Path) -> None:
    from lasernet.data.layout import create_file

    path = tmp_path / "holes.h5"
    mask = np.ones((4, 3, 4), dtype=bool)
    mask[1, 1, 1] = False
    with create_file(path, kind="laser") as out:
        case = out.add_case(
            "c", x=np.arange(4) * 1e-6, y=np.arange(3) * 1e-6, z=np.arange(4) * 1e-6, t=np.arange(4.0), material="m",
            solidus=1600.0, liquidus=1700.0, front=(1640.0, 1700.0), scan_velocity=(0.0, 0.0, 0.0), ipf_key="unknown",
            group="g", provenance={}, fields=("temperature", "ipf", "mask"),
        )  # fmt: skip
        for frame in range(4):
            temperature = np.where(mask, np.float32(500), np.float32("nan")).astype(np.float32)
            case.write_frame(
                frame, temperature=temperature, ipf=np.full((9, 4, 3, 4), 7 * mask, dtype=np.uint8), mask=mask
            )
    batch = FrameData([path], split_ratio="2,1,1", seq_length=1).split("train").fetch([1])
    assert not batch["mask"][0, 0, 1, 1]
    assert batch["mask"].sum() == 15
    assert batch["temperature"].min() == 500
    assert not batch["molten"].any()

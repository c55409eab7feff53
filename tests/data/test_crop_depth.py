"""What --crop-depth keeps of a track: the top by coordinate, the same for everyone."""

from pathlib import Path

import numpy as np
import pytest
import torch

from lasernet.data.layout import open_file, top_levels
from lasernet.data.sequences import FrameData
from lasernet.errors import OptionError

SPLIT = {"split_ratio": "4,2,2", "seq_length": 2}
INPUTS = ["nearest_ipf_3d", "solid_distance_3d", "advected_ipf", "advected_temperature", "temperature_drift"]


@pytest.mark.parametrize("count", [1, 3, 10, 47])
@pytest.mark.parametrize("share", [0.5, 0.61, 0.999, 1.0])
def test_the_levels_above_a_height_are_kept_in_any_order(count: int, share: float) -> None:
    z = 3e-6 + 2e-6 * np.random.default_rng(count).permutation(count)
    kept = top_levels(z, share)
    assert abs(kept.sum() - share * count) <= 0.5
    assert kept.all() or z[kept].min() > z[~kept].max()
    np.testing.assert_array_equal(top_levels(z[::-1], share), kept[::-1])


def test_a_tenth_of_the_levels_is_not_lost_to_rounding() -> None:
    for count in (10, 20, 70):
        assert [top_levels(np.arange(count) * 2.15e-6, tenth / 10).sum() for tenth in range(1, 11)] == [
            count * tenth // 10 for tenth in range(1, 11)
        ]


@pytest.mark.parametrize("plane", ["xz", "yz"])
def test_slices_keep_their_upper_rows(track: Path, plane: str) -> None:
    whole, top = (FrameData([track], plane=plane, crop_depth=share, **SPLIT) for share in (None, 0.3))
    assert top.image_shape(0) == (3, whole.image_shape(0)[1])  # of 10 levels
    assert top.spec["ipf"]["shape"] == top.image_shape(0)
    assert top.slice_count(0) == whole.slice_count(0)
    np.testing.assert_array_equal(top.tracks[0].case.z, whole.tracks[0].case.z[-3:])
    full, cut = (data.split("test").fetch([0, 4]) for data in (whole, top))
    for name, value in cut.items():
        expected = full[name][..., -3:, :] if value.dim() > 1 else full[name]
        torch.testing.assert_close(value, expected, rtol=0, atol=0)


def test_of_horizontal_slices_the_upper_ones_are_kept(track: Path) -> None:
    whole, top = (FrameData([track], plane="xy", crop_depth=share, **SPLIT) for share in (None, 0.3))
    assert top.slice_count(0) == 3
    assert top.image_shape(0) == whole.image_shape(0)
    positions = {int(item["slice"]) for item in top.split("test").items}
    assert positions == {0, 1, 2}
    ours, theirs = top.split("test").fetch([2]), whole.split("test").fetch([9])
    assert torch.equal(ours["target"], theirs["target"])


def test_derived_fields_know_nothing_of_the_cells_below(track: Path) -> None:
    with open_file(track) as file:
        case = file.cases["track"].top(0.3)
        solid = case.valid(2) & ~case.molten(2)
        diagonal = np.linalg.norm(np.multiply(solid.shape, 5e-6))
    data = FrameData([track], inputs=INPUTS, crop_depth=0.3, **SPLIT)
    split = data.split("train")
    row = next(row for row, item in enumerate(split.items) if item["frame"] == 3)
    batch = split.fetch([row])
    assert {batch[name].shape[-2:] for name in INPUTS} == {(3, 16)}
    colors = {tuple(color) for color in data.tracks[0].frame(2)[1][:, solid].T.tolist()}
    found = (255 * batch["nearest_ipf_3d"][0]).round().int().flatten(1).T.tolist()
    assert {tuple(color) for color in found} <= colors
    assert 0 < batch["solid_distance_3d"].max() <= diagonal


def test_reading_from_disk_gives_the_same_cells(track: Path) -> None:
    one, other = (
        FrameData([track], inputs=INPUTS, crop_depth=0.45, preload=preload, **SPLIT).split("train").fetch([0, 5])
        for preload in (True, False)
    )
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_the_hash_is_that_of_the_cells_that_are_used(track: Path) -> None:
    whole, all_of_it, top, likewise = (
        FrameData([track], crop_depth=share, **SPLIT).hash for share in (None, 1.0, 0.3, 0.31)
    )
    assert whole == all_of_it
    assert top == likewise  # both keep 3 levels of 10
    assert top != whole


@pytest.mark.parametrize(("share", "says"), [(0.0, "above 0"), (1.5, "up to 1"), (-1.0, "above 0"), (0.04, "no cell")])
def test_a_share_that_is_none_is_refused(track: Path, share: float, says: str) -> None:
    with pytest.raises(OptionError, match=f"--crop-depth {share}: .*{says}"):
        FrameData([track], crop_depth=share, **SPLIT)

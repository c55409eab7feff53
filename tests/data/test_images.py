"""Image sets as items: groups stay whole, batches are gray in [0, 1], grains are stored or counted."""

import multiprocessing
from collections import Counter

import numpy as np
import pytest
import torch

from lasernet.data.bundled import bundled_track
from lasernet.data.image_file import write_image_set
from lasernet.data.images import ITEM, ImageData
from lasernet.data.splits import SPLITS, cut_groups
from lasernet.errors import DataError, OptionError

SIZE = (16, 24)


def make(path, *, count=28, seed=0, size=SIZE, periodic=True, **fields):
    images = np.random.default_rng(seed).integers(0, 256, (count, *size)).astype(np.uint8)
    return write_image_set(path, images, periodic=periodic, provenance={"seed": seed}, **fields), images


def bars(count, size=SIZE):
    """Images of 1, 2, 3, 4, 1, … bright bars on black."""
    images = np.zeros((count, *size), dtype=np.uint8)
    numbers = 1 + np.arange(count) % 4
    for image, number in zip(images, numbers, strict=True):
        for bar in range(number):
            image[3:12, 2 + 6 * bar : 5 + 6 * bar] = 255
    return images, numbers


@pytest.fixture
def plain(tmp_path):
    return make(tmp_path / "a.h5", grains=np.arange(28) + 5)


def test_a_batch_is_gray_between_0_and_1(plain):
    path, images = plain
    split = ImageData([path]).split("train")
    batch = split.fetch([3, 0, 3])
    assert batch["image"].shape == (3, 1, *SIZE)
    assert (batch["image"].dtype, batch["grains"].dtype) == (torch.float32, torch.float32)
    np.testing.assert_array_equal(batch["image"][0, 0].numpy(), images[3] / np.float32(255))
    assert torch.equal(batch["image"][0], batch["image"][2])
    assert batch["grains"].tolist() == [8, 5, 8]
    assert batch["item"].tolist() == [3, 0, 3]
    assert split[2]["image"].shape == (1, 1, *SIZE)


def test_groups_of_one_image_are_cut_in_file_order_by_the_ratio(plain):
    path, images = plain
    data = ImageData([path])
    assert [len(data.split(name)) for name in SPLITS] == [20, 4, 4]
    np.testing.assert_array_equal(data.split("val").images(), images[20:24])
    np.testing.assert_array_equal(data.split("all").images(), images)
    np.testing.assert_array_equal(data.split("test").grains(), np.arange(24, 28) + 5)


@pytest.mark.parametrize("split_by", ["order", "random"])
@pytest.mark.parametrize("seed", range(3))
def test_no_group_lies_in_two_splits(tmp_path, split_by, seed):
    rng = np.random.default_rng(seed)
    files = [
        make(tmp_path / f"{name}.h5", seed=seed, groups=rng.integers(0, 9, 28), group_prefix=prefix)[0]
        for name, prefix in (("a", "x"), ("b", "x"), ("c", "y"))
    ]
    data = ImageData(files, split_by=split_by, split_seed=seed)
    parts = [data.split(name).items for name in SPLITS]
    groups = [set(part["group"]) for part in parts]
    assert all(groups)
    assert not groups[0] & groups[1] | groups[0] & groups[2] | groups[1] & groups[2]
    rows = np.concatenate(parts)
    assert len(np.unique(rows)) == len(rows) == 84
    assert rows.dtype == ITEM


def test_group_numbers_mean_the_same_only_under_one_prefix(tmp_path):
    groups = np.arange(28) // 4
    one, other = (make(tmp_path / f"{name}.h5", seed=7, groups=groups, group_prefix="x")[0] for name in "ab")
    third, _ = make(tmp_path / "c.h5", seed=8, groups=groups)
    assert len(set(ImageData([one, other]).split("all").items["group"])) == 7
    assert len(set(ImageData([one, third]).split("all").items["group"])) == 14


@pytest.mark.parametrize("ratio", ["10,2,2", "1,1,1", "5,0,1", "1,0,0", "0.8,0.1,0.1"])
@pytest.mark.parametrize("seed", [None, 0, 1])
def test_whole_groups_come_close_to_the_ratio(ratio, seed):
    parts = [float(part) for part in ratio.split(",")]
    rng = np.random.default_rng(0)
    sizes = rng.integers(1, 30, 60).tolist()
    owner = cut_groups(sizes, ratio=ratio, seed=seed)
    found = Counter()
    for size, name in zip(sizes, owner, strict=True):
        found[name] += size
    for part, name in zip(parts, SPLITS, strict=True):
        assert abs(found[name] - sum(sizes) * part / sum(parts)) <= max(sizes)
        assert (found[name] > 0) == (part > 0)


@pytest.mark.parametrize("sizes", [[1, 1, 1], [100, 1, 1], [1, 1, 100], [5, 5, 5, 5]])
def test_each_split_gets_a_group_where_there_are_enough(sizes):
    assert set(cut_groups(sizes, ratio="10,2,2", seed=None)) == set(SPLITS)


def test_a_single_group_is_all_training_and_says_so(tmp_path, caplog):
    path, _ = make(tmp_path / "a.h5", groups=np.zeros(28, dtype=np.int32))
    data = ImageData([path])
    assert [len(data.split(name)) for name in SPLITS] == [28, 0, 0]
    assert "no image for val and test" in caplog.text
    assert data.split("test").images().shape == (0, *SIZE)


def test_random_splits_follow_their_seed(plain):
    one, same, other = (ImageData([plain[0]], split_by="random", split_seed=seed).split_hash for seed in (0, 0, 1))
    assert one == same != other
    assert ImageData([plain[0]]).hash == ImageData([plain[0]], split_by="random").hash


def test_the_hash_sees_the_content_not_the_name(tmp_path, plain):
    copy = tmp_path / "other-name.h5"
    copy.write_bytes(plain[0].read_bytes())
    assert ImageData([plain[0]]).hash == ImageData([copy]).hash
    other, _ = make(tmp_path / "other.h5", seed=1, grains=np.arange(28) + 5)
    assert ImageData([plain[0]]).hash != ImageData([other]).hash
    assert ImageData([plain[0]]).split_hash == ImageData([other]).split_hash


@pytest.mark.parametrize("rows", [[5], [2, 3, 4], [9, 1, 5, 1], []])
def test_preloaded_and_lazy_batches_are_equal(plain, rows):
    one, other = (
        ImageData([plain[0]], preload=preload, split_by="random").split("train").fetch(rows)
        for preload in (True, False)
    )
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_images_of_several_files_are_not_mixed_up(tmp_path):
    first, images = make(tmp_path / "a.h5", seed=0, grains=np.zeros(28, dtype=np.int32))
    second, others = make(tmp_path / "b.h5", seed=1, grains=np.ones(28, dtype=np.int32))
    for preload in (True, False):
        data = ImageData([first, second], preload=preload)
        assert data.case_names == ["a/images", "b/images"]
        np.testing.assert_array_equal(data.split("all").images(), np.concatenate([images, others]))
        batch = data.split("all").fetch([40, 2])
        np.testing.assert_array_equal(batch["image"][:, 0].numpy() * 255, np.stack([others[12], images[2]]))
        assert batch["grains"].tolist() == [1, 0]


@pytest.mark.parametrize("preload", [True, False])
def test_grains_that_are_not_stored_are_counted(tmp_path, preload):
    images, numbers = bars(28)
    path = write_image_set(tmp_path / "a.h5", images, periodic=True, provenance={})
    data = ImageData([path], preload=preload)
    np.testing.assert_array_equal(data.split("all").grains(), numbers)
    assert data.split("test").fetch([1])["grains"].tolist() == [numbers[25]]


def test_the_range_of_grains_is_that_of_training(plain):
    spec = ImageData([plain[0]]).spec
    assert spec["grains"]["range"] == (5.0, 24.0)
    assert spec["image"] == {"channels": 1, "unit": "1", "shape": SIZE, "periodic": True}


def _read_in_child(split, rows, pipe):
    pipe.send(split.fetch(rows)["image"].numpy())


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process")
def test_forked_workers_open_the_file_themselves(plain):
    split = ImageData([plain[0]], preload=False).split("train")
    expected = split.fetch([4, 9])["image"].numpy()
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe(duplex=False)
    worker = context.Process(target=_read_in_child, args=(split, [4, 9], there))
    worker.start()
    assert here.poll(30)
    np.testing.assert_array_equal(here.recv(), expected)
    worker.join(30)
    np.testing.assert_array_equal(split.fetch([4, 9])["image"].numpy(), expected)


def test_sets_that_do_not_fit_together_are_refused(tmp_path, plain):
    small, _ = make(tmp_path / "b.h5", size=(8, 8))
    with pytest.raises(DataError, match="different sizes \\(8 x 8, 16 x 24\\)"):
        ImageData([plain[0], small])
    open_edges, _ = make(tmp_path / "c.h5", periodic=False)
    with pytest.raises(DataError, match="a/images is, c/images is not"):
        ImageData([plain[0], open_edges])


def test_laser_tracks_are_refused_by_name_of_both_kinds():
    with pytest.raises(DataError, match="'laser' data; expected 'images'"):
        ImageData([bundled_track()])


@pytest.mark.parametrize(("options", "says"), [
    ({"split_ratio": "0,1,1"}, "no training image"),
    ({"split_ratio": "1,2"}, "--split-ratio"),
    ({"inputs": ["advected_ipf"]}, "derived field 'advected_ipf'"),
])  # fmt: skip
def test_options_that_leave_nothing_are_refused(plain, options, says):
    with pytest.raises(OptionError, match=says):
        ImageData([plain[0]], **options)

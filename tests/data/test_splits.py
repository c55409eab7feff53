import numpy as np
import pytest

from lasernet.data.splits import assign_groups, hash_items, shares, time_targets
from lasernet.errors import DataError, OptionError

SLICES = 94


@pytest.mark.parametrize(
    ("windows", "counts"),
    [("target", (846, 564, 564)), ("inside", (846, 282, 282)), ("legacy", (752, 188, 188))],
)
def test_window_counts_of_the_published_split(windows: str, counts: tuple[int, int, int]) -> None:
    targets = time_targets(24, 3, ratio="12,6,6", windows=windows)
    assert tuple(SLICES * len(targets[name]) for name in ("train", "val", "test")) == counts


@pytest.mark.parametrize("length", [1, 2, 3, 5])
def test_every_sequence_length_scores_the_same_test_targets(length: int) -> None:
    assert time_targets(24, length, ratio="12,6,6", windows="target")["test"] == list(range(18, 24))


def test_no_context_reaches_before_the_first_frame() -> None:
    assert time_targets(24, 5, ratio="12,6,6", windows="target", first_frame=1)["train"][0] == 6


def test_shares_use_up_everything_and_give_the_rest_to_train_first() -> None:
    assert shares("1,1,1", 25) == (9, 8, 8)
    assert shares("0.7,0.15,0.15", 24) == (17, 4, 3)
    assert shares("1,0,0", 7) == (7, 0, 0)


@pytest.mark.parametrize("text", ["12,6", "a,b,c", "0,0,0", "1,-1,1", "1,inf,1", ""])
def test_a_ratio_that_cannot_be_used_is_refused(text: str) -> None:
    with pytest.raises(OptionError, match="split-ratio"):
        shares(text, 24)


@pytest.mark.parametrize("seed", [None, 0, 1])
def test_a_group_lies_in_one_split(seed: int | None) -> None:
    groups = ["a", "b", "a", "c", "d", "b", "e", "f"]
    owner = assign_groups(groups, ratio="2,1,1", seed=seed)
    assert set(owner) == set(groups)
    assert sorted(owner.values()).count("train") == 4


def test_one_group_cannot_be_split_by_case() -> None:
    with pytest.raises(DataError, match="several groups"):
        assign_groups(["a", "a"], ratio="1,1,1", seed=None)


def test_the_split_hash_sees_a_moved_window() -> None:
    one = {name: np.array([(0, index, 3)], dtype="i4,i4,i4") for index, name in enumerate(("train", "val", "test"))}
    other = {**one, "val": one["test"], "test": one["val"]}
    assert hash_items(one) != hash_items(other)

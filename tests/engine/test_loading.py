import pytest
import torch

from lasernet.engine.loading import Batches, epoch_order, in_order, share_of


def test_the_order_is_a_function_of_seed_and_epoch() -> None:
    assert epoch_order(20, batch_size=3, seed=1, epoch=2) == epoch_order(20, batch_size=3, seed=1, epoch=2)
    assert epoch_order(20, batch_size=3, seed=1, epoch=2) != epoch_order(20, batch_size=3, seed=1, epoch=3)
    assert epoch_order(20, batch_size=3, seed=1, epoch=2) != epoch_order(20, batch_size=3, seed=2, epoch=2)


def test_an_epoch_takes_every_item_once() -> None:
    batches = epoch_order(20, batch_size=3, seed=0, epoch=0)
    assert sorted(row for rows in batches for row in rows) == list(range(20))
    assert [len(rows) for rows in batches] == [3] * 6 + [2]
    assert in_order(5, batch_size=2) == [[0, 1], [2, 3], [4]]


def test_shares_of_processes_make_up_the_batch() -> None:
    rows = [7, 3, 9, 1, 4]
    shares = [share_of(rows, rank=rank, processes=2) for rank in range(2)]
    assert sorted(shares[0] + shares[1]) == sorted(rows)
    assert share_of([5], rank=1, processes=2) == [5]


class Rows:
    """Hands back what it is asked for."""

    def __len__(self) -> int:
        return 10

    def fetch(self, rows):
        return {"item": torch.tensor(rows)}


@pytest.mark.parametrize(("most", "seen"), [(None, list(range(10))), (50, list(range(10))), (4, [0, 2, 5, 7])])
def test_a_fit_is_shown_all_items_or_evenly_spread_ones(most, seen) -> None:
    batches = Batches(Rows(), batch_size=3, device=torch.device("cpu"), most=most)
    for _ in range(2):
        assert [row for batch in batches for row in batch["item"].tolist()] == seen

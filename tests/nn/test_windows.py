"""Windows over large slices: they cover everything, agree where they overlap, and blend without seams."""

from itertools import pairwise

import pytest
import torch

from lasernet.nn.windows import in_windows, places, ramp, starts


@pytest.mark.parametrize(
    ("size", "window", "overlap"), [(300, 64, 32), (700, 64, 16), (200, 256, 128), (64, 64, 0), (65, 64, 0)]
)
def test_windows_cover_a_side_and_share_what_was_asked(size: int, window: int, overlap: int) -> None:
    first = starts(size, window, overlap)
    assert first[0] == 0
    assert first[-1] == max(0, size - window)
    for one, other in pairwise(first):
        assert 0 < other - one <= window - overlap


def test_what_is_the_same_in_every_window_comes_back_unchanged() -> None:
    field = torch.randn(2, 1, 3, 30, 71, generator=torch.Generator().manual_seed(0))
    batch = {"mask": field > -1, "field": field, "number": torch.tensor([2.0, 3.0])}
    seen: list[tuple[int, int]] = []

    def ask(part: dict[str, torch.Tensor]) -> torch.Tensor:
        seen.append(tuple(part["field"].shape[-2:]))  # type: ignore[arg-type]
        return part["number"].reshape(-1, 1, 1, 1, 1) * torch.cat([part["field"]] * 3, dim=1)

    found = in_windows(ask, batch, 16, 5)
    expected = torch.cat([field] * 3, dim=1) * batch["number"].reshape(-1, 1, 1, 1, 1)
    torch.testing.assert_close(found, expected)
    assert set(seen) == {(16, 16)}
    assert len(seen) == len(list(places(30, 71, 16, 5)))


def test_blending_goes_over_from_one_window_to_the_next_without_a_step() -> None:
    batch = {"mask": torch.ones(1, 1, 1, 8, 40, dtype=torch.bool)}
    level = iter([1.0, 2.0])

    def ask(part: dict[str, torch.Tensor]) -> torch.Tensor:
        return torch.full(part["mask"].shape, next(level))

    found = in_windows(ask, batch, 24, 8)[0, 0, 0, 0]
    assert (found[:16] == 1).all()
    assert (found[24:] == 2).all()
    steps = found.diff()
    assert steps.min() >= 0
    assert steps.max() < 0.2


def test_weights_fall_only_where_there_is_a_neighbor() -> None:
    assert (ramp(10, 4, first=True, last=True) == 1).all()
    one = ramp(10, 4, first=False, last=True)
    assert one.tolist() == [0.125, 0.375, 0.625, 0.875, 1, 1, 1, 1, 1, 1]
    assert ramp(10, 4, first=True, last=False).tolist() == one.flip(0).tolist()
    assert (ramp(5, 0, first=False, last=False) > 0).all()

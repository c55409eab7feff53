"""Distances to a palette, against another implementation and by hand."""

import numpy as np
import pytest
import torch
from torch import Tensor

from lasernet.losses import palette
from lasernet.losses.palette import Palette
from lasernet.physics.color_grains import palette_distance


def scene(seed: int = 0, items: int = 2) -> tuple[Tensor, dict[str, Tensor]]:
    generator = torch.Generator().manual_seed(seed)
    size = (items, 1, 8, 10)
    batch = {
        "ipf": torch.rand(items, 2, 9, 8, 10, generator=generator),
        "molten": torch.rand(items, 2, 1, 8, 10, generator=generator) < 0.3,
        "valid": torch.rand(items, 2, 1, 8, 10, generator=generator) < 0.9,
        "target_molten": torch.rand(size, generator=generator) < 0.3,
        "mask": torch.rand(size, generator=generator) < 0.9,
    }
    return torch.rand(items, 9, 8, 10, generator=generator), batch


def test_it_is_the_mean_distance_to_the_palette_of_the_last_known_frame() -> None:
    prediction, batch = scene()
    expected = []
    for item in range(2):
        known = (batch["valid"] & ~batch["molten"])[item, -1, 0]
        cells = (batch["mask"] & ~batch["target_molten"])[item, 0]
        colors = batch["ipf"][item, -1][:, known].T.numpy()
        expected.append(palette_distance(prediction[item][:, cells].T.numpy(), colors).mean())
    assert Palette()(prediction, prediction, batch).item() == pytest.approx(np.mean(expected), rel=1e-5)


def test_a_mixture_of_two_grains_costs_the_way_to_the_nearer_one() -> None:
    one, other = torch.zeros(9), torch.zeros(9)
    one[0], other[1] = 1.0, 1.0
    batch = {
        "ipf": torch.stack([one, other], -1).reshape(1, 1, 9, 1, 2),
        "molten": torch.zeros(1, 1, 1, 1, 2, dtype=torch.bool),
        "valid": torch.ones(1, 1, 1, 1, 2, dtype=torch.bool),
        "target_molten": torch.tensor([False, True]).reshape(1, 1, 1, 2),
        "mask": torch.ones(1, 1, 1, 2, dtype=torch.bool),
    }
    mixed = (0.7 * one + 0.3 * other).reshape(1, 9, 1, 1).repeat(1, 1, 1, 2).requires_grad_()
    value = Palette()(mixed, torch.zeros(1, 9, 1, 2), batch)
    value.backward()
    assert value.item() == pytest.approx((2 * 0.3**2 / 9) ** 0.5)
    assert mixed.grad is not None
    assert mixed.grad[0, 0, 0, 0] < 0 < mixed.grad[0, 1, 0, 0]  # toward the nearer grain
    assert not mixed.grad[..., 1].any()  # molten in the truth


def test_a_copied_color_costs_nothing_and_has_no_gradient_that_is_none() -> None:
    _, batch = scene()
    batch["molten"][:], batch["valid"][:] = False, True
    copied = batch["ipf"][:, -1].flip(-1).clone().requires_grad_()
    value = Palette()(copied, copied.detach(), batch)
    value.backward()
    assert value == 0
    assert copied.grad is not None
    assert not copied.grad.any()


def test_an_item_whose_last_frame_is_all_molten_counts_as_zero() -> None:
    prediction, batch = scene()
    one = Palette()(prediction[:1], prediction[:1], {key: value[:1] for key, value in batch.items()})
    batch["molten"][1, -1] = True
    torch.testing.assert_close(Palette()(prediction, prediction, batch), one / 2)


def test_small_chunks_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    prediction, batch = scene()
    whole = Palette()(prediction, prediction, batch)
    monkeypatch.setattr(palette, "MOST_DISTANCES", 100)
    torch.testing.assert_close(Palette()(prediction, prediction, batch), whole, rtol=0, atol=0)
    monkeypatch.setattr(palette, "MOST_DISTANCES", 1)
    torch.testing.assert_close(Palette()(prediction, prediction, batch), whole, rtol=0, atol=0)


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []

    def watch(colors: Tensor, rows: int) -> tuple[Tensor, ...]:
        sizes.append(rows)
        return colors.split(rows)

    monkeypatch.setattr(palette.torch, "split", watch)
    monkeypatch.setattr(palette, "MOST_DISTANCES", 1000)
    assert len(palette.nearest_rows(torch.rand(300, 9), torch.rand(90, 9))) == 300
    assert sizes == [1000 // 90]

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from lasernet.errors import OptionError
from lasernet.losses.base import Loss
from lasernet.losses.pixel import MAE, MSE, Charbonnier, Huber, SmoothL1

LOSSES = {
    "mse": (MSE(), lambda p, y: F.mse_loss(p, y)),
    "mae": (MAE(), lambda p, y: F.l1_loss(p, y)),
    "huber": (Huber(delta=0.3), lambda p, y: F.huber_loss(p, y, delta=0.3)),
    "smooth-l1": (SmoothL1(beta=0.3), lambda p, y: F.smooth_l1_loss(p, y, beta=0.3)),
    "charbonnier": (Charbonnier(epsilon=0.01), lambda p, y: ((p - y) ** 2 + 1e-4).sqrt().mean()),
}
every = pytest.mark.parametrize("name", LOSSES)


def images(*, seed: int = 0, items: int = 4) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    prediction, target = torch.rand(2, items, 9, 5, 7, generator=generator, dtype=torch.float64)
    mask = torch.rand(items, 1, 5, 7, generator=generator) < 0.6
    return prediction, target, mask


@every
def test_without_a_mask_it_is_the_known_formula(name: str) -> None:
    loss, reference = LOSSES[name]
    prediction, target, mask = images()
    value = loss(prediction, target, {"mask": torch.ones_like(mask)})
    torch.testing.assert_close(value, reference(prediction, target), rtol=1e-13, atol=0)


@every
def test_mean_over_items_of_the_formula_on_their_valid_cells(name: str) -> None:
    loss, reference = LOSSES[name]
    prediction, target, mask = images()
    single = [reference(p[:, m[0]], y[:, m[0]]) for p, y, m in zip(prediction, target, mask, strict=True)]
    value = loss(prediction, target, {"mask": mask})
    torch.testing.assert_close(value, torch.stack(single).mean(), rtol=1e-13, atol=0)


@every
@pytest.mark.parametrize("garbage", [float("nan"), float("inf"), 1e30])
def test_masked_cells_do_not_count_whatever_they_hold(name: str, garbage: float) -> None:
    loss, _ = LOSSES[name]
    prediction, target, mask = images()
    clean = loss(prediction, target, {"mask": mask})
    spoiled = torch.where(mask, target, garbage)
    prediction.requires_grad_()
    value = loss(prediction, spoiled, {"mask": mask})
    value.backward()
    assert float(value) == float(clean)
    assert prediction.grad is not None
    assert prediction.grad.isfinite().all()
    assert not prediction.grad[~mask.expand_as(prediction)].any()


@every
def test_mean_of_the_halves_is_the_whole(name: str) -> None:
    loss, _ = LOSSES[name]
    prediction, target, mask = images()
    halves = [loss(prediction[rows], target[rows], {"mask": mask[rows]}) for rows in (slice(0, 2), slice(2, 4))]
    whole = loss(prediction, target, {"mask": mask})
    torch.testing.assert_close(torch.stack(halves).mean(), whole, rtol=1e-13, atol=0)


@every
def test_an_item_without_valid_cells_counts_as_zero(name: str) -> None:
    loss, _ = LOSSES[name]
    prediction, target, mask = images(items=2)
    one = loss(prediction[:1], target[:1], {"mask": mask[:1]})
    mask[1] = False
    torch.testing.assert_close(loss(prediction, target, {"mask": mask}), one / 2)


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
@pytest.mark.parametrize(("make", "option"), [(Huber, "delta"), (SmoothL1, "beta"), (Charbonnier, "epsilon")])
def test_scales_that_are_not_positive_are_refused(make: type[Loss], option: str, value: float) -> None:
    with pytest.raises(OptionError, match=option):
        make(**{option: value})


def test_charbonnier_is_differentiable_at_zero_for_the_smallest_epsilon() -> None:
    error = torch.zeros(1, 1, 2, 2, requires_grad=True)
    Charbonnier(epsilon=1e-30)(error, torch.zeros(1, 1, 2, 2), {"mask": torch.ones(1, 1, 2, 2).bool()}).backward()
    assert error.grad is not None
    assert not error.grad.any()

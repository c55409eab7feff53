"""Normalized errors by hand: items, components, weights, and truths that have no size."""

import pytest
import torch
from torch import Tensor

from lasernet.errors import OptionError
from lasernet.losses.base import Loss, build_criterion
from lasernet.losses.normalized import NMAE, NMSE

MASK = torch.ones(2, 1, 2, 3, 4, dtype=torch.bool)
KINDS = [(NMAE, 1), (NMSE, 2)]
both = pytest.mark.parametrize(("kind", "power"), KINDS)


def constant(*components: float) -> Tensor:
    """The same vector everywhere, in both items."""
    return torch.tensor(components, dtype=torch.float64).reshape(1, -1, 1, 1, 1).expand(2, -1, 2, 3, 4).clone()


def value(loss: Loss, prediction: Tensor, target: Tensor, mask: Tensor = MASK) -> float:
    prediction = prediction.clone().requires_grad_()
    found = loss(prediction, target, {"mask": mask})
    found.backward()
    assert prediction.grad is not None
    assert prediction.grad.isfinite().all()
    return found.item()


@both
def test_it_is_the_sum_of_errors_over_the_sum_of_the_truth_of_each_item(kind: type[Loss], power: int) -> None:
    target = constant(4.0, -2.0, 1.0)
    error = constant(1.0, 1.0, -0.5)
    error[1] *= 2
    size = 4**power + 2**power + 1
    one = (1 + 1 + 0.5**power) / size
    assert value(kind(), target + error, target) == pytest.approx((one + 2**power * one) / 2)


@both
def test_every_component_by_its_own_size(kind: type[Loss], power: int) -> None:
    target, error = constant(4.0, -2.0, 0.1), constant(1.0, 1.0, -0.05)
    expected = (0.25**power + 0.5**power + 0.5**power) / 3
    assert value(kind(per_component=True), target + error, target) == pytest.approx(expected)


@both
def test_a_component_that_is_absent_is_measured_by_the_mean_size(kind: type[Loss], power: int) -> None:
    target, error = constant(4.0, -2.0, 0.0), constant(0.0, 0.0, 0.5)
    size = (4**power + 2**power) / 3
    for rest in (0.0, 1e-9, -1e-3):  # noise is no size
        target[:, 2] = rest
        assert value(kind(per_component=True), target + error, target) == pytest.approx(0.5**power / size / 3, rel=1e-3)


@both
def test_weights_multiply_the_errors_and_equal_ones_change_nothing(kind: type[Loss], power: int) -> None:
    target, error = constant(4.0, -2.0, 1.0), constant(1.0, 0.5, -0.25)
    for per_component in (False, True):
        plain = value(kind(per_component=per_component), target + error, target)
        equal = kind(per_component=per_component, component_weights=(7.0, 7.0, 7.0))
        assert value(equal, target + error, target) == pytest.approx(plain)
    errors = (1 + 0.5**power + 4 * 0.25**power) / 2  # weights 1, 1, 4 are 0.5, 0.5, 2 times their mean
    found = value(kind(component_weights=(1.0, 1.0, 4.0)), target + error, target)
    assert found == pytest.approx(errors / (4**power + 2**power + 1))
    own = (0.5 * 0.25**power + 0.5 * 0.25**power + 2 * 0.25**power) / 3
    assert value(kind(per_component=True, component_weights=(1.0, 1.0, 4.0)), target + error, target) == pytest.approx(
        own
    )


@both
@pytest.mark.parametrize("per_component", [False, True])
def test_an_item_whose_truth_is_zero_everywhere_counts_as_zero(
    kind: type[Loss], power: int, per_component: bool
) -> None:
    target = constant(3.0, 1.0, 2.0)
    loss = kind(per_component=per_component)
    whole = value(loss, 1.5 * target, target)
    assert whole == pytest.approx(0.5**power)
    target[1] = 0
    assert value(loss, target + 0.5 * constant(3.0, 1.0, 2.0), target) == pytest.approx(whole / 2)
    assert value(loss, constant(1.0, 1.0, 1.0), torch.zeros_like(target)) == 0
    assert value(loss, target, target, MASK & False) == 0


@both
@pytest.mark.parametrize("shape", [(2, 9, 5, 7), (2, 1, 6, 4), (2, 3, 3, 5, 4), (2, 1, 1, 4, 4)])
@pytest.mark.parametrize("unit", [1e-12, 1e-6, 1.0, 1e12])
def test_fields_of_any_task_in_any_unit_have_the_same_error(
    kind: type[Loss], power: int, shape: tuple[int, ...], unit: float
) -> None:
    generator = torch.Generator().manual_seed(0)
    target, error = (torch.randn(shape, generator=generator) for _ in range(2))
    mask = torch.rand(shape[0], 1, *shape[2:], generator=generator) < 0.8
    target = unit * target  # float32: squares of 1e-12 m/s and less must not be lost
    for per_component in (False, True):
        loss = kind(per_component=per_component)
        assert value(loss, 0 * target, target, mask) == pytest.approx(1, rel=1e-5)
        expected = value(loss, (target + unit * error).double() / unit, target.double() / unit, mask)
        assert value(loss, target + unit * error, target, mask) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("weights", [(), (0.0, 0.0, 0.0), (1.0, -1.0, 1.0), (float("nan"), 1.0, 1.0)])
def test_weights_that_weigh_nothing_are_refused_by_their_flag(weights: tuple[float, ...]) -> None:
    with pytest.raises(OptionError, match=r"--nmse-component-weights .*expected"):
        NMSE(component_weights=weights)


def test_a_weight_for_each_component_is_asked_for() -> None:
    target = constant(1.0, 2.0, 3.0)
    with pytest.raises(
        OptionError, match="--nmae-component-weights 1,2: found 2 for an answer of 3 channels"
    ) as caught:
        NMAE(component_weights=(1.0, 2.0))(target, target, {"mask": MASK})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("weights", ["1,1,4", [1.0, 1.0, 4.0]])
def test_options_come_from_a_command_line_or_a_configuration(weights: object) -> None:
    criterion = build_criterion("nmae", {"nmae": {"per_component": "true", "component_weights": weights}})
    target, error = constant(4.0, -2.0, 1.0), constant(1.0, 0.5, -0.25)
    total, _ = criterion(target + error, target, {"mask": MASK})
    assert total.item() == pytest.approx(0.25)

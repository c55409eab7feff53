"""Gradients of ramps by hand; the difference of gradients is that of the logged mean gradient."""

import pytest
import torch

from lasernet.losses.gradient import Gradient
from lasernet.losses.variation import TotalVariation
from lasernet.metrics.image import mean_gradient

ROWS, COLUMNS = 4, 6
DOWN, ALONG = (ROWS - 1) * COLUMNS, ROWS * (COLUMNS - 1)
MASK = torch.ones(2, 1, ROWS, COLUMNS, dtype=torch.bool)


def ramp(down: float, along: float) -> torch.Tensor:
    image = down * torch.arange(ROWS)[:, None] + along * torch.arange(COLUMNS)
    return image.double().expand(2, 3, -1, -1)


def test_difference_of_two_ramps_is_the_mean_difference_of_their_slopes() -> None:
    prediction, target = ramp(2.0, 5.0), ramp(3.0, -1.0)
    absolute = Gradient()(prediction, target, {"mask": MASK})
    squared = Gradient(error="squared")(prediction, target, {"mask": MASK})
    assert absolute.item() == pytest.approx((1 * DOWN + 6 * ALONG) / (DOWN + ALONG))
    assert squared.item() == pytest.approx((1 * DOWN + 36 * ALONG) / (DOWN + ALONG))


@pytest.mark.parametrize("error", ["absolute", "squared"])
def test_it_is_zero_if_and_only_if_the_gradients_agree(error: str) -> None:
    target = torch.rand(2, 9, ROWS, COLUMNS, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    loss, batch = Gradient(error=error), {"mask": MASK}
    assert loss(target + 7.0, target, batch).item() == pytest.approx(0, abs=1e-12)
    assert loss(-target, target, batch) > 0.01  # as steep, the other way
    assert loss(target.flip(-1), target, batch) > 0.01


def test_steeper_than_the_truth_is_no_reward() -> None:
    target = torch.rand(2, 9, ROWS, COLUMNS, generator=torch.Generator().manual_seed(0))
    values = [Gradient()(scale * target, target, {"mask": MASK}).item() for scale in (1.0, 2.0, 10.0, 100.0)]
    assert values == sorted(values)
    assert values[0] == 0


def test_only_pairs_of_valid_cells_count() -> None:
    mask = MASK.clone()
    mask[..., 2] = False
    prediction = ramp(0.0, 1.0).clone()
    prediction[..., 3:] += 50  # a jump at the gap, across which no pair reaches
    assert Gradient()(prediction, ramp(0.0, 1.0), {"mask": mask}) == 0


def test_total_variation_is_the_mean_gradient_of_the_prediction_at_any_size() -> None:
    image = torch.rand(2, 9, 7, 8, generator=torch.Generator().manual_seed(0))
    mask = torch.rand(2, 1, 7, 8, generator=torch.Generator().manual_seed(1)) < 0.8
    value = TotalVariation()(image, torch.zeros_like(image), {"mask": mask})
    torch.testing.assert_close(value, mean_gradient(image, mask))
    larger = TotalVariation()(image.repeat(3, 2, 1, 1), image.repeat(3, 2, 1, 1), {"mask": mask.repeat(3, 1, 1, 1)})
    torch.testing.assert_close(larger, value)


def test_total_variation_of_a_ramp_is_its_mean_slope() -> None:
    value = TotalVariation()(ramp(-2.0, 5.0), ramp(0.0, 0.0), {"mask": MASK})
    assert value.item() == pytest.approx((2 * DOWN + 5 * ALONG) / (DOWN + ALONG))

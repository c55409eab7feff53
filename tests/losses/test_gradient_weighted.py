"""Sobel's operator against another implementation; weights that are bounded and know no unit."""

import numpy as np
import pytest
import torch
from scipy.ndimage import sobel
from torch import Tensor

from lasernet.errors import OptionError
from lasernet.losses.gradient_weighted import GradientWeighted, sobel_magnitude
from lasernet.losses.pixel import MSE


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_inside_the_image_it_is_sobels_operator_per_cell() -> None:
    image = random(1, 1, 9, 12)
    everywhere = torch.ones_like(image, dtype=torch.bool)
    found = sobel_magnitude(image, everywhere)[0, 0].numpy()
    expected = np.hypot(*(sobel(image[0, 0].numpy(), axis=axis) / 8 for axis in (0, 1)))
    np.testing.assert_allclose(found[1:-1, 1:-1], expected[1:-1, 1:-1], rtol=1e-12)


def test_a_plane_is_as_steep_beside_gaps_and_borders_as_elsewhere() -> None:
    rows, columns = torch.arange(8.0)[:, None], torch.arange(11.0)
    image = (3 * rows - 4 * columns).expand(1, 1, -1, -1)
    mask = torch.ones(1, 1, 8, 11, dtype=torch.bool)
    mask[..., [0, 3, 3, 7], [5, 2, 3, 10]] = False
    found = sobel_magnitude(torch.where(mask, image, float("nan")), mask)
    torch.testing.assert_close(found[mask], torch.full_like(found[mask], 5.0))
    assert not found[~mask].any()


@pytest.mark.parametrize("temperature", [torch.full((2, 1, 6, 7), 1500.0), 20 * torch.arange(7.0).expand(2, 1, 6, -1)])
def test_under_a_uniform_gradient_it_is_the_mean_squared_error(temperature: Tensor) -> None:
    prediction, target = random(2, 2, 9, 6, 7)
    batch = {"future_temperature": temperature, "mask": random(2, 1, 6, 7, seed=3) < 0.9}
    torch.testing.assert_close(GradientWeighted()(prediction, target, batch), MSE()(prediction, target, batch))


def test_weights_know_no_unit_and_no_zero() -> None:
    temperature, mask = random(2, 1, 9, 9), torch.ones(2, 1, 9, 9, dtype=torch.bool)
    loss = GradientWeighted()
    torch.testing.assert_close(loss.weights(300 + 2000 * temperature, mask), loss.weights(temperature, mask))


def test_weights_are_cut_at_both_ends() -> None:
    temperature = torch.zeros(1, 1, 20, 20)
    temperature[..., 10:, 10:] = 1000 + 1000 * random(1, 1, 10, 10).float()
    mask = torch.ones_like(temperature, dtype=torch.bool)
    weights = GradientWeighted(least=0.5, most=2.0).weights(temperature, mask)
    assert weights.min() == 0.5
    assert weights.max() == 2.0
    assert len(weights.unique()) > 10


def test_an_error_costs_more_where_the_temperature_is_steep() -> None:
    temperature = 1000 * torch.sigmoid(torch.arange(20.0) - 10).expand(1, 1, 6, -1)
    batch = {"future_temperature": temperature, "mask": torch.ones(1, 1, 6, 20, dtype=torch.bool)}
    costs = []
    for column in (10, 2):
        prediction = torch.zeros(1, 9, 6, 20)
        prediction[..., column] = 1
        costs.append(GradientWeighted()(prediction, torch.zeros_like(prediction), batch).item())
    assert 20 < costs[0] / costs[1] < 100.001  # at most the ratio of most to least


@pytest.mark.parametrize(("least", "most"), [(-0.1, 10.0), (1.1, 10.0), (0.1, 0.9), (0.1, float("inf"))])
def test_limits_that_hold_nothing_are_refused(least: float, most: float) -> None:
    with pytest.raises(OptionError, match="least"):
        GradientWeighted(least=least, most=most)

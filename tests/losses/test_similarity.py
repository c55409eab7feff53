"""The loss is one minus the metric."""

import pytest
import torch
from torch import Tensor

from lasernet.errors import OptionError
from lasernet.losses.similarity import SSIM, dissimilarity_map, kelvin_per_unit
from lasernet.metrics.image import ssim_map
from lasernet.metrics.regions import RegionScores


def images(*shape: int, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    target = torch.rand(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    other = torch.rand(*shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return (0.7 * target + 0.3 * other).to(dtype), target.to(dtype)


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (7, 40), (11, 11), (23, 31)])
def test_the_map_is_one_minus_that_of_the_metric(size: tuple[int, int]) -> None:
    prediction, target = images(2, 9, *size)
    found = dissimilarity_map(prediction, target).mean(1)
    torch.testing.assert_close(found, 1 - ssim_map(prediction, target, 1.0), atol=1e-12, rtol=0)


def test_the_loss_is_one_minus_the_metrics_mean_over_valid_cells() -> None:
    prediction, target = images(2, 9, 23, 31, dtype=torch.float32)
    mask = torch.rand(2, 1, 23, 31, generator=torch.Generator().manual_seed(2)) < 0.9
    single = ssim_map(torch.where(mask, prediction, 0), torch.where(mask, target, 0), 1.0)
    expected = torch.stack([1 - part[valid[0]].mean() for part, valid in zip(single, mask, strict=True)]).mean()
    assert SSIM()(prediction, target, {"mask": mask}).item() == pytest.approx(expected.item(), abs=1e-6)


@pytest.mark.parametrize("unit", [1.0, 35.0])
def test_of_temperatures_it_is_one_minus_the_score_of_eval_in_any_unit(unit: float) -> None:
    prediction, target = (1000 + 1500 * image for image in images(1, 1, 23, 31, dtype=torch.float32))
    mask = torch.rand(1, 1, 23, 31, generator=torch.Generator().manual_seed(2)) < 0.9
    off = torch.zeros_like(mask)
    batch = {
        "mask": mask, "target": target, "future_temperature": target, "molten": off[:, None], "target_molten": off,
        **{name: torch.tensor([1700.0]) for name in ("liquidus", "front_low", "front_high")}, "item": torch.arange(1),
    }  # fmt: skip
    scores = RegionScores("temperature")
    scores.update(prediction, batch)
    expected = 1 - scores.items().scores()["all"]["ssim"]
    found = SSIM()(prediction / unit, target / unit, batch)
    assert found.item() == pytest.approx(expected, abs=1e-5)
    torch.testing.assert_close(kelvin_per_unit(target / unit, batch), torch.full((1, 1, 1, 1), unit))


def test_a_larger_range_forgives_more() -> None:
    prediction, target = images(1, 9, 23, 31)
    batch = {"mask": torch.ones(1, 1, 23, 31, dtype=torch.bool)}
    values = [SSIM(data_range=span)(prediction, target, batch).item() for span in (0.1, 1.0, 10.0)]
    assert values == sorted(values, reverse=True)
    assert values[1] == SSIM()(prediction, target, batch).item()


def test_close_images_keep_their_digits_in_single_precision() -> None:
    _, target = images(1, 9, 23, 31)
    prediction = target + 1e-4 * images(1, 9, 23, 31)[0]
    batch = {"mask": torch.ones(1, 1, 23, 31, dtype=torch.bool)}
    exact = SSIM()(prediction, target, batch).item()
    rounded = SSIM()(prediction.float(), target.float(), batch).item()
    assert 0 < exact < 1e-6  # of 1 − SSIM computed from SSIM in single precision, nothing would be left
    assert rounded == pytest.approx(exact, rel=0.01)


def test_a_field_of_unknown_range_needs_one() -> None:
    prediction, target = images(1, 3, 8, 8)
    batch = {"mask": torch.ones(1, 1, 8, 8, dtype=torch.bool)}
    with pytest.raises(OptionError, match="--ssim-data-range"):
        SSIM()(prediction, target, batch)
    assert SSIM(data_range=1.0)(prediction, target, batch) > 0
    with pytest.raises(OptionError, match="--ssim-data-range"):
        SSIM(data_range=0.0)

import pytest
import torch
from torch import Tensor, nn

from lasernet.errors import OptionError
from lasernet.losses.base import (
    Criterion,
    Term,
    build_criterion,
    masked_mean,
    not_negative,
    parse_loss,
    positive,
    weighted_mean,
)
from lasernet.losses.pixel import MAE, MSE


def frame_batch(items: int = 2, rows: int = 16, columns: int = 24) -> dict[str, Tensor]:
    """What losses that need nothing else compare."""
    generator = torch.Generator().manual_seed(3)
    return {
        "target": torch.rand(items, 9, rows, columns, generator=generator),
        "mask": torch.rand(items, 1, rows, columns, generator=generator) < 0.9,
    }


def test_masked_mean_weighs_items_not_cells() -> None:
    values = torch.tensor([1.0, 5.0]).reshape(2, 1, 1, 1).repeat(1, 2, 3, 3)
    mask = torch.ones(2, 1, 3, 3, dtype=torch.bool)
    mask[1, 0, :, 1:] = False
    assert float(masked_mean(values, mask)) == 3.0


def test_weighted_mean_is_the_mean_over_items_of_the_weighted_mean_of_each() -> None:
    values = torch.tensor([[1.0, 2.0], [3.0, 5.0]]).reshape(2, 1, 1, 2).repeat(1, 4, 1, 1)
    weights = torch.tensor([[1.0, 3.0], [0.5, 0.0]]).reshape(2, 1, 1, 2)
    assert float(weighted_mean(values, weights)) == ((1 + 6) / 4 + 3) / 2
    assert float(weighted_mean(values, 1000 * weights)) == ((1 + 6) / 4 + 3) / 2


def test_weighted_mean_with_equal_weights_is_the_masked_mean() -> None:
    batch = frame_batch()
    weights = torch.where(batch["mask"], 0.3, 0)
    torch.testing.assert_close(weighted_mean(batch["target"], weights), masked_mean(batch["target"], batch["mask"]))


def test_an_item_whose_weights_vanish_counts_as_zero() -> None:
    weights = torch.stack([torch.ones(1, 2, 2), torch.full((1, 2, 2), 1e-30)])
    assert float(weighted_mean(torch.ones(2, 3, 2, 2), weights)) == 0.5


def test_masked_mean_of_half_precision_is_summed_in_single() -> None:
    values = torch.full((1, 1, 101, 101), 0.1, dtype=torch.bfloat16)
    mean = masked_mean(values, torch.ones(1, 1, 101, 101, dtype=torch.bool))
    assert mean.dtype == torch.float32
    torch.testing.assert_close(mean, values[0, 0, 0, 0].float())


def test_criterion_is_the_weighted_sum_and_logs_unweighted_terms() -> None:
    batch = frame_batch()
    prediction = batch["target"] + 0.5
    total, terms = build_criterion("mse + 0.1*mae", {})(prediction, batch["target"], batch)
    torch.testing.assert_close(terms["mse"], torch.tensor(0.25))
    torch.testing.assert_close(terms["mae"], torch.tensor(0.5))
    torch.testing.assert_close(total, torch.tensor(0.3))
    assert not terms["mse"].requires_grad


def test_criterion_carries_the_tensors_of_its_losses() -> None:
    class Weighted(MSE):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("weight", torch.ones(3))
            self.part = nn.Linear(2, 2)

    criterion = Criterion([("weighted", 1.0, Weighted())]).double()
    assert len(list(criterion.parameters())) == 2
    assert {value.dtype for value in criterion.state_dict().values()} == {torch.float64}


def test_options_reach_their_loss() -> None:
    criterion = build_criterion("huber+mse", {"huber": {"delta": "0.5"}})
    assert criterion.terms[0][2].delta == 0.5
    with pytest.raises(OptionError, match="no option 'detla'"):
        build_criterion("huber", {"huber": {"detla": 0.5}})


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("mse", [Term("mse", 1.0)]),
        ("mse+0.1*mae", [Term("mse", 1.0), Term("mae", 0.1)]),
        (" 2 * mse + 1e-3*smooth-l1 ", [Term("mse", 2.0), Term("smooth-l1", 1e-3)]),
        ("0*mse+mae", [Term("mse", 0.0), Term("mae", 1.0)]),
    ],
)
def test_expressions_are_read(text: str, terms: list[Term]) -> None:
    assert parse_loss(text) == terms


@pytest.mark.parametrize(
    "text",
    ["", "+", "mse+", "mse*0.1", "-1*mse", "0.1mse", "MSE", "1.2.3*mse", ".*mse", "1e999*mse", "mse+mse", "msee"],
)
def test_expressions_of_another_form_are_refused_in_one_line(text: str) -> None:
    with pytest.raises(OptionError) as caught:
        parse_loss(text)
    assert "\n" not in str(caught.value)


def test_a_mistyped_name_gets_a_suggestion() -> None:
    with pytest.raises(OptionError, match="did you mean 'charbonnier'"):
        parse_loss("mse+0.1*charboner")


@pytest.mark.parametrize(("check", "value"), [(positive, 0.0), (not_negative, -1.0), (not_negative, float("inf"))])
def test_numbers_out_of_range_are_refused_by_their_flag(check, value: float) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(OptionError, match="--gradient-weight"):
        check("gradient-weight", value)


def test_pixel_losses_are_plain_modules_without_parameters() -> None:
    assert not list(Criterion([("mse", 1.0, MSE()), ("mae", 1.0, MAE())]).parameters())

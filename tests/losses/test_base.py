import pytest
import torch
from torch import Tensor, nn

from lasernet.errors import OptionError
from lasernet.losses.base import Criterion, Loss, Term, build_criterion, masked_mean, parse_loss
from lasernet.losses.pixel import MAE, MSE
from lasernet.options import resolve
from lasernet.registry import LOSSES


def frame_batch(items: int = 2, rows: int = 16, columns: int = 24) -> dict[str, Tensor]:
    """A batch of frame prediction with a warm pool, so that every region of the metrics has cells."""
    generator = torch.Generator().manual_seed(3)
    x = torch.linspace(1300, 2300, columns).expand(items, 1, rows, columns)
    future = x + 40 * torch.rand(items, 1, rows, columns, generator=generator)
    context = torch.rand(items, 3, 9, rows, columns, generator=generator)
    molten = (x > 1700).expand(items, 1, rows, columns)
    target_molten = x > 1780
    return {
        "temperature": (x + 60).unsqueeze(1).repeat(1, 3, 1, 1, 1),
        "ipf": context * ~molten.unsqueeze(1),
        "molten": molten.unsqueeze(1).repeat(1, 3, 1, 1, 1),
        "valid": torch.ones(items, 3, 1, rows, columns, dtype=torch.bool),
        "future_temperature": future,
        "target": torch.rand(items, 9, rows, columns, generator=generator) * ~target_molten,
        "target_molten": target_molten,
        "mask": torch.rand(items, 1, rows, columns, generator=generator) < 0.9,
        "solidus": torch.full((items,), 1650.0),
        "liquidus": torch.full((items,), 1720.0),
        "front_low": torch.full((items,), 1660.0),
        "front_high": torch.full((items,), 1720.0),
        "cell_height": torch.full((items,), 5e-6),
        "cell_width": torch.full((items,), 5e-6),
        "item": torch.arange(items),
    }


def build(name: str) -> Loss:
    cls = LOSSES.get(name)
    loss: Loss = cls(**resolve(cls, {}, what=name))
    return loss


@pytest.mark.parametrize("name", LOSSES.names())
def test_every_loss_has_its_minimum_at_the_truth(name: str) -> None:
    loss, batch = build(name), frame_batch()
    target = batch["target"]
    prediction = target.clone().requires_grad_()
    least = loss(prediction, target, batch)
    least.backward()
    assert prediction.grad is not None
    assert prediction.grad.isfinite().all()
    assert 0 <= least.item() <= 2e-3  # charbonnier: its epsilon
    for scale in (1e-2, 1.0, 100.0):
        noise = scale * torch.randn(target.shape, generator=torch.Generator().manual_seed(1))
        value = loss(target + noise, target, batch)
        assert value.shape == ()
        assert torch.isfinite(value)
        assert float(value) >= least.item()
        assert float(loss(scale * target, target, batch)) >= 0


@pytest.mark.parametrize("name", LOSSES.names())
def test_every_loss_is_a_mean_over_items(name: str) -> None:
    loss, batch = build(name), frame_batch(items=4)
    batch["mask"] = torch.ones_like(batch["mask"])
    prediction = batch["target"] + 0.1
    halves = [
        loss(prediction[rows], batch["target"][rows], {key: value[rows] for key, value in batch.items()})
        for rows in (slice(0, 2), slice(2, 4))
    ]
    torch.testing.assert_close(torch.stack(halves).mean(), loss(prediction, batch["target"], batch))


def test_masked_mean_weighs_items_not_cells() -> None:
    values = torch.tensor([1.0, 5.0]).reshape(2, 1, 1, 1).repeat(1, 2, 3, 3)
    mask = torch.ones(2, 1, 3, 3, dtype=torch.bool)
    mask[1, 0, :, 1:] = False
    assert float(masked_mean(values, mask)) == 3.0


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


def test_pixel_losses_are_plain_modules_without_parameters() -> None:
    assert not list(Criterion([("mse", 1.0, MSE()), ("mae", 1.0, MAE())]).parameters())

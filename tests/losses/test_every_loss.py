"""What holds for every registered loss, with the options that change how it computes."""

import pytest
import torch
from torch import Tensor
from velocity_batches import random_flows

from lasernet.engine.plan import knobs, model_class, pick_task
from lasernet.errors import OptionError
from lasernet.losses.base import Loss
from lasernet.options import resolve
from lasernet.registry import LOSSES, MODELS

VARIANTS: list[tuple[str, dict[str, object]]] = [
    *[("solidification", {"weighting": kind}) for kind in ("gaussian", "linear", "exponential")],
    ("solidification", {"outside_weight": 0.0, "error": "absolute", "t_solidus": 1500.0, "t_liquidus": 1680.0}),
    ("solidification", {"error": "charbonnier", "epsilon": 1e-4}),
    ("combined", {"weighting": "gaussian"}),
    ("gradient", {"error": "squared"}),
    ("perceptual", {"error": "squared", "seed": 5}),
    ("spectral", {"compare": "full"}),
    ("spectral", {"level": "amplitude"}),
    ("spectral", {"compare": "full", "level": "amplitude"}),
    ("ssim", {"data_range": 2.0}),
    ("sharpness", {"base": "l1", "gradient_error": "squared", "perceptual_weight": 0.1}),
    ("sharpness", {"base": "charbonnier", "weighting": "exponential", "gradient_weight": 0.0}),
    *[(name, {"per_component": True}) for name in ("nmae", "nmse")],
]
CASES = [*[(name, {}) for name in LOSSES.names()], *VARIANTS]
every = pytest.mark.parametrize(
    ("name", "options"), CASES, ids=[f"{n}-{'-'.join(map(str, o.values()))}" for n, o in CASES]
)
OF_PREDICTIONS_ALONE = (
    "total-variation",
    "palette",
    "divergence",
    "momentum",
)  # the truth is not where these are smallest
COLORS_ONLY = ("palette", "perceptual")
VELOCITIES_ONLY = ("divergence", "flux", "laplacian", "momentum", "no-slip", "smoothness")


def build(name: str, options: dict[str, object]) -> Loss:
    cls = LOSSES.get(name)
    loss: Loss = cls(**resolve(cls, options, what=name))
    return loss


def frames(items: int = 2, rows: int = 12, columns: int = 18, dtype: torch.dtype = torch.float32) -> dict[str, Tensor]:
    """A batch of frame prediction with a warm pool and a few cells that are missing."""
    generator = torch.Generator().manual_seed(3)

    def random(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator, dtype=torch.float64).to(dtype)

    x = torch.linspace(1300, 2300, columns, dtype=dtype).expand(items, 1, rows, columns)
    molten, target_molten = x > 1700, x > 1780
    mask = random(items, 1, rows, columns) < 0.9
    per_item = {"solidus": 1650.0, "liquidus": 1720.0, "front_low": 1600.0, "front_high": 1720.0}
    return {
        "temperature": (x + 60).unsqueeze(1).repeat(1, 3, 1, 1, 1),
        "ipf": random(items, 3, 9, rows, columns) * ~molten.unsqueeze(1),
        "molten": molten.unsqueeze(1).repeat(1, 3, 1, 1, 1),
        "valid": mask.unsqueeze(1).repeat(1, 3, 1, 1, 1),
        "future_temperature": x + 40 * random(items, 1, rows, columns),
        "target": random(items, 9, rows, columns) * ~target_molten,
        "target_molten": target_molten,
        "mask": mask,
        **{name: torch.full((items,), value, dtype=dtype) for name, value in per_item.items()},
        "item": torch.arange(items),
    }


def batch_for(name: str, **sizes: int | torch.dtype) -> dict[str, Tensor]:
    """A batch that a loss is made for."""
    return random_flows(**sizes) if name in VELOCITIES_ONLY else frames(**sizes)  # type: ignore[arg-type]


def noisy(target: Tensor, scale: float = 0.3) -> Tensor:
    noise = torch.randn(target.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return target + scale * noise.to(target.dtype)


def value_and_gradient(loss: Loss, prediction: Tensor, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    prediction = prediction.detach().clone().requires_grad_()
    value = loss(prediction, batch["target"], batch)
    value.backward()
    assert prediction.grad is not None
    return value.detach(), prediction.grad


@every
def test_it_is_never_negative_and_smallest_at_the_truth(name: str, options: dict[str, object]) -> None:
    loss, batch = build(name, options), batch_for(name)
    least, gradient = value_and_gradient(loss, batch["target"], batch)
    assert gradient.isfinite().all()
    if name not in OF_PREDICTIONS_ALONE:
        assert 0 <= least <= 2e-3  # charbonnier: its epsilon
    for scale in (1e-2, 1.0, 100.0):
        for prediction in (noisy(batch["target"], scale), scale * batch["target"], -scale * batch["target"]):
            value, gradient = value_and_gradient(loss, prediction, batch)
            assert value.shape == ()
            assert value >= (0 if name in OF_PREDICTIONS_ALONE else least)
            assert value.isfinite()
            assert gradient.isfinite().all()


@every
def test_following_its_gradient_lowers_it(name: str, options: dict[str, object]) -> None:
    loss, batch = build(name, options), batch_for(name)
    prediction = noisy(batch["target"])
    before, gradient = value_and_gradient(loss, prediction, batch)
    after = loss(prediction - 1e-3 * gradient / gradient.abs().max(), batch["target"], batch)
    assert after < before


@every
def test_it_is_a_mean_over_items(name: str, options: dict[str, object]) -> None:
    loss, batch = build(name, options), batch_for(name, items=4)
    prediction = noisy(batch["target"])
    whole, gradient = value_and_gradient(loss, prediction, batch)
    parts = [
        value_and_gradient(loss, prediction[rows], {key: value[rows] for key, value in batch.items()})
        for rows in (slice(0, 1), slice(1, 4))
    ]
    torch.testing.assert_close((parts[0][0] + 3 * parts[1][0]) / 4, whole)
    torch.testing.assert_close(torch.cat([parts[0][1] / 4, 3 * parts[1][1] / 4]), gradient)


@every
@pytest.mark.parametrize("garbage", [float("nan"), float("inf"), 1e30])
def test_masked_cells_do_not_count_whatever_they_hold(name: str, options: dict[str, object], garbage: float) -> None:
    loss, batch = build(name, options), batch_for(name)
    prediction, mask = noisy(batch["target"]), batch["mask"]
    clean, clean_gradient = value_and_gradient(loss, prediction, batch)
    fields = [key for key in ("target", "future_temperature", "velocity", "pressure") if key in batch]
    spoiled = {**batch, **{key: torch.where(mask, batch[key], garbage) for key in fields}}
    if "ipf" in batch:
        spoiled["ipf"] = torch.where(mask[:, None], batch["ipf"], garbage)
    judges_solids = name == "no-slip"
    answer = prediction if judges_solids else torch.where(mask, prediction, -garbage)
    value, gradient = value_and_gradient(loss, answer, spoiled)
    assert value == clean
    assert torch.equal(gradient, clean_gradient)
    assert judges_solids or not gradient[~mask.expand_as(gradient)].any()


@every
def test_an_item_without_valid_cells_counts_as_zero(name: str, options: dict[str, object]) -> None:
    loss, batch = build(name, options), batch_for(name)
    prediction = noisy(batch["target"])
    one = loss(prediction[:1], batch["target"][:1], {key: value[:1] for key, value in batch.items()})
    batch["mask"][1] = False
    torch.testing.assert_close(loss(prediction, batch["target"], batch), one / 2)
    batch["mask"][0] = False
    value, gradient = value_and_gradient(loss, prediction, batch)
    assert value == 0
    assert not gradient.any()


@every
def test_its_gradient_is_the_derivative(name: str, options: dict[str, object]) -> None:
    loss, batch = build(name, options).double(), batch_for(name, rows=5, columns=6, dtype=torch.float64)
    generator = torch.Generator().manual_seed(2)
    prediction = noisy(batch["target"]).requires_grad_()
    direction = torch.randn(prediction.shape, generator=generator, dtype=torch.float64)

    def along(step: Tensor) -> Tensor:
        return loss(prediction.detach() + step * direction, batch["target"], batch)

    # Along one direction: thousands of numeric derivatives would take minutes.
    assert torch.autograd.gradcheck(along, torch.zeros((), dtype=torch.float64, requires_grad=True), eps=1e-7)
    (gradient,) = torch.autograd.grad(loss(prediction, batch["target"], batch), prediction)
    step = torch.zeros((), dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(along(step), step)
    torch.testing.assert_close((gradient * direction).sum(), slope)


@every
def test_mixed_precision_costs_no_digits(name: str, options: dict[str, object]) -> None:
    loss, batch = build(name, options), batch_for(name)
    prediction = noisy(batch["target"])
    plain = loss(prediction, batch["target"], batch)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = loss(prediction, batch["target"], batch)
        half = loss(prediction.bfloat16(), batch["target"], batch)
    assert mixed.dtype == half.dtype == torch.float32
    torch.testing.assert_close(mixed, plain, rtol=1e-6, atol=0)
    torch.testing.assert_close(half, plain, rtol=0.02, atol=0)


@every
def test_randomness_is_neither_used_nor_disturbed(name: str, options: dict[str, object]) -> None:
    batch = batch_for(name)
    prediction, values = noisy(batch["target"]), []
    for seed in (0, 1):
        torch.manual_seed(seed)
        state = torch.get_rng_state()
        values.append(build(name, options)(prediction, batch["target"], batch))
        assert torch.equal(torch.get_rng_state(), state)
    assert values[0] == values[1]


@every
@pytest.mark.parametrize("unit", [1.0, 12.5])
def test_temperatures_are_judged_in_any_unit_or_refused_in_one_line(
    name: str, options: dict[str, object], unit: float
) -> None:
    loss, batch = build(name, options), frames()
    batch["target"] = batch["future_temperature"] / unit  # K, or multiples of 12.5 K
    prediction = noisy(batch["target"], 20 / unit)
    if name in (*COLORS_ONLY, *VELOCITIES_ONLY) or options.get("perceptual_weight"):
        with pytest.raises(OptionError, match=r"judges (colors|velocities)|needs 'velocity'") as caught:
            loss(prediction, batch["target"], batch)
        assert "\n" not in str(caught.value)
        return
    value, gradient = value_and_gradient(loss, prediction, batch)
    least = loss(batch["target"], batch["target"], batch) if name not in OF_PREDICTIONS_ALONE else 0
    assert least <= value < float("inf")
    assert gradient.isfinite().all()
    assert gradient.any()


@pytest.mark.parametrize("name", ["solidification", "combined", "gradient-weighted", "palette"])
def test_a_batch_without_what_a_loss_needs_is_refused_in_one_line(name: str) -> None:
    image = torch.zeros(1, 9, 4, 4)
    with pytest.raises(OptionError, match=f"--loss {name} needs '") as caught:
        build(name, {})(image, image, {"mask": torch.ones(1, 1, 4, 4, dtype=torch.bool)})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (2, 2), (3, 11), (13, 1)])
@every
def test_images_of_any_size_are_judged(name: str, options: dict[str, object], size: tuple[int, int]) -> None:
    loss, batch = build(name, options), batch_for(name, rows=size[0], columns=size[1])
    value, gradient = value_and_gradient(loss, noisy(batch["target"]), batch)
    assert value.isfinite()
    assert gradient.isfinite().all()


def test_every_option_of_a_loss_has_a_flag_of_its_own() -> None:
    for name in MODELS.names():
        cls = model_class(name)
        if cls.default_loss is not None:
            flags = knobs(cls, pick_task(cls, None))
            assert {"solidification_t_solidus", "sharpness_gradient_weight", "gradient_weighted_least"} <= set(flags)

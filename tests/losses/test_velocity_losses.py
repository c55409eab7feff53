"""Losses on flows: zero for what the solver found, one for a fluid at rest, the same in any unit and of any size."""

import numpy as np
import pytest
import torch
from torch import Tensor
from velocity_batches import judge, noisy, random_flows, solved_flow

from lasernet.errors import OptionError
from lasernet.losses.base import masked_mean
from lasernet.metrics.image import mean_gradient
from lasernet.physics.flow import divergence_ratio
from lasernet.registry import LOSSES

Batch = dict[str, Tensor]
NAMES = ("divergence", "flux", "laplacian", "momentum", "no-slip", "smoothness")
OF_ERRORS = ("nmae", "nmse", "flux", "laplacian", "smoothness")  # 0 for the truth, whatever it is
every = pytest.mark.parametrize("name", NAMES)


def times(batch: Batch, prediction: Tensor, factors: dict[str, float]) -> tuple[Batch, Tensor]:
    """The batch and the prediction with some fields multiplied."""
    changed = {**batch, **{name: factor * batch[name] for name, factor in factors.items()}}
    changed["target"] = changed["velocity"]
    return changed, factors.get("velocity", 1.0) * prediction


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_solvers_own_flow_costs_nothing(dtype: torch.dtype) -> None:
    batch = solved_flow(dtype)
    least = 1e-17 if dtype == torch.float64 else 1e-9
    for name in (*NAMES, "nmae", "nmse"):
        assert 0 <= judge(name, batch["target"], batch) < least, name


@pytest.mark.parametrize("name", [*OF_ERRORS, "momentum"])
def test_a_fluid_at_rest_costs_one(name: str) -> None:
    batch = solved_flow()
    at_rest = torch.zeros_like(batch["target"])
    if name == "momentum":  # without pressure nothing holds against the gradient
        batch = {**batch, "pressure": 0 * batch["pressure"]}
    assert judge(name, at_rest, batch) == pytest.approx(1, rel=1e-6)


@pytest.mark.parametrize("name", OF_ERRORS)
def test_a_flow_that_is_a_tenth_too_fast_costs_a_hundredth(name: str) -> None:
    for batch in (solved_flow(), random_flows(4, dtype=torch.float64)):
        assert judge(name, 1.1 * batch["target"], batch) == pytest.approx(0.1 if name == "nmae" else 0.01)


@every
@pytest.mark.parametrize(
    "factors",
    [
        {"velocity": 1e-9, "viscosity": 1e9},
        {"velocity": 1e6, "viscosity": 1e-6},
        {"velocity": 1e-6, "spacing": 1e-3, "pressure": 1e-3},  # smaller and as viscous: slower by the square
        {"velocity": 1e4, "spacing": 1e2, "pressure": 1e2},
        {"velocity": 1e3, "pressure": 1e3, "gradient": 1e3},
    ],
    ids=lambda factors: ",".join(factors),
)
def test_units_sizes_and_viscosities_change_nothing_in_single_precision(name: str, factors: dict[str, float]) -> None:
    batch = solved_flow()
    expected = judge(name, noisy(batch), batch)
    assert expected > 1e-5
    for kind in (True, False):
        single = {**solved_flow(torch.float32), "faces": torch.tensor([kind])}
        before = judge(name, noisy(single), single)
        assert not kind or before == pytest.approx(expected, rel=1e-4)
        changed, prediction = times(single, noisy(single), factors)
        assert judge(name, prediction, changed) == pytest.approx(before, rel=1e-4)


@every
def test_a_model_may_hand_over_velocities_in_a_unit_of_its_own(name: str) -> None:
    batch = random_flows(dtype=torch.float64)
    scaled = {**batch, "target": 1e3 * batch["target"]}
    assert judge(name, 1e3 * noisy(batch), scaled) == pytest.approx(judge(name, noisy(batch), batch))


@every
def test_the_spacing_along_each_axis_counts_except_where_only_sums_do(name: str) -> None:
    batch = random_flows(dtype=torch.float64)
    before = judge(name, noisy(batch), batch)
    for axis in range(3):
        spacing = batch["spacing"].clone()
        spacing[:, axis] *= 1.5
        changed = judge(name, noisy(batch), {**batch, "spacing": spacing})
        assert (changed == pytest.approx(before)) == (name in ("flux", "no-slip"))


@every
def test_an_item_without_any_flow_counts_as_zero_or_by_its_forces(name: str) -> None:
    batch = random_flows(4, dtype=torch.float64)
    batch["velocity"] = batch["target"] = torch.where(torch.arange(4).reshape(-1, 1, 1, 1, 1) < 2, batch["target"], 0)
    first = {key: value[:2] for key, value in batch.items()}
    if name != "momentum":
        assert judge(name, noisy(batch), batch) == pytest.approx(judge(name, noisy(batch)[:2], first) / 2)
    assert np.isfinite(judge(name, torch.zeros_like(batch["target"]), batch))


def test_divergence_on_faces_is_the_square_of_the_metrics_ratio() -> None:
    batch = solved_flow()
    free = batch["target"].abs() > 1e-9 * batch["target"].abs().max()
    batch["target"] = batch["velocity"] = torch.where(free, noisy(batch), 0)  # judged by its own gradients
    ratio = divergence_ratio(batch["target"][0].numpy(), batch["spacing"][0].tolist())
    assert judge("divergence", batch["target"], batch) == pytest.approx(ratio**2)
    assert ratio > 0.01


def test_divergence_in_centers_of_a_shear_is_zero_and_of_a_source_is_one_ninth() -> None:
    batch = random_flows(1, layers=4, rows=5, columns=6, dtype=torch.float64)
    batch |= {"mask": torch.ones_like(batch["mask"]), "faces": torch.tensor([False])}
    z, y, x = torch.meshgrid(*(torch.arange(n, dtype=torch.float64) for n in (4, 5, 6)), indexing="ij")
    x, y, z = (part * size for part, size in zip((x, y, z), batch["spacing"][0], strict=True))
    truth = torch.stack([x + y + z, x + y + z, x + y + z])[None]  # nine slopes of 1
    batch["target"] = batch["velocity"] = truth
    assert judge("divergence", torch.stack([y + z, x - z, x * y])[None], batch) == pytest.approx(0, abs=1e-20)
    assert judge("divergence", torch.stack([x, 0 * x, 0 * x])[None], batch) == pytest.approx(1 / 9)
    assert judge("divergence", truth, batch) == pytest.approx(1)


def test_flux_is_the_variance_along_x_plus_the_squared_error_of_the_mean() -> None:
    batch = solved_flow()
    prediction = noisy(batch)
    free = batch["target"].abs() > 1e-9 * batch["target"].abs().max()
    flux, true = (torch.where(free, field, 0)[0, 0].sum((0, 1)) for field in (prediction, batch["target"]))
    expected = (flux.var(correction=0) + (flux.mean() - true.mean()).square()) / true.mean().square()
    assert judge("flux", prediction, batch) == pytest.approx(expected.item(), rel=1e-6)


def test_flux_is_blind_to_where_in_a_section_the_fluid_flows_and_bears_sections_without_fluid() -> None:
    batch = random_flows(dtype=torch.float64)
    batch["mask"][..., 7] = False
    prediction = batch["target"].clone()
    prediction[:, 1:] += 1
    where = batch["mask"][1, 0] & batch["mask"][1, 0].roll(
        1, 0
    )  # an item in centers: one cell gives, its neighbor takes
    place = tuple(torch.argwhere(where)[-1].tolist())
    prediction[1, 0, place[0], place[1], place[2]] += 0.4
    prediction[1, 0, place[0] - 1, place[1], place[2]] -= 0.4
    assert judge("flux", prediction, batch) == pytest.approx(0, abs=1e-25)


def test_no_slip_is_the_mean_square_on_walls_over_that_of_the_truth_in_the_fluid() -> None:
    batch = random_flows(2, dtype=torch.float64)
    ones = torch.ones_like(batch["target"])
    batch["target"] = batch["velocity"] = torch.where(batch["target"] != 0, ones, 0)
    assert judge("no-slip", batch["target"], batch) == 0
    assert judge("no-slip", 3 * ones, batch) == pytest.approx(9)
    in_fluid = torch.where(batch["mask"], ones, 0)  # closed faces belong to fluid cells, too
    found = judge("no-slip", in_fluid, batch)
    mask = batch["mask"][:1]
    faces = torch.cat([mask & mask.roll(1, dimension) for dimension in (-1, -2, -3)], 1)
    closed = ~faces
    assert found == pytest.approx((closed & mask).sum().item() / closed.sum().item() / 2)


@pytest.mark.parametrize("name", ["smoothness", "laplacian"])
def test_a_uniform_offset_between_walls_costs_only_where_it_meets_them(name: str) -> None:
    batch = random_flows(4, dtype=torch.float64)
    offset = batch["target"] + 0.3
    centers = {key: value[1::2] for key, value in batch.items()}
    assert judge(name, offset[1::2], centers) == pytest.approx(0, abs=1e-25)
    faces = {key: value[::2] for key, value in batch.items()}
    assert judge(name, offset[::2], faces) > 1e-3


def test_smoothness_and_laplacian_of_a_wave_are_its_wave_numbers() -> None:
    """Along z without walls: the truth a cosine of one wave, the error one of two."""
    batch = random_flows(1, layers=32, rows=2, columns=2, dtype=torch.float64)
    batch["mask"] = torch.ones_like(batch["mask"])
    angle = (2 * torch.pi * torch.arange(32, dtype=torch.float64) / 32).reshape(1, 1, -1, 1, 1)
    target = torch.cos(angle).expand(1, 3, 32, 2, 2)
    batch["target"] = batch["velocity"] = target
    ratio = (np.sin(2 * np.pi / 32) / np.sin(np.pi / 32)) ** 2  # a step is 2 sin(kh/2)
    prediction = target + 0.1 * torch.cos(2 * angle)
    assert judge("smoothness", prediction, batch) == pytest.approx(0.01 * ratio)
    assert judge("laplacian", prediction, batch) == pytest.approx(0.01 * ratio**2)


@every
def test_a_slice_is_judged_like_the_block_of_its_copies(name: str) -> None:
    batch = random_flows(2, layers=1, dtype=torch.float64)
    batch["velocity"] = batch["target"] = batch["target"] * torch.tensor([1.0, 1.0, 0.0]).reshape(3, 1, 1, 1)
    prediction = noisy(batch) * torch.tensor([1.0, 1.0, 0.0]).reshape(3, 1, 1, 1)
    fields = ("mask", "velocity", "target", "pressure")
    for kind in (0, 1):
        one = {key: value[kind : kind + 1] for key, value in batch.items()}
        block = {**one, **{key: one[key].repeat(1, 1, 5, 1, 1) for key in fields}}
        found = judge(name, prediction[kind : kind + 1].repeat(1, 1, 5, 1, 1), block)
        assert found == pytest.approx(judge(name, prediction[kind : kind + 1], one))


@every
def test_other_answers_and_batches_without_a_grid_are_refused_in_one_line(name: str) -> None:
    batch = random_flows()
    with pytest.raises(OptionError, match=f"--loss {name} judges velocities") as caught:
        LOSSES.get(name)()(torch.zeros(2, 9, 4, 4), torch.zeros(2, 9, 4, 4), {"mask": torch.ones(2, 1, 4, 4) > 0})
    assert "\n" not in str(caught.value)
    del batch["faces"]
    with pytest.raises(OptionError, match=f"--loss {name} needs 'faces'") as caught:
        LOSSES.get(name)()(batch["target"], batch["target"], batch)
    assert "\n" not in str(caught.value)


def test_what_every_model_logs_takes_volumes() -> None:
    batch = random_flows()
    torch.testing.assert_close(masked_mean(torch.ones_like(batch["target"]), batch["mask"]), torch.tensor(1.0))
    ramp = torch.arange(18.0).expand(2, 3, 3, 12, 18) * 2 + torch.arange(12.0)[:, None]
    everywhere = torch.ones_like(batch["mask"])
    assert mean_gradient(ramp, everywhere).item() == pytest.approx((2 * 17 / 18 + 11 / 12) / (17 / 18 + 11 / 12))
    assert mean_gradient(batch["target"], batch["mask"]).isfinite()

"""The U-Net of resin flow: its units, what it never answers, and what it does to batches of either kind."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from velocity_batches import random_flows

from lasernet.data.flows import FlowData
from lasernet.engine.loaded import build_model
from lasernet.engine.plan import make_config
from lasernet.errors import DataError, RunError
from lasernet.losses.base import Criterion, build_criterion
from lasernet.models.base import count_parameters
from lasernet.models.unet import FlowUNet, wall_distance
from lasernet.nn.flow_symmetry import augmented, rolled
from lasernet.nn.stencils import places
from lasernet.registry import MODELS

TASKS = ("flow", "flow-pressure")
Batch = dict[str, Tensor]
both = pytest.mark.parametrize("task", TASKS)


def batch_for(task: str, **sizes: int) -> Batch:
    """Two random flows, the first on faces; not of equal gradient, viscosity and size."""
    batch = random_flows(**sizes)
    items = len(batch["mask"])
    for name in ("gradient", "viscosity", "spacing"):
        factor = 1 + 0.5 * torch.arange(items, dtype=torch.float32).reshape(-1, *[1] * (batch[name].ndim - 1))
        batch[name] = batch[name] * factor
    return batch | ({"target": batch["pressure"]} if task == "flow-pressure" else {})


def model_for(task: str, batch: Batch, **options: object) -> FlowUNet:
    """A small network with random weights everywhere, fitted, in evaluation mode."""
    torch.manual_seed(0)
    model = build_model("unet", {"features": (4, 8), **options}, task=task)
    assert isinstance(model, FlowUNet)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.3)
    model.fit([batch])
    return model.eval()


@pytest.mark.parametrize(("task", "expected"), [("flow", 31_041_410), ("flow-pressure", 31_041_409)])
def test_the_published_networks_have_their_published_sizes(task: str, expected: int) -> None:
    config = make_config("unet", {}, task=task, preset="paper")
    with torch.device("meta"):
        model = build_model("unet", config["model"]["options"], task=task)
    assert count_parameters(model) == expected
    assert config["loss"]["expression"] == "nmae"
    assert (config["training"]["lr"], config["training"]["batch_size"], config["training"]["epochs"]) == (1e-4, 10, 100)
    assert config["data"]["options"]["items"] == "slices"


@both
def test_answers_grow_with_the_gradient_over_the_viscosity_and_with_the_size(task: str) -> None:
    batch = batch_for(task)
    model = model_for(task, batch)
    power = 1 if task == "flow-pressure" else 2
    larger = {**batch, "gradient": 3 * batch["gradient"], "viscosity": 5 * batch["viscosity"]}
    larger["spacing"] = 2 * batch["spacing"] * torch.tensor([1, 1, 7])  # the distance of slices has no meaning here
    if task == "flow-pressure":
        model.reference.mul_(2)  # the one length that a network of pressures sees
    factor = 3 * 2**power / (1 if task == "flow-pressure" else 5)
    torch.testing.assert_close(model(larger), factor * model_for(task, batch)(batch), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("drive", ["gradient", "flux"])
@both
def test_the_fitted_scale_makes_targets_of_order_one(task: str, drive: str) -> None:
    batch = batch_for(task, items=1)
    model = model_for(task, batch, drive=drive)
    large = {**batch, "target": 100 * batch["target"], "gradient": 100 * batch["gradient"]}
    model.fit([large])
    assert float(model.scale) == pytest.approx(float(model_for(task, large, drive=drive).scale))
    ratio = float(model_for(task, large, drive=drive).scale / model_for(task, batch, drive=drive).scale)
    assert ratio == pytest.approx(1 if drive == "gradient" else 100, rel=1e-5)
    rest = {**batch, "target": torch.zeros_like(batch["target"]), "gradient": torch.zeros(1)}
    with pytest.raises(DataError, match="moving fluid"):
        model.fit([rest])


def test_a_velocity_is_zero_on_walls_and_along_z() -> None:
    batch = batch_for("flow")
    answer = model_for("flow", batch)(batch)
    closed = ~places(batch["mask"], batch["faces"])
    closed[:, 2] = True
    assert torch.equal(answer == 0, closed)


def test_a_pressure_is_zero_in_solids_and_on_average_over_the_fluid_of_each_slice() -> None:
    batch = batch_for("flow-pressure")
    answer = model_for("flow-pressure", batch)(batch)
    assert answer.shape == batch["mask"].shape
    assert not answer[~batch["mask"]].any()
    mean = answer.sum((-1, -2)) / batch["mask"].sum((-1, -2))
    torch.testing.assert_close(mean, torch.zeros_like(mean), rtol=0, atol=1e-5 * answer.detach().abs().max().item())


@pytest.mark.parametrize("options", [{}, {"padding": "zeros"}, {"padding": "circular"}, {"drive": "flux"}])
@both
def test_an_answer_does_not_depend_on_other_items_and_slices(task: str, options: dict[str, object]) -> None:
    batch = batch_for(task, items=3)
    model = model_for(task, batch, **options)
    answer = model(batch)
    for item in range(3):
        for place in range(batch["mask"].shape[2]):
            alone = {
                name: value[item : item + 1, :, place : place + 1] if value.ndim == 5 else value[item : item + 1]
                for name, value in batch.items()
            }
            found = answer[item : item + 1, :, place : place + 1]
            torch.testing.assert_close(found, model(alone), rtol=1e-4, atol=1e-5)


def test_a_periodic_flow_is_answered_wherever_its_block_begins() -> None:
    batch = {name: value[:1] for name, value in batch_for("flow", columns=16).items()}  # on faces
    model = model_for("flow", batch)
    moved = rolled(batch, (8, 4, 1))
    torch.testing.assert_close(model(moved), torch.roll(model(batch), (8, 4, 1), (-1, -2, -3)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("sides", [(7, 21), (2, 3)])
@both
def test_blocks_of_any_size_are_answered(task: str, sides: tuple[int, int]) -> None:
    batch = batch_for(task, rows=sides[0], columns=sides[1])
    answer = model_for(task, batch)(batch)
    assert answer.shape == batch["target"].shape
    assert answer.isfinite().all()


def test_distances_are_found_where_the_batch_has_none(flows: Path) -> None:
    batch = FlowData([flows], "flow", ("distance",), items="slices").split("all").fetch(range(5))
    bare = {name: value for name, value in batch.items() if name != "distance"}
    torch.testing.assert_close(wall_distance(bare), wall_distance(batch))
    assert torch.equal(wall_distance(bare) > 0, batch["mask"])
    model = model_for("flow", batch)
    torch.testing.assert_close(model(bare), model(batch))


@both
def test_images_without_distances_are_another_input(task: str) -> None:
    batch = batch_for(task)
    shown, hidden = (model_for(task, batch, distance=distance) for distance in (True, False))
    assert not torch.allclose(shown(batch), hidden(batch))
    default = model_for(task, batch)
    torch.testing.assert_close(default(batch), (hidden if task == "flow-pressure" else shown)(batch))


def test_with_a_given_flux_velocities_are_those_of_the_training_whatever_drives_the_flow() -> None:
    batch = batch_for("flow")
    model = model_for("flow", batch, drive="flux")
    other = {**batch, "gradient": 3 * batch["gradient"], "viscosity": 5 * batch["viscosity"]}
    other["spacing"] = 2 * batch["spacing"]
    torch.testing.assert_close(model(other), model(batch))


def test_with_a_given_flux_the_mean_fall_is_taken_off_the_whole_pressure() -> None:
    """What is left of p = g (L − x) is nothing, and a pressure of nothing is a rise against the fall."""
    batch = batch_for("flow-pressure", columns=16)
    model = model_for("flow-pressure", batch, drive="flux")
    for parameter in model.network.head.parameters():
        nn.init.zeros_(parameter)
    steps = torch.arange(16) - 7.5
    rise = (batch["gradient"] * batch["spacing"][:, 0]).reshape(-1, 1, 1, 1, 1) * steps
    answer = model({**batch, "mask": torch.ones_like(batch["mask"])})
    torch.testing.assert_close(answer, rise.expand_as(answer), rtol=1e-4, atol=1e-4)


# -- learning ------------------------------------------------------------------------------------


def nmae() -> Criterion:
    return build_criterion("nmae", {})


@both
def test_symmetries_are_shown_in_training_alone_and_come_from_the_seeds(task: str) -> None:
    batch = batch_for(task) | {"seed": torch.tensor([5, 6])}
    model = model_for(task, batch)
    plain = model.loss(batch, nmae())[0]
    model.train()
    shown = model.loss(batch, nmae())[0]
    assert torch.equal(model.loss(batch, nmae())[0], shown)
    assert not torch.isclose(shown, plain)
    model.symmetries = False
    torch.testing.assert_close(model.loss(batch, nmae())[0], plain)
    torch.testing.assert_close(model.loss(augmented(batch), nmae())[0], shown)


@both
def test_a_squared_error_is_in_units_of_the_flow(task: str) -> None:
    """Fibers of micrometers: in m/s, nothing would be learned of squares of 1e-13."""
    batch = batch_for(task)
    tiny = {**batch, "target": 1e-7 * batch["target"], "gradient": 1e-7 * batch["gradient"]}
    criterion = build_criterion("mse", {})
    found = [model_for(task, one).loss(one, criterion)[0] for one in (batch, tiny)]
    found = [one.detach() for one in found]
    torch.testing.assert_close(found[0], found[1])
    assert 1e-3 < float(found[0]) < 1e3


@both
def test_it_learns_a_few_flows_by_heart(task: str, flows: Path) -> None:
    torch.manual_seed(0)
    batch = FlowData([flows], task, ("distance",), items="slices").split("all").fetch([0, 4, 8])
    batch["seed"] = torch.arange(3)
    model = build_model("unet", {"features": (8, 16), "symmetries": False}, task=task).train()
    model.fit([batch])
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    course = []
    for _ in range(60):
        loss, _ = model.loss(batch, nmae())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        course.append(loss.item())
    assert course[0] == pytest.approx(1.0)  # an untrained network answers zero
    assert course[-1] < 0.4


@both
def test_a_model_that_was_never_fitted_does_not_answer(task: str) -> None:
    model = build_model("unet", {"features": (4,)}, task=task)
    with pytest.raises(RunError, match="never fitted"):
        model(batch_for(task))


def test_the_default_is_lean_and_trained_on_slices() -> None:
    config = make_config("unet", {}, task="flow")
    model = build_model("unet", config["model"]["options"], task="flow")
    assert count_parameters(model) < 3_000_000
    assert config["data"]["options"]["items"] == "slices"
    assert MODELS.get("unet") is FlowUNet

"""flow-unet3d: what holds before and after training, and what it needs."""

from pathlib import Path

import pytest
import torch

from lasernet.data.flows import FlowData
from lasernet.engine.loaded import build_model
from lasernet.errors import OptionError
from lasernet.models.flow_unet3d import FIELDS, features
from lasernet.nn.flow_symmetry import mirrored, rolled
from lasernet.nn.projection import project
from lasernet.nn.stack_unet import StackUNet
from lasernet.nn.stencils import divergence, places

SMALL = {"channels": (6, 8)}


def opened(flows: Path) -> FlowData:
    return FlowData([flows], inputs=("distance",), split_ratio="4,1,1")


def built(batch: dict[str, torch.Tensor], *, random: bool = False, **options: object) -> torch.nn.Module:
    torch.manual_seed(0)
    model = build_model("flow-unet3d", {**SMALL, **options}, task="flow")
    model.fit([batch])
    if random:
        torch.nn.init.normal_(model.network.head.layer.weight, std=0.3)
    return model.eval().requires_grad_(False)


def test_untrained_it_is_the_projected_flow_of_the_slices(flows: Path) -> None:
    batch = opened(flows).split("train").fetch([0, 1])
    found = built(batch).predict(batch)
    expected = project(batch["velocity_2d"].double(), batch["mask"], batch["spacing"].double())
    torch.testing.assert_close(found.double(), expected, rtol=1e-4, atol=1e-5 * float(expected.abs().max()))


def test_every_answer_conserves_mass_and_rests_on_walls(flows: Path) -> None:
    batch = opened(flows).split("train").fetch([0, 1])
    answer = built(batch, random=True).predict(batch)
    assert float((answer - batch["velocity_2d"]).norm() / answer.norm()) > 0.01
    assert not answer[~places(batch["mask"], batch["faces"])].any()
    rates = divergence(answer.double(), batch["spacing"].double(), batch["faces"])
    assert float(rates.norm() * batch["spacing"][0, 0] / answer.norm()) < 1e-6
    raw = built(batch, random=True, project=False).predict(batch)
    rates = divergence(raw.double(), batch["spacing"].double(), batch["faces"])
    assert float(rates.norm() * batch["spacing"][0, 0] / raw.norm()) > 1e-3


def test_flows_of_another_fluid_or_another_size_are_answered_alike(flows: Path) -> None:
    batch = opened(flows).split("train").fetch([0])
    model = built(batch, random=True)
    answer = model.predict(batch)
    faster = {name: 5 * value if name.startswith("velocity") else value for name, value in batch.items()}
    thinner = model.predict({**faster, "viscosity": batch["viscosity"] / 5})
    torch.testing.assert_close(thinner, 5 * answer, rtol=1e-4, atol=1e-4 * float(answer.abs().max()))
    doubled = {name: 2 * batch[name] for name in ("spacing", "distance", "pressure_2d")}
    larger = {**batch, **doubled, "velocity_2d": 4 * batch["velocity_2d"]}
    torch.testing.assert_close(model.predict(larger), 4 * answer, rtol=1e-4, atol=4e-4 * float(answer.abs().max()))


def test_a_shifted_block_has_a_shifted_answer(flows: Path) -> None:
    batch = opened(flows).split("train").fetch([0])
    model = built(batch, random=True)
    shift = (4, 2, 1)  # cells that the coarser level can follow
    moved = rolled({"answer": model.predict(batch), "faces": batch["faces"]}, shift)["answer"]
    found = model.predict(rolled(batch, shift))
    torch.testing.assert_close(found, moved, rtol=1e-4, atol=1e-4 * float(moved.abs().max()))


def test_features_know_the_mirrors_and_hide_the_pressure(flows: Path) -> None:
    batch = opened(flows).split("train").fetch([0])
    mean = batch["velocity_2d"][:, :1].mean(dim=(1, 2, 3, 4), keepdim=True)
    shown = features(batch, mean, pressure=True)
    assert shown.shape[1] == FIELDS
    assert shown.abs().max() < 30
    hidden = features(batch, mean, pressure=False)
    assert not hidden[:, 7:9].any()
    assert torch.equal(hidden[:, :7], shown[:, :7])
    turned = features(mirrored(batch, "z"), mean, pressure=True)
    torch.testing.assert_close(turned[:, 7], shown[:, 7].flip(1))
    torch.testing.assert_close(turned[:, 8], -shown[:, 8].flip(1).roll(1, 1))


def test_it_learns_and_says_what_is_missing(flows: Path) -> None:
    from lasernet.losses.base import build_criterion

    batch = opened(flows).split("train").fetch([0, 1]) | {"seed": torch.tensor([3, 4])}
    model = built(batch).train().requires_grad_(True)
    criterion = build_criterion("nmse", {})
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    losses = []
    for _ in range(12):
        total, _ = model.loss(batch, criterion)
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        losses.append(total.item())
    assert losses[-1] < 0.8 * losses[0]
    lacking = {name: value for name, value in batch.items() if name != "pressure_2d"}
    with pytest.raises(OptionError, match="needs 'pressure_2d'"):
        model(lacking)
    with pytest.raises(OptionError, match="--channels 0 --blocks 1"):
        build_model("flow-unet3d", {"channels": (0,)}, task="flow")


def test_sides_that_cannot_be_halved_are_answered() -> None:
    network = StackUNet(2, 3, (4, 6, 8))
    for periodic in (True, False):
        assert network(torch.randn(2, 2, 3, 9, 14), periodic=periodic).shape == (2, 3, 3, 9, 14)

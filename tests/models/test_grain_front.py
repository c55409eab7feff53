"""grain-front: what must not change does not, what is copied exists, and batches do not matter."""

from pathlib import Path
from typing import Literal

import pytest
import torch
from conftest import write_track

from lasernet.data.base import Batch
from lasernet.data.sequences import FUTURE, FrameData
from lasernet.engine.loading import Batches
from lasernet.models.base import count_parameters
from lasernet.models.front_view import feature_count, front_features, look, mean_undercooling
from lasernet.models.front_windows import find_windows
from lasernet.models.grain_front import GrainFront
from lasernet.models.next_colors import fit_melting, melt_mask
from lasernet.nn.neighbor_choice import choice_weights
from lasernet.physics.solidification import may_freeze

Slices = Literal["1", "3", "5"]
ITEMS = 8  # a frame of the track


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> FrameData:
    """A track with a wide pool, and the slices beside."""
    path = write_track(tmp_path_factory.mktemp("front") / "track.h5", shape=(28, 8, 14))
    return FrameData([path], "microstructure", ("beside_2", "beside_1"), split_ratio="4,2,2", seq_length=3)


def fitted(data: FrameData, slices: Slices = "3", **options: bool) -> GrainFront:
    torch.manual_seed(0)
    model = GrainFront(slices=slices, width=6, key=4, **options)
    model.fit(Batches(data.split("train"), batch_size=4, device=torch.device("cpu")))
    return model.eval()


def batch_of(data: FrameData, slices: Slices = "3", split: str = "train") -> Batch:
    inputs = {"1": (), "3": ("beside_1",), "5": ("beside_2",)}[slices]
    own = FrameData(data.files, "microstructure", inputs, split_ratio="4,2,2", seq_length=3).split(split)
    return own.fetch(range(ITEMS))


def free(batch: Batch) -> torch.Tensor:
    return may_freeze(batch["molten"][:, -1], batch["future_temperature"], batch["liquidus"])


@torch.no_grad()
@pytest.mark.parametrize("slices", ["1", "3", "5"])
def test_cells_that_may_not_freeze_are_the_melt_mask_bit_by_bit(data: FrameData, slices: Slices) -> None:
    model, batch = fitted(data, slices), batch_of(data, slices)
    cells = free(batch)
    assert bool(cells.any())
    for answer in (model(batch), model.sharp(batch)):
        others = (~cells).expand_as(answer)
        assert torch.equal(answer[others], melt_mask(batch, model.melting)[others])


@torch.no_grad()
def test_sharp_answers_are_molten_or_one_of_the_colors_in_sight(data: FrameData) -> None:
    model, batch = fitted(data), batch_of(data)
    for member in model.members:
        member.unet.head.bias[0] = 9.0  # all of them freeze
    answer, soft = model.sharp(batch), model(batch)
    seen = torch.cat([batch["ipf"][:, -1:], batch["beside_ipf"]], dim=1)
    for item, _, row, column in free(batch).nonzero().tolist():
        color = answer[item, :, row, column]
        palette = seen[item].movedim(1, -1).reshape(-1, 9)
        assert bool((palette == color).all(dim=1).any())
        assert bool((soft[item, :, row, column] <= palette.amax(0) + 1e-6).all())
    for member in model.members:
        member.unet.head.bias[0] = -99.0
    assert float(model.sharp(batch)[free(batch).expand(-1, 9, -1, -1)].abs().max()) == 0


@torch.no_grad()
def test_an_item_alone_and_in_a_batch_has_one_answer(data: FrameData) -> None:
    model, batch = fitted(data), batch_of(data)
    alone = torch.cat([model({name: value[i : i + 1] for name, value in batch.items()}) for i in range(ITEMS)])
    torch.testing.assert_close(model(batch), alone, rtol=0, atol=1e-5)


@torch.no_grad()
def test_turning_the_view_is_turning_the_batch(data: FrameData) -> None:
    batch = batch_of(data)
    everything = torch.ones(ITEMS, dtype=torch.bool)
    turned = {name: value.flip(1) if name.startswith("beside_") else value for name, value in batch.items()}
    windows = find_windows(free(batch), 3)
    assert windows is not None

    def features(view: Batch, flags: torch.Tensor | None = None) -> torch.Tensor:
        found = look(view, windows, slices=3, arrival=True, turned=flags)
        return front_features(found, interface=True, history=True)

    seen = features(batch, everything)
    assert seen.shape[1] == feature_count(3, interface=True, history=True, arrival=True)
    assert torch.equal(seen, features(turned))
    assert not torch.equal(seen, features(batch))


def test_each_part_can_be_left_out_and_every_parameter_learns(data: FrameData) -> None:
    batch = batch_of(data) | {"seed": torch.arange(ITEMS)}
    whole = count_parameters(fitted(data))
    for part in ("interface", "history", "arrival", "neighbor_gate", "offset_bias", "distance"):
        model = fitted(data, **{part: False}).train()
        assert count_parameters(model) < whole, part
        loss, _ = model.loss(batch, None)
        loss.backward()  # type: ignore[no-untyped-call]
        for name, parameter in model.named_parameters():
            assert parameter.grad is not None, (part, name)
            assert bool(parameter.grad.isfinite().all()), (part, name)
            assert parameter.grad.abs().sum() > 0, (part, name)


def test_training_lowers_the_error_of_active_cells(data: FrameData) -> None:
    model = fitted(data).train()
    batch = batch_of(data) | {"seed": torch.arange(ITEMS)}
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    errors = []
    for _ in range(30):
        loss, terms = model.loss(batch, None)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        errors.append(float(terms["active_mse"]))
    assert errors[-1] < errors[0] / 3


def test_the_loss_of_a_batch_is_the_mean_of_the_losses_of_its_items(data: FrameData) -> None:
    model, batch = fitted(data), batch_of(data)
    with torch.no_grad():
        whole, _ = model.loss(batch, None)
        parts = [model.loss({name: v[i : i + 1] for name, v in batch.items()}, None)[0] for i in range(ITEMS)]
    torch.testing.assert_close(whole, torch.stack(parts).mean(), rtol=1e-4, atol=1e-6)


@torch.no_grad()
def test_without_the_future_of_the_slices_beside_they_are_taken_to_change_as_the_middle_one(data: FrameData) -> None:
    model, batch = fitted(data), batch_of(data)
    blind = {name: value for name, value in batch.items() if name != FUTURE[1]}
    change = (batch["future_temperature"] - batch["temperature"][:, -1])[:, None]
    told = {**batch, FUTURE[1]: batch["beside_temperature"] + change}
    assert torch.equal(model(blind), model(told))
    assert not torch.equal(model(blind), model(batch))


@torch.no_grad()
def test_the_answer_is_made_of_the_mean_chance_and_the_mean_weights_of_the_members(data: FrameData) -> None:
    model, batch = fitted(data), batch_of(data)
    both, alone, members = model.decide(batch), [], list(model.members)
    for member in members:
        model.members = torch.nn.ModuleList([member])
        alone.append(model.decide(batch))
    assert both is not None
    chances = torch.stack([torch.sigmoid(one.logit) for one in alone if one is not None])
    weights = torch.stack([choice_weights(one.scores, one.candidates) for one in alone if one is not None])
    assert float((chances[0] - chances[1]).abs().max()) > 1e-3  # they differ
    torch.testing.assert_close(torch.sigmoid(both.logit), chances.mean(0), rtol=0, atol=2e-6)
    torch.testing.assert_close(choice_weights(both.scores, both.candidates), weights.mean(0))


def test_full_size_stays_within_its_budget(tmp_path: Path) -> None:
    assert count_parameters(GrainFront(slices="3")) == 116_220
    assert count_parameters(GrainFront(slices="1")) == 95_044


def test_caution_keeps_cells_that_stay_solid_at_the_cost_of_some_that_melt() -> None:
    """Of ten cells half a kelvin apart, one that stays lies above three that melt."""
    excess = torch.arange(10) * 0.5 + 0.25
    melts = torch.tensor([0, 0, 0, 0, 1, 1, 1, 0, 1, 1], dtype=torch.bool)
    color = torch.full((1, 9, 1, 10), 0.5)
    batch = {
        "molten": torch.zeros(1, 1, 1, 1, 10, dtype=torch.bool),
        "mask": torch.ones(1, 1, 1, 10, dtype=torch.bool),
        "future_temperature": 1700 + excess.reshape(1, 1, 1, 10),
        "liquidus": torch.tensor([1700.0]),
        "ipf": color[:, None],
        "target": torch.where(melts, 0, color),
    }
    assert fit_melting([batch]) == 2.0
    assert fit_melting([batch], caution=10.0) == 4.0


def test_the_mean_undercooling_of_constant_melt_is_its_own() -> None:
    cold = torch.full((1, 1, 2, 2), -0.7)
    torch.testing.assert_close(mean_undercooling(cold, cold), -cold, rtol=1e-5, atol=1e-5)
    ramp = mean_undercooling(torch.zeros(1), torch.full((1,), -1.0), steps=2000)
    torch.testing.assert_close(ramp, torch.tensor([0.25 ** (1 / 3)]), rtol=1e-4, atol=1e-5)  # ∫s³ds = 1/4
    assert float(mean_undercooling(torch.ones(1), torch.ones(1))) < 0.02

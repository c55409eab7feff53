"""Outputs that are only learned: what they should say, what they cost, and that the answer never needs them."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from lasernet.losses.base import build_criterion
from lasernet.models.auxiliary import AuxiliaryHead, front_velocity, temperature_slopes, with_neighbors
from lasernet.models.frame_predictor import FramePredictor

Make = Callable[..., dict[str, Tensor]]
New = Callable[..., FramePredictor]
FAMILIES = ("cnn-lstm", "predrnn", "predrnn++")
TASKS = ("microstructure", "temperature")


def plane(rows: int, columns: int, down: float, right: float) -> Tensor:
    """A linear temperature, K."""
    return 1000 + down * torch.arange(rows)[:, None] + right * torch.arange(columns)[None] + torch.zeros(1, 1, 1, 1)


def test_slopes_of_a_plane_are_its_own() -> None:
    slopes = temperature_slopes(plane(6, 8, 3.0, -2.0))
    torch.testing.assert_close(slopes, torch.tensor([3.0, -2.0]).reshape(1, 2, 1, 1).expand(1, 2, 6, 8))
    assert temperature_slopes(plane(6, 1, 3.0, 0.0))[0, 1].eq(0).all()


@pytest.mark.parametrize(("height", "width"), [(5e-6, 5e-6), (2e-6, 8e-6)])
def test_the_velocity_of_a_moving_front_is_found_in_cells_per_frame(height: float, width: float) -> None:
    """A ramp along x that is carried 3 cells on, toward its hot side."""
    then, now = plane(6, 20, 0.0, 40.0) - 3 * 40.0, plane(6, 20, 0.0, 40.0)
    velocity = front_velocity(now, then, torch.tensor([height]), torch.tensor([width]))
    torch.testing.assert_close(velocity, torch.full_like(velocity, 3 * width / (height * width) ** 0.5))
    assert front_velocity(then, now, torch.tensor([height]), torch.tensor([width])).max() < 0


def test_a_cell_beside_a_missing_one_does_not_count() -> None:
    mask = torch.ones(1, 1, 5, 5, dtype=torch.bool)
    mask[..., 1, 1] = False
    assert with_neighbors(mask)[0, 0].sum() == 25 - 9


def test_values_of_missing_cells_change_nothing(frame_batch: Make) -> None:
    torch.manual_seed(0)
    head, batch, features = AuxiliaryHead(4), frame_batch(), torch.randn(2, 4, 16, 24)
    batch["mask"] = batch["mask"].clone()
    batch["mask"][:, :, 3:6, 5:20] = False
    changed = {**batch, "future_temperature": torch.where(batch["mask"], batch["future_temperature"], 9999.0)}
    for name, value in head.losses(features, batch).items():
        assert float(value) > 0, name
        torch.testing.assert_close(head.losses(features, changed)[name], value)


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("task", TASKS)
def test_they_are_weighted_into_the_loss_logged_and_not_part_of_the_answer(
    name: str, task: str, predictor: New, frame_batch: Make
) -> None:
    batch, criterion = frame_batch(task=task), build_criterion("mse", {})
    network, plain = predictor(name, task, auxiliary=0.5), predictor(name, task)
    total, terms = network.loss(batch, criterion)
    further = [terms[f"auxiliary_{part}"] for part in ("gradient", "phase", "velocity")]
    torch.testing.assert_close(total.detach(), terms["mse"] + 0.5 * sum(further))
    assert not any(key.startswith("auxiliary") for key in plain.loss(batch, criterion)[1])
    kept = {key: value for key, value in network.state_dict().items() if key.split(".")[0] not in network.only_learns}
    assert set(kept) == set(plain.state_dict())
    plain.load_state_dict(kept)
    with torch.no_grad():
        assert torch.equal(plain.predict(batch), network.predict(batch))


@pytest.mark.parametrize("name", FAMILIES)
def test_they_teach_the_whole_network(name: str, predictor: New, frame_batch: Make) -> None:
    network = predictor(name, auxiliary=1.0).train()
    _, beside = network.answer(frame_batch())
    sum(value for _, _, value in network.further_losses(beside, frame_batch())).backward()
    untouched = {label for label, parameter in network.named_parameters() if parameter.grad is None}
    assert untouched == {"decoder.head.weight", "decoder.head.bias"}


def test_they_can_be_learned(predictor: New, frame_batch: Make) -> None:
    network, batch = predictor("cnn-lstm", auxiliary=1.0).train(), frame_batch(1)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    found = []
    for _ in range(25):
        loss, terms = network.loss(batch, build_criterion("mse", {}))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        found.append({key: value.item() for key, value in terms.items() if key.startswith("auxiliary")})
    for key in found[0]:
        assert found[-1][key] < 0.7 * found[0][key], key

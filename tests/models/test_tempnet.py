"""TempNet: counts, its reference, and that it neither clamps nor looks ahead."""

import pytest
import torch
from torch import Tensor, nn

from lasernet.engine.plan import knobs, pick_task
from lasernet.errors import OptionError, RunError
from lasernet.losses.base import build_criterion
from lasernet.models.base import count_parameters
from lasernet.models.tempnet import TempNet

LIQUIDUS = 1720.0
SMALL = {"hidden": 8, "channels": (4, 8, 16)}


def frame_batch(items: int = 2, rows: int = 16, columns: int = 24, *, steps: int = 3) -> dict[str, Tensor]:
    """Temperatures from cold to boiling, with a drift; nothing of the future."""
    generator = torch.Generator().manual_seed(0)
    temperature = 300 + 4000 * torch.rand(items, steps + 1, 1, rows, columns, generator=generator)
    return {
        "temperature": temperature[:, :-1],
        "valid": torch.ones(items, steps, 1, rows, columns, dtype=torch.bool),
        "advected_temperature": temperature[:, -2] + 20,
        "temperature_drift": 30 * torch.randn(items, 1, rows, columns, generator=generator),
        "mask": torch.ones(items, 1, rows, columns, dtype=torch.bool),
        "liquidus": torch.full((items,), LIQUIDUS),
    }


def with_truth(batch: dict[str, Tensor]) -> dict[str, Tensor]:
    truth = batch["advected_temperature"] + 0.7 * batch["temperature_drift"]
    return {**batch, "target": truth, "future_temperature": truth}


def new(*, perturbed: bool = False, **options: object) -> TempNet:
    torch.manual_seed(0)
    network = TempNet(**{**SMALL, **options})  # type: ignore[arg-type]
    if perturbed:
        nn.init.normal_(network.head.weight)
    return network.eval()


@pytest.mark.parametrize("norm", ["group", "batch"])
@pytest.mark.parametrize("residual", [True, False])
def test_parameter_counts(norm: str, residual: bool) -> None:
    shared = {"norm": norm, "residual": residual}
    assert count_parameters(TempNet(rnn_layers=1, **shared)) == 480_257  # type: ignore[arg-type]
    assert count_parameters(TempNet(**shared)) == 775_425  # type: ignore[arg-type]
    assert count_parameters(TempNet(**shared, **TempNet.presets["wider"])) == 1_743_745  # type: ignore[arg-type]


def test_presets_name_options_only() -> None:
    known = knobs(TempNet, pick_task(TempNet, None))
    for options in (TempNet.defaults, *TempNet.presets.values()):
        for name, value in options.items():
            known[name].option.parse(value)


@pytest.mark.parametrize("steps", [2, 3])
def test_an_untrained_network_answers_the_moved_frame_and_its_drift(steps: int) -> None:
    batch = frame_batch(steps=steps)
    with torch.no_grad():
        answer = new()(batch)
    assert torch.equal(answer, batch["advected_temperature"] + batch["temperature_drift"])


def test_with_one_context_frame_the_drift_is_not_known() -> None:
    batch = frame_batch(steps=1)
    with torch.no_grad():
        assert torch.equal(new()(batch), batch["advected_temperature"])
        changed = {**batch, "temperature_drift": batch["temperature_drift"] * 2}
        assert torch.equal(new(perturbed=True)(batch), new(perturbed=True)(changed))


@pytest.mark.parametrize("residual", [True, False])
@pytest.mark.parametrize("size", [(47, 65), (9, 13), (8, 8), (33, 1)])
def test_answers_in_the_size_of_the_input_without_the_future(size: tuple[int, int], residual: bool) -> None:
    network = new(perturbed=True, residual=residual)
    network.fit([with_truth(frame_batch())])
    with torch.no_grad():
        answer = network.predict(frame_batch(1, *size))  # which holds nothing of frame t+1
    assert answer.shape == (1, 1, *size)
    assert answer.isfinite().all()


def test_no_temperature_is_clamped() -> None:
    network = new(residual=False, temperature_scale="range")
    network.fit([with_truth(frame_batch())])
    hot = torch.tensor([[[[10_000.0, -50.0]]]])
    scaled = network.scaled_temperature(hot, frame_batch())
    back = network.low + (network.high - network.low) * scaled
    torch.testing.assert_close(back, hot)
    batch = frame_batch()
    batch["advected_temperature"] = batch["advected_temperature"] + 3000
    with torch.no_grad():
        assert float(new()(batch).max()) > 5000


@pytest.mark.parametrize("residual", [True, False])
def test_every_parameter_learns(residual: bool) -> None:
    batch = with_truth(frame_batch())
    network = new(perturbed=True, residual=residual).train()
    network.fit([batch])
    network.loss(batch, build_criterion("mse", {}))[0].backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.any(), name


def test_the_loss_is_in_units_of_the_drift_and_the_log_in_kelvin() -> None:
    network, criterion = new(), build_criterion("mse", {})
    found = []
    for size in (1.0, 100.0):
        batch = frame_batch()
        batch["temperature_drift"] = size * batch["temperature_drift"]
        batch = with_truth(batch)  # 0.3 of the drift away from the reference
        loss, terms = network.loss(batch, criterion)
        found.append(loss.item())
        drift = batch["temperature_drift"].square().mean().item()
        assert terms["mse_in_kelvin"].item() == pytest.approx(0.09 * drift, rel=0.01)
    assert found == pytest.approx([0.09, 0.09], rel=0.01)
    regressing = new(residual=False)
    regressing.fit([batch])
    total, terms = regressing.loss(batch, criterion)
    assert total.item() == pytest.approx(terms["mse_in_kelvin"].item())


def test_errors_shrink_with_the_drift() -> None:
    network, batch = new(perturbed=True), frame_batch()
    steady = {**batch, "temperature_drift": torch.zeros_like(batch["temperature_drift"])}
    with torch.no_grad():
        assert torch.equal(network(steady), batch["advected_temperature"])


def test_an_item_does_not_depend_on_its_batch() -> None:
    network, batch = new(perturbed=True), frame_batch(items=3)
    with torch.no_grad():
        alone = network({name: value[1:2] for name, value in batch.items()})
        torch.testing.assert_close(network(batch)[1:2], alone, atol=1e-3, rtol=1e-5)


def test_activations_are_those_of_the_last_frame() -> None:
    found = new().record_activations(frame_batch())
    assert list(found) == [f"{part}.{n}" for part, count in (("context", 3), ("memory", 2), ("decoder", 3))
                           for n in range(1, count + 1)]  # fmt: skip
    assert all(len(value) == 2 for value in found.values())


def test_a_range_that_was_never_fitted_is_refused() -> None:
    with pytest.raises(RunError, match="tempnet was never fitted"):
        new(residual=False)(frame_batch())


def test_impossible_sizes_are_refused() -> None:
    for options in ({"rnn_layers": 0}, {"hidden": 0}, {"channels": ()}, {"dropout": 1.0}):
        with pytest.raises(OptionError, match="expected"):
            new(**options)


def test_a_pattern_that_moves_over_uneven_ground_is_answered_exactly() -> None:
    """Moving the whole frame carries the ground along; the drift puts it back."""
    generator = torch.Generator().manual_seed(1)
    pattern, ground = torch.rand(16, 60, generator=generator), 300 + 900 * torch.rand(16, 40, generator=generator)
    frames = [torch.roll(1000 * pattern, 3 * step, 1)[:, 10:50] + ground + 5 * step for step in range(4)]
    moved = [torch.roll(frame, 3, 1) for frame in frames]
    batch = {
        "temperature": torch.stack(frames[:3])[None, :, None],
        "advected_temperature": moved[2][None, None],
        "temperature_drift": (frames[2] - moved[1])[None, None],
        "liquidus": torch.tensor([LIQUIDUS]),
    }
    with torch.no_grad():
        answer = new()(batch)[0, 0]
    inside = (slice(None), slice(6, None))  # what came from within the image, twice
    torch.testing.assert_close(answer[inside], frames[3][inside], atol=1e-2, rtol=0)
    assert (moved[2] - frames[3])[inside].abs().mean() > 100

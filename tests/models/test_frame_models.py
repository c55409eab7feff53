from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lasernet.errors import OptionError, RunError
from lasernet.losses.base import build_criterion
from lasernet.models.cnn_lstm import CNNLSTM
from lasernet.models.frame_network import FrameNetwork
from lasernet.models.next_colors import frozen_color, melt_mask
from lasernet.models.predrnn import PredRNN
from lasernet.nn.stlstm import STLSTMCell
from lasernet.physics.solidification import may_freeze

LIQUIDUS = 1720.0
SMALL = {"hidden": 8, "channels": (4, 8, 16)}
Make = Callable[..., dict[str, Tensor]]
both = pytest.mark.parametrize("model", [CNNLSTM, PredRNN])


def new(model: type[FrameNetwork], **options: object) -> FrameNetwork:
    torch.manual_seed(0)
    return model(**{**SMALL, **options}).eval()  # type: ignore[arg-type]


@both
@pytest.mark.parametrize("residual", [True, False])
@pytest.mark.parametrize("skips", [True, False])
def test_every_parameter_learns(model: type[FrameNetwork], residual: bool, skips: bool, frame_batch: Make) -> None:
    options = {"decouple_weight": 0.1} if model is PredRNN else {}
    network = new(model, residual=residual, skips=skips, **options).train()
    batch = frame_batch()
    loss, _ = network.loss(batch, build_criterion("mse", {}))
    loss.backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.any(), name


def test_the_dead_memory_never_learns(frame_batch: Make) -> None:
    torch.manual_seed(0)
    network = PredRNN(cell="dead-memory")
    batch = frame_batch(items=1, rows=24, columns=32)
    network.loss(batch, build_criterion("mse", {}))[0].backward()
    dead = 0
    for cell in network.core_layers():
        assert isinstance(cell, STLSTMCell)
        rows = slice(3 * 64, 6 * 64)  # i', f' and g'
        assert not cell.m.weight.grad.any()
        assert not cell.x.weight.grad[rows].any()
        assert cell.x.weight.grad[: 3 * 64].any()
        dead += cell.m.weight.numel() + cell.x.weight[rows].numel()
    assert dead == 884_736


@both
@pytest.mark.parametrize("size", [(47, 465), (24, 96), (94, 47), (9, 13), (8, 8)])
@pytest.mark.parametrize("skips", [True, False])
def test_answers_in_the_size_of_the_input(
    model: type[FrameNetwork], size: tuple[int, int], skips: bool, frame_batch: Make
) -> None:
    batch = frame_batch(1, *size)
    with torch.no_grad():
        answer = new(model, skips=skips).predict(batch)
    assert answer.shape == (1, 9, *size)
    assert answer.isfinite().all()
    assert float(answer.min()) >= 0
    assert float(answer.max()) <= 1


@both
def test_cells_that_cannot_freeze_are_persistence_with_the_melt_mask_bit_by_bit(
    model: type[FrameNetwork], frame_batch: Make
) -> None:
    batch = frame_batch()
    network = new(model)
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=3.0)
    molten, future = batch["molten"][:, -1], batch["future_temperature"]
    free = may_freeze(molten, future, batch["liquidus"])
    keeps = torch.where(molten | (future >= LIQUIDUS), 0, batch["ipf"][:, -1])
    with torch.no_grad():
        answer = network(batch)
    assert free.any()
    assert torch.equal(torch.where(free, 0, answer), torch.where(free, 0, keeps))
    assert not torch.equal(answer, keeps)


def test_melting_threshold_is_learned_from_what_melts(frame_batch: Make) -> None:
    batch = frame_batch(items=4, rows=32)
    batch["molten"] = batch["molten"] & False
    batch["ipf"] = torch.rand(4, 3, 9, 32, 24)
    melts = batch["future_temperature"] >= LIQUIDUS + 100
    batch["target"] = torch.where(melts, 0, batch["ipf"][:, -1])
    network = new(CNNLSTM)
    network.fit([batch])
    assert 50 <= float(network.melting) <= 100.5
    assert torch.equal(network(batch), batch["target"])
    assert torch.equal(melt_mask(batch, network.melting), batch["target"])


def test_outputs_are_a_chance_and_a_correction() -> None:
    copied = torch.rand(1, 9, 2, 2)
    sure = torch.full((1, 9, 2, 2), 10.0)
    torch.testing.assert_close(frozen_color(sure, copied), copied)
    torch.testing.assert_close(frozen_color(-sure, copied), torch.zeros_like(copied))
    shift = torch.tensor([0.2, -0.2, *[0.0] * 7]).reshape(1, 9, 1, 1)
    torch.testing.assert_close(frozen_color(shift.expand_as(copied), copied), 0.5 * (copied + shift))


@both
def test_an_item_does_not_depend_on_its_batch(model: type[FrameNetwork], frame_batch: Make) -> None:
    network = new(model).train()
    batch = frame_batch(items=3)
    with torch.no_grad():
        together = network(batch)
        alone = network({name: value[1:2] for name, value in batch.items()})
    torch.testing.assert_close(together[1:2], alone, atol=1e-5, rtol=1e-4)


@both
def test_order_of_the_context_matters(model: type[FrameNetwork], frame_batch: Make) -> None:
    network = new(model, residual=False, skips=False)
    batch = frame_batch()
    batch["ipf"] = torch.rand(batch["ipf"].shape)
    with torch.no_grad():
        assert not torch.allclose(network(batch), network({**batch, "ipf": batch["ipf"].flip(1)}), atol=1e-4)


@both
def test_two_runs_of_one_seed_are_equal(model: type[FrameNetwork], frame_batch: Make) -> None:
    batch = frame_batch()
    with torch.no_grad():
        assert torch.equal(new(model)(batch), new(model)(batch))


@both
@pytest.mark.parametrize("size", [(232, 248), (227, 245)])
def test_a_shift_by_eight_cells_shifts_the_answer(
    model: type[FrameNetwork], size: tuple[int, int], frame_batch: Make
) -> None:
    """On a uniform ground, far from borders; a network that stretches its maps would fail at odd sizes."""
    network = new(model, residual=False, rnn_layers=1).double()
    answers = []
    for offset in (0, 8):
        batch = frame_batch(1, *size, steps=2)
        batch = {name: value.double() if value.is_floating_point() else value for name, value in batch.items()}
        batch["temperature"] = torch.full_like(batch["temperature"], 1000.0)
        batch["future_temperature"] = torch.full_like(batch["future_temperature"], 1000.0)
        batch["ipf"] = torch.full_like(batch["ipf"], 0.5)
        spot = (..., slice(109 + offset, 112 + offset), slice(117 + offset, 120 + offset))
        batch["ipf"][spot] = 1.0
        with torch.no_grad():
            answers.append(network(batch))
    inner = answers[0][..., 106:116, 114:124]
    moved = answers[1][..., 114:124, 122:132]
    assert float(inner.std(dim=(-1, -2)).max()) > 1e-4
    torch.testing.assert_close(moved, inner, atol=1e-9, rtol=0)


@pytest.mark.parametrize("size", [(47, 465), (9, 13), (24, 96)])
def test_the_decoder_answers_a_spot_where_it_was(size: tuple[int, int], frame_batch: Make) -> None:
    """With averaging weights, the center of mass of a bright spot stays put at every odd size."""
    network = new(CNNLSTM, residual=False, skips=False)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.zeros_(module.weight)
            module.weight.data[..., module.weight.shape[-1] // 2, module.weight.shape[-1] // 2] = 1.0
    for part in (network.context_encoder, network.future_encoder, network.decoder):
        for block in part.blocks:
            block[1] = nn.Identity()
    network.core = nn.Identity()
    network.remember = lambda frames: (frames[:, -1, :8], {})  # type: ignore[method-assign]
    for row in (4, size[0] - 1):
        for column in (4, size[1] - 1):
            batch = frame_batch(1, *size)
            for name in ("temperature", "future_temperature", "ipf"):
                batch[name] = torch.zeros_like(batch[name])
            batch["liquidus"] = torch.zeros(1)
            batch["ipf"][..., row, column] = 1.0
            with torch.no_grad():
                answer = network(batch)[0, 0]
            peak = divmod(int(answer.argmax()), size[1])
            assert abs(peak[0] - row) <= 7
            assert peak[0] // 8 == row // 8
            assert peak[1] // 8 == column // 8


@both
def test_half_precision_answers_finitely_and_leaves_the_rest_exact(
    model: type[FrameNetwork], frame_batch: Make
) -> None:
    batch = frame_batch()
    network = new(model)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        answer = network(batch)
    free = may_freeze(batch["molten"][:, -1], batch["future_temperature"], batch["liquidus"])
    assert answer.dtype == torch.float32
    assert answer.isfinite().all()
    assert torch.equal(torch.where(free, 0, answer), torch.where(free, 0, melt_mask(batch)))


def test_undercooling_scale_is_smooth_unclamped_and_relative_to_liquidus() -> None:
    network = new(CNNLSTM)
    batch = {"liquidus": torch.tensor([1720.0, 1600.0])}
    offsets = torch.tensor([-1400.0, 0.0, 10.0, 3000.0]).reshape(1, 1, 1, 4)
    scaled = network.scaled_temperature(offsets + batch["liquidus"].reshape(2, 1, 1, 1), batch)
    torch.testing.assert_close(scaled[0], scaled[1])
    torch.testing.assert_close(scaled[0].flatten(), torch.asinh(offsets.flatten() / 100))


def test_range_scale_is_fitted_on_valid_cells_and_linear_beyond(frame_batch: Make) -> None:
    network = new(CNNLSTM, temperature_scale="range")
    batch = frame_batch()
    with pytest.raises(RunError, match="never fitted"):
        network(batch)
    batch["temperature"][0, 0, 0, 0, 0] = 9999.0
    batch["valid"][0, 0, 0, 0, 0] = False
    network.fit(iter([batch]))
    low = min(float(batch["temperature"].min()), float(batch["future_temperature"].min()))
    high = float(batch["temperature"][batch["valid"]].max())
    assert float(network.low) == low
    assert float(network.high) == high
    span = torch.tensor([low, high, 2 * high - low])
    torch.testing.assert_close(network.scaled_temperature(span, batch), torch.tensor([0.0, 1.0, 2.0]))
    copy = new(CNNLSTM, temperature_scale="range")
    copy.load_state_dict(network.state_dict())
    assert torch.equal(copy(batch), network(batch))


def test_volume_copies_come_from_the_batch(frame_batch: Make) -> None:
    network = new(CNNLSTM, copy_from="volume")
    assert network.inputs == ("nearest_ipf_3d",)
    assert new(CNNLSTM).inputs == new(CNNLSTM, copy_from="volume", residual=False).inputs == ()
    batch = frame_batch()
    nn.init.zeros_(network.decoder.head.weight)
    nn.init.constant_(network.decoder.head.bias, 10.0)
    batch["nearest_ipf_3d"] = torch.rand(batch["target"].shape)
    free = may_freeze(batch["molten"][:, -1], batch["future_temperature"], batch["liquidus"]).expand_as(batch["target"])
    torch.testing.assert_close(network(batch)[free], batch["nearest_ipf_3d"][free])


def test_decoupling_is_weighted_into_the_loss_and_logged(frame_batch: Make) -> None:
    batch = frame_batch()
    network = new(PredRNN, decouple_weight=0.5)
    criterion = build_criterion("mse", {})
    total, terms = network.loss(batch, criterion)
    torch.testing.assert_close(total.detach(), terms["mse"] + 0.5 * terms["decoupling"])
    assert 0 < float(terms["decoupling"]) < 1
    assert "decoupling" not in new(PredRNN).loss(batch, criterion)[1]
    torch.testing.assert_close(terms["mse"], F.mse_loss(network(batch), batch["target"]).detach())


@both
def test_activations_of_every_block_are_recorded_and_hooks_removed(
    model: type[FrameNetwork], frame_batch: Make
) -> None:
    network = new(model, rnn_layers=2).train()
    batch = frame_batch(rows=17)
    found = network.record_activations(batch)
    shapes = {name: tuple(value.shape) for name, value in found.items()}
    assert shapes == {
        "context.1": (2, 4, 24, 24), "context.2": (2, 8, 12, 12), "context.3": (2, 16, 6, 6),
        "future.1": (2, 4, 24, 24), "future.2": (2, 8, 12, 12), "future.3": (2, 16, 6, 6),
        "memory.1": (2, 8, 3, 3), "memory.2": (2, 8, 3, 3),
        "decoder.1": (2, 16, 6, 6), "decoder.2": (2, 8, 12, 12), "decoder.3": (2, 4, 24, 24),
    }  # fmt: skip
    assert network.training
    assert not any(module._forward_hooks for module in network.modules())


@pytest.mark.parametrize(
    "options",
    [
        {"rnn_layers": 0}, {"hidden": 0}, {"channels": ()}, {"channels": (16, 0)}, {"dropout": 1.0}, {"dropout": -0.1},
        {"decouple_weight": -1.0}, {"decouple_weight": float("nan")}, {"cell": "dead-memory", "decouple_weight": 0.1},
    ],
)  # fmt: skip
def test_impossible_options_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(OptionError):
        PredRNN(**options)  # type: ignore[arg-type]

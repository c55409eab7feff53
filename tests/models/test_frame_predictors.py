"""What holds for every network that predicts frames, in both tasks."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from lasernet.engine.plan import knobs, model_class, pick_task
from lasernet.errors import DataError, OptionError
from lasernet.losses.base import build_criterion, parse_loss
from lasernet.models.frame_predictor import FramePredictor
from lasernet.models.next_colors import melt_mask
from lasernet.physics.solidification import may_freeze
from lasernet.registry import MODELS

Make = Callable[..., dict[str, Tensor]]
New = Callable[..., FramePredictor]
TASKS = ("microstructure", "temperature")
NAMES = ("cnn-lstm", "predrnn", "predrnn++", "convlstm", "predrnn-flat", "mlp", "cnn-mlp", "simvp")
ANY_SIZE = tuple(name for name in NAMES if "mlp" not in name)
every = pytest.mark.parametrize("name", NAMES)
both = pytest.mark.parametrize("task", TASKS)


def test_all_of_them_are_tested() -> None:
    registered = {
        name for name in MODELS.names() if name in NAMES or issubclass(model_class(name), FramePredictor)
    }  # fmt: skip
    assert registered - {"tempnet"} == set(NAMES)


@every
@both
def test_every_parameter_learns(name: str, task: str, predictor: New, frame_batch: Make) -> None:
    network = predictor(name, task).train()
    network.loss(frame_batch(task=task), build_criterion("mse", {}))[0].backward()
    for label, parameter in network.named_parameters():
        assert parameter.grad is not None, label
        assert parameter.grad.any(), label


@every
@both
@pytest.mark.parametrize("residual", [True, False])
def test_answers_in_the_size_of_the_input(
    name: str, task: str, residual: bool, predictor: New, frame_batch: Make
) -> None:
    for size in ((9, 13), (8, 8), (17, 40)):
        batch = frame_batch(1, *size, task=task)
        network = predictor(name, task, size=size, residual=residual)
        network.fit([batch])
        with torch.no_grad():
            answer = network.predict(batch)
        assert answer.shape == batch["target"].shape
        assert answer.isfinite().all()
        if task == "microstructure":
            assert 0 <= float(answer.min()) <= float(answer.max()) <= 1


@every
@both
def test_one_to_seven_frames_of_context_are_read(name: str, task: str, predictor: New, frame_batch: Make) -> None:
    for steps in range(1, 8):
        network = predictor(name, task, steps=steps, size=(8, 16))
        batch = frame_batch(1, 8, 16, steps=steps, task=task)
        with torch.no_grad():
            assert network.float().predict(batch).shape == batch["target"].shape
            frames = network.double().question.frames(batch, network).double()
            older = torch.cat([frames[:, :1] + 0.5, frames[:, 1:]], dim=1)
            assert not torch.equal(network.network(frames)[0], network.network(older)[0]), steps


@every
@both
def test_an_item_does_not_depend_on_its_batch(name: str, task: str, predictor: New, frame_batch: Make) -> None:
    network, batch = predictor(name, task).train(), frame_batch(items=3, task=task)
    with torch.no_grad():
        together = network(batch)
        alone = network({key: value[1:2] for key, value in batch.items()})
    torch.testing.assert_close(together[1:2], alone, atol=1e-4 if task == "microstructure" else 1e-2, rtol=1e-4)


@every
@both
def test_answers_are_repeatable_and_free_of_dropout(name: str, task: str, predictor: New, frame_batch: Make) -> None:
    network, batch = predictor(name, task, dropout=0.5), frame_batch(task=task)
    with torch.no_grad():
        assert torch.equal(network(batch), network(batch))
        network.train()
        assert not torch.equal(network(batch), network(batch))


@every
def test_cells_that_cannot_freeze_are_persistence_with_the_melt_mask_bit_by_bit(
    name: str, predictor: New, frame_batch: Make
) -> None:
    network, batch = predictor(name), frame_batch()
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=2.0)
    free = may_freeze(batch["molten"][:, -1], batch["future_temperature"], batch["liquidus"])
    keeps = melt_mask(batch)
    with torch.no_grad():
        answer = network(batch)
    assert free.any()
    assert torch.equal(torch.where(free, 0, answer), torch.where(free, 0, keeps))
    assert not torch.equal(answer, keeps)


@every
def test_the_future_is_not_shown_to_who_predicts_it(name: str, predictor: New, frame_batch: Make) -> None:
    network, batch = predictor(name, "temperature"), frame_batch(task="temperature")
    hidden = ("future_temperature", "target", "target_molten")
    with torch.no_grad():
        answer = network({key: value for key, value in batch.items() if key not in hidden})
        assert torch.equal(answer, network(batch))


@every
def test_an_untrained_network_answers_the_moved_frame_and_its_drift(
    name: str, predictor: New, frame_batch: Make
) -> None:
    batch = frame_batch(task="temperature")
    with torch.no_grad():
        answer = predictor(name, "temperature", fresh=True)(batch)
    assert torch.equal(answer, batch["advected_temperature"] + batch["temperature_drift"])


@every
@both
def test_a_batch_can_be_learned(name: str, task: str, predictor: New, frame_batch: Make) -> None:
    batch = frame_batch(1, 8, 16, task=task)
    network = predictor(name, task, size=(8, 16), residual=task == "temperature").train()
    optimizer, criterion = torch.optim.Adam(network.parameters(), lr=1e-2), build_criterion("mse", {})
    losses = []
    for _ in range(20):
        loss, _ = network.loss(batch, criterion)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]


@every
@both
def test_half_precision_answers_finitely_in_full_precision(
    name: str, task: str, predictor: New, frame_batch: Make
) -> None:
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        answer = predictor(name, task)(frame_batch(task=task))
    assert answer.dtype == torch.float32
    assert answer.isfinite().all()


@every
@both
def test_activations_are_images_of_the_last_frame(name: str, task: str, predictor: New, frame_batch: Make) -> None:
    network = predictor(name, task)
    found = network.record_activations(frame_batch(task=task))
    assert found
    assert all(value.ndim == 4 and len(value) == 2 for value in found.values())
    assert not any(module._forward_hooks for module in network.modules())


@pytest.mark.parametrize("name", ["mlp", "cnn-mlp", "simvp"])
def test_a_network_for_one_shape_refuses_others(name: str, predictor: New, frame_batch: Make) -> None:
    with pytest.raises(DataError, match="this network was built for"):
        predictor(name, steps=2)(frame_batch(steps=3))
    with pytest.raises(OptionError, match="the data do not say"):
        model_class(name)()


@pytest.mark.parametrize(("name", "side"), [("convlstm", 64), ("predrnn-flat", 64), ("simvp", 256)])
def test_a_shift_shifts_the_answer(name: str, side: int, predictor: New, frame_batch: Make) -> None:
    """On a uniform ground, far from borders; one block of SimVP's translator sees 23 coarse cells at once."""
    options = {"blocks": 1} if name == "simvp" else {}
    network, half = predictor(name, residual=False, steps=1, **options).double(), side // 2
    answers = []
    for offset in (0, 4):
        batch = {key: value.double() if value.is_floating_point() else value
                 for key, value in frame_batch(1, side, side, steps=1).items()}  # fmt: skip
        for field in ("temperature", "future_temperature"):
            batch[field] = torch.full_like(batch[field], 1000.0)
        batch["ipf"] = torch.full_like(batch["ipf"], 0.5)
        spot = slice(half - 2 + offset, half + offset)
        batch["ipf"][..., spot, spot] = 1.0
        with torch.no_grad():
            answers.append(network(batch))
    around, moved = slice(half - 8, half + 8), slice(half - 4, half + 12)
    assert float(answers[0][..., around, around].std(dim=(-1, -2)).max()) > 1e-5
    torch.testing.assert_close(answers[1][..., moved, moved], answers[0][..., around, around], atol=1e-9, rtol=0)


@every
def test_presets_and_defaults_name_options_only(name: str) -> None:
    cls = model_class(name)
    known = knobs(cls, pick_task(cls, None))
    for options in (cls.defaults, *cls.presets.values()):
        for option, value in options.items():
            if option == "loss":
                parse_loss(str(value))
            else:
                known[option].option.parse(value)


def test_options_without_effect_or_sense_are_refused(predictor: New) -> None:
    for name, task, options in (
        ("cnn-lstm", "temperature", {"copy_from": "volume"}),
        ("cnn-lstm", "temperature", {"design": "micronet"}),
        ("predrnn++", "microstructure", {"rnn_layers": 1}),
        ("cnn-lstm", "microstructure", {"auxiliary": -1.0}),
        ("cnn-lstm", "microstructure", {"transformer": -1}),
        ("convlstm", "microstructure", {"features": 0}),
        ("mlp", "microstructure", {"hidden": ()}),
        ("simvp", "microstructure", {"levels": 0}),
    ):
        with pytest.raises(OptionError, match=r"expected|no effect|use deep"):
            predictor(name, task, **options)

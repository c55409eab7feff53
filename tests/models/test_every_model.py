"""What holds for every registered model: one training step, finite answers, a weights file that comes back."""

from pathlib import Path

import pytest
import torch

from lasernet import weights
from lasernet.data.sequences import FrameData
from lasernet.engine.loaded import build_model, load_into
from lasernet.engine.loading import Batches
from lasernet.engine.plan import knobs, model_class, pick_task
from lasernet.losses.base import build_criterion
from lasernet.models.base import count_parameters
from lasernet.options import options_of
from lasernet.registry import MODELS

SHIPPED = [name for name in MODELS.names() if not name.startswith(("toy", "from-", "ResConv", "Unnamed"))]
CASES = [(name, task) for name in SHIPPED for task in model_class(name).tasks]


def small(name: str) -> dict[str, object]:
    known = {option.name for option in options_of(model_class(name))}
    sizes: dict[str, object] = {"channels": (4, 8, 8), "hidden": 8, "rnn_layers": 2}
    return {key: value for key, value in sizes.items() if key in known}


@pytest.mark.parametrize(("name", "task"), CASES)
def test_a_model_fits_trains_answers_and_comes_back_from_its_weights(name: str, task: str, track: Path) -> None:
    torch.manual_seed(0)
    model = build_model(name, small(name), task=task)
    data = FrameData([track], task, model.inputs, split_ratio="4,2,2", seq_length=2)
    split = data.split("train")
    model.fit(Batches(split, batch_size=4, device=torch.device("cpu")))
    batch = split.fetch(range(4))
    criterion = build_criterion(model.default_loss, {}) if model.default_loss else None
    for phase in model.phases():
        optimizer = torch.optim.SGD(phase.trains.parameters(), lr=1e-3)
        loss, terms = phase.loss(batch, criterion)
        assert loss.ndim == 0
        assert all(value.isfinite().all() for value in (loss, *terms.values()))
        loss.backward()
        optimizer.step()
    assert bool(model.phases()) == bool(count_parameters(model))
    model.eval()
    with torch.no_grad():
        answer = model.predict(batch)
    assert answer.shape == batch["target"].shape
    assert answer.isfinite().all()
    if task == "microstructure":
        assert answer.min() >= 0
        assert answer.max() <= 1
    again = build_model(name, small(name), task=task)
    load_into(again, weights.unpack(weights.pack(model.state_dict()), source="test")[0], source="test")
    with torch.no_grad():
        assert torch.equal(again.eval().predict(batch), answer)


@pytest.mark.parametrize(("name", "task"), CASES)
def test_an_answer_never_depends_on_the_future_that_is_asked_for(name: str, task: str, track: Path) -> None:
    model = build_model(name, small(name), task=task)
    data = FrameData([track], task, model.inputs, split_ratio="4,2,2", seq_length=2)
    model.fit(Batches(data.split("train"), batch_size=4, device=torch.device("cpu")))
    batch = data.split("test").fetch(range(3))
    changed = {**batch, "target": torch.zeros_like(batch["target"]), "target_molten": ~batch["target_molten"]}
    model.eval()
    with torch.no_grad():
        assert torch.equal(model.predict(batch), model.predict(changed))


@pytest.mark.parametrize("name", SHIPPED)
def test_every_option_has_help_and_a_default(name: str) -> None:
    cls = model_class(name)
    for knob in knobs(cls, pick_task(cls, None)).values():
        assert knob.option.help, knob.name
        assert knob.option.default is not None or knob.option.optional

"""What holds for every registered model: one training step, finite answers, a weights file that comes back."""

from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from toy_grains import voronoi_images

from lasernet import weights
from lasernet.data.base import Data
from lasernet.data.flows import ANSWERS as FLOW_ANSWERS
from lasernet.data.flows import TARGETS, FlowData
from lasernet.data.image_file import write_image_set
from lasernet.data.images import ImageData
from lasernet.data.sequences import ANSWERS, FrameData
from lasernet.engine.loaded import build_model, load_into
from lasernet.engine.loading import Batches
from lasernet.engine.plan import knobs, model_class, pick_task
from lasernet.losses.base import build_criterion
from lasernet.models.base import Model, count_parameters
from lasernet.options import options_of
from lasernet.registry import MODELS

SHIPPED = [name for name in MODELS.names() if not name.startswith(("toy", "from-", "ResConv", "Unnamed"))]
CASES = [(name, task) for name in SHIPPED for task in model_class(name).tasks]
PREDICTIVE = [(name, task) for name, task in CASES if model_class(name).sample is None]
GENERATIVE = [(name, task) for name, task in CASES if model_class(name).sample is not None]


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A set of 14 small periodic microstructures."""
    path = tmp_path_factory.mktemp("data") / "images.h5"
    drawn = voronoi_images(0, number=14)
    return write_image_set(path, drawn, periodic=True, provenance={"made_for": "tests"})


@dataclass(frozen=True)
class Files:
    """Small data of every kind."""

    track: Path
    images: Path
    flows: Path

    def open(self, name: str, task: str, inputs: tuple[str, ...]) -> Data:
        """The data of a task, as a model is trained on them."""
        if task == "synthesis":
            return ImageData([self.images], task, inputs)
        if task in TARGETS:
            known = {option.name for option in options_of(FlowData)}
            own = {key: value for key, value in model_class(name).defaults.items() if key in known}
            return FlowData([self.flows], task, inputs, split_ratio="4,1,1", **own)  # type: ignore[arg-type]
        return FrameData([self.track], task, inputs, split_ratio="4,2,2", seq_length=2)


@pytest.fixture(scope="session")
def files(track: Path, images: Path, flows: Path) -> Files:
    """Small data of every kind."""
    return Files(track, images, flows)


def small(name: str) -> dict[str, object]:
    known = {option.name: option.kind for option in options_of(model_class(name))}
    sizes: dict[str, object] = {"channels": (4, 8, 8), "hidden": 8, "rnn_layers": 2, "features": 8, "width": 16}
    if model_class(name).sample is not None:
        sizes = {"channels": 12, "critic_channels": 4}
    return {key: (value,) if known[key] is tuple and isinstance(value, int) else value
            for key, value in sizes.items() if key in known}  # fmt: skip


def parts_of(name: str, track: Path) -> dict[str, Model]:
    """Fitted models of the tasks that a model made of models is made of."""
    built = {}
    for option, part in model_class(name).parts.items():
        inner = next(known for known, task in PREDICTIVE if task == part.task and not model_class(known).parts)
        built[option] = build_model(inner, small(inner), task=part.task)
        split = FrameData([track], part.task, built[option].inputs, split_ratio="4,2,2", seq_length=2).split("train")
        built[option].fit(Batches(split, batch_size=4, device=torch.device("cpu")))
    return built


@pytest.mark.parametrize(("name", "task"), CASES)
def test_a_model_fits_trains_answers_and_comes_back_from_its_weights(name: str, task: str, files: Files) -> None:
    torch.manual_seed(0)
    data = files.open(name, task, ())
    model = build_model(name, small(name), task=task, spec=data.spec, parts=parts_of(name, files.track))
    split = files.open(name, task, tuple(model.inputs)).split("train")
    model.fit(Batches(split, batch_size=4, device=torch.device("cpu")))
    rows = range(min(4, len(split)))
    batch = split.fetch(rows) | {"seed": torch.tensor(rows)}
    criterion = build_criterion(model.default_loss, {}) if model.default_loss else None
    for phase in model.phases():
        optimizer = torch.optim.SGD(phase.trains.parameters(), lr=1e-3)
        loss, terms = phase.loss(batch, criterion)
        assert loss.ndim == 0
        assert all(value.isfinite().all() for value in (loss, *terms.values()))
        loss.backward()
        optimizer.step()
    assert bool(model.phases()) == bool(count_parameters(model))
    answer = answer_of(model, batch, task)
    again = build_model(name, small(name), task=task, spec=data.spec, parts=parts_of(name, files.track))
    load_into(again, weights.unpack(weights.pack(model.state_dict()), source="test")[0], source="test")
    assert torch.equal(answer_of(again, batch, task), answer)


@torch.no_grad()
def answer_of(model: Model, batch: dict[str, torch.Tensor], task: str) -> torch.Tensor:
    """What a model says to a batch, or draws, checked for shape and range."""
    model.eval()
    wanted = batch["image"] if model.sample else batch["target"]
    answer = model.sample(batch["seed"])[0] if model.sample else model.predict(batch)
    assert answer.shape == wanted.shape
    assert answer.isfinite().all()
    if task in ("microstructure", "synthesis"):
        assert answer.min() >= 0
        assert answer.max() <= 1
    return answer


@pytest.mark.parametrize(("name", "task"), GENERATIVE)
def test_a_draw_depends_on_its_own_seed_alone(name: str, task: str, files: Files) -> None:
    data = files.open(name, task, ())
    model = build_model(name, small(name), task=task, spec=data.spec).eval()
    model.fit(Batches(data.split("train"), batch_size=4, device=torch.device("cpu")))
    with torch.no_grad():
        many, asked = model.sample(torch.arange(7))
        few, asked_few = model.sample(torch.tensor([2, 5]))
    torch.testing.assert_close(many[[2, 5]], few, rtol=0, atol=1e-5)
    assert torch.equal(asked[[2, 5]], asked_few)
    assert not torch.allclose(many[0], many[1])


@pytest.mark.parametrize(("name", "task"), PREDICTIVE)
def test_an_answer_never_depends_on_what_is_asked_for(name: str, task: str, files: Files) -> None:
    spec = files.open(name, task, ()).spec
    model = build_model(name, small(name), task=task, spec=spec, parts=parts_of(name, files.track))
    data = files.open(name, task, tuple(model.inputs))
    model.fit(Batches(data.split("train"), batch_size=4, device=torch.device("cpu")))
    batch = data.split("test").fetch(range(min(3, len(data.split("test")))))
    hidden = FLOW_ANSWERS if task in TARGETS else ANSWERS
    changed = {key: opposite(value) if key in hidden else value for key, value in batch.items()}
    model.eval()
    with torch.no_grad():
        assert torch.equal(model.predict(batch), model.predict(changed))


def opposite(values: torch.Tensor) -> torch.Tensor:
    """Something else in the place of values."""
    return ~values if values.dtype == torch.bool else torch.zeros_like(values)


@pytest.mark.parametrize("name", SHIPPED)
def test_every_option_has_help_and_a_default(name: str) -> None:
    cls = model_class(name)
    for knob in knobs(cls, pick_task(cls, None)).values():
        assert knob.option.help, knob.name
        assert knob.option.default is not None or knob.option.optional

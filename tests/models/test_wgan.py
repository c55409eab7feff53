"""The Wasserstein GAN: its objective, what it can be asked for, and what it refuses."""

from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import judge_nothing
from stopping import StopAfter
from toy_grains import voronoi_images

from lasernet import train, weights
from lasernet.data.image_file import write_image_set
from lasernet.engine.loaded import build_model
from lasernet.engine.signals import Stopped, StopRequest
from lasernet.errors import OptionError
from lasernet.models.base import Model, count_parameters
from lasernet.run import Run

SMALL = {"channels": 12, "critic_channels": 4}
TINY = {**SMALL, "batch_size": 4, "n_critic": 2, "threads": 1, "device": "cpu"}


def wgan(shape: tuple[int, int] = (32, 32), *, periodic: bool = True, **options: object) -> Model:
    torch.manual_seed(0)
    spec = {"image": {"shape": shape, "periodic": periodic}}
    small = {} if options.get("arch") == "dcgan" else SMALL
    model = build_model("wgan", {**small, **options}, task="synthesis", spec=spec).eval()
    model.fit([{"grains": torch.tensor([20.0, 25.0, 40.0])}])
    return model


@pytest.fixture
def images(tmp_path: Path) -> Path:
    return write_image_set(tmp_path / "images.h5", voronoi_images(0, number=16), periodic=True, provenance={})


def test_the_published_networks_have_their_published_sizes() -> None:
    model = wgan((64, 64), arch="dcgan")
    assert count_parameters(model.generator) == 2_376_705
    assert count_parameters(model.critic) == 2_762_689


def test_the_critic_loss_is_the_wasserstein_estimate_and_the_weighted_penalty() -> None:
    model = wgan(gp_weight=7.0)
    batch = {
        "image": torch.rand(4, 1, 32, 32),
        "grains": torch.full((4,), 25.0),
        "seed": torch.arange(4),
    }
    loss, terms = model.phases()[0].loss(batch, None)
    torch.testing.assert_close(loss, 7 * terms["penalty"] - terms["wasserstein"])


def test_the_generator_takes_its_turn_at_every_nth_update_at_a_quarter_of_the_rate() -> None:
    critic, generator = wgan(n_critic=5).phases()
    assert (critic.every, generator.every) == (1, 5)
    assert critic.lr / generator.lr == 4
    assert critic.trains is not generator.trains


def test_a_draw_of_another_size_is_as_periodic_as_it_is_inside() -> None:
    model = wgan()
    with torch.no_grad():
        image = model.sample(torch.arange(8), size=96)[0][:, 0]
    assert image.shape[1:] == (96, 96)
    across = (image[:, 0] - image[:, -1]).abs().mean()
    inside = (image[:, 1:] - image[:, :-1]).abs().mean()
    assert abs(float(across / inside) - 1) < 0.3


def test_a_free_model_draws_free_images_and_periodic_ones_when_asked() -> None:
    model = wgan(periodic=False, head="walls")  # untrained cells are a fine grid, which looks alike everywhere
    with torch.no_grad():
        free, wrapped = (model.sample(torch.arange(8), size=96, periodic=p)[0][:, 0] for p in (None, True))
    jumps = [float((image[:, 0] - image[:, -1]).abs().mean()) for image in (free, wrapped)]
    assert jumps[0] > 1.5 * jumps[1]


def test_requests_are_in_grains_per_image_whatever_its_size() -> None:
    model = wgan()
    with torch.no_grad():
        one, asked = model.sample(torch.arange(2), grains=30)
        large, asked_large = model.sample(torch.arange(2), grains=120, size=64)
    assert asked.tolist() == [30, 30]
    assert asked_large.tolist() == [120, 120]
    assert one.shape[-1] == 32
    assert large.shape[-1] == 64


def test_without_a_request_grain_numbers_follow_the_training_images() -> None:
    _, asked = wgan().sample(torch.arange(300))
    values, counts = np.unique(asked.numpy(), return_counts=True)
    assert values.tolist() == [20, 25, 40]
    assert counts.min() > 60


@pytest.mark.parametrize(
    ("options", "asked", "said"),
    [
        ({}, {"size": 33}, "multiple of 8"),
        ({}, {"grains": 0.0}, "expected 1 to 256"),
        ({}, {"grains": 257.0}, "expected 1 to 256 in 64 x 64"),
        ({"arch": "dcgan"}, {"grains": 30.0}, "no condition"),
        ({"arch": "dcgan"}, {"size": 128}, "64 x 64 only"),
        ({"arch": "dcgan"}, {"periodic": False}, "as they were trained"),
    ],
)
def test_what_cannot_be_drawn_is_refused(options: dict[str, object], asked: dict[str, object], said: str) -> None:
    with pytest.raises(OptionError, match=said):
        wgan((64, 64), **options).sample(torch.arange(2), **asked)


@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((32, 32), {"arch": "dcgan"}),
        ((64, 64), {"arch": "dcgan", "head": "pixels"}),
        ((30, 32), {}),
        ((32, 32), {"n_critic": 0}),
        ((32, 32), {"labels": 4}),
    ],
)
def test_data_and_options_that_do_not_fit_are_refused(shape: tuple[int, int], options: dict[str, object]) -> None:
    with pytest.raises(OptionError):
        wgan(shape, **options)


def test_validation_of_a_set_against_itself_is_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    model = wgan()
    images = torch.from_numpy(voronoi_images(1, number=6))[:, None].float() / 255
    monkeypatch.setattr(model, "sample", lambda seeds: (images[: len(seeds)], None))
    found = model.validate([{"image": images}])
    assert found["loss"] == 0
    assert set(found) == {"loss", "boundary_fraction", "two_point", "chord_length", "grains"}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training of two epochs that nothing interrupts."""
    folder = tmp_path_factory.mktemp("whole")
    images = write_image_set(folder / "images.h5", voronoi_images(0, number=16), periodic=True, provenance={})
    with pytest.MonkeyPatch.context() as patch:
        judge_nothing(patch)
        return train("wgan", data=images, epochs=2, out=folder / "run", **TINY)


@pytest.mark.usefixtures("unjudged")
@pytest.mark.parametrize("updates", [1, 3, 4])
def test_a_stopped_and_resumed_training_equals_the_uninterrupted_one(
    home: Path, images: Path, whole: Path, updates: int
) -> None:
    stop = StopRequest()
    with pytest.raises(Stopped):
        train("wgan", data=images, epochs=2, out="broken", stop=stop, reporter=StopAfter(stop, updates), **TINY)
    resumed = train(resume="broken")
    for name in ("last.safetensors", "weights.safetensors"):
        one, other = (weights.read(run / name)[0] for run in (whole, resumed))
        assert all(torch.equal(one[key], other[key]) for key in one)
    frames = sorted(path.name for path in (whole / "figures" / "training").iterdir())
    assert len(frames) == 3
    for name in frames:
        one_frame, other_frame = (run / "figures" / "training" / name for run in (whole, resumed))
        assert one_frame.read_bytes() == other_frame.read_bytes()
    assert (resumed / "figures" / "training.gif").is_file()


@pytest.mark.usefixtures("unjudged")
def test_accumulated_parts_draw_what_one_larger_batch_draws(home: Path, images: Path) -> None:
    one = train("wgan", data=images, epochs=1, out="one", **{**TINY, "batch_size": 8})
    parts = train("wgan", data=images, epochs=1, out="parts", **{**TINY, "batch_size": 4, "accumulate": 2})
    for run in (one, parts):
        assert Run(run).metrics()[-1]["step"] == 2
    first, second = (weights.read(run / "last.safetensors")[0] for run in (one, parts))
    for name, value in first.items():
        torch.testing.assert_close(second[name], value, rtol=1e-3, atol=1e-5)

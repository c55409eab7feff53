"""The synthesis task as a user meets it: train, judge, draw, look."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from toy_grains import voronoi_images

from lasernet import evaluate, sample, train
from lasernet.data.image_file import open_image_file, write_image_set
from lasernet.data.images import ImageData
from lasernet.engine.loaded import load_run
from lasernet.engine.visualize import visualize
from lasernet.errors import CheckFailed, OptionError
from lasernet.tasks.set_scores import FLOOR, draw

TINY = {"channels": 12, "critic_channels": 4, "batch_size": 8, "threads": 1, "device": "cpu", "epochs": 1}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one epoch on 56 small periodic images."""
    folder = tmp_path_factory.mktemp("synthesis")
    images = write_image_set(folder / "images.h5", voronoi_images(0, number=56), periodic=True, provenance={})
    return train("wgan", data=images, out=folder / "run", **TINY)


def test_a_run_ends_with_scores_curves_and_a_film(run: Path) -> None:
    results = json.loads((run / "test_results.json").read_text())
    assert results["task"] == "synthesis"
    assert results["items"] == 8
    assert {"boundary_fraction", "two_point", "chord_length", "grains_strict", "grains_tolerant"} <= set(
        results["metrics"]
    )
    assert {"descriptor_space", "two_sample", "memorization", "conditioning"} <= set(results["metrics"])
    assert results["metrics"]["two_sample"]["train_images"] == 40
    assert results["skill"] == {}
    frames = sorted(path.name for path in (run / "figures" / "training").iterdir())
    assert frames == ["update-0000000.png", "update-0000005.png"]
    assert (run / "figures" / "training.gif").is_file()
    assert (run / "losses.png").is_file()


def test_the_floor_compares_real_images_with_real_ones(run: Path) -> None:
    floor = json.loads((run / "test_results.json").read_text())["baselines"][FLOOR]
    assert abs(floor["boundary_fraction"]["relative_error"]) < 0.2
    assert floor["descriptor_space"]["coverage"] > 0.5


def test_two_evaluations_agree_and_gates_work(run: Path) -> None:
    from lasernet.engine.evaluate import check_gate

    one, other = (evaluate(run, split="val") for _ in range(2))
    assert one == other
    check_gate(one, "metrics.two_point.rms_error<0")
    with pytest.raises(CheckFailed):
        check_gate(one, "metrics.two_point.rms_error>=0")


def test_training_images_are_not_asked_about_with_a_classifier_that_knows_them(run: Path) -> None:
    found = evaluate(run, split="train")["metrics"]
    assert "two_sample" not in found
    assert "memorization" not in found


def test_an_option_of_another_task_is_refused(run: Path) -> None:
    with pytest.raises(OptionError, match="no meaning for the synthesis task"):
        evaluate(run, t_solidus=1600.0, t_liquidus=1700.0)


def test_weights_hold_what_drawing_needs_and_no_critic(run: Path) -> None:
    from lasernet import weights

    tensors, _ = weights.read(run / "weights.safetensors")
    assert any(name.startswith("generator.") for name in tensors)
    assert not any(name.startswith("critic.") for name in tensors)


def test_draws_come_in_every_form_and_are_the_same_in_each(run: Path, tmp_path: Path) -> None:
    expected, _ = draw(load_run(run).model, 5, first=3 << 20)
    array = np.load(sample(run, n=5, seed=3, out=tmp_path / "a.npy"))
    assert np.array_equal(array, expected)
    with open_image_file(sample(run, n=5, seed=3, out=tmp_path / "a.h5")) as file:
        case = file.cases["images"]
        assert np.array_equal(case.read("image"), expected)
        assert case.periodic
    folder = sample(run, n=2, seed=3, out=tmp_path / "folder")
    singles = [np.asarray(Image.open(path)) for path in sorted(folder.iterdir())]
    assert np.array_equal(np.stack(singles), expected[:2])
    assert Image.open(sample(run, n=5, out=tmp_path / "sheet.png")).size[0] > 300


def test_drawn_images_are_data_again(run: Path, tmp_path: Path) -> None:
    data = ImageData([sample(run, n=14, out=tmp_path / "drawn.h5")])
    assert len(data.split("train")) == 10


def test_fewer_draws_are_the_first_of_more(run: Path, tmp_path: Path) -> None:
    few, many = (np.load(sample(run, n=n, out=tmp_path / f"{n}.npy")) for n in (3, 60))
    assert np.array_equal(few, many[:3])


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"item": 3}, "--item"),
        ({"split": "val"}, "--split"),
        ({"out": "x.tif"}, "expected a name that ends in"),
        ({"n": 0}, "at least 1"),
        ({"grians": 3}, "did you mean 'grains'"),
    ],
)
def test_what_makes_no_sense_is_refused(run: Path, home: Path, asked: dict[str, object], said: str) -> None:
    with pytest.raises(OptionError, match=said):
        sample(run, **asked)  # type: ignore[arg-type]
    assert not list(home.iterdir())


def test_an_existing_file_is_not_replaced(run: Path, tmp_path: Path) -> None:
    sample(run, n=1, out=tmp_path / "a.png")
    with pytest.raises(OptionError, match="is there already"):
        sample(run, n=1, out=tmp_path / "a.png")


def test_every_figure_can_be_drawn(run: Path) -> None:
    names = ("losses", "samples", "statistics", "conditioning", "nearest", "training")
    written = visualize([run], what=names)
    assert {path.name for path in written} == {
        "losses.png",
        "samples.png",
        "statistics.png",
        "conditioning.png",
        "nearest.png",
        "training.gif",
    }
    with pytest.raises(OptionError, match="--item"):
        visualize([run], what=("samples",), item=3)
    with pytest.raises(OptionError, match="--format vti"):
        visualize([run], form="vti")


def test_a_bundled_run_is_sampled_into_the_working_folder(
    run: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lasernet.engine import sample as engine

    monkeypatch.setattr(engine, "bundled_run", lambda name: run)
    path, by_name = engine.newest_run_of("wgan", home / "runs")
    assert by_name
    assert path == run
    assert sample(path, n=2) == Path("wgan-samples.h5")
    assert (home / "wgan-samples.h5").is_file()

"""The weights that ship with the package: small, complete, of known origin, and as good as their card says."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from lasernet.engine.loaded import bundled_run, load_run
from lasernet.metrics.set_distances import distances
from lasernet.run import Run
from lasernet.simulate.voronoi import VoronoiStructures
from lasernet.tasks.set_scores import draw

FOLDER = bundled_run("wgan")
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="no weights ship with this version")


def test_they_are_small_and_hold_no_path_of_a_machine() -> None:
    assert (FOLDER / "weights.safetensors").stat().st_size <= 3_000_000
    for path in FOLDER.iterdir():
        if path.suffix in (".json", ".jsonl", ".md"):
            assert not re.search(r"(/home/|/tmp/|/root|/Users/|[A-Z]:\\)", path.read_text()), path.name


def test_the_card_names_command_data_and_scores() -> None:
    card = (FOLDER / "MODEL_CARD.md").read_text()
    config = Run(FOLDER).config
    results = json.loads((FOLDER / "test_results.json").read_text())
    assert "lasernet train wgan" in card
    assert config["data"]["hash"][:12] in card
    assert f"{results['metrics']['two_point']['rms_error']:.4g}" in card
    assert config["data"]["files"] == [name for name in config["data"]["files"] if name.startswith("default:")]


def test_draws_have_the_statistics_of_voronoi_structures() -> None:
    drawn, _ = draw(load_run(FOLDER).model, 150, first=0)
    structures = VoronoiStructures()
    real = np.stack([structures.draw(index, seed=7).image for index in range(150)])
    found = distances(drawn, real, periodic=True)
    card = json.loads((FOLDER / "test_results.json").read_text())["metrics"]
    assert found["boundary_fraction"] < abs(card["boundary_fraction"]["relative_error"]) + 0.03
    assert found["chord_length"] < card["chord_length"]["wasserstein"] + 0.04
    assert found["two_point"] < card["two_point"]["rms_error"] + 0.04


@pytest.mark.parametrize("grains", [22.0, 38.0])
def test_a_requested_number_of_grains_is_about_met(grains: float) -> None:
    from lasernet.physics.grains import count_grains

    drawn, _ = draw(load_run(FOLDER).model, 40, first=0, grains=grains)
    counts = count_grains(drawn, threshold=0.7, periodic=True)
    assert abs(counts.mean() - grains) < 5


def test_sampling_works_right_after_installation(home: Path) -> None:
    from lasernet import sample
    from lasernet.engine.sample import newest_run_of

    path, by_name = newest_run_of("wgan", home / "runs")
    assert by_name
    assert np.load(sample(path, n=2, size=96, out=home / "two.npy")).shape == (2, 96, 96)

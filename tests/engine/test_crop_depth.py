"""A run on the top of a track keeps to it: in its results, baselines, rollouts and samples."""

from pathlib import Path

import pytest
import toy_models  # noqa: F401  (registers toy-conv)

from lasernet import evaluate, sample, train
from lasernet.data.layout import open_file
from lasernet.engine.evaluate import evaluate_many
from lasernet.engine.visualize import visualize
from lasernet.run import Run

SMALL = {"split_ratio": "4,2,2", "seq_length": 2, "batch_size": 5, "threads": 1, "epochs": 1}


@pytest.fixture(scope="module")
def run(track: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train("toy-conv", data=track, out=tmp_path_factory.mktemp("runs") / "run", crop_depth=0.3, **SMALL)


def test_a_run_is_judged_on_the_cells_it_learned_from(run: Path) -> None:
    assert Run(run).config["data"]["options"]["crop_depth"] == 0.3
    result = evaluate(run, rollout=2)
    cells = 12 * 3 * 16  # items, levels, columns
    for scores in (result, *result["rollout"]["steps"].values()):
        share = 1 if scores is result else 0.5
        assert scores["metrics"]["all"]["cells"] == share * cells
        assert {one["all"]["cells"] for one in scores["baselines"].values()} == {share * cells}


def test_it_is_not_compared_with_a_run_on_all_cells(run: Path, track: Path, tmp_path: Path) -> None:
    whole = train("toy-conv", data=track, out=tmp_path / "whole", **SMALL)
    results = evaluate_many(
        [run, whole], data=(), split="test", checkpoint="best", t_solidus=None, t_liquidus=None, device="cpu"
    )
    assert "cannot be compared" in results[1]["improvement"]["reason"]


def test_its_answers_lie_where_the_cells_are(run: Path, track: Path, tmp_path: Path) -> None:
    written = sample(run, n=12, out=tmp_path / "out.h5")
    with open_file(written) as file, open_file(track) as source:
        case = next(iter(file.cases.values()))
        assert case.z.tolist() == source.cases["track"].z[-3:].tolist()
        assert case.shape[1:] == (16, 6, 3)
    (table,) = visualize([run], form="csv")
    lines = table.read_text().splitlines()
    assert len(lines) == 1 + 16 * 6 * 3

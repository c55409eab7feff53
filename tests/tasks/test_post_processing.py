"""Predicted frames, sharpened afterwards: in results, figures and files that say so."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
import toy_models  # noqa: F401  (registers toy-conv)

from lasernet import evaluate, load_run, open_dataset, sample, train
from lasernet.cli.eval import rows_of
from lasernet.data.layout import open_file
from lasernet.engine.visualize import visualize
from lasernet.errors import OptionError
from lasernet.nn.unsharp import unsharp
from lasernet.tasks.base import get_task
from lasernet.tasks.post_processing import FrameSharpening

SMALL = {"split_ratio": "4,2,2", "seq_length": 2, "batch_size": 5, "threads": 1, "epochs": 1}
MARK = "unsharp-0.5-unsharp-radius-1"


@pytest.fixture(scope="module")
def run(track: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train("toy-conv", data=track, out=tmp_path_factory.mktemp("runs") / "run", **SMALL)


def test_molten_and_missing_cells_stay_and_colors_stay_colors() -> None:
    generator = torch.Generator().manual_seed(0)
    answer = torch.rand(2, 9, 7, 8, generator=generator)
    answer[:, :, :3, 4:] = 0
    mask = torch.rand(2, 1, 7, 8, generator=generator) < 0.8
    found = FrameSharpening(unsharp=3.0)(lambda _: answer, {"mask": mask})
    assert not found[:, :, :3, 4:].any()
    assert torch.equal(torch.where(mask, 0, found), torch.where(mask, 0, answer))
    assert found.min() == 0
    assert found.max() == 1
    solid = mask & answer.any(1, keepdim=True)
    expected = unsharp(answer, solid, amount=3.0, radius=1.0).clamp(0, 1)
    assert torch.equal(torch.where(solid, found, 0), torch.where(solid, expected, 0))


def test_a_temperature_may_rise_above_one_but_not_fall_below_zero() -> None:
    answer = torch.tensor([300.0, 300, 2000, 2000]).expand(1, 1, 4, 4)
    found = FrameSharpening(unsharp=2.0)(lambda _: answer, {"mask": torch.ones(1, 1, 4, 4, dtype=torch.bool)})
    assert found[0, 0, 0, 2] > 2000
    assert found[0, 0, 0, 1] == 0


def test_a_run_is_judged_by_its_sharpened_answers_and_the_result_says_so(run: Path) -> None:
    plain, sharp, rounder = evaluate(run), evaluate(run, unsharp=0.5), evaluate(run, unsharp=0.5, unsharp_radius=2.0)
    assert "asked" not in plain
    assert sharp["asked"] == {"unsharp": 0.5, "unsharp_radius": 1.0}
    assert rounder["asked"] == {"unsharp": 0.5, "unsharp_radius": 2.0}
    assert len({result["metrics"]["all"]["mse"] for result in (plain, sharp, rounder)}) == 3
    assert sharp["baselines"] == plain["baselines"]
    assert json.loads((run / "test_results.json").read_text())["metrics"] == plain["metrics"]
    assert {row["answer"] for row in rows_of([sharp]) if row["asked"]} == {"toy-conv"}
    assert "asked" not in rows_of([plain])[0]


def test_files_and_figures_have_names_of_their_own(run: Path) -> None:
    plain, sharp = sample(run, n=12), sample(run, n=12, unsharp=0.5)
    assert (plain.name, sharp.name) == ("samples.h5", f"samples-{MARK}.h5")
    with open_file(plain) as one, open_file(sharp) as other:
        ours, theirs = (next(iter(file.cases.values())) for file in (one, other))
        assert not np.array_equal(ours.frame("ipf", 0), theirs.frame("ipf", 0))
        assert "unsharp" not in ours.provenance
        assert theirs.provenance["unsharp"] == 0.5
    usual, drawn = (visualize([run], what=["predictions"], **options)[0] for options in ({}, {"unsharp": 0.5}))
    assert usual.parent == run / "figures"
    assert drawn == run / "figures" / MARK / usual.name


def test_the_model_itself_stays_as_it_is(run: Path) -> None:
    batch = open_dataset(evaluate(run)["data"]["file"], seq_length=2, split_ratio="4,2,2").split("test").fetch([0])
    loaded = load_run(run)
    sharp = loaded.asked_for(unsharp=0.5)
    assert torch.equal(sharp.model.predict(batch), loaded.predict(batch))
    expected = FrameSharpening(unsharp=0.5)(loaded.predict, batch)
    assert torch.equal(sharp.predict(batch), expected)
    assert loaded.asked_for(unsharp=None).asked == {}


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"unsharp": 0.0}, "--unsharp 0.0: expected"),
        ({"unsharp": float("nan")}, "--unsharp nan: expected"),
        ({"unsharp": 0.5, "unsharp_radius": -1.0}, "--unsharp-radius -1.0: expected"),
        ({"unsharp_radius": 2.0}, "no effect without --unsharp"),
        ({"unsharp": 0.5, "rollout": 2}, "--unsharp does not reach a rollout"),
    ],
)
def test_what_would_sharpen_nothing_is_refused(run: Path, options: dict[str, float], says: str) -> None:
    with pytest.raises(OptionError, match=says):
        evaluate(run, **options)  # type: ignore[arg-type]


def test_a_task_that_predicts_no_frames_refuses(run: Path) -> None:
    drawing = dataclasses.replace(load_run(run), task=get_task("synthesis"))
    with pytest.raises(OptionError, match="--unsharp has no meaning for the synthesis task"):
        drawing.asked_for(unsharp=0.5)


def test_curves_of_losses_cannot_be_sharpened(run: Path) -> None:
    with pytest.raises(OptionError, match="--what losses"):
        visualize([run], what=["losses"], unsharp=0.5)

"""A run of grain-front through the verbs: judged softly and sharply, drawn, written, and refused elsewhere."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lasernet import evaluate, load_run, sample, train
from lasernet.data.layout import open_file
from lasernet.engine.visualize import visualize
from lasernet.errors import OptionError
from lasernet.tasks.frame_figures import distinct

CUT = {"split_ratio": "4,2,2", "seq_length": 2}


@pytest.fixture(scope="module")
def run(track: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("front") / "run"
    train("grain-front", data=track, out=out, width=4, key=2, epochs=1, threads=1, **CUT)
    return out


def test_sharp_answers_are_judged_and_the_result_says_so(run: Path) -> None:
    soft, sharp = evaluate(run), evaluate(run, sharp=True)
    assert "asked" not in soft
    assert sharp["asked"] == {"sharp": True}
    assert sharp["metrics"]["active"]["mse"] != soft["metrics"]["active"]["mse"]
    assert sharp["baselines"] == soft["baselines"]


def test_sharp_samples_hold_only_colors_of_the_data(run: Path, track: Path) -> None:
    written = sample(run, n=12, sharp=True)
    assert written.name == "samples-sharp.h5"
    with open_file(track) as source, open_file(written) as file:
        known = next(iter(source.cases.values()))
        palette = {color.tobytes() for color in np.concatenate([_colors(known.frame("ipf", i)) for i in range(8)])}
        case = next(iter(file.cases.values()))
        assert case.provenance["sharp"] is True
        for index in range(case.shape[0]):
            assert {color.tobytes() for color in _colors(case.frame("ipf", index))} <= palette


def test_sharp_samples_have_grain_ids_that_go_with_their_colors(run: Path, track: Path) -> None:
    written = sample(run, n=12, sharp=True)
    with open_file(track) as source, open_file(written) as file:
        known, case = (next(iter(one.cases.values())) for one in (source, file))
        color_of: dict[int, bytes] = {0: bytes(9)}
        for frame in range(8):
            ids, colors = known.frame("grain_id", frame).ravel(), np.asarray(known.frame("ipf", frame)).reshape(9, -1)
            color_of |= {int(ids[at]): colors[:, at].tobytes() for at in np.unique(ids, return_index=True)[1]}
        froze = 0
        for index in range(case.shape[0]):
            ids, colors = case.frame("grain_id", index).ravel(), np.asarray(case.frame("ipf", index)).reshape(9, -1)
            assert [color_of[int(one)] for one in ids] == [colors[:, at].tobytes() for at in range(len(ids))]
            froze += int((ids > 0).sum())
        assert froze
    for options in ({}, {"sharp": True, "unsharp": 0.5}):  # then the colors are no longer those of grains
        with open_file(sample(run, n=12, **options)) as file:
            assert "grain_id" not in next(iter(file.cases.values())).fields


def _colors(volume: object) -> np.ndarray:
    return np.unique(np.asarray(volume).reshape(9, -1).T, axis=0)


def test_figures_of_both_stand_beside_each_other(run: Path) -> None:
    soft, sharp = (visualize([run], what=["predictions"], sharp=which)[0] for which in (False, True))
    assert sharp == run / "figures" / "sharp" / soft.name


def test_sharp_is_refused_where_it_says_nothing(run: Path, track: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="--sharp does not reach a rollout"):
        evaluate(run, sharp=True, rollout=2)
    with pytest.raises(OptionError, match="--sharp has no effect on --what losses"):
        visualize([run], what=["losses"], sharp=True)
    train("calibrated-front", data=track, out=tmp_path / "other", **CUT)
    with pytest.raises(OptionError, match="calibrated-front has one kind of answer; expected one of: grain-front"):
        load_run(tmp_path / "other").asked_for(sharp=True)


def test_chances_are_judged_beside_those_of_the_calibrated_front_and_drawn(run: Path) -> None:
    gate = evaluate(run)["gate"]
    assert set(gate["baselines"]) == {"calibrated-front", "calibrated-front-3d"}
    cells = {one["cells"] for one in (gate["metrics"], *gate["baselines"].values())}
    assert len(cells) == 1
    assert 0 < gate["metrics"]["brier"] < 1
    (drawn,) = visualize([run], what=["reliability"])
    with Image.open(drawn) as image:
        assert image.width > image.height > 300


def test_runs_are_drawn_side_by_side_on_the_first_runs_data(run: Path, track: Path, tmp_path: Path) -> None:
    train("calibrated-front", data=track, out=tmp_path / "other", **CUT)
    (drawn,) = visualize([run, tmp_path / "other", run], what=["comparison"])
    assert drawn.parent == run / "figures"
    assert drawn.stem.startswith("comparison-")
    train("calibrated-front", data=track, out=tmp_path / "short", split_ratio="4,2,2", seq_length=1)
    with pytest.raises(OptionError, match="other data options"):
        visualize([run, tmp_path / "short"], what=["comparison"])


def test_names_that_occur_twice_are_numbered() -> None:
    assert distinct(["a", "b", "a"]) == ["a 1", "b", "a 2"]

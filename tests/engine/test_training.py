"""Training as a whole, in this process: laws of the loop that hold for every model."""

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from conftest import judge_nothing
from stopping import StopAfter
from toy_models import ToyConv, ToyTwoPhase

from lasernet import load_run, train, weights
from lasernet.engine.signals import Stopped, StopRequest
from lasernet.errors import DataError, Diverged, OptionError, RunError
from lasernet.run import Run

SMALL = {"split_ratio": "4,2,2", "seq_length": 2, "batch_size": 5, "threads": 1}


def tensors(run: Path, name: str = "last.safetensors") -> dict[str, torch.Tensor]:
    return weights.read(run / name)[0]


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_a_run_holds_what_the_contract_names(track: Path, home: Path) -> None:
    run = train("toy-conv", data=track, epochs=2, **SMALL)
    names = {path.name for path in run.iterdir()}
    wanted = {
        "config.json",
        "weights.safetensors",
        "last.safetensors",
        "metrics.jsonl",
        "test_results.json",
        "losses.png",
    }
    assert wanted | {"state", "baselines.safetensors"} <= names
    assert run.parent.name == "runs"
    assert not [name for name in names if name.endswith(".partial")]
    config = json.loads((run / "config.json").read_text())
    assert config["environment"]["threads"] == 1
    assert len(config["data"]["hash"]) == len(config["data"]["split_hash"]) == 64
    assert [row["epoch"] for row in Run(run).metrics()] == [1, 2]
    assert {"train_loss", "val_loss", "train_gradient_prediction", "train_gradient_target"} <= Run(run).metrics()[
        0
    ].keys()


@pytest.mark.usefixtures("unjudged")
def test_two_runs_are_bit_identical(track: Path, home: Path) -> None:
    one, other = (train("toy-conv", data=track, epochs=2, noise=0.1, **SMALL) for _ in range(2))
    assert same(tensors(one), tensors(other))


@pytest.fixture(scope="module")
def uninterrupted(track: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Trains a model, or gives the run that it has already made with these options."""
    made: dict[str, Path] = {}

    def run(model: str, **options: object) -> Path:
        key = f"{model} {options}"
        if key not in made:
            with pytest.MonkeyPatch.context() as patch:
                judge_nothing(patch)
                made[key] = train(model, data=track, out=tmp_path_factory.mktemp("whole") / "run", **options)
        return made[key]

    return run


@pytest.mark.usefixtures("unjudged")
@pytest.mark.parametrize("model", ["toy-conv", "toy-two-phase"])
@pytest.mark.parametrize("updates", [1, 3, 4, 6])
@pytest.mark.parametrize("extra", [{}, {"ema": 0.9, "schedule": "plateau", "accumulate": 2}], ids=["plain", "ema"])
def test_a_stopped_and_resumed_run_equals_the_uninterrupted_one(
    track: Path, home: Path, uninterrupted: Callable[..., Path], model: str, updates: int, extra: dict[str, object]
) -> None:
    options = {**SMALL, **extra, "epochs": 3}
    if model == "toy-conv":
        options["noise"] = 0.1
    whole = uninterrupted(model, **options)
    updates = min(updates, Run(whole).metrics()[-1]["step"] - 1)
    stop = StopRequest()
    with pytest.raises(Stopped) as stopped:
        train(model, data=track, out="broken", stop=stop, reporter=StopAfter(stop, updates), **options)
    assert stopped.value.exit_code == 143
    assert not Run("broken").finished
    resumed = train(resume="broken")
    for name in ("last.safetensors", "weights.safetensors"):
        assert same(tensors(whole, name), tensors(resumed, name))
    untimed = [
        [
            {k: v for k, v in row.items() if k not in ("seconds", "cpu_seconds", "peak_memory_bytes")}
            for row in Run(run).metrics()
        ]
        for run in (whole, resumed)
    ]
    assert untimed[0] == untimed[1]


@pytest.mark.usefixtures("unjudged")
def test_phases_train_only_what_they_name_on_their_own_schedule(track: Path, home: Path) -> None:
    run = train("toy-two-phase", data=track, epochs=4, every=2, schedule="none", **SMALL)
    row = Run(run).metrics()[-1]
    assert {"train_judge_loss", "train_painter_loss", "train_painter_error", "val_loss"} <= row.keys()
    assert row["lr"] < 4e-3 * 0.5, "the judge's own schedule falls to 0 while --schedule none stays"
    assert ToyTwoPhase().default_loss is None


@pytest.mark.usefixtures("unjudged")
def test_every_counts_updates_whatever_the_accumulation(track: Path, home: Path) -> None:
    run = train("toy-two-phase", data=track, epochs=1, every=2, **{**SMALL, "accumulate": 2, "batch_size": 2})
    torch.manual_seed(0)
    fresh = ToyTwoPhase()
    assert not torch.equal(tensors(run)["painter.weight"], fresh.state_dict()["painter.weight"])


@pytest.mark.usefixtures("unjudged")
def test_accumulation_equals_one_larger_batch(track: Path, home: Path) -> None:
    large = train("toy-conv", data=track, epochs=1, **{**SMALL, "batch_size": 6})
    parts = train("toy-conv", data=track, epochs=1, **{**SMALL, "batch_size": 2, "accumulate": 3})
    for name, value in tensors(large).items():
        torch.testing.assert_close(tensors(parts)[name], value, rtol=1e-4, atol=1e-6)


def test_a_loss_for_a_model_with_its_own_is_refused(track: Path, home: Path) -> None:
    with pytest.raises(OptionError, match="own objective"):
        train("toy-two-phase", data=track, loss="mae")


@pytest.mark.usefixtures("unjudged")
def test_a_finished_run_is_left_alone(track: Path, home: Path) -> None:
    run = train("toy-conv", data=track, epochs=1, **SMALL)
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    assert train(resume=run) == run
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*")} == before


@pytest.mark.usefixtures("unjudged")
def test_other_options_are_refused_when_resuming(track: Path, home: Path) -> None:
    run = train("toy-conv", data=track, epochs=1, **SMALL)
    with pytest.raises(OptionError, match="--epochs: 1 → 2"):
        train("toy-conv", resume=run, epochs=2)
    assert train("toy-conv", resume=run, epochs=1, workers=1) == run


@pytest.mark.usefixtures("unjudged")
def test_auto_starts_then_goes_on(track: Path, home: Path) -> None:
    options = {**SMALL, "data": track, "epochs": 1, "out": "here", "resume": "auto"}
    assert train("toy-conv", **options) == train("toy-conv", **options) == Path("here")


def test_a_damaged_checkpoint_is_passed_over(track: Path, home: Path) -> None:
    stop = StopRequest()
    options = {**SMALL, "epochs": 3, "checkpoint_every": 1}
    whole = train("toy-conv", data=track, **options)
    with pytest.raises(Stopped):
        train("toy-conv", data=track, out="broken", stop=stop, reporter=StopAfter(stop, 4), **options)
    newest = sorted(Path("broken/state").iterdir())[-1]
    file = newest / "model.safetensors"
    content = bytearray(file.read_bytes())
    content[-3] ^= 1
    file.write_bytes(content)
    state, damaged = Run("broken").load_state()
    assert damaged == [newest.name]
    assert state is not None
    assert state.step == 3
    assert same(tensors(whole), tensors(train(resume="broken")))


@pytest.mark.usefixtures("unjudged")
def test_changed_weights_are_noticed(track: Path, home: Path) -> None:
    run = train("toy-conv", data=track, epochs=1, **SMALL)
    file = run / "weights.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(RunError, match="hash"):
        load_run(run)


@pytest.mark.usefixtures("unjudged")
def test_changed_data_are_noticed(track: Path, home: Path) -> None:
    run = train("toy-conv", data=track, epochs=1, **SMALL)
    (run / "test_results.json").unlink()
    config = json.loads((run / "config.json").read_text())
    config["data"]["hash"] = "0" * 64
    (run / "config.json").write_text(json.dumps(config))
    with pytest.raises(RunError, match="data have changed"):
        train(resume=run)


def test_a_diverged_training_stops_before_anything_is_saved(track: Path, home: Path) -> None:
    with pytest.raises(Diverged) as error:
        train("toy-conv", data=track, out="wild", epochs=50, lr=1e30, clip=0, **SMALL)
    assert error.value.exit_code == 3
    run = Run("wild")
    state, _ = run.load_state()
    if state is not None:
        loaded, _ = weights.unpack(state.files["model.safetensors"], source="state")
        assert all(value.isfinite().all() for value in loaded.values())


@pytest.mark.usefixtures("unjudged")
def test_early_stopping_ends_the_training(track: Path, home: Path) -> None:
    run = train("toy-conv", data=track, epochs=200, lr=0.5, early_stopping=2, **SMALL)
    rows = Run(run).metrics()
    best = min(range(len(rows)), key=lambda index: rows[index]["val_loss"])
    assert len(rows) == best + 3 < 200


@pytest.mark.usefixtures("unjudged")
@pytest.mark.parametrize("schedule", ["cosine", "warm-restarts", "plateau", "exponential", "none"])
def test_every_schedule_trains(track: Path, home: Path, schedule: str) -> None:
    run = train("toy-conv", data=track, epochs=2, schedule=schedule, **SMALL)
    assert math.isfinite(Run(run).metrics()[-1]["val_loss"])


@pytest.mark.usefixtures("unjudged")
def test_bf16_trains_and_fp16_says_that_it_needs_a_gpu(track: Path, home: Path) -> None:
    run = train("toy-conv", data=track, epochs=1, precision="bf16", **SMALL)
    assert math.isfinite(Run(run).metrics()[-1]["val_loss"])
    if not torch.cuda.is_available():
        with pytest.raises(OptionError, match="bf16"):
            train("toy-conv", data=track, epochs=1, precision="fp16", **SMALL)


def test_out_of_memory_names_the_options_that_help(track: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forward(self: ToyConv, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        raise RuntimeError("CUDA out of memory.")

    monkeypatch.setattr(ToyConv, "forward", forward)
    with pytest.raises(RunError, match="--batch-size 2 --accumulate 2"):
        train("toy-conv", data=track, epochs=1, **SMALL)


def test_a_directory_with_something_in_it_is_left_alone(track: Path, home: Path) -> None:
    Path("full").mkdir()
    Path("full/precious.txt").write_text("keep")
    with pytest.raises(RunError, match="not empty"):
        train("toy-conv", data=track, out="full", epochs=1, **SMALL)
    assert [path.name for path in Path("full").iterdir()] == ["precious.txt"]


def test_bad_data_leave_no_run_behind(home: Path) -> None:
    Path("bad.h5").write_bytes(b"no HDF5")
    with pytest.raises(DataError):
        train("toy-conv", data="bad.h5", epochs=1)
    assert [path.name for path in home.iterdir()] == ["bad.h5"]

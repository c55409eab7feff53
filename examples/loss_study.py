"""Which loss gives the best predictions of the front? One command: python examples/loss_study.py [--out loss-study].

Generates tracks, then trains in three stages, and stops with tables:

1. screening: every loss once, short, cnn-lstm. Only to choose from; says nothing final.
2. tuning: mse and the four best of the screening, with several weights and learning rates, cnn-lstm, judged on
   validation tracks.
3. the study: mse and those four as tuned, cnn-lstm and predrnn, three seeds, longer, judged on test tracks.

The primary metric, named before anything was trained: MSE of the active cells. Test tracks are whole tracks, and are
seen in the third stage only. Losses are compared with mse track by track: an exact sign-flip test of the mean
difference over the tracks (seeds averaged), with Holm's correction over the losses of one network. Everything finished
is kept: a study that was stopped goes on when the command is given again, and counts the minutes of all its sittings.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from lasernet.atomic import write_bytes
from lasernet.metrics.paired import holm, sign_flip
from lasernet.run import VAL_RESULTS, Run

TRACKS = (
    "--cases 16 --cells 72,24,20 --spacing 4e-6 --frames 18 --power 35:60 --speed 0.5:1.2 "
    "--grain-size 14e-6:30e-6 --seed 7"
)
SPLIT = ("--split-by", "case", "--split-ratio", "5,3,8", "--plane", "xz")
PLAIN = (
    "mse",
    "mae",
    "huber",
    "smooth-l1",
    "charbonnier",
    "solidification",
    "combined",
    "gradient-weighted",
    "sharpness",
)
ADDED = {  # to mse, with the weight of the screening
    "gradient": 0.1,
    "total-variation": 0.01,
    "ssim": 0.1,
    "spectral": 0.01,
    "perceptual": 0.1,
    "palette": 0.1,
}
NETWORKS = {  # half as wide as by default: more updates in the same time
    "cnn-lstm": ("--hidden", "32", "--channels", "8,16,32"),
    "predrnn": ("--hidden", "32", "--channels", "8,16,32", "--rnn-layers", "2"),
}
SCREENING_EPOCHS, TUNING_EPOCHS, EPOCHS = 1, 2, {"cnn-lstm": 4, "predrnn": 3}
FACTORS, RATES, DEFAULT_RATE = (0.3, 1.0, 3.0), (1e-3, 3e-3, 6e-3), 3e-3
SEEDS, BEST = (0, 1, 2), 4


@dataclass(frozen=True)
class Trial:
    """One training: where it lies, and what was asked."""

    stage: str
    model: str
    loss: str
    rate: float
    epochs: int
    seed: int = 0

    @property
    def name(self) -> str:
        """Of its run directory."""
        plain = self.loss.replace("*", "x").replace("+", "_")
        return f"{self.stage}/{self.model}-{plain}-lr{self.rate:g}-{self.seed}"

    def words(self, data: Path) -> list[str]:
        """The words of ``lasernet train``."""
        options = {
            "--loss": self.loss, "--lr": self.rate, "--epochs": self.epochs, "--seed": self.seed, "--threads": 1,
            "--batch-size": 8, "--judge-on": "val",
        }  # fmt: skip
        shared = [str(word) for pair in options.items() for word in pair]
        return ["train", self.model, *NETWORKS[self.model], "--data", str(data), *SPLIT, *shared, "--no-baselines"]


class Study:
    """Runs in a folder, made once."""

    def __init__(self, folder: Path, jobs: int) -> None:
        self.folder, self.jobs = folder, jobs
        self.data = folder / "tracks.h5"

    def prepare(self) -> None:
        """Generate the tracks."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self.data.is_file():
            _lasernet(["data", "generate", "laser", *TRACKS.split(), "--out", str(self.data)])

    def train(self, trials: Iterable[Trial]) -> None:
        """Train what is not there yet, ``jobs`` at a time."""
        wanted = [trial for trial in dict.fromkeys(trials) if not self.finished(trial)]
        with ThreadPoolExecutor(self.jobs) as pool:
            list(pool.map(self._train, wanted))

    def finished(self, trial: Trial) -> bool:
        """Whether a run has ended."""
        return Run(self.folder / trial.name).finished if (self.folder / trial.name).is_dir() else False

    def _train(self, trial: Trial) -> None:
        _lasernet([*trial.words(self.data), "--out", str(self.folder / trial.name), "--resume", "auto"])
        print(trial.name, flush=True)

    def tested(self, trial: Trial, *, baselines: bool = False) -> dict[str, Any]:
        """The result of ``eval`` on the test tracks, kept beside the run."""
        kept = self.folder / trial.name / f"tested{'-with-baselines' if baselines else ''}.json"
        if not kept.is_file():
            words = ["eval", str(kept.parent), *([] if baselines else ["--no-baselines"])]
            write_bytes(kept, _lasernet(words).encode())
        found: dict[str, Any] = json.loads(kept.read_text())
        return found

    def validation(self, trial: Trial) -> float:
        """Active MSE on validation tracks, as training's end measured it."""
        found = json.loads((self.folder / trial.name / VAL_RESULTS).read_text())
        return float(found["metrics"]["active"]["mse"])

    def late_gain(self, trial: Trial) -> float:
        """By which share the loss on validation tracks sank in the last quarter of a run's epochs."""
        losses = [row["val_loss"] for row in Run(self.folder / trial.name).metrics()]
        return float(1 - min(losses) / min(losses[: -max(1, len(losses) // 4)]))


def _lasernet(words: Sequence[str]) -> str:
    alone = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "lasernet", *words]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=alone).stdout


def expression(loss: str, factor: float = 1.0) -> str:
    """A loss by name as ``--loss`` takes it; those that do not see everything are added to mse."""
    return f"mse+{ADDED[loss] * factor:g}*{loss}" if loss in ADDED else loss


def screen(study: Study) -> list[tuple[str, float]]:
    """Every loss, short, from the best on."""
    every = (*PLAIN, *ADDED)
    trials = {loss: Trial("screening", "cnn-lstm", expression(loss), DEFAULT_RATE, SCREENING_EPOCHS) for loss in every}
    study.train(trials.values())
    return sorted(((loss, study.validation(trial)) for loss, trial in trials.items()), key=lambda pair: pair[1])


def tune(study: Study, losses: Sequence[str]) -> dict[str, list[tuple[Trial, float]]]:
    """Weights at the default rate, then rates at the best weight; the best trial of each loss first."""
    found: dict[str, list[tuple[Trial, float]]] = {}
    first = {
        loss: [
            Trial("tuning", "cnn-lstm", expression(loss, factor), DEFAULT_RATE, TUNING_EPOCHS)
            for factor in (FACTORS if loss in ADDED else (1.0,))
        ]
        for loss in losses
    }
    study.train(itertools.chain.from_iterable(first.values()))
    second = {}
    for loss, trials in first.items():
        best = min(trials, key=study.validation)
        second[loss] = [Trial("tuning", "cnn-lstm", best.loss, rate, TUNING_EPOCHS) for rate in RATES]
    study.train(itertools.chain.from_iterable(second.values()))
    for loss in losses:
        trials = list(dict.fromkeys([*first[loss], *second[loss]]))
        found[loss] = sorted(((trial, study.validation(trial)) for trial in trials), key=lambda pair: pair[1])
    return found


def final(study: Study, tuned: Mapping[str, Trial]) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """Test results of three seeds by network and loss."""
    trials = {
        (model, loss): [Trial("study", model, trial.loss, trial.rate, epochs, seed) for seed in SEEDS]
        for model, epochs in EPOCHS.items()
        for loss, trial in tuned.items()
    }
    every = sorted(itertools.chain.from_iterable(trials.values()), key=lambda trial: trial.model, reverse=True)
    study.train(every)
    with ThreadPoolExecutor(study.jobs) as pool:
        list(pool.map(study.tested, every))
    return {
        key: [{**study.tested(trial), "late_gain": study.late_gain(trial)} for trial in runs]
        for key, runs in trials.items()
    }


def track_errors(results: Sequence[Mapping[str, Any]]) -> list[float]:
    """Active MSE of each test track, mean over seeds, weighted by the track's share of the active cells."""
    cases = list(results[0]["cases"])
    cells = [results[0]["cases"][case]["cells"]["active"] for case in cases]
    scale = len(cases) / sum(cells)
    return [
        scale * count * fmean(one["cases"][case]["mse"]["active"] for one in results)
        for case, count in zip(cases, cells, strict=True)
    ]


def compare(
    results: Mapping[tuple[str, str], Sequence[Mapping[str, Any]]], tuned: Mapping[str, Trial]
) -> list[dict[str, Any]]:
    """A row for each network and loss."""
    rows = []
    for model in EPOCHS:
        errors = {loss: track_errors(found) for (one, loss), found in results.items() if one == model}
        p = {
            loss: sign_flip([a - b for a, b in zip(own, errors["mse"], strict=True)])
            for loss, own in errors.items()
            if loss != "mse"
        }
        corrected = holm(p)
        for loss, own in errors.items():
            seeds = results[model, loss]
            mses = [one["metrics"]["active"]["mse"] for one in seeds]
            rows.append(
                {
                    "model": model, "loss": loss, "expression": tuned[loss].loss, "lr": tuned[loss].rate,
                    "active": fmean(mses), "lowest": min(mses), "highest": max(mses),
                    "change": fmean(own) / fmean(errors["mse"]) - 1, "p": p.get(loss), "holm": corrected.get(loss),
                    "all": fmean(one["metrics"]["all"]["mse"] for one in seeds),
                    "newly_solid": fmean(one["metrics"]["newly_solid"]["mse"] for one in seeds),
                    "ssim": fmean(one["metrics"]["active"]["ssim"] for one in seeds),
                    "boundary_f1": fmean(one["grains"]["metrics"]["active"]["f1_1"] for one in seeds),
                    "gradient_ratio": fmean(one["sharpness"]["metrics"]["active"]["gradient_ratio"] for one in seeds),
                    "late_gain": fmean(one["late_gain"] for one in seeds),
                    "coherence": fmean(one["sharpness"]["metrics"]["active"]["coherence"] for one in seeds),
                }
            )  # fmt: skip
    return rows


def main() -> None:
    """Run the stages, print and write what came out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("loss-study"))
    parser.add_argument("--jobs", type=int, default=2, help="trainings at a time")
    given = parser.parse_args()
    study = Study(given.out, given.jobs)
    with _clock(given.out / "minutes.json") as minutes:
        study.prepare()
        screening = screen(study)
        print(*screening, sep="\n", flush=True)
        chosen = ["mse", *[loss for loss, _ in screening if loss != "mse"][:BEST]]
        tuned = tune(study, chosen)
        best = {loss: trials[0][0] for loss, trials in tuned.items()}
        print(*best.values(), sep="\n", flush=True)
        results = final(study, best)
        plain = Trial("study", "cnn-lstm", "mse", best["mse"].rate, EPOCHS["cnn-lstm"])
        baselines = study.tested(plain, baselines=True)
    found = {
        "command": "python examples/loss_study.py",
        "commit": _commit(),
        "machine": f"{os.cpu_count()} cores {platform.machine()}, no GPU, shared",
        "tracks": f"lasernet data generate laser {TRACKS}",
        "data": {**baselines["data"], "file": study.data.name},
        "primary": "MSE of active cells",
        "jobs": given.jobs,
        "minutes": sum(minutes()),
        "screening": [{"loss": expression(loss), "val_active_mse": value} for loss, value in screening],
        "tuning": [
            {"loss": trial.loss, "lr": trial.rate, "val_active_mse": value}
            for trials in tuned.values()
            for trial, value in trials
        ],
        "baselines": baselines["baselines"],
        "rows": compare(results, best),
    }
    write_bytes(given.out / "loss_study.json", (json.dumps(found, indent=1) + "\n").encode())
    for row in found["rows"]:
        print({key: round(value, 5) if isinstance(value, float) else value for key, value in row.items()})


def _commit() -> str:
    """Of the code that ran; empty outside a repository."""
    found = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=Path(__file__).parent, stdout=subprocess.PIPE, text=True, check=False
    )
    return found.stdout.strip()


@contextmanager
def _clock(file: Path) -> Iterator[Callable[[], list[float]]]:
    """Keep the minutes of each sitting, also of one that is stopped or fails; gives a reader of the list."""
    file.parent.mkdir(parents=True, exist_ok=True)
    earlier: list[float] = json.loads(file.read_text()) if file.is_file() else []
    started = time.monotonic()

    def sittings() -> list[float]:
        return [*earlier, (time.monotonic() - started) / 60]

    try:
        yield sittings
    finally:
        write_bytes(file, json.dumps(sittings()).encode())


if __name__ == "__main__":
    main()

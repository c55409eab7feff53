"""Leave tracks out: python benchmarks/held_out_tracks.py F1.h5 … F8.h5 [--only NAME …] [--jobs 2].

Eight imported tracks; each model is trained on six of them and tested, whole, on the other two, for all four pairs of
neighbors in the order given. Everything of the six is used for training: no validation, the last weights are judged.
Writes results/held_out_tracks.json with the configurations that all four pairs have; finished runs in .bench/held-out/
are kept and reused.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from campaign import ROOT, Campaign, origin

RESULTS = ROOT / "results" / "held_out_tracks.json"
EPOCHS = ("--epochs", "3")
BRIEF = ("--epochs", "1", "--members", "1", "--no-baselines")  # of what is left out one by one
HALF = ("--hidden", "32", "--channels", "8,16,32", "--epochs", "1", "--batch-size", "8", "--no-baselines")
CONFIGS = {  # in the order in which they are trained
    "grain-front": ("grain-front", *EPOCHS),
    "cnn-lstm": ("cnn-lstm", *HALF),
    "brief": ("grain-front", *BRIEF),
    "predrnn": ("predrnn", *HALF, "--rnn-layers", "2"),
    "brief, one slice": ("grain-front", *BRIEF, "--slices", "1"),
    "brief, no votes of neighbors on freezing": ("grain-front", *BRIEF, "--no-neighbor-gate"),
    "brief, no interface temperature, no history": ("grain-front", *BRIEF, "--no-interface", "--no-history"),
    "brief, no bias of offsets": ("grain-front", *BRIEF, "--no-offset-bias"),
    "brief, no distance": ("grain-front", *BRIEF, "--no-distance"),
    "brief, no arrival of fronts": ("grain-front", *BRIEF, "--no-arrival"),
    "simvp": ("simvp", "--epochs", "1", "--batch-size", "8", "--no-baselines"),
    "grain-front, one slice": ("grain-front", *EPOCHS, "--slices", "1", "--no-baselines"),
}  # fmt: skip
SHARP = ("grain-front", "grain-front, one slice")
SEED = 0
KEPT = ("metrics", "baselines", "cases", "gate", "grains", "cost")


def folds(files: Sequence[Path]) -> list[list[Path]]:
    """The files in four orders, in each of which another pair comes last."""
    pairs = [files[start : start + 2] for start in range(0, 8, 2)]
    return [[file for other in pairs if other != pair for file in other] + list(pair) for pair in pairs]


def campaign(files: Sequence[Path], number: int) -> Campaign:
    """All trainings of one fold."""
    data = [word for file in folds(files)[number] for word in ("--data", str(file))]
    words = (*data, "--split-by", "case", "--split-ratio", "6,0,2", "--plane", "xz")
    return Campaign(ROOT / ".bench" / "held-out" / str(number), CONFIGS, words)


def main() -> None:
    """Train what is missing, evaluate everything, write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", type=Path, nargs=8, metavar="F.h5")
    parser.add_argument("--only", action="append", help="configurations to train now")
    parser.add_argument("--jobs", type=int, default=2)
    given = parser.parse_args()
    files = [file.resolve() for file in given.files]
    every = [campaign(files, number) for number in range(4)]
    for name in given.only or CONFIGS:
        jobs = [(one, name) for one in every]
        _train(jobs, given.jobs)
    complete = [name for name in CONFIGS if all(one.finished(name, SEED) for one in every)]
    if complete[:1] == ["grain-front"]:  # whose runs have the baselines
        RESULTS.write_text(json.dumps(collect(every, complete), indent=1) + "\n")
        print(RESULTS)


def _train(jobs: Sequence[tuple[Campaign, str]], count: int) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(count) as pool:
        list(pool.map(lambda job: job[0].train([(job[1], SEED)], jobs=1), jobs))


def collect(every: Sequence[Campaign], names: Sequence[str]) -> dict[str, Any]:
    """Everything that the tables need of some configurations, and what one needs to make it again."""
    rows: list[dict[str, Any]] = []
    data = []
    for name in names:
        for number, one in enumerate(every):
            path = one.path(name, SEED)
            test = json.loads((path / "test_results.json").read_text())
            described = one.describe(name, SEED)
            words = described["command"].split()
            described["command"] = " ".join(Path(word).name if word.endswith(".h5") else word for word in words)
            rows.append({**described, "fold": number, **{key: test[key] for key in KEPT if key in test}})
            if name in SHARP:
                rows[-1]["sharp"] = sharp_scores(path)
            if len(data) <= number:
                files = [Path(file).name for file in test["data"]["file"].split(", ")]
                data.append({"test": files[-2:], **{key: test["data"][key] for key in ("hash", "split_hash")}})
            print(name, number, test["metrics"]["active"]["mse"])
    return {**origin("python benchmarks/held_out_tracks.py dev01.h5 … dev08.h5"), "folds": data, "rows": rows}


def sharp_scores(path: Path) -> dict[str, Any]:
    """Errors of a run's sharp answers on its test tracks, without baselines, which are those of the soft ones."""
    from lasernet.engine.loaded import data_files, load_run, open_data

    loaded = load_run(path).asked_for(sharp=True)
    data = open_data(loaded.task, data_files(loaded.run), loaded.run.config["data"]["options"], loaded.model.inputs)
    report = loaded.task.judge(loaded, {}, data, "test").report()
    return {key: report[key] for key in ("metrics", "cases", "grains")}


if __name__ == "__main__":
    main()

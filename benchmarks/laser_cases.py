"""Predictors trained on generated tracks and tested on tracks held out whole: python benchmarks/laser_cases.py.

Generates the tracks into .bench/, trains every configuration with every seed, joins cascades of them, evaluates all on
the test cases and writes results/laser_cases.json. What is finished is kept and reused. With ``--transfer F.h5 …``
the same runs are evaluated, untouched, on those files instead (imported tracks of another simulation), into
results/laser_transfer.json.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from campaign import ROOT, SEEDS, Campaign, origin

RUNS = ROOT / ".bench"
DATA = RUNS / "laser-cases.h5"
GENERATE = (
    "data generate laser --cases 34 --power 35:60 --speed 0.5:1.2 --grain-size 12e-6:30e-6 --power-noise 0.1 --seed 0"
)
SPLIT = ("--data", str(DATA.relative_to(ROOT)), "--split-by", "case", "--split-ratio", "22,4,8", "--plane", "xz")
NETWORKS = {
    "cnn-lstm": ("cnn-lstm", "--epochs", "1"),
    "predrnn": ("predrnn", "--epochs", "1"),
    "tempnet": ("tempnet", "--epochs", "1"),
}
TRAININGS = (  # the longest first
    *((name, seed) for seed in SEEDS for name in ("predrnn", "cnn-lstm")),
    ("tempnet", 0),
)
PARTS = {"cascade of cnn-lstm": "cnn-lstm", "cascade of predrnn": "predrnn"}


def networks() -> Campaign:
    """The trainings."""
    return Campaign(RUNS / "laser-cases", NETWORKS, SPLIT)


def cascades() -> Campaign:
    """The cascades of the runs of the first seed."""
    parts = {
        name: (
            "cascade", "--temperature", str(networks().path("tempnet", 0).relative_to(ROOT)),
            "--microstructure", str(networks().path(part, 0).relative_to(ROOT)),
        )
        for name, part in PARTS.items()
    }  # fmt: skip
    return Campaign(RUNS / "laser-cases", parts, SPLIT)


def main() -> None:
    """Make what is missing, evaluate everything, write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--transfer", type=Path, nargs="+", metavar="F.h5")
    given = parser.parse_args()
    if given.transfer:
        write("laser_transfer", transfer(given.transfer))
        return
    if not DATA.is_file():
        subprocess.run([sys.executable, "-m", "lasernet", *GENERATE.split(), "--out", str(DATA)], check=True, cwd=ROOT)
    networks().train(TRAININGS, jobs=given.jobs)
    cascades().train([(name, 0) for name in PARTS], jobs=given.jobs)
    if all(campaign.finished(name, seed) for campaign, name, seed in every_run()):
        write("laser_cases", collect())


def every_run() -> list[tuple[Campaign, str, int]]:
    """All runs of the table: campaign, name, seed."""
    trained = [(networks(), name, seed) for name, seed in TRAININGS]
    return trained + [(cascades(), name, 0) for name in PARTS]


def collect() -> dict[str, Any]:
    """Everything that the table needs, and what one needs to make it again."""
    rows, tests = [], {}
    for campaign, name, seed in every_run():
        test = json.loads((campaign.path(name, seed) / "test_results.json").read_text())
        tests[test["task"]] = test
        kept = ("task", "metrics", "skill", "items", "melt_pool", "grains", "cost")
        rows.append(campaign.describe(name, seed) | {key: test[key] for key in kept if key in test})
    return {
        **origin("python benchmarks/laser_cases.py"),
        "generate": f"lasernet {GENERATE}",
        "data": named(tests["microstructure"]["data"]),
        "intervals": tests["microstructure"]["intervals"],
        "baselines": {task: test["baselines"] for task, test in tests.items()},
        "baselines_melt_pool": tests["temperature"]["melt_pool"]["baselines"],
        "baselines_grains": tests["microstructure"].get("grains", {}).get("baselines"),
        "rows": rows,
    }


def transfer(files: list[Path]) -> dict[str, Any]:
    """The runs as they are, on every frame of other tracks."""
    from lasernet import evaluate

    rows, tests = [], {}
    for campaign, name, seed in every_run():
        if seed != SEEDS[0]:
            continue
        test = evaluate(campaign.path(name, seed), data=files, split="all")
        tests[test["task"]] = test
        rows.append(campaign.describe(name, seed) | {key: test[key] for key in ("task", "metrics", "skill", "items")})
        print(name, seed, test["metrics"]["active"]["mse"])
    return {
        **origin("python benchmarks/laser_cases.py --transfer " + " ".join(file.name for file in files)),
        "data": named(tests["microstructure"]["data"]),
        "intervals": tests["microstructure"]["intervals"],
        "baselines": {task: test["baselines"] for task, test in tests.items()},
        "rows": rows,
    }


def named(data: dict[str, Any]) -> dict[str, Any]:
    """What a results file says of the data: names of files instead of places."""
    return data | {"file": ", ".join(Path(file).name for file in data["file"].split(", "))}


def write(name: str, found: dict[str, Any]) -> None:
    """Write a results file."""
    path = ROOT / "results" / f"{name}.json"
    path.write_text(json.dumps(found, indent=1) + "\n")
    print(path)


if __name__ == "__main__":
    main()

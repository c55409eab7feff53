"""The table of frame predictors on the bundled laser track: python benchmarks/laser_track.py [--only NAME] [--jobs 2].

Trains every configuration with every seed into .bench/, evaluates it on the test frames (and on the validation
frames, which decided between defaults), and writes results/laser_track.json. Finished runs are kept and reused.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "results" / "laser_track.json"
RUNS = ROOT / ".bench"
SEEDS = (0, 1, 2)
CONFIGS: dict[str, tuple[str, ...]] = {
    "predrnn": ("predrnn",),
    "cnn-lstm": ("cnn-lstm",),
    "cnn-lstm, nearest color from the volume": ("cnn-lstm", "--copy-from", "volume"),
    "predrnn, ungated": ("predrnn", "--no-residual", "--epochs", "60"),
    "cnn-lstm, ungated": ("cnn-lstm", "--no-residual", "--epochs", "100"),
}
TUNING_HOURS = 0.6  # of one core, on training and validation frames only, before this table


def main() -> None:
    """Train what is missing, evaluate everything, write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", action="append", help="configurations to train now; the file needs all")
    parser.add_argument("--jobs", type=int, default=2)
    given = parser.parse_args()
    wanted = [(name, seed) for seed in SEEDS for name in given.only or CONFIGS]
    with ThreadPoolExecutor(given.jobs) as pool:
        list(pool.map(lambda job: train(*job), wanted))
    if all(finished(name, seed) for name in CONFIGS for seed in SEEDS):
        RESULTS.write_text(json.dumps(collect(), indent=1) + "\n")
        print(RESULTS)


def run_path(name: str, seed: int) -> Path:
    """Where a configuration's run with a seed lies."""
    return RUNS / f"{name.replace(', ', '-').replace(' ', '-')}-{seed}"


def finished(name: str, seed: int) -> bool:
    """Whether that run has its test results."""
    return (run_path(name, seed) / "test_results.json").is_file()


def command(name: str, seed: int) -> list[str]:
    """The command line of a run, without the place where it is written."""
    return ["train", *CONFIGS[name], "--plane", "xz", "--seed", str(seed), "--threads", "1"]


def train(name: str, seed: int) -> None:
    """Train one configuration, or go on with it."""
    words = [*command(name, seed), "--out", str(run_path(name, seed)), "--resume", "auto"]
    subprocess.run([sys.executable, "-m", "lasernet", *words], check=True, stdout=subprocess.DEVNULL)


def collect() -> dict[str, Any]:
    """Everything that the table needs, and what one needs to make it again."""
    from lasernet import evaluate
    from lasernet.engine.plan import config_hash
    from lasernet.run import Run

    rows = []
    for name in CONFIGS:
        for seed in SEEDS:
            path = run_path(name, seed)
            test, val = (evaluate(path, split=split) for split in ("test", "val"))
            rows.append(
                {
                    "name": name,
                    "seed": seed,
                    "command": "lasernet " + " ".join(command(name, seed)),
                    "config_hash": config_hash(Run(path).config),
                    "test": {key: test[key] for key in ("metrics", "skill", "items")},
                    "val": {key: val[key] for key in ("metrics", "items")},
                    "cost": test["cost"],
                }
            )
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True)
    return {
        "command": "python benchmarks/laser_track.py",
        "commit": commit.stdout.strip(),
        "machine": f"{os.cpu_count()} cores {platform.machine()}, no GPU, two trainings at a time, shared",
        "threads": 1,
        "data": test["data"],
        "intervals": test["intervals"],
        "tuning_hours": TUNING_HOURS,
        "baselines": test["baselines"],
        "baselines_val": val["baselines"],
        "rows": rows,
    }


if __name__ == "__main__":
    main()

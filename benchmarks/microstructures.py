"""The table of drawn microstructures: python benchmarks/microstructures.py [--only NAME].

Trains every configuration into .bench/ on the default Voronoi set, one after the other, evaluates it on the held-out
images and writes results/microstructures.json. Finished runs are kept and reused.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "results" / "microstructures.json"
RUNS = ROOT / ".bench"
SHORT = ("--preset", "cpu", "--epochs", "4")  # at most 20 minutes on two cores
CONFIGS: dict[str, tuple[str, ...]] = {
    "cells": ("--preset", "cpu"),
    "cells, short": SHORT,
    "cells, short, seed 1": (*SHORT, "--seed", "1"),
    "walls, short": (*SHORT, "--head", "walls"),
    "pixels, short": (*SHORT, "--head", "pixels"),
    "dcgan, short": ("--arch", "dcgan", "--n-critic", "1", "--max-steps", "600"),
}
SHARED = ("--num-processes", "2")


def main() -> None:
    """Train what is missing, then write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", action="append", help="configurations to train now; the file holds what is finished")
    for name in parser.parse_args().only or CONFIGS:
        train(name)
    RESULTS.write_text(json.dumps(collect(), indent=1) + "\n")
    print(RESULTS)


def run_path(name: str) -> Path:
    """Where a configuration's run lies."""
    return RUNS / f"wgan-{name.replace(', ', '-').replace(' ', '-')}"


def finished(name: str) -> bool:
    """Whether that run has its test results."""
    return (run_path(name) / "test_results.json").is_file()


def command(name: str) -> list[str]:
    """The command line of a run, without the place where it is written."""
    return ["train", "wgan", *CONFIGS[name], *SHARED]


def train(name: str) -> None:
    """Train one configuration, or go on with it."""
    words = [*command(name), "--out", str(run_path(name)), "--resume", "auto"]
    subprocess.run([sys.executable, "-m", "lasernet", *words], check=True, stdout=subprocess.DEVNULL)


def collect() -> dict[str, Any]:
    """Everything that the table needs, and what one needs to make it again."""
    from lasernet.engine.plan import config_hash
    from lasernet.run import Run
    from lasernet.viz.critic_tracking import rank_correlation

    rows = []
    for name in filter(finished, CONFIGS):
        run = Run(run_path(name))
        test = json.loads((run.path / "test_results.json").read_text())
        history = run.metrics()
        series = {
            key: np.array([row.get(key, np.nan) for row in history], dtype=float)
            for key in ("train_critic_loss", "train_critic_wasserstein", "val_chord_length")
        }
        rows.append(
            {
                "name": name,
                "command": "lasernet " + " ".join(command(name)),
                "config_hash": config_hash(run.config),
                "seed": run.config["training"]["seed"],
                "updates": history[-1]["step"],
                "metrics": test["metrics"],
                "cost": test["cost"],
                "rank_correlation": {
                    key: rank_correlation(series[key], series["val_chord_length"])
                    for key in ("train_critic_loss", "train_critic_wasserstein")
                },
                "epochs": len(history),
            }
        )
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True)
    return {
        "command": "python benchmarks/microstructures.py",
        "commit": commit.stdout.strip(),
        "machine": f"{os.cpu_count()} cores {platform.machine()}, no GPU, one training at a time, shared",
        "data": test["data"],
        "items": test["items"],
        "floor": test["baselines"]["real"],
        "rows": rows,
    }


if __name__ == "__main__":
    main()

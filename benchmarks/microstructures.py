"""The tables of drawn microstructures: python benchmarks/microstructures.py [--only NAME] [--boundaries F.h5].

Trains every configuration into .bench/ on the default Voronoi set, one after the other, evaluates it on the held-out
images and writes results/microstructures.json. With --boundaries it does the same with boundary maps of laser tracks
(docs/synthesis.md says how they are cut) and writes results/boundaries.json. Finished runs are kept and reused.
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
RESULTS = ROOT / "results"
RUNS = ROOT / ".bench"
SHORT = ("--preset", "cpu", "--epochs", "4")  # at most 20 minutes on two cores
CONFIGS: dict[str, tuple[str, ...]] = {
    "cells": ("--preset", "cpu"),
    "cells, untrained": ("--preset", "cpu", "--max-steps", "1"),  # the generator has its turn at the second update
    "cells, short, seed 1": (*SHORT, "--seed", "1"),
    "walls, short": (*SHORT, "--head", "walls"),
    "pixels, short": (*SHORT, "--head", "pixels"),
    "dcgan, short": ("--arch", "dcgan", "--n-critic", "1", "--max-steps", "600"),
}
BOUNDARIES: dict[str, tuple[str, ...]] = {"boundaries": ("--preset", "cpu", "--epochs", "3")}
SHARED = ("--num-processes", "2")


def main() -> None:
    """Train what is missing, then write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", action="append", help="configurations to train now; the file holds what is finished")
    parser.add_argument("--boundaries", type=Path, help="image set of boundary maps to train on instead")
    arguments = parser.parse_args()
    configs = BOUNDARIES if arguments.boundaries else CONFIGS
    for name in arguments.only or configs:
        train(name, configs[name], arguments.boundaries)
    results = RESULTS / ("boundaries.json" if arguments.boundaries else "microstructures.json")
    results.write_text(json.dumps(collect(configs), indent=1) + "\n")
    print(results)


def run_path(name: str) -> Path:
    """Where a configuration's run lies."""
    return RUNS / f"wgan-{name.replace(', ', '-').replace(' ', '-')}"


def finished(name: str) -> bool:
    """Whether that run has its test results."""
    return (run_path(name) / "test_results.json").is_file()


def command(options: tuple[str, ...], data: Path | None = None) -> list[str]:
    """The command line of a run, without the place where it is written."""
    return ["train", "wgan", *options, *SHARED, *(("--data", str(data)) if data else ())]


def train(name: str, options: tuple[str, ...], data: Path | None) -> None:
    """Train one configuration, or go on with it; a finished one is left alone."""
    words = [*command(options, data), "--out", str(run_path(name)), "--resume", "auto"]
    subprocess.run([sys.executable, "-m", "lasernet", *words], check=True, stdout=subprocess.DEVNULL)


def collect(configs: dict[str, tuple[str, ...]]) -> dict[str, Any]:
    """Everything that the table needs, and what one needs to make it again."""
    from lasernet.engine.plan import config_hash
    from lasernet.run import Run
    from lasernet.viz.critic_tracking import rank_correlation

    data = Path("boundaries.h5") if configs is BOUNDARIES else None
    rows = []
    for name in filter(finished, configs):
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
                "command": "lasernet " + " ".join(command(configs[name], data)),
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
        "machine": f"{os.cpu_count()} cores {platform.machine()}, no GPU, shared with other jobs",
        "data": test["data"],
        "items": test["items"],
        "floor": test["baselines"]["real"],
        "rows": rows,
    }


if __name__ == "__main__":
    main()

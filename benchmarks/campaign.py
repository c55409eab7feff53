"""Trainings that belong together: every configuration with every seed, kept in a folder and never repeated."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
SEEDS = (0, 1, 2)


@dataclass(frozen=True)
class Campaign:
    """Configurations and where their runs lie.

    Attributes:
        folder: of the runs.
        configs: name → words of ``lasernet train``.
        words: that all of them share; the seed and one thread are added.
        results: the file that a finished run has.
    """

    folder: Path
    configs: Mapping[str, tuple[str, ...]]
    words: tuple[str, ...]
    results: str = "test_results.json"

    def path(self, name: str, seed: int) -> Path:
        """Where a configuration's run with a seed lies."""
        plain = name.replace(", ", "-").replace(" ", "-").replace(":", "").replace("*", "x")
        return self.folder / f"{plain}-{seed}"

    def finished(self, name: str, seed: int) -> bool:
        """Whether that run has its results."""
        return (self.path(name, seed) / self.results).is_file()

    def command(self, name: str, seed: int) -> list[str]:
        """The words of a run after ``lasernet``, without the place where it is written."""
        return ["train", *self.configs[name], *self.words, "--seed", str(seed), "--threads", "1"]

    def train(self, wanted: Iterable[tuple[str, int]], *, jobs: int) -> None:
        """Train, or go on with, the named configurations and seeds; finished ones are left alone."""
        with ThreadPoolExecutor(jobs) as pool:
            list(pool.map(lambda job: self._train(*job), [job for job in wanted if not self.finished(*job)]))

    def _train(self, name: str, seed: int) -> None:
        words = [*self.command(name, seed), "--out", str(self.path(name, seed)), "--resume", "auto"]
        alone = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}  # numpy's threads know of no --threads
        subprocess.run(
            [sys.executable, "-m", "lasernet", *words], check=True, stdout=subprocess.DEVNULL, cwd=ROOT, env=alone
        )

    def describe(self, name: str, seed: int) -> dict[str, Any]:
        """Name, seed, command and configuration of a run, for a results file."""
        from lasernet.engine.plan import config_hash
        from lasernet.run import Run

        return {
            "name": name,
            "seed": seed,
            "command": "lasernet " + " ".join(self.command(name, seed)),
            "config_hash": config_hash(Run(self.path(name, seed)).config),
        }


def origin(command: str) -> dict[str, Any]:
    """What a results file says of itself: the command, the commit and the machine."""
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True)
    return {
        "command": command,
        "commit": commit.stdout.strip(),
        "machine": f"{os.cpu_count()} cores {platform.machine()}, no GPU, two trainings at a time, shared",
        "threads": 1,
    }

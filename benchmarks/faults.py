"""Kill trainings at random moments and see that every run resumes to the same bits: python benchmarks/faults.py

--kills trainings get SIGKILL and --terms get SIGTERM, half of each after the first checkpoint exists. Every run is then
resumed and its weights are compared, byte by byte, with those of an uninterrupted run. A training that had ended before
its signal came was not interrupted: it is reported as such, and another takes its place. With --more, the trials of
results/faults.json stay and only what is missing is added. Writes results/faults.json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "results" / "faults.json"
WORDS = (  # noqa: SIM905
    "train cnn-lstm --channels 4,8,8 --hidden 8 --dropout 0.1 --epochs 6 --batch-size 8 --checkpoint-every 5 "
    "--ema 0.9 --threads 1 --seed 3 --quiet"
).split()
FILES = ("weights.safetensors", "last.safetensors")


def start(place: Path) -> subprocess.Popen[bytes]:
    """Start, or go on with, the training in a directory."""
    words = [sys.executable, "-m", "lasernet", *WORDS, "--out", str(place), "--resume", "auto"]
    return subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def content(place: Path) -> list[bytes]:
    """The weights of a finished run."""
    return [(place / name).read_bytes() for name in FILES]


def trial(number: int, *, term: bool, seconds: float, folder: Path, expected: list[bytes]) -> dict[str, Any]:
    """One training with a signal at a random moment, resumed to its end."""
    rng = random.Random(number)
    place = folder / f"{'term' if term else 'kill'}-{number}"
    began = time.monotonic()
    process = start(place)
    if number % 2:  # while it trains: after the first checkpoint
        while process.poll() is None and not list(place.glob("state/step-*")):
            time.sleep(0.005)
        time.sleep(rng.uniform(0, 0.4 * seconds))
    else:
        time.sleep(rng.uniform(0, seconds))
    moment = time.monotonic()
    process.send_signal(signal.SIGTERM if term else signal.SIGKILL)
    _, messages = process.communicate()
    left = time.monotonic() - moment
    code = process.returncode
    steps = sorted(path.name for path in place.glob("state/step-*"))
    again = start(place)
    _, more = again.communicate()
    whole = again.returncode == 0 and content(place) == expected
    litter = [path.name for path in place.rglob("*") if path.name.endswith(".partial")]
    text = (messages + more).decode()
    row = {
        "signal": "TERM" if term else "KILL",
        "after_seconds": round(moment - began, 2),
        "exit_code": code,
        "seconds_to_leave": round(left, 2),
        "checkpoint": steps[-1] if steps else None,
        "resumed_identical": whole,
        "litter": litter,
        "traceback": "Traceback" in text,
    }
    shutil.rmtree(place, ignore_errors=True)
    return row


def main() -> None:
    """Run all trials and write what happened."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--terms", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--more", action="store_true")
    given = parser.parse_args()
    rows: list[dict[str, Any]] = json.loads(RESULTS.read_text())["rows"] if given.more else []
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True)
    folder = Path(tempfile.mkdtemp(prefix="lasernet-faults-"))
    began = time.monotonic()
    whole = start(folder / "whole")
    if whole.wait():
        raise SystemExit("the uninterrupted run failed")
    seconds = time.monotonic() - began
    expected = content(folder / "whole")
    with ThreadPoolExecutor(given.jobs) as pool:
        while jobs := missing(rows, kills=given.kills, terms=given.terms):
            done = pool.map(
                lambda job: trial(job[0], term=job[1], seconds=seconds, folder=folder, expected=expected), jobs
            )
            rows += [{**row, "commit": commit.stdout.strip()} for row in done]
    shutil.rmtree(folder)
    summary = {
        "command": "python benchmarks/faults.py",
        "training": "lasernet " + " ".join(WORDS),
        "commits": sorted({row["commit"] for row in rows}),
        "machine": f"{os.cpu_count()} cores {platform.machine()}, no GPU, two trainings at a time, shared",
        "uninterrupted_seconds": round(seconds, 1),
        "rows_summary": [summarize(name, [row for row in rows if row["signal"] == name]) for name in ("KILL", "TERM")],
        "rows": rows,
    }
    RESULTS.write_text(json.dumps(summary, indent=1) + "\n")
    print(json.dumps(summary["rows_summary"], indent=1))


def missing(rows: list[dict[str, Any]], *, kills: int, terms: int) -> list[tuple[int, bool]]:
    """Trials that are still to be made: (number, whether by TERM)."""
    jobs = []
    for name, wanted in (("KILL", kills), ("TERM", terms)):
        made = [row for row in rows if row["signal"] == name]
        interrupted = sum(row["exit_code"] != 0 for row in made)
        jobs += [(len(made) + index, name == "TERM") for index in range(max(0, wanted - interrupted))]
    return jobs


def summarize(name: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """One line of the table; what had ended before its signal proves nothing and is only counted."""
    hit = [row for row in rows if row["exit_code"] != 0]
    return {
        "signal": name,
        "interrupted": len(hit),
        "of these after a checkpoint": sum(row["checkpoint"] is not None for row in hit),
        "resumed, bits identical": sum(row["resumed_identical"] for row in hit),
        "tracebacks": sum(row["traceback"] for row in hit),
        "files left over": sum(len(row["litter"]) for row in hit),
        "slowest to leave (s)": max((row["seconds_to_leave"] for row in hit), default=None),
        "exit codes": ", ".join(map(str, sorted({row["exit_code"] for row in hit}))),
        "had ended before": len(rows) - len(hit),
    }


if __name__ == "__main__":
    main()

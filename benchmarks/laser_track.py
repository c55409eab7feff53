"""The table of frame predictors on the bundled laser track: python benchmarks/laser_track.py [--only NAME] [--jobs 2].

Trains every configuration with every seed into .bench/, evaluates it on the test frames (and on the validation
frames, which decided between defaults), and writes results/laser_track.json. Finished runs are kept and reused.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

from campaign import ROOT, SEEDS, Campaign, origin

RESULTS = ROOT / "results" / "laser_track.json"
RUNS = Campaign(
    ROOT / ".bench",
    {
        "predrnn": ("predrnn",),
        "cnn-lstm": ("cnn-lstm",),
        "cnn-lstm, nearest color from the volume": ("cnn-lstm", "--copy-from", "volume"),
        "predrnn, ungated": ("predrnn", "--no-residual", "--epochs", "60"),
        "cnn-lstm, ungated": ("cnn-lstm", "--no-residual", "--epochs", "100"),
    },
    ("--plane", "xz"),
)
TUNING_HOURS = 0.6  # of one core, on training and validation frames only, before this table


def main() -> None:
    """Train what is missing, evaluate everything, write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", action="append", help="configurations to train now; the file needs all")
    parser.add_argument("--jobs", type=int, default=2)
    given = parser.parse_args()
    RUNS.train([(name, seed) for seed in SEEDS for name in given.only or RUNS.configs], jobs=given.jobs)
    if all(RUNS.finished(name, seed) for name in RUNS.configs for seed in SEEDS):
        RESULTS.write_text(json.dumps(collect(), indent=1) + "\n")
        print(RESULTS)


def collect() -> dict[str, Any]:
    """Everything that the table needs, and what one needs to make it again."""
    from lasernet import evaluate

    rows = []
    for name in RUNS.configs:
        for seed in SEEDS:
            path = RUNS.path(name, seed)
            test, val = (evaluate(path, split=split) for split in ("test", "val"))
            rows.append(
                RUNS.describe(name, seed)
                | {
                    "test": {key: test[key] for key in ("metrics", "skill", "items")},
                    "val": {key: val[key] for key in ("metrics", "items")},
                    "cost": test["cost"],
                }
            )
    return {
        **origin("python benchmarks/laser_track.py"),
        "data": test["data"],
        "intervals": test["intervals"],
        "tuning_hours": TUNING_HOURS,
        "baselines": test["baselines"],
        "baselines_val": val["baselines"],
        "rows": rows,
    }


if __name__ == "__main__":
    main()

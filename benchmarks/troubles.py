"""What usual advice does to one training: python benchmarks/troubles.py. Writes results/troubles.json.

A cnn-lstm on the bundled track, changed in one thing at a time, two seeds each, judged on validation items. Losses
against noise and blur are left to examples/loss_study.py. Finished runs in .bench/troubles/ are kept and reused. Times
are of the processor, for other work may go on beside it.
"""

from __future__ import annotations

import json
from typing import Any

from campaign import ROOT, Campaign, origin

RESULTS = ROOT / "results" / "troubles.json"
SEEDS = (0, 1)
SHORT, LONG = "8", "24"
CONFIGS = {
    "as it is": (),
    "unstable: --lr 0.1 --warmup-steps 0 --clip 0": ("--lr", "0.1", "--warmup-steps", "0", "--clip", "0"),
    "unstable: --lr 0.1 --warmup-steps 0": ("--lr", "0.1", "--warmup-steps", "0"),
    "unstable: --lr 0.1 --clip 0": ("--lr", "0.1", "--clip", "0"),
    "unstable: --lr 0.03": ("--lr", "0.03"),
    f"overfitting: --epochs {LONG}": ("--epochs", LONG),
    f"overfitting: --epochs {LONG} --dropout 0.1": ("--epochs", LONG, "--dropout", "0.1"),
    f"overfitting: --epochs {LONG} --optimizer adamw --weight-decay 0.01": (
        "--epochs", LONG, "--optimizer", "adamw", "--weight-decay", "0.01",
    ),
    f"overfitting: --epochs {LONG} --hidden 32 --channels 8,16,32": (
        "--epochs", LONG, "--hidden", "32", "--channels", "8,16,32",
    ),
    "out of memory: --batch-size 4 --accumulate 4": ("--batch-size", "4", "--accumulate", "4"),
    "out of memory: --precision bf16": ("--precision", "bf16"),
    "out of memory: --seq-length 2": ("--seq-length", "2"),
    "slow: --crop-depth 0.5": ("--crop-depth", "0.5"),
    "slow: --hidden 32 --channels 8,16,32": ("--hidden", "32", "--channels", "8,16,32"),
}  # fmt: skip


def main() -> None:
    """Train what is missing, one at a time, and write the results."""
    configs = {name: ("cnn-lstm", *_merged(words)) for name, words in CONFIGS.items()}
    campaign = Campaign(ROOT / ".bench" / "troubles", configs, (), results="val_results.json")
    campaign.train([(name, seed) for name in configs for seed in SEEDS], jobs=1)
    rows: list[dict[str, Any]] = []
    for name in configs:
        for seed in SEEDS:
            found = json.loads((campaign.path(name, seed) / "val_results.json").read_text())
            kept = {key: found[key] for key in ("metrics", "sharpness", "cost")}
            losses = [
                json.loads(line) for line in (campaign.path(name, seed) / "metrics.jsonl").read_text().splitlines()
            ]
            kept["best_epoch"] = min(losses, key=lambda row: row["val_loss"])["epoch"]
            kept["epochs"] = len(losses)
            rows.append({**campaign.describe(name, seed), **kept})
    found = {**origin("python benchmarks/troubles.py"), "data": found["data"], "rows": rows}
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")
    print(RESULTS)


def _merged(words: tuple[str, ...]) -> tuple[str, ...]:
    """The shared words, without those that a configuration gives itself."""
    given = set(words[::2])
    pairs = [("--epochs", SHORT), ("--judge-on", "val")]
    shared = [word for pair in pairs if pair[0] not in given for word in pair]
    return (*words, *shared, "--no-baselines")


if __name__ == "__main__":
    main()

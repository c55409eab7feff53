"""Ship a finished run with the package: python benchmarks/bundle.py RUN.

Copies what answering needs into lasernet/models/bundled/<model>/ and writes the model card beside it.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PLACE = ROOT / "lasernet" / "models" / "bundled"
LARGEST = 3_000_000  # bytes
KEPT = ("metrics.jsonl", "test_results.json")
SHOWN = (
    ("boundary_fraction", "relative_error"),
    ("two_point", "rms_error"),
    ("chord_length", "wasserstein"),
    ("grains_strict", "mean_error"),
    ("grains_strict", "ks"),
    ("neighbors", "wasserstein"),
    ("two_sample", "auc"),
    ("memorization", "ratio"),
    ("conditioning", "r2"),
)


def main() -> None:
    """Copy the run that the command line names."""
    from lasernet import weights
    from lasernet.engine.loaded import load_run
    from lasernet.run import CONFIG, Run, dump_json

    run = Run(Path(sys.argv[1]))
    folder = PLACE / run.model_name
    folder.mkdir(parents=True, exist_ok=True)
    config = {**run.config}
    if any(name.startswith("/") for name in config["data"]["files"]):
        sys.exit(f"{run.path} was trained on {config['data']['files']}; expected data that every machine can make")
    tensors, notes = weights.read(run.path / "weights.safetensors")
    alone = load_run(run.path).model.only_learns
    content = weights.pack({name: value for name, value in tensors.items() if name.split(".")[0] not in alone}, notes)
    if len(content) > LARGEST:
        sys.exit(f"the weights have {len(content)} bytes; expected {LARGEST} at most")
    (folder / "weights.safetensors").write_bytes(content)
    (folder / CONFIG).write_text(dump_json(config) + "\n")
    for name in KEPT:
        shutil.copy(run.path / name, folder / name)
    results = json.loads((folder / "test_results.json").read_text())
    results["run"] = f"lasernet/models/bundled/{run.model_name}"
    (folder / "test_results.json").write_text(dump_json(results) + "\n")
    (folder / "MODEL_CARD.md").write_text(card(config, results, len(content)))
    load_run(folder)
    print(folder)


def command(config: dict[str, Any]) -> str:
    """The command line that trains this again: the options that are not the model's defaults."""
    from lasernet.engine.plan import make_config

    plain = make_config(config["model"]["name"], {}, task=config["task"])
    words = ["lasernet", "train", config["model"]["name"]]
    for section in ("model", "data", "training"):
        own = config[section]["options"] if section != "training" else config[section]
        usual = plain[section]["options"] if section != "training" else plain[section]
        for name, value in own.items():
            if value != usual[name]:
                words.append(f"--{name.replace('_', '-')} {value}")
    return " ".join(words)


def card(config: dict[str, Any], results: dict[str, Any], size: int) -> str:
    """What the weights are, where they come from, how good they are, and what they are not."""
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True)
    floor = results["baselines"].get("real", {})
    rows = [
        f"| {group}.{name} | {_number(results['metrics'][group][name])} | {_number(floor.get(group, {}).get(name))} |"
        for group, name in SHOWN
    ]
    cost, environment = results["cost"], config["environment"]
    return "\n".join(
        [
            f"# {config['model']['name']}: weights that ship with lasernet",
            "",
            "Draws periodic Poisson-Voronoi grain structures: 8-bit gray images of 64 x 64 pixels or more, 0 on grain",
            "boundaries, with 20 to 40 grains per 64 x 64 pixels.",
            "",
            f"- Made by `{command(config)}`, seed {config['training']['seed']}.",
            f"- Bundled at commit {commit.stdout[:10]}.",
            f"- Data: `lasernet data generate voronoi`, default preset, hash {config['data']['hash'][:12]}, split "
            f"{config['data']['split_hash'][:12]}: 10,000 images for training, 2,000 for choosing the epoch, 2,000 for "
            "the table.",
            f"- Trained in {cost['train_seconds'] / 60:.0f} minutes ({cost['train_cpu_seconds'] / 60:.0f} CPU minutes) "
            f"with {environment['threads']} threads on {environment['platform']}, no GPU, "
            f"torch {environment['packages']['torch']}.",
            f"- {size:,} bytes of safetensors: the averaged generator. The critic is not included.",
            "",
            f"| test, {results['items']:,} draws against as many held-out images | draws | real against real |",
            "| --- | ---: | ---: |",
            *rows,
            "",
            "All scores: `test_results.json`; what they mean: docs/metrics.md. Not for other textures, other gray",
            "profiles, or far fewer or more grains per area than in training: train on your own images for those.",
            "",
        ]
    )


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"


if __name__ == "__main__":
    main()

"""grain-front on a 316L track at full resolution: python benchmarks/full_track.py exaca_316l_full.npz [--jobs 2].

The file holds, on a grid of (x, y, z): ``temperature_decikelvin`` and ``grain_index`` (24 frames each), ``grain_ids``,
``ipf_table``, the coordinates and the times. The last three frames are tested, with the context inside the test split.
Writes results/full_track.json; finished runs in .bench/full-track/ are kept and reused.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from campaign import ROOT, SEEDS, Campaign, origin

from lasernet.data.layout import create_file

RESULTS = ROOT / "results" / "full_track.json"
FOLDER = ROOT / ".bench" / "full-track"
TRACK = FOLDER / "track.h5"
EPOCHS = ("--epochs", "40", "--ema", "0.98")
CONFIGS = {
    "one slice": ("grain-front", *EPOCHS, "--slices", "1", "--mirror-scan"),
    "three slices": ("grain-front", *EPOCHS),
}
KEPT = ("metrics", "skill", "baselines", "gate", "intervals", "cost")


def convert(source: Path) -> None:
    """The track in the layout of the toolkit."""
    found = np.load(source)
    table, ids = found["ipf_table"], found["grain_ids"]
    TRACK.parent.mkdir(parents=True, exist_ok=True)
    with create_file(TRACK, kind="laser") as file:
        case = file.add_case(
            "316l", x=found["x"], y=found["y"], z=found["z"], t=found["t"], material="316L", solidus=1696.5,
            liquidus=1723.0, front=(1663.0, 1723.0), scan_velocity=(0.8, 0.0, 0.0), ipf_key="exaca", group="316l",
            provenance={"source": source.name}, fields=("temperature", "ipf", "grain_id"),
        )  # fmt: skip
        for frame, grains in enumerate(found["grain_index"]):
            case.write_frame(
                frame,
                temperature=found["temperature_decikelvin"][frame].astype(np.float32) / 10,
                ipf=np.ascontiguousarray(np.moveaxis(table[grains], -1, 0)),
                grain_id=ids[grains].astype(np.int32),
            )


def main() -> None:
    """Train what is missing, evaluate everything, write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, metavar="F.npz")
    parser.add_argument("--jobs", type=int, default=2)
    given = parser.parse_args()
    if not TRACK.is_file():
        convert(given.file)
    campaign = Campaign(FOLDER, CONFIGS, ("--data", str(TRACK), "--windows", "inside"))
    campaign.train([(name, seed) for seed in SEEDS for name in CONFIGS], jobs=given.jobs)
    rows = []
    for name in CONFIGS:
        for seed in SEEDS:
            path = campaign.path(name, seed)
            test = json.loads((path / "test_results.json").read_text())
            described = campaign.describe(name, seed)
            described["command"] = described["command"].replace(str(TRACK), TRACK.name)
            kept = {key: test[key] for key in KEPT}
            rows.append({**described, **kept, "sharp": sharp_scores(path), "changed": changed_cells(path)})
            print(name, seed, test["skill"]["persistence"]["front"]["mse"], rows[-1]["changed"])
    data = {"file": TRACK.name, "hash": test["data"]["hash"], "split_hash": test["data"]["split_hash"]}
    command = "python benchmarks/full_track.py exaca_316l_full.npz"
    RESULTS.write_text(json.dumps({**origin(command), "data": data, "rows": rows}, indent=1) + "\n")
    print(RESULTS)


def sharp_scores(path: Path) -> Mapping[str, Any]:
    """Errors of a run's sharp answers, and their skill against persistence."""
    from lasernet import evaluate

    found = evaluate(path, sharp=True)
    return {"metrics": found["metrics"], "skill": {"persistence": found["skill"]["persistence"]}}


def changed_cells(path: Path) -> Mapping[str, int]:
    """Of the cells that are solid in frames t and t+1 of test items: how many, and how many a prediction changes."""
    import torch

    from lasernet.engine.loaded import data_files, load_run, open_data

    loaded = load_run(path)
    split = open_data(loaded.task, data_files(loaded.run), loaded.run.config["data"]["options"], loaded.model.inputs)
    items = split.split("test")
    counts = {"solid": 0, "changed": 0}
    for start in range(0, len(items), 16):
        batch = items.fetch(range(start, min(start + 16, len(items))))
        with torch.no_grad():
            answer = loaded.predict(batch)
        stays = (batch["mask"] & ~batch["molten"][:, -1] & ~batch["target_molten"])[:, 0]
        counts["solid"] += int(stays.sum())
        counts["changed"] += int(((answer != batch["ipf"][:, -1]).any(dim=1) & stays).sum())
    return counts


if __name__ == "__main__":
    main()

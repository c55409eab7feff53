"""Published U-Nets of resin flow (Jean, Broggi & Caglar 2025) as runs: their weights, scales and logs, and no code.

What a directory of theirs holds: ``log.json`` with the options of the network, and ``model.pt`` (the last epoch),
``best_model.pt`` (the best by validation) or both, each the ``state_dict`` of a predictor: the network, the factors of
its inputs and answers, and whether it was shown distances. A file that holds an object instead is refused.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lasernet import weights
from lasernet.engine.launch import available_cores, write_first_config
from lasernet.engine.loaded import build_model
from lasernet.engine.plan import environment, make_config
from lasernet.engine.published_log import read_log
from lasernet.engine.published_state import read_state
from lasernet.errors import DataError, OptionError
from lasernet.run import BEST, LAST, Run, claim_path, lock_directory

MODEL = "unet"
LOG = "log.json"
FILES = {BEST: ("best_model.pt", "model.pt"), LAST: ("model.pt", "best_model.pt")}  # of a run, in order of preference
DENSITY = 1250.0  # kg/m³, of the resin: published pressures are over it


def import_unet(directory: Path | str, out: Path | str, *, density: float = DENSITY) -> Path:
    """Turn a published model into a run directory, which ``eval`` and ``visualize`` take with data named.

    The run has ``--drive flux``, for that is what the published networks assume: a velocity network sees no length, so
    all its flows were driven at one mean velocity, and it answers in m/s whatever gradient, viscosity and spacing a
    batch states; a pressure network answers the whole pressure over the density, 0 at the outlet, for the viscosity of
    its training (0.5 Pa s), and grows with one over the length. Velocities are meant for the centers of cells; images
    had 256 × 256 cells and were not periodic. The scales are the largest values of the published training data.

    Args:
        out: the run directory, absent or empty.
        density: kg/m³, by which published pressures are multiplied to Pa.

    Raises:
        DataError: if a file is missing or damaged, holds more than tensors, or does not fit the network that the log
            describes.
        OptionError: if the density is no number above 0.
        RunError: if the log is no JSON, or ``out`` holds something already.
    """
    directory = Path(directory)
    if not 0 < density < math.inf:
        raise OptionError(f"--density {density:g}: expected a number above 0, in kg/m³")
    if not directory.is_dir():
        raise DataError(f"'{directory}' is no directory; expected one with {LOG} and model.pt; check the path")
    published = read_log(directory / LOG)
    sources = {name: next((directory / file for file in files if (directory / file).exists()), None)
               for name, files in FILES.items()}  # fmt: skip
    found = {name: read_state(file, published, density) for name, file in sources.items() if file is not None}
    if len(found) < len(FILES):
        raise DataError(
            f"'{directory}' has no model.pt and no best_model.pt; expected published weights; get them again"
        )
    shows = {distance for _, distance in found.values()}
    if len(shows) > 1:
        raise DataError(f"'{directory}': model.pt and best_model.pt are of two networks; expected one; get them again")
    options = {**published.network, "drive": "flux", "symmetries": False, "distance": shows.pop()}
    config = make_config(MODEL, {**published.training, **options}, task=published.task)
    model = build_model(MODEL, config["model"]["options"], task=published.task)
    packed = {}
    for name, (tensors, _) in found.items():
        model.load_state_dict(tensors)
        packed[name] = weights.pack(model.state_dict(), _notes(config))
    config["spec"] = {}
    config["data"] |= {"files": [], "hash": "", "split_hash": "", "items": {}}
    config["environment"] = environment(threads=available_cores(), device="cpu", processes=1)
    files = {name: {"file": file.name, "sha256": _digest(file)} for name, file in sources.items() if file is not None}
    config["imported"] = {"format": "camp-lab-unet", "density": density, "files": files}
    return _write(Path(out), config, packed, published.rows)


def _write(out: Path, config: dict[str, Any], packed: Mapping[str, bytes], rows: list[dict[str, object]]) -> Path:
    path = claim_path(out)
    with lock_directory(path):
        claim_path(path)
        write_first_config(path, config)
        run = Run(path)
        for name, content in packed.items():
            run.write_weights(name, content)
        run.write_metrics(rows)
    return path


def _notes(config: Mapping[str, Any]) -> dict[str, str]:
    options = json.dumps(config["model"]["options"])
    return {"format": "lasernet", "model": MODEL, "options": options, "task": config["task"], "step": "0"}


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()

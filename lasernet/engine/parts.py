"""Parts of models made of models: runs that options name, kept whole in the new run, which then stands alone."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lasernet import weights
from lasernet.engine.loaded import build_described, load_into, weights_file
from lasernet.engine.plan import model_class
from lasernet.errors import OptionError, RunError
from lasernet.models.base import Model
from lasernet.run import Run

CHECKPOINT = "best"


def describe_parts(config: Mapping[str, Any]) -> dict[str, Any]:
    """What a new run's configuration keeps of each part: where its run is, the hash of its weights, its config.

    Raises:
        RunError: if a run cannot be read or has no weights.
        OptionError: if it answers another task, or its data were cut in another way.
    """
    section = config["model"]
    described = {}
    for name, part in model_class(section["name"]).parts.items():
        path = section["options"].get(name)
        if path is None:
            continue
        run, flag = Run(path), f"--{name.replace('_', '-')} {path}"
        if run.config["task"] != part.task:
            raise OptionError(
                f"{flag}: this run answers the {run.config['task']} task; expected one of the {part.task} task; "
                "name another run"
            )
        for key in part.same:
            theirs, ours = run.config["data"]["options"].get(key), config["data"]["options"].get(key)
            if theirs != ours:
                known = key.replace("_", "-")
                raise OptionError(
                    f"{flag}: this run has --{known} {theirs}, the new one --{known} {ours}; expected the same in "
                    f"all parts; add --{known} {theirs}, or name another run"
                )
        digest = hashlib.sha256(weights_file(run, CHECKPOINT).read_bytes()).hexdigest()
        described[name] = {"run": str(run.path.resolve()), "sha256": digest, "config": run.config}
    return described


def check_split(config: Mapping[str, Any]) -> None:
    """Refuse parts that were trained on the same data with another split: they may know the new run's test items.

    Raises:
        OptionError: naming the part.
    """
    data = config["data"]
    for name, part in _parts(config).items():
        theirs = part["config"]["data"]
        if theirs["hash"] == data["hash"] and theirs.get("split_hash") != data["split_hash"]:
            raise OptionError(
                f"--{name.replace('_', '-')} {config['model']['options'][name]}: this run split the same data "
                "differently, so it may have been trained on what is tested here; "
                "give both runs the same --split-ratio, --split-by, --windows, --first-frame and --split-seed"
            )


def trained_parts(config: Mapping[str, Any]) -> dict[str, Model]:
    """The parts of a run that starts, with the weights that their own runs have.

    Raises:
        RunError: if these are gone or have changed.
    """
    try:
        known = {name: (Path(part["run"]), part["sha256"], part["config"]) for name, part in _parts(config).items()}
    except (TypeError, KeyError, AttributeError):
        raise RunError("config.json: its 'parts' cannot be read; restore the file from a copy") from None
    return {name: _trained(*part) for name, part in known.items()}


def _trained(path: Path, digest: str, config: Mapping[str, Any]) -> Model:
    file = weights_file(Run(path), CHECKPOINT)
    content = file.read_bytes()
    if hashlib.sha256(content).hexdigest() != digest:
        raise RunError(f"{file} has changed since the run that uses it was started; start a new run")
    model = build_described(config, source=str(path))
    load_into(model, weights.unpack(content, source=str(file))[0], source=str(path))
    return model


def _parts(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a configuration keeps of its parts; runs from before there were any keep none."""
    found: Mapping[str, Any] = config["model"].get("parts") or {}
    return found

"""The log of a published U-Net of resin flow: what the network is, how it was trained, how that went."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

from lasernet.data.quarantine import require_regular_file
from lasernet.errors import DataError
from lasernet.run import read_json

TASKS = {"velocity": "flow", "pressure": "flow-pressure"}
CHANNELS = {"flow": (1, 2), "flow-pressure": (2, 1)}  # inputs, outputs
LARGEST = 1 << 16  # channels


@dataclass(frozen=True)
class Published:
    """What ``log.json`` says of a network, checked.

    Attributes:
        task: flow or flow-pressure.
        network: options of the U-Net.
        training: options of its training, as far as they are known.
        rows: one for each epoch, as in ``metrics.jsonl``.
    """

    task: str
    network: dict[str, Any]
    training: dict[str, object]
    rows: list[dict[str, object]]


def read_log(path: Path) -> Published:
    """What the log says.

    Raises:
        DataError: if it is missing, or does not describe a network.
        RunError: if it is no JSON.
    """
    require_regular_file(path)
    log = read_json(path)
    try:
        training = log["params"]["training"]
        kind, network = training["predictor_type"], training["predictor"]["model_kwargs"]
        options = {
            "features": tuple(network["features"]),
            "kernel_size": network["kernel_size"],
            "padding": network["padding_mode"],
            "activation": network["activation"],
            "final_activation": network["final_activation"] or None,
            "attention": network["attention"] or "",
        }
        channels = [network["in_channels"], network["out_channels"]]
        task = TASKS[kind]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(
            f"{path}: does not say what the network is ({type(error).__name__}: {str(error)[:80]}); expected the log "
            "of a published U-Net; get it again"
        ) from None
    expected = list(CHANNELS[task])
    if channels != expected:
        raise DataError(f"{path}: a network of {channels} channels for the {kind}; expected {expected}; get it again")
    features = options["features"]
    if not all(type(width) is int and 0 < width <= LARGEST for width in features):
        raise DataError(f"{path}: its features are {str(features)[:80]}; expected numbers from 1 to {LARGEST}")
    return Published(task, options, _training(log, training), _rows(log))


def _training(log: Mapping[str, Any], training: Mapping[str, Any]) -> dict[str, object]:
    """What the log says of the training, in our words; what is no plain number is left out."""
    data = log["params"].get("dataset")
    known = {
        "lr": training.get("learning_rate"),
        "epochs": training.get("num_epochs"),
        "batch_size": data.get("batch_size") if isinstance(data, dict) else None,
    }
    found: dict[str, object] = {"schedule": "none", "warmup_steps": 0}
    for name, value in known.items():
        if type(value) is int or (type(value) is float and name == "lr"):
            found |= {name: value} if 0 < value < LARGEST else {}
    return found


def _rows(log: Mapping[str, Any]) -> list[dict[str, object]]:
    """The course of the training as far as the log holds plain numbers, one row for each epoch."""
    columns = {"train_loss": "train_loss", "val_loss": "val_loss", "lr": "learning_rate_history", "time": "time"}
    found = {name: log.get(key) for name, key in columns.items()}
    series = {
        name: values
        for name, values in found.items()
        if isinstance(values, list) and all(type(one) in (int, float) for one in values)
    }
    length = min((len(values) for values in series.values()), default=0)
    rows: list[dict[str, object]] = [{"epoch": epoch} for epoch in range(1, length + 1)]
    for name, values in series.items():
        course = list(accumulate(values)) if name == "time" else values
        for row, value in zip(rows, course, strict=False):
            row["seconds" if name == "time" else name] = value
    return rows

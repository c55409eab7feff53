"""What a training would do, without training: shapes, parameters, steps, disk."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lasernet.engine.loaded import build_model, open_data
from lasernet.engine.parts import describe_parts, trained_parts
from lasernet.engine.plan import make_config, resolve_files
from lasernet.models.base import count_parameters
from lasernet.run import dump_json
from lasernet.tasks.base import get_task


def describe_training(
    model: str, *, data: str | Path | Sequence[str | Path], options: Mapping[str, object], **chosen: Any
) -> str:
    """JSON with the resolved configuration and what would be computed.

    Disk: weights (best and last) and two checkpoints of weights, two Adam moments and the best weights.
    """
    config = make_config(model, options, **chosen)
    task = get_task(config["task"])
    files = [data] if isinstance(data, (str, Path)) else list(data)
    opened = open_data(task, resolve_files(files, task), config["data"]["options"], ())
    config["model"]["parts"] = describe_parts(config)
    parts = trained_parts(config)
    network = build_model(model, config["model"]["options"], task=config["task"], spec=opened.spec, parts=parts)
    training = config["training"]
    items = {name: len(opened.split(name)) for name in ("train", "val", "test")}
    per_epoch = math.ceil(math.ceil(items["train"] / training["batch_size"]) / training["accumulate"])
    steps = per_epoch * training["epochs"] if count_parameters(network) else 0
    steps = min(steps, training["max_steps"] or steps)
    batch = opened.split("train").fetch([0])
    weights = sum(value.numel() * value.element_size() for value in network.state_dict().values())
    shapes = {name: [training["batch_size"], *value.shape[1:]] for name, value in batch.items()}
    return dump_json(
        {
            **{key: config[key] for key in ("model", "task", "loss", "training")},
            "data": {"options": config["data"]["options"], "hash": opened.hash, "items": items},
            "shapes": shapes,
            "parameters": count_parameters(network),
            "steps": steps,
            "steps_per_epoch": per_epoch,
            "disk_bytes": 2 * weights + 2 * 4 * weights,
        }
    )

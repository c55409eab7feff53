"""``evaluate``: the metrics of a run, its baselines on the same items, and its skill against each."""

from __future__ import annotations

import operator
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lasernet.data.base import Split
from lasernet.data.splits import SPLITS
from lasernet.engine.loaded import LoadedRun, data_files, data_names, load_baselines, load_run, open_data
from lasernet.engine.loading import in_order, stream, to_device
from lasernet.errors import CheckFailed, DataError, OptionError
from lasernet.metrics.base import Metric
from lasernet.models.base import Model, count_parameters
from lasernet.tasks.base import Task, get_task

SCHEMA = 1
BATCH = 16
OPERATORS = {">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le}


@dataclass
class Scored:
    """One run's answers on one split, scored, with its baselines' beside them."""

    metric: Metric
    baselines: dict[str, Metric]
    split: Split


def evaluate(
    run: Path | str,
    *,
    data: str | Path | Sequence[str | Path] = (),
    split: str = "test",
    checkpoint: str = "best",
    t_solidus: float | None = None,
    t_liquidus: float | None = None,
    device: str = "cpu",
) -> dict[str, Any]:
    """Evaluate a run.

    Args:
        run: run directory.
        data: other files than the run was trained on, cut by the run's own options.
        split: ``train``, ``val``, ``test``, or ``all`` (pooled, and each beside the others).
        checkpoint: ``best`` by validation, or ``last``.
        t_solidus, t_liquidus: K; another band for the ``front`` region.

    Returns:
        The JSON object that docs/metrics.md describes.
    """
    return evaluate_many(
        [run],
        data=data,
        split=split,
        checkpoint=checkpoint,
        t_solidus=t_solidus,
        t_liquidus=t_liquidus,
        device=device,
    )[0]


def evaluate_many(runs: Sequence[Path | str], **options: Any) -> list[dict[str, Any]]:
    """Evaluate several runs; each from the second on also tells its improvement over the first in %."""
    results: list[dict[str, Any]] = []
    first: Scored | None = None
    for path in runs:
        result, scored = _evaluate(load_run(path, checkpoint=options["checkpoint"], device=options["device"]), options)
        if first is None:
            first = scored
        else:
            result["improvement"] = _improvement(scored, first, result, results[0])
        results.append(result)
    return results


def _evaluate(loaded: LoadedRun, options: Mapping[str, Any]) -> tuple[dict[str, Any], Scored]:
    run, task, split = loaded.run, loaded.task, options["split"]
    if split not in (*SPLITS, "all"):
        raise OptionError(f"--split {split}: expected train, val, test or all")
    given = options["data"]
    files = [Path(given)] if isinstance(given, (str, Path)) else [Path(file) for file in given]
    own = not files
    files = files or data_files(run)
    baselines = load_baselines(run, task)
    inputs = sorted({name for model in (loaded.model, *baselines.values()) for name in model.inputs})
    data = open_data(task, files, run.config["data"]["options"], inputs)
    if own and data.hash != run.config["data"]["hash"]:
        raise DataError(
            f"the data of {run.path} have changed since training (hash {data.hash[:12]} instead of "
            f"{run.config['data']['hash'][:12]}); restore them, or name the file to evaluate on with --data"
        )
    band = _band(options["t_solidus"], options["t_liquidus"])
    scored = _score(loaded, baselines, data.split(split), band, options["device"])
    result = {
        "schema": SCHEMA,
        "run": str(run.path),
        "model": run.model_name,
        "task": task.name,
        "data": {"file": ", ".join(data_names(files)), "hash": data.hash, "split_hash": data.split_hash},
        "split": split,
        "checkpoint": options["checkpoint"],
        **_report(task, scored),
        "cost": _cost(loaded),
    }
    if split == "all":
        result["splits"] = {}
        for name in SPLITS:
            result["splits"][name] = _report(task, _score(loaded, baselines, data.split(name), band, options["device"]))
    return result, scored


def _band(low: float | None, high: float | None) -> tuple[float, float] | None:
    if low is None and high is None:
        return None
    if low is None or high is None or not low < high:
        raise OptionError(f"--t-solidus {low} --t-liquidus {high}: expected both, in K, the solidus below the liquidus")
    return low, high


@torch.no_grad()
def _score(
    loaded: LoadedRun, baselines: Mapping[str, Model], split: Split, band: tuple[float, float] | None, device: str
) -> Scored:
    task = loaded.task
    metric, others = task.metric(), {label: task.metric() for label in baselines}
    for batch in stream(split, in_order(len(split), batch_size=BATCH), workers=0):
        if band is not None:
            batch["front_low"] = torch.full_like(batch["front_low"], band[0])
            batch["front_high"] = torch.full_like(batch["front_high"], band[1])
        metric.update(loaded.predict(to_device(batch, torch.device(device))).float().cpu(), batch)
        for label, model in baselines.items():
            others[label].update(task.answer(model, batch), batch)
    return Scored(metric, others, split)


def _report(task: Task, scored: Scored) -> dict[str, Any]:
    return {
        "items": len(scored.split),
        "metrics": scored.metric.compute(),
        "baselines": {label: metric.compute() for label, metric in scored.baselines.items()},
        "skill": {
            label: task.compare(scored.metric, metric, scored.split) if len(scored.split) else {}
            for label, metric in scored.baselines.items()
        },
        "intervals": task.intervals(scored.split) if len(scored.split) else None,
    }


def _cost(loaded: LoadedRun) -> dict[str, Any]:
    rows = loaded.run.metrics()
    last = rows[-1] if rows else {}
    return {
        "parameters": count_parameters(loaded.model),
        "train_seconds": last.get("seconds"),
        "train_cpu_seconds": last.get("cpu_seconds"),
        "peak_memory_bytes": max(
            (row["peak_memory_bytes"] for row in rows if row.get("peak_memory_bytes")), default=None
        ),
    }


def _improvement(scored: Scored, first: Scored, result: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    same = result["data"]["hash"] == other["data"]["hash"] and np.array_equal(scored.split.items, first.split.items)
    if not same or result["task"] != other["task"]:
        return {"over": other["run"], "reason": "other items were tested, so the two cannot be compared"}
    skill = get_task(result["task"]).compare(scored.metric, first.metric, scored.split)
    percent = {
        region: {"percent" if key == "mse" else key: None if v is None else 100 * v for key, v in values.items()}
        for region, values in skill.items()
    }
    return {"over": other["run"], **percent}


def parse_gate(condition: str) -> tuple[str, str, float]:
    """A condition such as ``metrics.all.mse>0.01`` → (name, operator, limit).

    Raises:
        OptionError: if it cannot be read.
    """
    match = re.fullmatch(r"\s*([A-Za-z0-9_.-]+?)\s*(>=|<=|>|<)\s*([-+0-9.eE]+)\s*", condition)
    try:
        if match is None:
            raise ValueError(condition)
        return match[1], match[2], float(match[3])
    except ValueError:
        raise OptionError(f"--fail-if '{condition}': expected NAME>NUMBER, as in metrics.all.mse>0.01") from None


def check_gate(result: Mapping[str, Any], condition: str) -> None:
    """Fail if a condition such as ``metrics.all.mse>0.01`` is true of a result.

    Raises:
        CheckFailed: if it is true, or the number is null.
        OptionError: if the condition cannot be read or names nothing.
    """
    name, operator_name, limit = parse_gate(condition)
    value: Any = result
    for key in name.split("."):
        if not isinstance(value, Mapping) or key not in value:
            found = ", ".join(value) if isinstance(value, Mapping) else "a number"
            raise OptionError(f"--fail-if '{condition}': no '{key}' in the result (found: {found})")
        value = value[key]
    if value is None:
        raise CheckFailed(f"{result['run']}: {name} could not be computed; the gate '{condition}' fails")
    if not isinstance(value, (int, float)):
        raise OptionError(f"--fail-if '{condition}': {name} is no number")
    if OPERATORS[operator_name](value, limit):
        raise CheckFailed(f"{result['run']}: {name} is {value:.6g}; the gate '{condition}' fails")

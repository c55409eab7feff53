"""``evaluate``: the metrics of a run, its baselines on the same items, and its skill against each."""

from __future__ import annotations

import inspect
import operator
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lasernet.data.splits import SPLITS
from lasernet.engine.loaded import LoadedRun, data_files, data_names, load_baselines, load_run, open_data
from lasernet.errors import CheckFailed, DataError, OptionError
from lasernet.tasks.base import Judged

SCHEMA = 1
GENERAL = ("data", "split", "checkpoint", "baselines", "device", "sharp", "after")  # options of every task
ALL_TESTED = "0,0,1"  # a ratio of training, validation and test items
WHOLE = ("rollout",)  # with --split all: of all items together only, for the parts may be too short
OPERATORS = {">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le}


def evaluate(
    run: Path | str,
    *,
    data: str | Path | Sequence[str | Path] = (),
    split: str = "test",
    checkpoint: str = "best",
    baselines: bool = True,
    t_solidus: float | None = None,
    t_liquidus: float | None = None,
    rollout: int | None = None,
    sharp: bool = False,
    device: str = "cpu",
    **after: object,
) -> dict[str, Any]:
    """Evaluate a run.

    Args:
        run: run directory.
        data: other files than the run was trained on, cut by the run's own options.
        split: ``train``, ``val``, ``test``, or ``all`` (pooled, and each beside the others).
        checkpoint: ``best`` by validation, or ``last``.
        baselines: judge them on the same items, which takes most of the time.
        t_solidus, t_liquidus: K; another band for the ``front`` region.
        rollout: also apply the run to its own predictions, over so many frames.
        sharp: judge the run's sharp answers.
        after: what is done to the run's answers, not the baselines', before they are judged: the options of the
            task's post-processing, such as ``unsharp``, ``unsharp_radius`` (frames) and ``project`` (flows).

    Returns:
        The JSON object that docs/metrics.md describes.
    """
    return evaluate_many(
        [run],
        data=data,
        split=split,
        checkpoint=checkpoint,
        baselines=baselines,
        t_solidus=t_solidus,
        t_liquidus=t_liquidus,
        rollout=rollout,
        sharp=sharp,
        device=device,
        after=after,
    )[0]


def evaluate_many(runs: Sequence[Path | str], **options: Any) -> list[dict[str, Any]]:
    """Evaluate several runs; each from the second on also tells its improvement over the first in %."""
    results: list[dict[str, Any]] = []
    first: Judged | None = None
    for path in runs:
        loaded = load_run(path, checkpoint=options["checkpoint"], device=options["device"])
        asked = loaded.asked_for(sharp=options.get("sharp", False), **options.get("after", {}))
        result, judged = _evaluate(asked, options)
        if first is None:
            first = judged
        else:
            result["improvement"] = _improvement(judged, first, result, results[0])
        results.append(result)
    return results


def _evaluate(loaded: LoadedRun, options: Mapping[str, Any]) -> tuple[dict[str, Any], Judged]:
    run, task, split = loaded.run, loaded.task, options["split"]
    if split not in (*SPLITS, "all"):
        raise OptionError(f"--split {split}: expected train, val, test or all")
    given = options["data"]
    files = [Path(given)] if isinstance(given, (str, Path)) else [Path(file) for file in given]
    own = not files
    files = files or data_files(run)
    baselines = load_baselines(run, task) if options.get("baselines", True) else {}
    inputs = sorted({name for model in (loaded.model, *baselines.values()) for name in model.inputs})
    whole = {} if own or split != "all" else {"split_ratio": ALL_TESTED}  # other data need not be divided
    data = open_data(task, files, run.config["data"]["options"], inputs, **whole)
    if own and data.hash != run.config["data"]["hash"]:
        raise DataError(
            f"the data of {run.path} have changed since training (hash {data.hash[:12]} instead of "
            f"{run.config['data']['hash'][:12]}); restore them, or name the file to evaluate on with --data"
        )
    own_options = {name: value for name, value in options.items() if name not in GENERAL and value is not None}
    unknown = [name for name in own_options if name not in inspect.signature(task.judge).parameters]
    if unknown:
        raise OptionError(f"--{unknown[0].replace('_', '-')} has no meaning for the {task.name} task; leave it out")

    def judge(part: str, chosen: Mapping[str, Any]) -> Judged:
        found: Judged = task.judge(loaded, baselines, data, part, device=options["device"], **chosen)
        return found

    judged = judge(split, own_options)
    result = {
        "schema": SCHEMA,
        "run": str(run.path),
        "model": run.model_name,
        "task": task.name,
        "data": {"file": ", ".join(data_names(files)), "hash": data.hash, "split_hash": data.split_hash},
        "split": split,
        "checkpoint": options["checkpoint"],
        **({"asked": loaded.asked} if loaded.asked else {}),
        **judged.report(),
        "cost": _cost(loaded),
    }
    if split == "all" and data.hash == run.config["data"]["hash"]:  # of other data the run has seen no part
        per_part = {name: value for name, value in own_options.items() if name not in WHOLE}
        result["splits"] = {name: judge(name, per_part).report() for name in SPLITS}
    return result, judged


def _cost(loaded: LoadedRun) -> dict[str, Any]:
    rows = loaded.run.metrics()
    last = rows[-1] if rows else {}
    return {
        "parameters": sum(parameter.numel() for parameter in loaded.model.parameters()),  # frozen ones too
        "train_seconds": last.get("seconds"),
        "train_cpu_seconds": last.get("cpu_seconds"),
        "peak_memory_bytes": max(
            (row["peak_memory_bytes"] for row in rows if row.get("peak_memory_bytes")), default=None
        ),
    }


def _improvement(judged: Judged, first: Judged, result: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    same = result["data"]["hash"] == other["data"]["hash"] and np.array_equal(judged.items, first.items)
    if not same or result["task"] != other["task"]:
        return {"over": other["run"], "reason": "other items were tested, so the two cannot be compared"}
    return {"over": other["run"], **judged.improvement(first)}


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

"""What a checkpoint holds, as safetensors and JSON: weights, averages, optimizers, counters. No pickle."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from lasernet.engine.progress import Progress
from lasernet.errors import RunError
from lasernet.run import BEST, dump_json
from lasernet.weights import pack, unpack

if TYPE_CHECKING:
    from lasernet.engine.loop import Loop


class Average:
    """Exponential moving average of the weights (buffers are copied as they are).

    Early on it looks back over about a tenth of the updates so far, so that the first weights do not stay in it.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.reset(model)

    def reset(self, model: nn.Module) -> None:
        """Start again from the current weights."""
        self.values = {name: value.detach().clone() for name, value in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Move the average towards the weights after ``step`` updates and one more."""
        decay = min(self.decay, (1 + step) / (10 + step))
        learned = dict(model.named_parameters())
        for name, value in model.state_dict().items():
            if name in learned:
                self.values[name].lerp_(value, 1 - decay)
            else:
                self.values[name].copy_(value)

    @contextmanager
    def applied(self, model: nn.Module) -> Iterator[None]:
        """Run a block with the average in place of the weights."""
        own = {name: value.detach().clone() for name, value in model.state_dict().items()}
        model.load_state_dict(self.values)
        try:
            yield
        finally:
            model.load_state_dict(own)


def pack_weights(loop: Loop) -> bytes:
    """The weights that evaluation uses (the average where one is kept), with what describes them."""
    values = loop.average.values if loop.average else loop.model.state_dict()
    values = {name: value for name, value in values.items() if name.split(".")[0] not in loop.model.only_learns}
    config = loop.run.config
    notes = {"format": "lasernet", "model": config["model"]["name"], "options": json.dumps(config["model"]["options"])}
    return pack(values, {**notes, "task": config["task"], "step": str(loop.progress.step)})


def pack_checkpoint(
    loop: Loop, sums: dict[str, float], items: dict[str, float], cpu_seconds: float
) -> dict[str, bytes]:
    """The files of a checkpoint; sums, items and processor time are those of all processes together."""
    scaler = loop.processes.accelerator.scaler
    if scaler is not None:
        loop.progress.scaler = {k: v for k, v in scaler.state_dict().items() if isinstance(v, (int, float))}
    progress = loop.progress.to_json() | {"sums": sums, "items": items, "cpu_seconds": cpu_seconds}
    files = {
        "model.safetensors": pack(loop.model.state_dict()),
        "optimizer.safetensors": pack(_optimizer_tensors(loop)),
        "progress.json": dump_json(progress).encode(),
        "metrics.json": dump_json(loop.rows).encode(),
    }
    if loop.average is not None:
        files["average.safetensors"] = pack(loop.average.values)
    if loop.best is not None:
        files[BEST] = loop.best
    return files


def restore_checkpoint(loop: Loop, files: dict[str, bytes]) -> None:
    """Put a loop back to a checkpoint; the run's own files are made to agree with it.

    Raises:
        RunError: if the checkpoint does not fit the model.
    """
    try:
        model, _ = unpack(files["model.safetensors"], source="checkpoint")
        loop.model.load_state_dict(model)
        _load_optimizers(loop, unpack(files["optimizer.safetensors"], source="checkpoint")[0])
        loop.progress = Progress.from_json(json.loads(files["progress.json"]))
        loop.rows = [dict(row) for row in json.loads(files["metrics.json"])]
        loop.best = files.get(BEST)
        if loop.best is not None:
            unpack(loop.best, source="checkpoint")
        if loop.average is not None:
            loop.average.values = unpack(files["average.safetensors"], source="checkpoint")[0]
            for name, value in loop.model.state_dict().items():
                loop.average.values[name] = loop.average.values[name].to(value.device)
    except (KeyError, ValueError, TypeError, RuntimeError, RunError) as error:
        raise RunError(
            f"{loop.run.path}: its checkpoint does not fit the model ({str(error).splitlines()[0]}); "
            "was the model's code changed? start a new run with --out"
        ) from None
    scaler = loop.processes.accelerator.scaler
    if scaler is not None and loop.progress.scaler:
        scaler.load_state_dict({**scaler.state_dict(), **loop.progress.scaler})
    if loop.processes.is_main:
        loop.run.write_metrics(loop.rows)
        if loop.best is not None:
            loop.run.write_weights(BEST, loop.best)
    else:  # the main process restored what all had counted
        loop.progress.cpu_seconds = 0.0
        loop.progress.sums = dict.fromkeys(loop.progress.sums, 0.0)
        loop.progress.items = dict.fromkeys(loop.progress.items, 0.0)


def _optimizer_tensors(loop: Loop) -> dict[str, Tensor]:
    tensors = {}
    for phase, optimizer in zip(loop.phases, loop.optimizers, strict=True):
        for index, state in optimizer.state_dict()["state"].items():
            for key, value in state.items():
                tensors[f"{phase.name}/{index}/{key}"] = torch.as_tensor(value)
    return tensors


def _load_optimizers(loop: Loop, tensors: dict[str, Tensor]) -> None:
    for phase, optimizer in zip(loop.phases, loop.optimizers, strict=True):
        state: dict[int, dict[str, Any]] = {}
        for name, value in tensors.items():
            owner, index, key = name.rsplit("/", 2)
            if owner == phase.name:
                state.setdefault(int(index), {})[key] = value
        optimizer.load_state_dict({**optimizer.state_dict(), "state": state})

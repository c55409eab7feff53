"""The options of training that all models share; readable without torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from lasernet.errors import OptionError
from lasernet.options import Only

MOST_PROCESSES = 1024  # a slip of the finger must not bring the machine down


@dataclass(frozen=True, kw_only=True)
class Training:
    """How a model is trained. A field is an option of ``lasernet train`` and a key of ``config.json``."""

    epochs: Annotated[int, "passes over the training items"] = 100
    max_steps: Annotated[int, "stop after this many updates (0: no limit)"] = 0
    batch_size: Annotated[int, "items per forward pass, over all processes together"] = 16
    accumulate: Annotated[int, "forward passes per update"] = 1
    lr: Annotated[float, "learning rate"] = 1e-3
    optimizer: Annotated[Literal["adam", "adamw"], "optimizer"] = "adam"
    beta1: Annotated[float, "Adam's decay of the gradient mean"] = 0.9
    beta2: Annotated[float, "Adam's decay of the squared gradient mean"] = 0.999
    weight_decay: Annotated[float, "weight decay (adamw: decoupled)"] = 0.0
    schedule: Annotated[
        Literal["cosine", "warm-restarts", "plateau", "exponential", "none"], "learning rate over training"
    ] = "cosine"
    warmup_steps: Annotated[int, "updates over which the learning rate rises from 0"] = 0
    restart_epochs: Annotated[
        int,
        "warm-restarts: epochs of the first cycle; each next is twice as long",
        Only("schedule", ("warm-restarts",)),
    ] = 20
    plateau_patience: Annotated[
        int, "plateau: epochs without a better validation loss before lr is halved", Only("schedule", ("plateau",))
    ] = 5
    decay: Annotated[float, "exponential: factor per epoch", Only("schedule", ("exponential",))] = 0.95499
    clip: Annotated[float, "largest gradient norm (0: no clipping)"] = 1.0
    ema: Annotated[float, "decay of the weights' moving average, which is what is kept (0: off)"] = 0.0
    early_stopping: Annotated[int, "stop after this many epochs without a better validation loss (0: off)"] = 0
    seed: Annotated[int, "seed of weights, order and noise"] = 0
    precision: Annotated[Literal["fp32", "bf16", "fp16"], "arithmetic of the networks"] = "fp32"
    device: Annotated[Literal["auto", "cpu", "cuda", "mps"], "where to compute"] = "auto"
    num_processes: Annotated[int, "processes that share each batch, one per GPU or share of the cores"] = 1
    threads: Annotated[int, "CPU threads over all processes (0: all cores)"] = 0
    workers: Annotated[int, "processes that read data ahead (0: read in the training process)"] = 0
    checkpoint_every: Annotated[int, "updates between checkpoints (0: at an epoch's end, at most every 30 s)"] = 0
    compile: Annotated[bool, "compile the model with torch.compile (pays off on GPUs)"] = False
    judge_on: Annotated[Literal["test", "val"], "items of which the results at the end are, val for a search"] = "test"
    baselines: Annotated[bool, "judge the baselines too at the end, which takes most of that time"] = True
    track: Annotated[Literal["none", "tensorboard", "wandb"], "experiment tracker beside metrics.jsonl"] = "none"

    def __post_init__(self) -> None:
        for name in ("batch_size", "accumulate", "num_processes", "restart_epochs"):
            self._require(name, getattr(self, name) >= 1, "at least 1")
        for name in ("epochs", "max_steps", "warmup_steps", "early_stopping", "workers", "threads", "checkpoint_every"):
            self._require(name, getattr(self, name) >= 0, "0 or more")
        for name in ("num_processes", "threads", "workers"):
            self._require(name, getattr(self, name) <= MOST_PROCESSES, f"at most {MOST_PROCESSES}")
        self._require("lr", 0 < self.lr < float("inf"), "a number above 0")
        for name in ("weight_decay", "clip"):
            self._require(name, 0 <= getattr(self, name) < float("inf"), "0 or more")
        for name in ("beta1", "beta2", "ema"):
            self._require(name, 0 <= getattr(self, name) < 1, "a number in [0, 1)")
        self._require("decay", 0 < self.decay <= 1, "a number in (0, 1]")
        self._require("seed", 0 <= self.seed < 2**31, "a whole number in [0, 2³¹)")

    def _require(self, name: str, holds: bool, expected: str) -> None:
        if not holds:
            raise OptionError(f"--{name.replace('_', '-')} {getattr(self, name)}: expected {expected}")


# These may differ when a run is resumed: they do not change what is computed.
FREE_ON_RESUME = ("device", "num_processes", "workers", "checkpoint_every", "track")

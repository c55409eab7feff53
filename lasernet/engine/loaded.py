"""Opening a run: its model with the stored weights, its data, its baselines."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lasernet import models, weights
from lasernet.data.base import Data
from lasernet.data.bundled import bundled_track
from lasernet.data.default_sets import cache_folder
from lasernet.engine.plan import model_class
from lasernet.errors import OptionError, RunError
from lasernet.models.base import Model
from lasernet.options import in_words, options_of, reserved_of, resolve
from lasernet.registry import MODELS
from lasernet.run import BASELINES, BEST, LAST, Run
from lasernet.tasks.base import PostProcessing, Task, get_task

BUNDLED = "lasernet:"  # before the name of a file that ships in the package
CACHED = "default:"  # before the name of a default set, which is generated into the user's cache


@dataclass(frozen=True)
class LoadedRun:
    """A run that can answer.

    Attributes:
        run: the directory.
        model: the network with the chosen weights, in evaluation mode.
        task: what it answers.
        sharp: whether the model's sharp answers are wanted (see :attr:`lasernet.models.base.Model.sharp`).
        post_processing: what is done to its answers, if anything.
    """

    run: Run
    model: Model
    task: Task
    sharp: bool = False
    post_processing: PostProcessing | None = None

    def predict(self, batch: Mapping[str, Tensor]) -> Tensor:
        """The model's answer to a batch, in physical units, without gradients, post-processed where that was asked."""
        with torch.no_grad():
            ask: Callable[[dict[str, Tensor]], Tensor] = self.model.sharp if self.sharp else self.model.predict
            return ask(dict(batch)) if self.post_processing is None else self.post_processing(ask, dict(batch))

    def asked_for(self, *, sharp: bool = False, **options: object) -> LoadedRun:
        """This run with sharp answers, or with answers post-processed by the task's own options that are not None.

        Raises:
            OptionError: if the model gives no sharp answers, the task has no such options, or their values do not fit.
        """
        if sharp and self.model.sharp is None:
            able = ", ".join(name for name in MODELS.names() if getattr(model_class(name), "sharp", None) is not None)
            raise OptionError(f"--sharp: {self.run.model_name} has one kind of answer; expected one of: {able}")
        chosen = {name: value for name, value in options.items() if value is not None}
        if not chosen:
            return replace(self, sharp=sharp)
        if self.task.post_processing is None:
            flag = next(iter(chosen)).replace("_", "-")
            raise OptionError(f"--{flag} has no meaning for the {self.task.name} task; leave it out")
        made = self.task.post_processing(**resolve(self.task.post_processing, chosen, what="post-processing"))
        return replace(self, sharp=sharp, post_processing=made)

    @property
    def asked(self) -> dict[str, float | bool]:
        """What was asked of the answers, by option, for results and provenance; empty for plain ones."""
        after = {} if self.post_processing is None else self.post_processing.describe()
        return {**({"sharp": True} if self.sharp else {}), **after}

    @property
    def mark(self) -> str:
        """The same in the form of a file name."""
        return "-".join(in_words(name, value, "-") for name, value in self.asked.items())

    def baselines(self) -> dict[str, Model]:
        """The task's baselines by label, fitted on the run's training items."""
        return load_baselines(self.run, self.task)


def build_model(
    name: str,
    options: Mapping[str, object],
    *,
    task: str,
    spec: object = None,
    parts: Mapping[str, Model] | None = None,
) -> Model:
    """A model from its registered name and resolved options; ``parts`` stand in for the options that name runs."""
    cls = model_class(name)
    values = resolve(cls, options, what=f"model '{name}'")
    values |= {part: (parts or {}).get(part) for part in cls.parts}
    reserved = {"task": task, "spec": spec}
    return cls(**values, **{key: reserved[key] for key in reserved_of(cls)})


def load_run(path: Path | str, *, checkpoint: str = "best", device: str = "cpu") -> LoadedRun:
    """Load a trained run.

    Args:
        path: run directory.
        checkpoint: ``best`` (by validation) or ``last``.

    Raises:
        RunError: if there are no such weights, or they do not fit.
        OptionError: if the model's class is not known here.
    """
    run = Run(path)
    if checkpoint not in ("best", "last"):
        raise OptionError(f"--checkpoint {checkpoint}: expected best or last")
    model = build_run_model(run)
    tensors, _ = weights.read(weights_file(run, checkpoint))
    load_into(model, tensors, source=str(run.path))
    try:
        model.to(device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0][:80]
        raise OptionError(f"--device {device}: torch cannot compute there ({reason}); use --device cpu") from None
    return LoadedRun(run, model.eval(), get_task(run.config["task"]))


def weights_file(run: Run, checkpoint: str) -> Path:
    """The weights of a run.

    Raises:
        RunError: if there are none yet.
    """
    file = run.path / {"best": BEST, "last": LAST}[checkpoint]
    if not file.is_file():
        raise RunError(
            f"{run.path} has no {file.name}: no epoch is finished; go on with 'lasernet train --resume {run.path}'"
        )
    return file


def build_run_model(run: Run, parts: Mapping[str, Model] | None = None) -> Model:
    """The model that a run's configuration describes, with fresh weights.

    Args:
        parts: models made of models: their parts; left out, these are built too.

    Raises:
        RunError: if its class is not known here, or the configuration does not fit it.
    """
    return build_described(run.config, source=str(run.path), parts=parts)


def build_described(config: Mapping[str, Any], *, source: str, parts: Mapping[str, Model] | None = None) -> Model:
    """As :func:`build_run_model`, from a configuration; ``source`` is named in errors."""
    name = "?"
    try:
        section = config["model"]
        name, plugin = section["name"], section.get("source")
        if plugin and name not in MODELS.names():
            raise RunError(
                f"{source}: its model comes from {plugin.get('file')}; "
                f"name that file, as in --plugin {plugin.get('file')}:{plugin.get('class')}"
            )
        if parts is None:
            inner = section.get("parts") or {}
            parts = {key: build_described(part["config"], source=source) for key, part in inner.items()}
        return build_model(name, section["options"], task=config["task"], spec=config.get("spec"), parts=parts)
    except (TypeError, KeyError, ValueError, RuntimeError, AttributeError) as error:
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__  # torch adds a stack trace
        raise RunError(
            f"{source}: config.json does not fit model '{name}' ({reason}); "
            "expected options of which it can be built; start a new run with others"
        ) from None


def load_into(model: Model, tensors: dict[str, Tensor], *, source: str) -> None:
    """Fill a model with stored tensors, no other ones, and all but those of parts that only learning needs.

    Raises:
        RunError: if names or shapes differ.
    """
    fresh = {name: value for name, value in model.state_dict().items() if name.split(".")[0] in model.only_learns}
    try:
        model.load_state_dict({**fresh, **tensors})
    except RuntimeError as error:
        detail = " ".join(str(error).split())[:200]
        raise RunError(f"{source}: the weights do not fit the model ({detail}); was its code changed?") from None


def bundled_run(model: str) -> Path:
    """Where the package keeps the run that ships with a model; it need not be there."""
    return Path(models.__file__).parent / "bundled" / model


def data_names(files: Sequence[Path]) -> list[str]:
    """File names as config.json keeps them: absolute, or the name of a bundled file or of a generated default set."""
    places = {_bundled_folder(): BUNDLED, cache_folder().resolve(): CACHED}
    return [
        places[parent] + file.name if (parent := file.resolve().parent) in places else str(file.resolve())
        for file in files
    ]


def data_files(run: Run) -> list[Path]:
    """The data files of a run, where they lie on this machine."""
    names = run.config["data"].get("files")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise RunError(f"{run.path}: config.json names no data files; start a new run")
    return [_place(name, run) for name in names]


def _place(name: str, run: Run) -> Path:
    if name.startswith(BUNDLED):
        return _bundled_folder() / name.removeprefix(BUNDLED)
    if not name.startswith(CACHED):
        return Path(name)
    path = cache_folder() / Path(name.removeprefix(CACHED)).name
    if not path.is_file():
        path = next((made for made in get_task(run.config["task"]).default_data() if made.name == path.name), path)
    return path


def _bundled_folder() -> Path:
    return bundled_track().resolve().parent


def open_data(
    task: Task, files: Sequence[Path], options: Mapping[str, object], inputs: Sequence[str], **changes: object
) -> Data:
    """Open the task's data with stored options, some of them changed."""
    known = {option.name for option in options_of(task.data)}
    values = {**{key: value for key, value in options.items() if key in known}, **changes}
    return task.data(files, task.name, tuple(inputs), **resolve(task.data, values, what="data"))


# -- baselines -----------------------------------------------------------------------------------


def new_baselines(task: Task, spec: Mapping[str, object]) -> dict[str, Model]:
    """The task's baselines for data with the fields of ``spec``, not fitted yet."""
    return {
        line.label: build_model(line.model, line.options, task=task.name)
        for line in task.baselines
        if all(name in spec for name in line.needs)
    }


def save_baselines(run: Run, models: Mapping[str, Model]) -> None:
    """Store the fitted baselines of a run."""
    tensors = {f"{label}/{key}": value for label, model in models.items() for key, value in model.state_dict().items()}
    run.write_weights(BASELINES, weights.pack(tensors, {"baselines": json.dumps(sorted(models))}))


def load_baselines(run: Run, task: Task) -> dict[str, Model]:
    """The baselines as fitted on the run's training data.

    Raises:
        RunError: if they are missing or damaged.
    """
    models = new_baselines(task, run.config["spec"])
    if not models:
        return {}
    tensors, _ = weights.read(run.path / BASELINES)
    for label, model in models.items():
        own = {name.removeprefix(f"{label}/"): v for name, v in tensors.items() if name.startswith(f"{label}/")}
        load_into(model, own, source=str(run.path / BASELINES))
        model.eval()
    return models


def open_dataset(data: str | Path | Sequence[str | Path] = (), task: str = "microstructure", **options: object) -> Data:
    """Open files as the data of a task, split and ready to make batches.

    Args:
        data: HDF5 files; the task's default data where left out.
        task: ``microstructure`` or ``temperature``.
        options: such as ``plane``, ``seq_length``, ``split_ratio``, and ``inputs`` (derived fields).

    Returns:
        An object with ``split(name)`` (``train``, ``val``, ``test``, ``all``), ``spec`` and ``hash``.
    """
    chosen = get_task(task)
    files = [Path(data)] if isinstance(data, (str, Path)) else [Path(file) for file in data]
    inputs = options.pop("inputs", ())
    if not isinstance(inputs, (list, tuple)):
        raise OptionError(f"inputs={inputs!r}: expected a list of derived fields")
    return open_data(chosen, files or chosen.default_data(), options, inputs)

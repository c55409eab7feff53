"""From a model's name and options to a complete plan of a training: everything that config.json holds."""

from __future__ import annotations

import dataclasses
import hashlib
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from lasernet.engine.settings import Training
from lasernet.errors import OptionError
from lasernet.losses.base import parse_loss
from lasernet.models.base import Model
from lasernet.options import Option, options_of, resolve
from lasernet.registry import LOSSES, MODELS, suggestion
from lasernet.run import SCHEMA, dump_json
from lasernet.tasks.base import Task, get_task

SHORT = ("t_solidus", "t_liquidus", "gradient_weight")  # options of losses whose flags may go without the loss's name
PACKAGES = ("lasernet", "torch", "numpy", "accelerate", "safetensors", "h5py")


@dataclass(frozen=True)
class Knob:
    """An option of ``train`` with the section of the configuration to which it belongs."""

    section: str
    option: Option
    losses: tuple[str, ...] = ()  # those it belongs to, where section is "loss"
    short: bool = False  # a second name, for the same option of whichever of these losses are chosen

    @property
    def name(self) -> str:
        """The flat name: the flag without dashes, with underscores; a loss's options carry its name."""
        if self.short or not self.losses:
            return self.option.name
        return f"{self.losses[0]}_{self.option.name}".replace("-", "_")


def model_class(name: str) -> type[Model]:
    """The registered model class.

    Raises:
        OptionError: if the name is unknown, or names something else.
    """
    cls = MODELS.get(name)
    if not issubclass(cls, Model):
        raise OptionError(f"'{name}' ({cls.__name__}) is no lasernet.Model; derive the class from it")
    return cls


def knobs(cls: type[Model], task: Task) -> dict[str, Knob]:
    """Every option that this model takes for this task, by flat name."""
    found: dict[str, Knob] = {}
    targets: list[tuple[str, Callable[..., object], str | None]] = [
        ("training", Training, None),
        ("data", task.data, None),
        ("model", cls, None),
    ]
    if cls.default_loss is not None:
        targets += [("loss", LOSSES.get(name), name) for name in LOSSES.names()]
    for section, target, loss in targets:
        for option in options_of(target):
            knob = Knob(section, option, (loss,) if loss else ())
            if knob.name in found:
                other = found[knob.name].section
                raise OptionError(
                    f"{cls.__name__}: its option '{knob.name}' is also an option of the {other} section; rename it"
                )
            found[knob.name] = knob
    for name in SHORT:
        same = [knob for knob in found.values() if knob.losses and knob.option.name == name]
        if same and name not in found:
            losses = tuple(loss for knob in same for loss in knob.losses)
            option = dataclasses.replace(same[0].option, help=f"{same[0].option.help}; of {', '.join(losses)}")
            found[name] = Knob("loss", option, losses, short=True)
    return found


def pick_task(cls: type[Model], name: str | None) -> Task:
    """The task of a model: the asked one, or its first.

    Raises:
        OptionError: if the model does not answer that task.
    """
    if name is not None and name not in cls.tasks:
        raise OptionError(f"--task {name}: this model answers {' and '.join(cls.tasks)}")
    return get_task(name or cls.tasks[0])


def make_config(
    model: str,
    values: Mapping[str, object],
    *,
    task: str | None = None,
    loss: str | None = None,
    preset: str | None = None,
    source: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The resolved options of a training; data and environment are added when the data are open.

    Args:
        values: options by flat name; what is left out has its default.
        source: file, class and hash of a model from outside the package.

    Raises:
        OptionError: for an unknown name or a value that does not fit.
    """
    cls = model_class(model)
    chosen = pick_task(cls, task)
    known = knobs(cls, chosen)
    if preset is not None and preset not in cls.presets:
        raise OptionError(f"--preset {preset}: {suggestion(preset, list(cls.presets) or ['(this model has none)'])}")
    given = {**cls.defaults, **(cls.presets[preset] if preset else {}), **values}
    default = given.pop("loss", None)  # of the model or of the preset
    expression = str(default or "") if loss is None else loss
    if expression and cls.default_loss is None:
        raise OptionError(f"--loss {expression}: model '{model}' brings its own objective; leave --loss out")
    expression = expression or cls.default_loss or ""
    chosen_losses = [term.name for term in parse_loss(expression)] if expression else []
    sections: dict[str, dict[str, object]] = {"training": {}, "data": {}, "model": {}}
    loss_values: dict[str, dict[str, object]] = {name: {} for name in chosen_losses}
    for name, value in given.items():
        knob = known.get(name)
        if knob is None:
            raise OptionError(f"unknown option '{name}'; {suggestion(name, list(known))}")
        if not knob.losses:
            sections[knob.section][knob.option.name] = value
        elif takers := [loss for loss in knob.losses if loss in loss_values]:
            for loss in takers:
                full = Knob("loss", knob.option, (loss,)).name
                if full == name or full not in values:  # the full name goes before the short one
                    loss_values[loss][knob.option.name] = value
        elif name in values:  # a preset's option of a loss that --loss replaced goes with it
            raise OptionError(f"--{name.replace('_', '-')} has no effect with --loss {expression}; leave it out")
    training = Training(**resolve(Training, sections["training"], what="training"))
    return {
        "schema": SCHEMA,
        "created": datetime.now(UTC).isoformat(timespec="microseconds"),
        "model": {
            "name": model,
            "options": resolve(cls, sections["model"], what=f"model '{model}'"),
            "source": dict(source) if source else None,
        },
        "task": chosen.name,
        "data": {"options": resolve(chosen.data, sections["data"], what="data")},
        "loss": {
            "expression": expression,
            "options": {n: resolve(LOSSES.get(n), v, what=f"loss '{n}'") for n, v in loss_values.items()},
        },
        "training": dataclasses.asdict(training),
        "preset": preset,
    }


def differences(config: Mapping[str, Any], values: Mapping[str, object], *, loss: str | None) -> list[str]:
    """Which of the explicitly given options differ from a run's configuration, as ``name: run's → given``."""
    cls = model_class(config["model"]["name"])
    known = knobs(cls, get_task(config["task"]))
    found = []
    if loss is not None and loss != config["loss"]["expression"]:
        found.append(f"--loss: {config['loss']['expression']} → {loss}")
    for name, value in values.items():
        knob = known.get(name)
        if knob is None:
            raise OptionError(f"unknown option '{name}'; {suggestion(name, list(known))}")
        if knob.losses:
            chosen = (config["loss"]["options"].get(loss, {}) for loss in knob.losses)
            stored = next((options[knob.option.name] for options in chosen if knob.option.name in options), None)
        elif knob.section == "training":
            stored = config["training"].get(knob.option.name)
        else:
            stored = config[knob.section]["options"].get(knob.option.name)
        if knob.option.parse(value) != (tuple(stored) if isinstance(stored, list) else stored):
            found.append(f"--{name.replace('_', '-')}: {stored} → {value}")
    return found


def environment(*, threads: int, device: str, processes: int) -> dict[str, object]:
    """Versions, thread count and device: what a number depends on beside the options."""
    return {
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "packages": {name: metadata.version(name) for name in PACKAGES},
        "threads": threads,
        "device": device,
        "processes": processes,
    }


def config_hash(config: Mapping[str, Any]) -> str:
    """A digest of the resolved options (not of time, machine or file names); a part counts with its weights."""
    parts = {name: config[name] for name in ("model", "task", "loss", "training")}
    inner = {name: part["sha256"] for name, part in config["model"].get("parts", {}).items()}
    parts["model"] = {name: value for name, value in config["model"].items() if name != "parts"}
    parts["model"]["options"] = {**config["model"]["options"], **inner}
    data = {key: config["data"].get(key) for key in ("options", "hash", "split_hash")}
    return hashlib.sha256(dump_json({**parts, "data": data}, indent=None).encode()).hexdigest()[:16]


def resolve_files(data: Sequence[str | Path], task: Task) -> list[Path]:
    """The data files of a training: the given ones, or the task's default."""
    return [Path(file) for file in data] or task.default_data()

"""``lasernet train MODEL``: a command for every registered model, made from signatures."""

from __future__ import annotations

import inspect
import json
import os
import shlex
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from lasernet.cli.app import HELP, PLAIN
from lasernet.cli.arguments import flag_parameter
from lasernet.cli.output import QUIET, Settings, TerminalReporter, result, say, speaks_for_all
from lasernet.cli.plugins import import_for_run, import_plugin, is_file_reference
from lasernet.engine.signals import Stopped
from lasernet.errors import OptionError
from lasernet.options import parse_assignment
from lasernet.registry import MODELS, suggestion

RESUME = Annotated[
    str | None,
    typer.Option("--resume", metavar="RUN", help="Go on with a run: its path, 'latest', or 'auto' with --out."),
]
SHARED: dict[str, tuple[Any, str, str]] = {  # type, placeholder, help
    "data": (list[str] | None, "F.h5", "HDF5 file; repeat for several. Left out: the task's default data."),
    "task": (str | None, "NAME", "What to answer, where a model answers several tasks."),
    "loss": (str | None, "EXPRESSION", "Loss, or a sum such as mse+0.1*charbonnier."),
    "preset": (str | None, "NAME", "A named set of options of this model."),
    "out": (str | None, "DIR", "The run directory itself; absent or empty. Left out: a new one under runs/."),
    "config": (str | None, "FILE", "Options from a TOML or JSON file, or from a run's config.json."),
    "set": (
        list[str] | None,
        "SECTION.KEY=VALUE",
        "Any option as section.key=value, as model.rnn_layers=2; repeat for several.",
    ),
}


class Models(TyperGroup):
    """The models as commands; a model from a file is one too."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]
        return MODELS.names()

    def get_command(self, ctx: typer.Context, cmd_name: str) -> Any:  # type: ignore[override]
        if is_file_reference(cmd_name):
            name, source = import_plugin(cmd_name)
            return model_command(name, source)
        if cmd_name not in MODELS.names():
            raise OptionError(f"no model named '{cmd_name}'; {suggestion(cmd_name, MODELS.names())}")
        return model_command(cmd_name, None)

    def format_commands(self, ctx: typer.Context, formatter: Any) -> None:  # type: ignore[override]
        with formatter.section("Models ('lasernet train MODEL --help' shows a model's options)"):
            formatter.write_dl([(name, entry.summary) for name, entry in sorted(MODELS.entries().items())])


app = typer.Typer(
    cls=Models, context_settings=HELP, subcommand_metavar="MODEL [OPTIONS]", **{**PLAIN, "no_args_is_help": False}
)


@app.callback(invoke_without_command=True)
def train(ctx: typer.Context, resume: RESUME = None) -> None:
    """Train MODEL and write a run directory; stdout carries only its path.

    MODEL is a name from the list below, or a class in a file: ./my_model.py:ResConv.
    """
    if ctx.invoked_subcommand is None:
        if resume is None:
            typer.echo(ctx.get_help())
            raise typer.Exit
        run_training(ctx.obj or Settings(), None, {}, resume=resume, dry_run=False)
    elif resume is not None:
        raise OptionError("--resume comes after the model's name, or without one; write 'lasernet train --resume RUN'")


def model_command(name: str, source: dict[str, str] | None) -> Any:
    """The command of one model, with every option that it and its task take."""
    from lasernet.engine.plan import knobs, model_class, pick_task

    cls = model_class(name)
    options = knobs(cls, pick_task(cls, None))
    defaults = {**cls.defaults}
    keyword = inspect.Parameter.KEYWORD_ONLY
    parameters = [inspect.Parameter("ctx", keyword, annotation=typer.Context)]
    for key, (kind, metavar, text) in SHARED.items():
        if key == "loss" and cls.default_loss is None:
            continue
        if key == "loss":
            text = f"{text} [{defaults.get('loss', cls.default_loss)}]"
        if key == "task":
            text = f"{text} {', '.join(cls.tasks)} [{cls.tasks[0]}]"
        if key == "preset" and cls.presets:
            text = f"{text} {', '.join(cls.presets)}"
        info = typer.Option(f"--{key}", help=text, metavar=metavar, show_default=False)
        parameters.append(inspect.Parameter(key, keyword, default=None, annotation=Annotated[kind, info]))
    parameters.append(inspect.Parameter("resume", keyword, default=None, annotation=RESUME))
    dry = typer.Option("--dry-run", help="Show shapes, parameters, steps and disk; train nothing.")
    parameters.append(inspect.Parameter("dry_run", keyword, default=False, annotation=Annotated[bool, dry]))
    for flat, knob in options.items():
        option = knob.option
        if flat in defaults:
            option = type(option)(**{**vars(option), "default": option.parse(defaults[flat])})
        parameters.append(flag_parameter(option, flag=flat))

    def command(**values: Any) -> None:
        ctx: typer.Context = values.pop("ctx")
        resume, dry_run = values.pop("resume"), values.pop("dry_run")
        run_training(ctx.obj or Settings(), name, values, resume=resume, dry_run=dry_run, source=source)

    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    command.__doc__ = f"{inspect.cleandoc(cls.__doc__ or cls.__name__)}"
    holder = typer.Typer(context_settings=HELP, **{**PLAIN, "no_args_is_help": False})
    holder.command(name=name)(command)
    return get_command(holder)


def run_training(
    settings: Settings,
    model: str | None,
    values: dict[str, Any],
    *,
    resume: str | None,
    dry_run: bool,
    source: dict[str, str] | None = None,
) -> None:
    """Train, and end as the contract of signals says."""
    out = values.get("out")
    options = {key: value for key, value in values.items() if key not in SHARED and value is not None}
    shared = {key: values.get(key) for key in ("task", "loss", "preset")}
    file_options = _from_file(values.get("config"), model)
    for text in values.get("set") or []:
        file_options.update(_from_assignment(text))
    options = {**file_options, **options}
    for key in ("task", "loss", "preset"):
        shared[key] = shared[key] if shared[key] is not None else options.pop(key, None)
        options.pop(key, None)
        if not isinstance(shared[key], str | None):
            raise OptionError(f"--{key}: found {shared[key]!r}, expected text; mend the configuration file")
    from lasernet.engine.resume import find_resumable
    from lasernet.engine.train import train

    arguments: dict[str, Any] = {"data": values.get("data") or (), "out": out, "source": source, **shared}
    if dry_run:
        from lasernet.engine.dry import describe_training

        result(describe_training(str(model), **{k: v for k, v in arguments.items() if k != "out"}, options=options))
        return
    if settings.quiet:
        os.environ[QUIET] = "1"
    reporter = TerminalReporter(settings if speaks_for_all() else Settings(quiet=True))
    going_on = find_resumable(resume, out, model)
    if going_on is not None and source is None:
        from lasernet.run import Run

        import_for_run(Run(going_on).config)
    if model is not None and going_on is None:
        _import_parts(model, options)
    try:
        path = train(model, resume=resume, stop=settings.stop, reporter=reporter, **arguments, **options)
    except Stopped as stopped:
        reporter.close()
        _say_how_to_go_on(stopped)
        raise
    finally:
        reporter.close()
    if speaks_for_all():
        result(str(path))


def _import_parts(model: str, options: dict[str, Any]) -> None:
    """Import the model files that the runs need of which a model is made."""
    from lasernet.engine.plan import model_class
    from lasernet.run import Run

    for name in model_class(model).parts:
        if isinstance(options.get(name), str):
            import_for_run(Run(options[name]).config)


def _say_how_to_go_on(stopped: Stopped) -> None:
    if stopped.run is not None:
        say(f"stopped by signal {stopped.signum}; resume with: lasernet train --resume {shlex.quote(str(stopped.run))}")
    else:
        say(f"stopped by signal {stopped.signum} before a run was made; nothing is kept")


def _from_assignment(text: str) -> dict[str, object]:
    section, key, value = parse_assignment(text)
    return {_flat(section, key): value}


def _flat(section: str, key: str) -> str:
    sections = ("training", "data", "model", "loss")
    if section in sections[:3]:
        return key
    if section == "loss":
        return key
    if section.startswith("loss:"):
        return f"{section.removeprefix('loss:')}_{key}".replace("-", "_")
    raise OptionError(f"no section '{section}'; {suggestion(section, list(sections))}")


def _from_file(path: str | None, model: str | None) -> dict[str, object]:
    """Flat options from a TOML or JSON file: plain keys, or the sections of a run's config.json."""
    if path is None:
        return {}
    file = Path(path)
    readers: dict[str, Callable[[str], Any]] = {".toml": tomllib.loads, ".json": json.loads}
    if file.suffix not in readers:
        raise OptionError(f"--config {path}: expected a file that ends in .toml or .json")
    try:
        content = readers[file.suffix](file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise OptionError(f"--config {path}: cannot be read ({error}); expected TOML or JSON") from None
    if not isinstance(content, dict):
        raise OptionError(f"--config {path}: expected a table of options")
    if "schema" in content and "environment" in content:
        return _from_run_config(content, path, model)
    flat: dict[str, object] = {}
    for key, value in content.items():
        if isinstance(value, dict):
            _flat(key, "")  # an empty section must have a known name too
            flat.update({_flat(key, name.replace("-", "_")): inner for name, inner in value.items()})
        else:
            flat[key.replace("-", "_")] = value
    return flat


def _from_run_config(content: dict[str, Any], path: str, model: str | None) -> dict[str, object]:
    try:
        if model is not None and content["model"]["name"] != model:
            raise OptionError(f"--config {path} is of a {content['model']['name']} run; expected one of {model}")
        losses = {
            f"{name}_{key}".replace("-", "_"): value
            for name, options in content["loss"]["options"].items()
            for key, value in options.items()
        }
        parts = (content["training"], content["data"]["options"], content["model"]["options"], losses)
        flat = {key: value for part in parts for key, value in part.items() if value is not None}
        return {**flat, "task": content["task"], "loss": content["loss"]["expression"] or None}
    except (KeyError, TypeError, AttributeError):
        raise OptionError(f"--config {path}: not a whole run configuration; expected a run's config.json") from None

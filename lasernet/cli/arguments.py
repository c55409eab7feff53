"""Typer parameters made from options, and the arguments that several verbs share."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from lasernet.cli.plugins import import_for_run, import_plugin
from lasernet.errors import OptionError
from lasernet.options import Option
from lasernet.run import RUNS, Run, latest_run

PLUGIN = Annotated[
    list[str] | None,
    typer.Option("--plugin", metavar="FILE:CLASS", help="Model file that the run needs, as ./my_model.py:ResConv."),
]
SHARP = Annotated[
    bool,
    typer.Option("--sharp", help="The model's likeliest answers, not those with the lowest error, where it has both."),
]
UNSHARP = Annotated[
    float | None,
    typer.Option(
        "--unsharp",
        metavar="AMOUNT",
        help="Sharpen predicted frames afterwards: add AMOUNT times what a Gaussian blurs away.",
    ),
]
UNSHARP_RADIUS = Annotated[
    float | None,
    typer.Option("--unsharp-radius", metavar="CELLS", help="Standard deviation of that Gaussian. [1]"),
]
PROJECT = Annotated[
    bool,
    typer.Option(
        "--project", help="Take the nearest velocity that conserves mass and rests on walls, of predicted flows."
    ),
]
WINDOW = Annotated[
    int | None,
    typer.Option("--window", metavar="CELLS", help="Answer slices of flows window by window, of so many cells."),
]
OVERLAP = Annotated[
    int | None,
    typer.Option("--overlap", metavar="CELLS", help="Cells that neighboring windows share. [half a window]"),
]


def flag_parameter(option: Option, *, panel: str | None = None, flag: str | None = None) -> inspect.Parameter:
    """An optional flag; its value is None unless the user gives it."""
    name = (flag or option.flag).replace("-", "_")
    text = option.help
    if option.default is not None:
        shown = ",".join(map(str, option.default)) if isinstance(option.default, tuple) else option.default
        text = f"{text} [{shown}]"
    flag = name.replace("_", "-")
    if option.kind is bool:
        info = typer.Option(f"--{flag}/--no-{flag}", help=text, show_default=False)
        kind: Any = bool | None
    else:
        names = {int: "INT", float: "NUMBER", str: "TEXT", tuple: "N,N,…"}
        metavar = "|".join(option.choices) if option.choices else names[option.kind]
        info = typer.Option(f"--{flag}", help=text, metavar=metavar, show_default=False)
        kind = str | None
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind, info])


def given(values: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """The options among ``names`` that the user gave."""
    return {name: values[name] for name in names if values.get(name) is not None}


def open_runs(runs: Sequence[str], plugins: Sequence[str] | None) -> list[Path]:
    """The paths of existing runs, with the model files imported that they need."""
    paths = run_paths(runs)
    for reference in plugins or []:
        import_plugin(reference)
    for path in paths:
        config = Run(path).config
        if not plugins:
            import_for_run(config)
    return paths


def run_paths(runs: Sequence[str]) -> list[Path]:
    """Run directories from arguments: paths, ``latest``, or ``-`` for a list on stdin."""
    paths: list[Path] = []
    for run in runs:
        if run == "-":
            paths += [Path(line.strip()) for line in sys.stdin if line.strip()]
        elif run == "latest":
            paths.append(latest_run(RUNS, finished=True))
        else:
            paths.append(Path(run))
    if not paths:
        raise OptionError("no run named; expected the path of a run directory, 'latest', or '-' for stdin")
    return paths

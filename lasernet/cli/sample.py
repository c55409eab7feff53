"""``lasernet sample RUN|MODEL``: draws from a generative model, or predictions of test items."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from typer.core import TyperCommand
from typer.main import get_command

from lasernet.cli.app import HELP, PLAIN
from lasernet.cli.arguments import OVERLAP, PLUGIN, PROJECT, SHARP, UNSHARP, UNSHARP_RADIUS, WINDOW, flag_parameter
from lasernet.cli.output import result, say
from lasernet.cli.plugins import import_for_run, import_plugin
from lasernet.options import options_of
from lasernet.registry import MODELS
from lasernet.run import CONFIG, RUNS, Run

app = typer.Typer(context_settings=HELP, **PLAIN)
OWN = "lasernet.sampling"  # where the values of a model's own options lie in the context


class SampleCommand(TyperCommand):
    """Takes, beside its own options, those of the named model's ``sample``."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        extra = _parameters(args)
        self.params = [*self.params, *extra]
        rest: list[str] = super().parse_args(ctx, args)
        ctx.meta[OWN] = {name: ctx.params.pop(name) for name in [option.name for option in extra]}
        return rest


def _parameters(args: Sequence[str]) -> list[Any]:
    """The sampling options of the first model or run among the arguments."""
    from lasernet.engine.plan import model_class

    named = next((name for name in map(_model_of, args) if name), None)
    if named is None:
        return []
    draw = model_class(named).sample
    flags = [flag_parameter(option, panel="Options of this model") for option in options_of(draw)] if draw else []

    def command(**values: Any) -> None:
        """Never called: only its parameters are wanted."""

    command.__signature__ = inspect.Signature(flags)  # type: ignore[attr-defined]
    command.__annotations__ = {flag.name: flag.annotation for flag in flags}
    holder = typer.Typer(add_completion=False)
    holder.command()(command)
    return [parameter for parameter in get_command(holder).params if parameter.name in command.__annotations__]


def _model_of(word: str) -> str | None:
    """The registered model that a word of the command line means, if it means one."""
    if word in MODELS.names():
        return word
    if word == "latest" or (Path(word) / CONFIG).is_file():
        from lasernet.engine.sample import newest_run_of

        name = Run(newest_run_of(word, RUNS)[0]).model_name
        return name if name in MODELS.names() else None
    return None


@app.command(cls=SampleCommand)
def sample(
    ctx: typer.Context,
    run: Annotated[str, typer.Argument(metavar="RUN|MODEL", help="Run directory, 'latest', or a model's name.")],
    n: Annotated[int, typer.Option("--n", help="How many draws or items.", metavar="N")] = 64,
    data: Annotated[
        list[str] | None, typer.Option("--data", metavar="F.h5", help="Other HDF5 files than the run's own.")
    ] = None,
    split: Annotated[
        Literal["train", "val", "test"] | None,
        typer.Option("--split", help="Items that a predictive model answers. [test]"),
    ] = None,
    item: Annotated[
        int | None, typer.Option("--item", metavar="K", help="One item by its number in the split.")
    ] = None,
    out: Annotated[
        str | None,
        typer.Option("--out", metavar="PATH", help="F.h5, F.png, F.npy (images) or a directory. [RUN/samples.h5]"),
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", metavar="INT", help="Seed of the draws of a generative model. [0]")
    ] = None,
    sharp: SHARP = False,
    unsharp: UNSHARP = None,
    unsharp_radius: UNSHARP_RADIUS = None,
    project: PROJECT = False,
    window: WINDOW = None,
    overlap: OVERLAP = None,
    plugin: PLUGIN = None,
) -> None:
    """Draw from a generative model, or predict test items with a predictive one; stdout carries the path.

    A model's name means its newest finished run, else the weights that ship with lasernet; stderr says which.
    'lasernet sample MODEL --help' also shows the sampling options of that model.

    \b
    lasernet sample wgan --n 64 --out grains.png
    lasernet sample wgan --n 1000 --grains 40 --seed 7 --out grains.h5
    lasernet sample latest --item 3 --out prediction.png
    """
    from lasernet.engine.sample import newest_run_of, sample

    for reference in plugin or []:
        import_plugin(reference)
    path, is_name = newest_run_of(run, RUNS)
    if is_name:
        say(f"using {path}")
    if not plugin:
        import_for_run(Run(path).config)
    own = {name: value for name, value in ctx.meta[OWN].items() if value is not None}
    own |= {"sharp": sharp, "unsharp": unsharp, "unsharp_radius": unsharp_radius}
    own |= {"project": project or None, "window": window, "overlap": overlap}
    written = sample(path, n=n, data=data or (), split=split, item=item, out=out, seed=seed, **own)
    result(str(written))

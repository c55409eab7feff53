"""``lasernet data generate NAME``: a command for every generator, made from its recipe's signature."""

from __future__ import annotations

import inspect
import signal
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from lasernet.cli.app import HELP, PLAIN
from lasernet.cli.arguments import flag_parameter
from lasernet.cli.output import Settings, progress_lines, result
from lasernet.options import options_of


class Generators(TyperGroup):
    """The generators as commands."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]
        from lasernet.data.generate import GENERATORS

        return list(GENERATORS)

    def get_command(self, ctx: typer.Context, cmd_name: str) -> Any:  # type: ignore[override]
        return generator_command(cmd_name)

    def format_commands(self, ctx: typer.Context, formatter: Any) -> None:  # type: ignore[override]
        from lasernet.data.generate import GENERATORS

        with formatter.section("Generators ('lasernet data generate NAME --help' shows a generator's options)"):
            formatter.write_dl([(name, one.summary) for name, one in GENERATORS.items()])


app = typer.Typer(cls=Generators, context_settings=HELP, subcommand_metavar="NAME [OPTIONS]", **PLAIN)


@app.callback()
def generate() -> None:
    """Run a generator and write its data file."""


def generator_command(name: str) -> Any:
    """The command of one generator, with every option that its recipe takes.

    Raises:
        OptionError: if there is no such generator.
    """
    from lasernet.data.generate import generator_named

    generator = generator_named(name)
    counts = ", ".join(f"{preset} ({count:,})" for preset, count in generator.counts.items())
    shared: dict[str, tuple[Any, Any, Any]] = {  # type, default, option
        "out": (str, ..., typer.Option("--out", metavar="F.h5", help="HDF5 file to write.")),
        "preset": (
            str,
            "default",
            typer.Option("--preset", metavar="NAME", help=f"Size and number of {generator.unit}: {counts}."),
        ),
        "n": (
            int | None,
            None,
            typer.Option("--n", f"--{generator.unit}", metavar="INT", help=f"Number of {generator.unit} instead."),
        ),
        "seed": (int, 0, typer.Option("--seed", metavar="INT", help="Same seed and options, same content.")),
        "overwrite": (bool, False, typer.Option("--overwrite", help="Replace an existing file.")),
    }
    keyword = inspect.Parameter.KEYWORD_ONLY
    parameters = [inspect.Parameter("ctx", keyword, annotation=typer.Context)]
    for key, (kind, default, option) in shared.items():
        value = inspect.Parameter.empty if default is ... else default
        parameters.append(inspect.Parameter(key, keyword, default=value, annotation=Annotated[kind, option]))
    parameters += [flag_parameter(option) for option in options_of(generator.recipe)]

    def command(**values: Any) -> None:
        from lasernet.data.generate import generate

        settings = values.pop("ctx").obj or Settings()
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that nothing is left behind
        given = {key: value for key, value in values.items() if value is not None}
        path = generate(name, Path(given.pop("out")), progress=progress_lines(settings, generator.unit), **given)
        result(str(path))

    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    command.__doc__ = inspect.cleandoc(generator.recipe.__doc__ or generator.summary)
    holder = typer.Typer(context_settings=HELP, **{**PLAIN, "no_args_is_help": False})
    holder.command(name=name)(command)
    return get_command(holder)

"""``lasernet gridsearch``: listed, and to come."""

from __future__ import annotations

import typer

from lasernet.cli.app import HELP, PLAIN
from lasernet.errors import OptionError

app = typer.Typer(context_settings=HELP, **{**PLAIN, "no_args_is_help": False})


@app.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
def gridsearch() -> None:
    """Many runs and one table (not built yet)."""
    raise OptionError(
        "gridsearch is not built yet; until then call 'lasernet train' in a loop and 'lasernet eval' on all"
    )

"""The ``lasernet`` command: six verbs, imported only when they are called."""

from __future__ import annotations

import difflib
import importlib
import os
import sys
from collections.abc import Callable, Sequence
from traceback import walk_tb
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup
from typer.main import get_command

from lasernet.cli.output import Settings, keep_streams, route_messages
from lasernet.cli.output import say_error as _say_error
from lasernet.errors import LasernetError
from lasernet.registry import PLUGIN_MODULE, first_line

VERBS = {
    "data": "Import, download, describe and check data files.",
    "train": "Train a model and write a run directory.",
    "eval": "Metrics of runs, with baselines, skill and intervals.",
    "visualize": "Figures, animations and VTK files of runs.",
    "sample": "Draw samples from a run, or predict test items with it.",
    "gridsearch": "Many runs and one table.",
}
ClickException: Any = typer.BadParameter.__mro__[2]  # typer vendors click and does not export it
PLAIN: dict[str, Any] = {"add_completion": False, "rich_markup_mode": None, "no_args_is_help": True}
HELP = {"help_option_names": ["-h", "--help"], "max_content_width": 110}


class Verbs(TyperGroup):
    """Lists the verbs from a table and imports a verb's module when it is called."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]
        return list(VERBS)

    def get_command(self, ctx: typer.Context, cmd_name: str) -> Any:  # type: ignore[override]
        if cmd_name not in VERBS:
            return None
        return get_command(importlib.import_module(f"lasernet.cli.{cmd_name}").app)

    def format_commands(self, ctx: typer.Context, formatter: Any) -> None:  # type: ignore[override]
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))

    def resolve_command(self, ctx: typer.Context, args: list[str]) -> Any:  # type: ignore[override]
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            close = difflib.get_close_matches(args[0], list(VERBS), n=1)
            hint = f"did you mean '{close[0]}'?" if close else f"the verbs are {', '.join(VERBS)}"
            ctx.fail(f"no verb '{args[0]}'; {hint}")
        return super().resolve_command(ctx, args)


app = typer.Typer(cls=Verbs, name="lasernet", context_settings=HELP, **PLAIN)


def _version(asked: bool) -> None:
    if asked:
        from lasernet import __version__

        print(f"lasernet {__version__}")
        raise typer.Exit


@app.callback()
def lasernet(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Results and errors only; also after the verb.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks; also after the verb.")] = False,
) -> None:
    """Machine learning on the microstructure of materials.

    \b
    lasernet train predrnn --plane xz      learn from the bundled laser track
    lasernet eval latest                   skill against honest baselines
    lasernet visualize latest              figures into the run directory

    Results go to stdout, everything else to stderr. Docs: README.md and docs/.
    """


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit with its code."""
    keep_streams()
    words = list(sys.argv[1:] if arguments is None else arguments)
    end = words.index("--") if "--" in words else len(words)
    settings = Settings(quiet="--quiet" in words[:end], debug="--debug" in words[:end])
    words = [word for place, word in enumerate(words) if place >= end or word not in ("--quiet", "--debug")]
    route_messages(settings)
    if words[:1] == ["train"]:
        settings.stop.install()
    code = 1
    try:
        code = guarded(lambda: _command(words, settings), settings)
        sys.stdout.flush()
    except OSError as error:
        if not code:  # else the error has been told
            _say_error(f"standard output cannot be written ({error.strerror}); expected room; give it another place")
        code = code or 2
        _discard_stdout()
    sys.exit(code)


def _command(words: list[str], settings: Settings) -> int:
    return int(get_command(app)(words, prog_name="lasernet", standalone_mode=False, obj=settings) or 0)


def guarded(work: Callable[[], int], settings: Settings, *, report: Callable[[str, int], None] | None = None) -> int:
    """Every way in which work can end, as an exit code; errors become one line on stderr.

    Args:
        report: takes the line and the code instead, in a process for which another one speaks.
    """

    def say_error(text: str, code: int) -> int:
        (report or _speak)(text, code)
        return code

    try:
        return work()
    except LasernetError as error:
        if settings.debug:
            raise
        return say_error(str(error), error.exit_code)
    except ClickException as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            print(error.format_message())
            return 0
        return say_error(_usage(error), 2)
    except KeyboardInterrupt:
        return 130
    except SystemExit as error:
        return int(error.code or 0) if not isinstance(error.code, str) else 2
    except OSError as error:
        if settings.debug:
            raise
        place = f" '{error.filename}'" if error.filename else ""
        text = f"the system refused{place}: {error.strerror or error}; expected room and permission; mend it and retry"
        return say_error(text, 2)
    except BaseException as error:
        if getattr(error, "exit_code", None) is not None:  # a signal, or a worker that has spoken
            return int(error.exit_code)  # type: ignore[attr-defined]
        if settings.stop.signum is not None:  # raised in the middle of an import, it can come out as another error
            return 128 + settings.stop.signum
        if settings.debug:
            raise
        what = f"{type(error).__name__}: {first_line(str(error))}"
        culprit = _place_in_plugin(error)
        if culprit is not None:
            return say_error(f"{culprit}: {what}; expected a model that works; mend the file (--debug shows more)", 2)
        text = f"unexpected {what}; this is a defect of lasernet"
        return say_error(f"{text}; run the command again with --debug and report what it prints", 1)


def _speak(text: str, _code: int) -> None:
    _say_error(text)


def _place_in_plugin(error: BaseException) -> str | None:
    """File and line of the user's own model from which an error came, or the file alone if it came later on."""
    frames = [(frame.f_globals.get("__name__", ""), line) for frame, line in walk_tb(error.__traceback__)]
    lines = [(name, f", line {line}") for name, line in frames]
    loaded = [(name, "") for name in sys.modules]
    found = [(name, line) for name, line in loaded + lines if name.startswith(PLUGIN_MODULE)]
    return f"{found[-1][0].removeprefix(PLUGIN_MODULE)}.py{found[-1][1]}" if found else None


def _usage(error: Any) -> str:
    ctx = getattr(error, "ctx", None)
    text = str(error.format_message()).rstrip(".")
    return f"{text}; see '{ctx.command_path} --help'" if ctx is not None else text


def _discard_stdout() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)

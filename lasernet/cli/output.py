"""How the command line speaks: results on stdout, everything else on stderr."""

from __future__ import annotations

import io
import logging
import os
import sys
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TextIO

from lasernet.engine.signals import StopRequest

QUIET = "LASERNET_QUIET"  # set for the worker processes of a quiet command


@dataclass(frozen=True)
class Settings:
    """What holds for every verb.

    Attributes:
        stop: remembers signals from the first moment of ``train`` on.
    """

    quiet: bool = False
    debug: bool = False
    stop: StopRequest = field(default_factory=StopRequest)


def speaks_for_all() -> bool:
    """Whether this is the one process, or the first of those that a launcher started."""
    return os.environ.get("RANK", "0") == "0"


def keep_streams() -> None:
    """Fill in standard streams that were closed, and let names that are no text pass through stdout.

    Otherwise the next file that is opened would take a closed stream's number, and what is written to it.
    Stdout cannot be written to then, so that a lost result is an error; stderr swallows what it gets.
    """
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        if getattr(sys, name) is None:
            os.dup2(os.open(os.devnull, os.O_RDWR if number == 2 else os.O_RDONLY), number)
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115  (never closed)
    if isinstance(sys.stdout, io.TextIOWrapper):
        utf8 = sys.stdout.encoding.lower().replace("-", "") == "utf8"
        sys.stdout.reconfigure(errors="surrogateescape" if utf8 else "backslashreplace")


def say(text: str) -> None:
    """A message for a person, on stderr; where nobody listens any more, the work goes on."""
    try:
        print(text, file=sys.stderr, flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # what is still buffered goes there


def say_error(text: str) -> None:
    """The one line that an error gets."""
    say(f"error: {' '.join(text.split())}")


class OutputClosed(BaseException):
    """Nobody reads our results any more (``| head``): end quietly, as other tools do."""

    exit_code = 141


def result(text: str) -> None:
    """A result, on stdout.

    Raises:
        OutputClosed: if its reader has gone.
    """
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is still buffered goes there
        raise OutputClosed from None


def route_messages(settings: Settings) -> None:
    """Send logging and warnings to stderr, as single lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.ERROR if settings.quiet else logging.WARNING)
    logging.getLogger("lasernet").setLevel(logging.ERROR if settings.quiet else logging.INFO)

    def show(
        message: Warning | str, category: type[Warning], filename: str, lineno: int, file: TextIO | None = None,
        line: str | None = None,
    ) -> None:  # fmt: skip
        if not settings.quiet and category.__module__.startswith("lasernet"):
            say(f"warning: {' '.join(str(message).split())}")
        elif settings.debug:
            say(f"{filename}:{lineno}: {category.__name__}: {message}")

    warnings.showwarning = show


def progress_lines(settings: Settings | None, unit: str, scale: int = 1) -> Callable[[int, int], None] | None:
    """A line on stderr for each tenth that is done, from calls with how many of how many; None if quiet."""
    if settings is not None and settings.quiet:
        return None
    shown: dict[str, int] = {"at": -1}

    def show(done: int, total: int) -> None:
        tenth = 10 * done // max(1, total)
        if tenth != shown["at"]:
            shown["at"] = tenth
            say(f"{done // scale}/{total // scale} {unit}")

    return show


class TerminalReporter:
    """Training progress: a bar on a terminal, one line per epoch elsewhere."""

    def __init__(self, settings: Settings) -> None:
        self.quiet = settings.quiet
        self.bar: Any = None
        self.line: Any = None

    def start(self, text: str, steps: int, done: int) -> None:
        """Say what is trained; open the bar on a terminal."""
        if self.quiet:
            return
        say(text if not done else f"{text}; going on after {done} updates")
        if sys.stderr.isatty() and steps:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
            self.bar = Progress(*columns, console=Console(stderr=True), transient=True)
            self.line = self.bar.add_task("", total=steps, completed=done)
            self.bar.start()

    def step(self, done: int) -> None:
        """Move the bar."""
        if self.bar is not None:
            self.bar.update(self.line, completed=done)

    def epoch(self, row: Mapping[str, Any], epochs: int) -> None:
        """One line, or the bar's text."""
        if self.quiet:
            return
        losses = [f"{key.removesuffix('_loss')} {value:.5g}" for key, value in row.items() if key.endswith("loss")]
        text = f"epoch {row['epoch']}/{epochs}  {'  '.join(losses)}  {row['seconds']:.0f} s"
        if self.bar is None:
            say(text)
        else:
            self.bar.update(self.line, description=text)

    def note(self, text: str) -> None:
        """A warning line."""
        if not self.quiet:
            say(f"warning: {text}")

    def close(self) -> None:
        """Take the bar away."""
        if self.bar is not None:
            self.bar.stop()

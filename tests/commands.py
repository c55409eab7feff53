"""The ``lasernet`` command in a process of its own, forked from one that has imported torch, so that it starts at once.

Streams, signals and exit codes are those of any process. What depends on a fresh interpreter, such as what an import
costs, is tested with ``sys.executable -m lasernet``.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing import forkserver
from pathlib import Path
from typing import NamedTuple

FORKS = multiprocessing.get_context("forkserver")
VERBS = ("data", "train", "eval", "visualize", "sample", "gridsearch")
ENGINE = ("train", "evaluate", "visualize", "sample", "dry", "launch", "resume")
LATER = (  # what a verb imports once it works; torch._dynamo comes with the first optimizer
    "lasernet.tasks.microstructure", "lasernet.models.baselines", "lasernet.losses.pixel", "torch._dynamo",
    "accelerate", "matplotlib.pyplot", "contourpy", "pydantic", "rich.console", "rich.table",
)  # fmt: skip
SECONDS = 300.0  # for a machine that does much else; nothing takes so long where all is well


def prepare() -> None:
    """Start the process from which commands are forked; it imports while the caller goes on."""
    verbs, engine = (f"lasernet.cli.{name}" for name in VERBS), (f"lasernet.engine.{name}" for name in ENGINE)
    FORKS.set_forkserver_preload([*verbs, *engine, *LATER])  # names that cannot be imported are passed over
    forkserver.ensure_running()


class Done(NamedTuple):
    """What a command leaves, as :class:`subprocess.CompletedProcess` has it."""

    returncode: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Setting:
    """Where a command runs, and what its streams 0, 1 and 2 are."""

    folder: str
    environment: Mapping[str, str]
    streams: tuple[str, str, str]


class Command:
    """A command that has been started.

    Args:
        stdin: what it reads.
        stdout: file or pipe that takes its results instead of :attr:`Done.stdout`.
    """

    def __init__(self, *words: object, stdin: str = "", stdout: Path | str | None = None) -> None:
        self._kept = tempfile.TemporaryDirectory()
        place = Path(self._kept.name)
        (place / "in").write_text(stdin)
        for name in ("out", "err"):
            (place / name).touch()
        streams = (str(place / "in"), str(stdout or place / "out"), str(place / "err"))
        setting = Setting(os.getcwd(), dict(os.environ), streams)
        self.process = FORKS.Process(target=_run, args=([str(word) for word in words], setting))
        self.process.start()

    def send(self, signum: int) -> None:
        os.kill(self.process.pid or 0, signum)

    def until(self, true: Callable[[], bool]) -> None:
        """Wait until something is true, which must be before the command ends."""
        end = time.monotonic() + SECONDS
        while not true():
            assert self.process.is_alive(), self.finish()
            assert time.monotonic() < end, self.said()
            time.sleep(0.02)

    def finish(self, seconds: float = SECONDS) -> Done:
        """Wait for the end; a command that does not come to it is killed, and its exit code is then that of a kill."""
        self.process.join(seconds)
        if self.process.exitcode is None:
            self.process.kill()
            self.process.join()
        out, err = ((Path(self._kept.name) / name).read_text(errors="replace") for name in ("out", "err"))
        self._kept.cleanup()
        return Done(int(self.process.exitcode or 0), out, err)

    def said(self) -> str:
        """What it has written to stderr so far."""
        return (Path(self._kept.name) / "err").read_text(errors="replace")


def lasernet(*words: object, stdin: str = "", stdout: Path | str | None = None) -> Done:
    """Run a command in the working directory and environment of the caller."""
    return Command(*words, stdin=stdin, stdout=stdout).finish()


def _run(words: list[str], setting: Setting) -> None:
    os.chdir(setting.folder)
    os.environ.clear()
    os.environ.update(setting.environment)
    for number, (place, mode) in enumerate(zip(setting.streams, (os.O_RDONLY, os.O_WRONLY, os.O_WRONLY), strict=True)):
        opened = os.open(place, mode)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w")  # noqa: SIM115  (the process's own)
    from lasernet.cli.app import main

    main(words)

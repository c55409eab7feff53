"""Signals that ask a training to stop: noticed at once before it starts, between steps afterwards."""

from __future__ import annotations

import signal
from pathlib import Path
from types import FrameType

HANDLED = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGUSR1", "SIGUSR2", "SIGXCPU") if hasattr(signal, name)
)


class Stopped(BaseException):
    """A signal ended the work; the exit code is 128 + its number, as shells count."""

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.signum = signum
        self.run: Path | None = None  # the run to go on with, once there is one
        self.exit_code = 128 + signum


class StopRequest:
    """Remembers the first signal.

    While ``deferred`` is false a signal raises :class:`Stopped` where the program stands; while it is
    true the training loop asks for ``signum`` between steps and saves a checkpoint first.
    """

    def __init__(self) -> None:
        self.signum: int | None = None
        self.deferred = False

    def install(self) -> StopRequest:
        """Catch the signals in this process (main thread only)."""
        for number in HANDLED:
            signal.signal(number, self._handle)
        return self

    def _handle(self, signum: int, _frame: FrameType | None) -> None:
        if self.signum is None:
            self.signum = signum
            if not self.deferred:
                raise Stopped(signum)

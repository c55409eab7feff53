"""Scripts that check files in a child process, in forks of one process that has imported what they need.

A fork has the limits, the streams and the exit status of a new interpreter without its imports, which are nearly all
that such a check costs. ``tests/data/test_quarantine.py`` runs every script in interpreters of their own.
"""

import contextlib
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import lasernet

PACKAGE = Path(lasernet.__file__).parent
NEEDS = {"ptstore": ("torch",)}  # beside what a script imports at its top


class Forks:
    """Stands for the module ``subprocess`` in ``lasernet.data.quarantine``."""

    DEVNULL = subprocess.DEVNULL
    TimeoutExpired = subprocess.TimeoutExpired

    def __init__(self) -> None:
        self._server: tuple[socket.socket, subprocess.Popen[bytes]] | None = None
        self._lock = threading.Lock()
        self._owner = os.getpid()

    def run(
        self, command: Sequence[str], *, timeout: float, env: Mapping[str, str], **options: object
    ) -> subprocess.CompletedProcess[bytes]:
        """As ``subprocess.run`` of [interpreter, "-P", script, *arguments], whose stdout is kept."""
        if os.getpid() != self._owner:  # forked by a test: the server is that of another process
            return subprocess.run(command, timeout=timeout, env=env, **options)  # type: ignore[call-overload, no-any-return]
        with self._lock:
            try:
                status, out = self._ask([list(command[2:]), dict(env)], timeout)
            except BaseException:  # an interrupt, say: answers to come belong to nobody
                self.close(wait=False)
                raise
        if out is None:
            raise subprocess.TimeoutExpired(command, timeout)
        return subprocess.CompletedProcess(command, status, out)

    def _ask(self, words: list[object], timeout: float) -> tuple[int, bytes | None]:
        connection = self._connect()
        request = json.dumps(words).encode() + b"\n"
        reading, writing = os.pipe()
        try:
            connection.sendall(request[socket.send_fds(connection, [request], [writing]) :])
        finally:
            os.close(writing)
        with connection.makefile("r") as answers:
            child = int(answers.readline())
            out = _read(reading, timeout)
            if out is None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
            return int(answers.readline()), out

    def close(self, *, wait: bool = True) -> None:
        """End the process that forks."""
        if self._server is not None and os.getpid() == self._owner:
            connection, process = self._server
            self._server = None
            connection.close()
            if wait:
                process.wait()

    def _connect(self) -> socket.socket:
        if self._server is None:
            ours, theirs = socket.socketpair()
            environment = {**os.environ, "PYTHONPATH": os.pathsep.join(place for place in sys.path if place)}
            process = subprocess.Popen(
                [sys.executable, "-P", __file__, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env=environment,
            )
            theirs.close()
            self._server = ours, process
        return self._server[0]


def _read(pipe: int, seconds: float) -> bytes | None:
    """What comes out of a pipe before it is closed, or None if that takes too long."""
    end, found = time.monotonic() + seconds, b""
    try:
        while select.select([pipe], [], [], max(0.0, end - time.monotonic()))[0]:
            part = os.read(pipe, 1 << 16)
            if not part:
                return found
            found += part
        return None
    finally:
        os.close(pipe)


def serve(connection: socket.socket) -> None:
    """Run scripts as they are asked for, each in a fork, until the other end is closed."""
    while True:
        request, handles = b"", []
        while not request.endswith(b"\n"):
            part, found, *_ = socket.recv_fds(connection, 1 << 16, 1)
            if not part:
                return
            request, handles = request + part, handles + found
        words, environment = json.loads(request)
        script = Path(words[0]).with_suffix("").relative_to(PACKAGE)
        for name in (".".join(("lasernet", *script.parts)), *NEEDS.get(script.stem, ())):
            importlib.import_module(name)
        child = os.fork()
        if not child:
            connection.close()
            _become(words, environment, handles[0])
        os.close(handles[0])
        connection.sendall(b"%d\n" % child)
        _, status = os.waitpid(child, 0)
        connection.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))


def _become(words: list[str], environment: dict[str, str], out: int) -> None:
    os.dup2(out, 1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv[:] = words
    code = 1
    try:
        runpy.run_path(words[0], run_name="__main__")
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    finally:
        sys.stdout.flush()
        os._exit(code)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who runs the tests hears of it
    serve(socket.socket(fileno=int(sys.argv[1])))

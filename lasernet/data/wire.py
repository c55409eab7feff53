"""Sockets under a watch: no answer may hang, drip, or send headers without end."""

from __future__ import annotations

import functools
import io
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from typing import Any
from urllib.request import HTTPHandler, HTTPSHandler, Request

CHUNK = 1 << 18  # bytes
OVERHEAD = 1 << 20  # bytes of headers, chunk sizes and trailers between two pieces of content


@dataclass(frozen=True)
class Limits:
    """What a transfer may cost.

    Attributes:
        max_bytes: of a file, as received.
        undeclared_bytes: of a file whose length the server does not tell.
        read_timeout: s without an answer, and the span over which the speed is judged.
        slowest: bytes/s below which a transfer counts as stalled.
        attempts: in a row that bring less than ``progress_bytes`` each; a stalled one counts twice.
        backoff: s before the second attempt, doubled each time.
    """

    max_bytes: int = 64 << 30
    undeclared_bytes: int = 2 << 30
    read_timeout: float = 30.0
    slowest: float = 1024.0
    attempts: int = 5
    backoff: float = 1.0
    progress_bytes: int = 8 << 20


class Passing(Exception):
    """A fault that another attempt may not meet."""

    def __init__(self, message: str, *, cost: int = 1, pause: float = 0.0) -> None:
        super().__init__(message)
        self.cost = cost
        self.pause = pause


class Watch:
    """Deadline, speed and overhead of one response, checked at every read from its socket."""

    def __init__(self, limits: Limits, until: float) -> None:
        self.limits = limits
        self.until = until
        self.begin(limits.read_timeout)

    def begin(self, seconds: float = float("inf")) -> None:
        """Start a phase that may take so long: the headers, then the content."""
        self.phase_until = time.monotonic() + seconds
        self.mark, self.count = time.monotonic(), 0
        self.allow()

    def allow(self) -> None:
        """Content has come: allow the next piece and what surrounds it."""
        self.left = CHUNK + OVERHEAD

    def before(self) -> float:
        """Seconds that the next read may take."""
        now = time.monotonic()
        if now >= self.until:
            raise Passing("the time allowed was over")
        if now >= self.phase_until:
            raise Passing(f"no complete answer within {self.limits.read_timeout:g} s", cost=2)
        return min(self.limits.read_timeout, self.until - now, self.phase_until - now)

    def after(self, received: int) -> None:
        """Count bytes off the wire."""
        self.left -= received
        if self.left < 0:
            raise Passing("an answer of endless headers", cost=2)
        self.count += received
        span = time.monotonic() - self.mark
        if span > self.limits.read_timeout:
            if self.count / span < self.limits.slowest:
                raise Passing(f"it stalled at {self.count / span:.0f} bytes/s", cost=2)
            self.mark, self.count = time.monotonic(), 0


class _Wire(io.RawIOBase):
    """What a socket receives, under a watch."""

    def __init__(self, sock: socket.socket, watch: Watch) -> None:
        self._sock, self._watch = sock, watch
        self._raw = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._sock.settimeout(self._watch.before())
        received = self._raw.readinto(buffer) or 0
        self._watch.after(received)
        return received

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Tap:
    """Stands in for the socket where an HTTPResponse asks for its stream."""

    def __init__(self, sock: socket.socket, watch: Watch) -> None:
        self._sock, self._watch = sock, watch

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Wire(self._sock, self._watch))


class _Response(HTTPResponse):
    def __init__(self, watch: Watch, sock: socket.socket, *args: Any, **options: Any) -> None:
        super().__init__(_Tap(sock, watch), *args, **options)  # type: ignore[arg-type]  # only makefile is used


def _watched(kind: type[HTTPConnection], watch: Watch) -> Callable[..., HTTPConnection]:
    def connect(host: str, **options: Any) -> HTTPConnection:
        connection = kind(host, **options)
        connection.response_class = functools.partial(_Response, watch)  # type: ignore[assignment]
        return connection

    return connect


class Plain(HTTPHandler):
    """http under a watch, which is set after construction."""

    watch: Watch

    def http_open(self, req: Request) -> HTTPResponse:
        return self.do_open(_watched(HTTPConnection, self.watch), req)


class Secure(HTTPSHandler):
    """https under a watch, which is set after construction."""

    watch: Watch

    def https_open(self, req: Request) -> HTTPResponse:
        connect = functools.partial(_watched(HTTPSConnection, self.watch), context=ssl.create_default_context())
        return self.do_open(connect, req)

"""A server on this machine that answers as it is told: well, late, wrongly, without end or not at all."""

from __future__ import annotations

import hashlib
import http.server
import re
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lasernet.data.download import Limits, PublicSet, download

DATA = bytes(range(256)) * 2000  # 512,000 bytes
SHA = hashlib.sha256(DATA).hexdigest()
QUICK = Limits(read_timeout=0.4, slowest=20_000, attempts=3, backoff=0.01, undeclared_bytes=4 << 20)
NAME = "data.bin"
RECORD = PublicSet("flow", "for tests", "zenodo", "https://zenodo.org/records/42", record=42)


class Server(http.server.ThreadingHTTPServer):
    """Answers every path by the function set for it, and keeps what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: dict[str, Callable[[Handler], None]] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.over = threading.Event()

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that leave early are expected."""


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append((self.path, dict(self.headers)))
        self.server.answers.get(self.path.split("?")[0], missing)(self)

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def head(self, status: int = 200, **headers: object) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def times(self) -> int:
        return sum(path == self.path for path, _ in self.server.asked)

    def start(self) -> int:
        found = re.match(r"bytes=(\d+)-$", self.headers.get("Range", ""))
        return int(found[1]) if found else 0

    def drip(self, piece: bytes, pause: float = 0.05) -> None:
        while not self.server.over.is_set():
            self.wfile.write(piece)
            self.wfile.flush()
            time.sleep(pause)


def missing(handler: Handler) -> None:
    handler.head(404, Content_Length=0)


def good(handler: Handler, data: bytes = DATA) -> None:
    """A well-behaved server that resumes."""
    start = handler.start()
    if start:
        handler.head(206, Content_Length=len(data) - start, Content_Range=f"bytes {start}-{len(data) - 1}/{len(data)}",
                     ETag='"v1"')  # fmt: skip
    else:
        handler.head(200, Content_Length=len(data), ETag='"v1"')
    handler.wfile.write(data[start:])


def body(data: bytes, **headers: object) -> Callable[[Handler], None]:
    def answer(handler: Handler) -> None:
        handler.head(200, **{"Content_Length": len(data), **headers})
        handler.wfile.write(data)

    return answer


def status(code: int, **headers: object) -> Callable[[Handler], None]:
    def answer(handler: Handler) -> None:
        handler.head(code, **{"Content_Length": 5, **headers})
        handler.wfile.write(b"sorry")

    return answer


def raw(*lines: str) -> Callable[[Handler], None]:
    def answer(handler: Handler) -> None:
        handler.wfile.write("\r\n".join([*lines, "", ""]).encode("latin-1"))

    return answer


def breaks_after(share: float, *, reset: bool = False, etag: str = '"v1"') -> Callable[[Handler], None]:
    """Every answer ends early, whatever its start."""

    def answer(handler: Handler) -> None:
        start = handler.start()
        rest = DATA[start:]
        if start:
            span = f"bytes {start}-{len(DATA) - 1}/{len(DATA)}"
            handler.head(206, Content_Length=len(rest), Content_Range=span, ETag=etag)
        else:
            handler.head(200, Content_Length=len(rest), ETag=etag)
        handler.wfile.write(rest[: int(share * len(rest))])
        handler.wfile.flush()
        if reset:
            time.sleep(0.05)
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            handler.connection.close()

    return answer


def first(fault: Callable[[Handler], None], then: Callable[[Handler], None] = good) -> Callable[[Handler], None]:
    return lambda handler: (fault if handler.times() == 1 else then)(handler)


def ignores_range(handler: Handler) -> None:
    handler.head(200, Content_Length=len(DATA))
    handler.wfile.write(DATA)


def other_range(handler: Handler) -> None:
    """Sends from the beginning but calls it the rest."""
    start = handler.start()
    if not start:
        return good(handler)
    handler.head(206, Content_Length=len(DATA), Content_Range=f"bytes {start}-{len(DATA) - 1}/{len(DATA)}")
    handler.wfile.write(DATA)
    return None


def wrong_start(handler: Handler) -> None:
    if not handler.start():
        return good(handler)
    handler.head(206, Content_Length=len(DATA), Content_Range=f"bytes 0-{len(DATA) - 1}/{len(DATA)}", ETag='"v1"')
    handler.wfile.write(DATA)
    return None


def no_range(handler: Handler) -> None:
    if not handler.start():
        return good(handler)
    return handler.head(416, Content_Range="bytes */17", Content_Length=0)


def chunked(handler: Handler, data: bytes = DATA, end: bytes = b"0\r\n\r\n") -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    for at in range(0, len(data), 100_000):
        block = data[at : at + 100_000]
        handler.wfile.write(f"{len(block):x}\r\n".encode() + block + b"\r\n")
    handler.wfile.write(end)


def without_length(handler: Handler) -> None:
    handler.head(200)
    handler.wfile.write(DATA)


def endless(handler: Handler) -> None:
    handler.head(200)
    while not handler.server.over.is_set():
        handler.wfile.write(DATA)


def endless_headers(handler: Handler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n")
    while not handler.server.over.is_set():
        handler.wfile.write(b"X-Padding: " + b"a" * 60_000 + b"\r\n")


def endless_continue(handler: Handler) -> None:
    while not handler.server.over.is_set():
        handler.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")


def endless_trailers(handler: Handler) -> None:
    chunked(handler, end=b"0\r\n")
    while not handler.server.over.is_set():
        handler.wfile.write(b"X: y\r\n" * 1000)


def drips_content(handler: Handler) -> None:
    handler.head(200, Content_Length=len(DATA))
    handler.drip(b"x")


def drips_headers(handler: Handler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
    handler.drip(b"x")


def silent(handler: Handler) -> None:
    handler.server.over.wait(5)


def loops(handler: Handler) -> None:
    handler.head(302, Location=handler.path, Content_Length=0)


def get(server: Server, out: Path, path: str = f"/{NAME}", **options: Any) -> Path:
    options = {"sha256": SHA, "limits": QUICK, "deadline": 20.0, "proxies": {}, **options}
    return download(server.base + path, out, **options)


def get_record(server: Server, out: Path, wanted: PublicSet = RECORD, **options: Any) -> Path:
    options = {"limits": QUICK, "deadline": 20.0, "proxies": {}, "known": {wanted.name: wanted}, **options}
    return download(wanted.name, out, zenodo=f"{server.base}/api", **options)

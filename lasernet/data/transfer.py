"""One file over HTTP: the right bytes under its name, or no file; interrupted transfers are resumed."""

from __future__ import annotations

import errno
import fcntl
import functools
import hashlib
import http.client
import io
import json
import logging
import os
import shutil
import socket
import ssl
import stat
import string
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import quote, urljoin, urlsplit
from urllib.request import HTTPHandler, HTTPSHandler, OpenerDirector, ProxyHandler, Request

from lasernet import __version__
from lasernet.atomic import sync, write_bytes
from lasernet.errors import DataError

log = logging.getLogger(__name__)

CHUNK = 1 << 18  # bytes
OVERHEAD = 1 << 20  # bytes of headers, chunk sizes and trailers between two pieces of content
REDIRECTS = 5
BUSY = (408, 425, 429, 500, 502, 503, 504)  # answers that may be another one a moment later
MOVED = (301, 302, 303, 307, 308)
LONGEST_PAUSE = 60.0  # s, of what a server may ask for
DIGITS = {"md5": 32, "sha256": 64}

Progress = Callable[[int, int], None]


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


class _Plain(HTTPHandler):
    watch: Watch

    def http_open(self, req: Request) -> HTTPResponse:
        return self.do_open(_watched(HTTPConnection, self.watch), req)


class _Secure(HTTPSHandler):
    watch: Watch

    def https_open(self, req: Request) -> HTTPResponse:
        connect = functools.partial(_watched(HTTPSConnection, self.watch), context=ssl.create_default_context())
        return self.do_open(connect, req)


@dataclass
class Client:
    """Opens URLs within limits; follows redirects only from http(s) to http(s)."""

    limits: Limits
    until: float  # monotonic s
    proxies: Mapping[str, str] = field(default_factory=dict)

    @contextmanager
    def open(self, url: str, headers: Mapping[str, str] | None = None) -> Iterator[tuple[HTTPResponse, Watch]]:
        """The response to a GET, whatever its status unless it redirects.

        Raises:
            Passing: if the server was not reached, or broke off.
            DataError: if the address cannot be used.
        """
        wanted = {"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": f"lasernet/{__version__}", **(headers or {})}
        here = url
        for _ in range(REDIRECTS + 1):
            response, watch = self._get(here, wanted)
            with response:
                if response.status not in MOVED:
                    watch.begin()
                    try:
                        yield response, watch
                    except (OSError, HTTPException) as error:
                        raise _broken(here, error) from None
                    return
                here = _next(here, response.headers.get("Location"))
        raise DataError(f"{show(url)}: more than {REDIRECTS} redirects; expected a file; check the address")

    def _get(self, url: str, headers: Mapping[str, str]) -> tuple[HTTPResponse, Watch]:
        check(url, DataError)
        remaining = self.until - time.monotonic()
        if remaining <= 0:
            raise Passing("the time allowed was over")
        watch = Watch(self.limits, self.until)
        opener = OpenerDirector()  # without handlers for file:, ftp: and data:
        opener.addheaders = []
        plain, secure = _Plain(), _Secure()
        plain.watch = secure.watch = watch
        for handler in (ProxyHandler(dict(self.proxies)), plain, secure):
            opener.add_handler(handler)
        try:
            request = Request(url, headers=dict(headers))
            response = opener.open(request, timeout=min(self.limits.read_timeout, remaining))
        except (OSError, HTTPException, ValueError) as error:
            raise _broken(url, error) from None
        if not isinstance(response, HTTPResponse):
            raise DataError(f"{show(url)} is not answered over http or https; expected such an address; check it")
        return response, watch


def _broken(url: str, error: Exception) -> Exception:
    """What a failed request means: worth another attempt, or not."""
    reason = error.reason if isinstance(error, URLError) else error
    if isinstance(reason, OSError) and reason.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS):
        return DataError(f"cannot write the download ({reason.strerror}); free some space and start again to resume")
    if isinstance(reason, ssl.SSLCertVerificationError):
        return DataError(f"{show(url)}: the certificate is not valid ({reason.verify_message}); check the address")
    if isinstance(reason, socket.gaierror) and reason.errno != socket.EAI_AGAIN:
        return DataError(f"{show(url)}: no such host ({reason.strerror}); check the address and the network")
    if isinstance(reason, (http.client.InvalidURL, ValueError)):
        return DataError(f"{show(url)}: not a usable address ({reason}); expected http:// or https://; check it")
    if isinstance(reason, TimeoutError):
        return Passing("the server did not answer in time", cost=2)
    return Passing(f"the connection broke ({str(reason) or type(reason).__name__})")


def check(url: str, kind: type[DataError] | type[Exception]) -> None:
    """Refuse an address that is not plainly http or https.

    Raises:
        Exception: of the given kind.
    """
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        plain = url.isascii() and url.isprintable() and " " not in url and "\\" not in url
    except ValueError:
        usable = plain = False
        parts = urlsplit("")
    if not (usable and plain):
        raise kind(f"{show(url)} cannot be downloaded from; expected an address that starts with http:// or https://")
    if parts.username is not None or parts.password is not None:
        raise kind(f"{show(url)} holds a user name; expected an open address; download it by other means")


def _next(url: str, location: str | None) -> str:
    """Where a redirect leads; never out of http(s), never from https back to http."""
    if not location:
        raise DataError(f"{show(url)}: a redirect that leads nowhere; expected a file; check the address")
    try:
        target = urljoin(url, quote(location, encoding="iso-8859-1", safe=string.punctuation))
        secure = urlsplit(url).scheme == "https"
        scheme = urlsplit(target).scheme
    except (ValueError, UnicodeError):
        target, secure, scheme = location, False, ""
    if scheme not in ("http", "https") or (secure and scheme == "http"):
        raise DataError(f"{show(url)} redirects to {show(target)}; expected http or https, and no way back to http; refused")
    return target


def show(url: str) -> str:
    """An address as messages print it: without query, on one line, not too long."""
    text = url.split("?")[0]
    text = text if text.isprintable() else repr(text)
    return text if len(text) <= 120 else text[:117] + "..."


@dataclass
class Note:
    """Whose beginning a partial file is, kept beside it."""

    url: str
    etag: str | None
    total: int | None


class Part:
    """The partial file beside a target, locked while it is in use.

    Raises:
        DataError: if it cannot be opened, or another process is at it.
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        self.path = target.with_name(target.name + ".part")
        self.note_path = target.with_name(target.name + ".part.json")
        self.pieces = 0  # answers that the content comes from
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        try:
            self.descriptor = os.open(self.path, flags, 0o666)
        except OSError as error:
            raise DataError(f"cannot write {self.path} ({error.strerror}); choose another --out, or remove it") from None
        try:
            self._lock()
        except BaseException:
            os.close(self.descriptor)
            raise
        self.length = os.fstat(self.descriptor).st_size
        self.pieces = 1 if self.length else 0

    def _lock(self) -> None:
        if not stat.S_ISREG(os.fstat(self.descriptor).st_mode):
            raise DataError(f"{self.path} is no plain file; expected a partial download; remove it")
        taken = DataError(f"{self.target.name} is being downloaded by another process; wait for it")
        try:
            fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise taken from None
        except OSError:  # a file system without locks
            log.debug("%s cannot be locked", self.path)
        found = os.stat(self.path) if os.path.lexists(self.path) else None
        if found is None or not os.path.samestat(found, os.fstat(self.descriptor)):
            raise taken  # and finished in this moment

    def note(self) -> Note | None:
        """Whose beginning the content is; None if that is not known."""
        try:
            content = json.loads(self.note_path.read_bytes()[:65536])
            return Note(str(content["url"]), content["etag"], content["total"])
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None

    def write_note(self, note: Note) -> None:
        """Keep whose beginning the content is, before any of it is written."""
        write_bytes(self.note_path, json.dumps(vars(note)).encode())

    def restart(self) -> None:
        """Drop the content."""
        os.ftruncate(self.descriptor, 0)
        self.length = self.pieces = 0

    def append(self, data: bytes) -> None:
        """Add content at the end."""
        view = memoryview(data)
        while view:
            written = os.pwrite(self.descriptor, view, self.length)
            self.length += written
            view = view[written:]

    def digest(self, algorithm: str) -> str:
        """The hash of what is on disk."""
        state = hashlib.new(algorithm, usedforsecurity=False)
        position = 0
        while block := os.pread(self.descriptor, 1 << 20, position):
            state.update(block)
            position += len(block)
        return state.hexdigest()

    def finish(self) -> None:
        """Give the content its name, once it is on disk."""
        os.fsync(self.descriptor)
        os.replace(self.path, self.target)
        self.note_path.unlink(missing_ok=True)
        sync(self.target.parent)

    def discard(self) -> None:
        """Remove the partial file and its note."""
        self.path.unlink(missing_ok=True)
        self.note_path.unlink(missing_ok=True)

    def close(self) -> None:
        """Let go; an empty partial file does not stay."""
        if self.length == 0 and os.fstat(self.descriptor).st_nlink:
            self.discard()
        os.close(self.descriptor)


def fetch(
    url: str,
    target: Path,
    client: Client,
    *,
    hashes: Mapping[str, str],
    size: int | None = None,
    progress: Progress | None = None,
) -> None:
    """Bring one file under its name, complete and verified.

    Args:
        hashes: algorithm → hex digest; empty accepts what the server sends, if it is as long as declared.
        size: bytes, where the source publishes it.
        progress: called with (bytes here, bytes in all; the same number twice where that is not known).

    Raises:
        DataError: nothing is at ``target``; a partial file stays where it can be resumed.
    """
    part = Part(target)
    try:
        if size is not None:
            _require_room(target, size, part.length, client.limits)
        job = _Transfer(url, part, client, dict(hashes), size, progress)
        attempts, pause = client.limits.attempts, client.limits.backoff
        while True:
            before = part.length
            try:
                job.attempt()
                job.verify()
                break
            except Passing as fault:
                if part.length - before >= client.limits.progress_bytes:
                    attempts, pause = client.limits.attempts, client.limits.backoff
                attempts -= fault.cost
                wait = max(pause, min(fault.pause, LONGEST_PAUSE))
                late = time.monotonic() + wait >= client.until
                if attempts <= 0 or late:
                    kept = "; start again to resume" if part.length else "; try again later"
                    why = f"{fault}; the time allowed for it is over" if late else f"{fault}"
                    raise DataError(f"{show(url)}: {why}; expected the whole file{kept}") from None
                log.info("%s: %s; trying again in %.1f s", target.name, fault, wait)
                time.sleep(wait)
                pause *= 2
        part.finish()
    except OSError as error:
        raise DataError(f"cannot write {target} ({error.strerror or error}); free some space or choose another --out") from None
    finally:
        part.close()


@dataclass
class _Transfer:
    """The attempts to bring one file."""

    url: str
    part: Part
    client: Client
    hashes: dict[str, str]
    size: int | None
    progress: Progress | None
    announced: str | None = None  # MD5 that came with the content, where no hash is published
    kind: str = ""

    def attempt(self) -> None:
        """Bring what is missing.

        Raises:
            Passing: if that broke off or has to start afresh.
            DataError: if another attempt would not help.
        """
        part, headers = self.part, self._range()
        start = part.length
        if self.size is not None and start == self.size and start:
            return
        with self.client.open(self.url, headers) as (response, watch):
            total = self._accept(response, start)
            declared = response.headers.get("Transfer-Encoding") is None and _number(response.headers, "Content-Length")
            limit = self.client.limits.max_bytes
            if total is None:
                limit = min(limit, self.client.limits.undeclared_bytes)
            part.pieces += 1
            shown = 0.0
            while total is None or part.length < total:
                block = response.read1(CHUNK if total is None else min(CHUNK, total - part.length))
                watch.allow()
                if not block:
                    break
                if part.length + len(block) > limit:
                    part.discard()
                    part.restart()
                    raise DataError(f"{show(self.url)} sends more than {limit} bytes; expected at most that; refused")
                part.append(block)
                if self.progress and time.monotonic() - shown > 0.2:
                    shown = time.monotonic()
                    self.progress(part.length, max(total or 0, part.length))
            if total is not None and part.length < total:
                raise Passing(f"it ended after {part.length} of {total} bytes")
            if total is None and declared and part.length - start < declared:
                raise Passing(f"it ended after {part.length - start} of {declared} bytes")

    def _range(self) -> dict[str, str]:
        """The header that asks for the rest, if the partial file is a beginning of this very file."""
        note = self.part.note()
        strong = note is not None and note.etag is not None
        known = note is not None and note.url == self.url and (strong or bool(self.hashes))
        if not known or (self.size is not None and self.part.length > self.size):
            self.part.restart()
        if self.part.length == 0:
            return {}
        log.info("%s: resuming at %d bytes", self.part.target.name, self.part.length)
        headers = {"Range": f"bytes={self.part.length}-"}
        if note is not None and note.etag is not None:
            headers["If-Range"] = note.etag
        return headers

    def _accept(self, response: HTTPResponse, start: int) -> int | None:
        """Judge status and headers; the size of the whole file, if it is told."""
        part, headers = self.part, response.headers
        etag = headers.get("ETag")
        etag = etag if etag and etag.startswith('"') and len(etag) < 1024 and etag.isprintable() else None
        total: int | None = None
        if start and response.status in (206, 416):
            total = self._continues(response, etag)
        elif response.status == 200:
            if start:
                log.info("%s: the server starts again from the beginning", part.target.name)
            part.restart()
            total = None if headers.get("Transfer-Encoding") else _number(headers, "Content-Length")
        elif response.status in BUSY:
            pause = _number(headers, "Retry-After") or 0
            raise Passing(f"the server answers {response.status} {response.reason}", pause=float(pause))
        else:
            hint = "check the address" if response.status in (404, 410) else "it may need a login"
            raise DataError(f"{show(self.url)}: the server answers {response.status} {response.reason}; expected a file; {hint}")
        self.kind = headers.get("Content-Type", "").split(";")[0].strip().lower()
        encoding = headers.get("Content-Encoding", "identity").strip().lower()
        if not self.hashes:
            self._require_plain(encoding)
            self.announced = _md5_header(headers)
        elif encoding != "identity":
            self.kind = f"{self.kind or 'data'} packed as {encoding[:20]}"
        if total is not None and self.size is not None and total != self.size:
            part.discard()
            part.restart()
            raise DataError(f"{show(self.url)} has {total} bytes; expected {self.size}; the source is damaged or replaced")
        total = self.size if total is None else total
        if total is not None:
            _require_room(part.target, total, part.length, self.client.limits)
        if part.length == 0:
            part.write_note(Note(self.url, etag, total))
        return total

    def _continues(self, response: HTTPResponse, etag: str | None) -> int | None:
        """Check that a partial answer is the rest of the same file; the size of the whole."""
        note, text = self.part.note(), response.headers.get("Content-Range", "")
        unit, _, rest = text.partition(" ")
        span, _, whole = rest.partition("/")
        total = int(whole) if whole.isdecimal() and len(whole) < 19 else None
        if response.status == 416 and total == self.part.length and unit == "bytes":
            return total  # it is complete already
        same = note is not None and (note.total is None or total is None or note.total == total)
        if note is not None and note.etag and etag and note.etag != etag:
            same = False
        first = span.partition("-")[0]
        if response.status == 416 or unit != "bytes" or first != str(self.part.length) or not same:
            self.part.restart()
            raise Passing("the file has changed at its source, or its rest is not to be had; starting afresh")
        return total

    def _require_plain(self, encoding: str) -> None:
        name = self.part.target.name.lower()
        if encoding != "identity":
            raise DataError(f"{show(self.url)} comes packed as {encoding[:20]}; expected the plain file; refused")
        if self.kind == "text/html" and not name.endswith((".html", ".htm")):
            raise DataError(f"{show(self.url)} is a web page; expected a data file; check the address in a browser")

    def verify(self) -> None:
        """Compare the content with every known hash and size.

        Raises:
            Passing: if it does not fit and was put together from several answers; it is dropped.
            DataError: if it does not fit; it is dropped.
        """
        part = self.part
        wanted = self.hashes or ({"md5": self.announced} if self.announced else {})
        problem = ""
        if self.size is not None and part.length != self.size:
            problem = f"has {part.length} bytes; expected {self.size}"
        elif not self.hashes and part.length == 0:
            problem = "is empty; expected data"
        for algorithm, expected in wanted.items():
            found = "" if problem else part.digest(algorithm)
            if found != expected and not problem:
                kind = f" ({self.kind})" if self.kind else ""
                problem = f"has the {algorithm} {found}{kind}; expected {expected}"
        if not problem:
            return
        mixed = part.pieces > 1
        part.restart()
        if mixed:
            raise Passing(f"the resumed file {problem}; starting afresh")
        raise DataError(f"{show(self.url)} {problem}; nothing is kept; check the address and the hash")


def _require_room(target: Path, total: int, here: int, limits: Limits) -> None:
    if total > limits.max_bytes:
        raise DataError(f"{target.name} has {total} bytes; expected at most {limits.max_bytes}; refused")
    free = shutil.disk_usage(target.parent).free
    if total - here > free - (1 << 20):
        raise DataError(f"{target.name} needs {total - here} more bytes, {free} are free; free some space, or choose another --out")


def _number(headers: Mapping[str, str], name: str) -> int | None:
    text = headers.get(name, "").strip()
    return int(text) if text.isdecimal() and text.isascii() and len(text) < 19 else None


def _md5_header(headers: http.client.HTTPMessage) -> str | None:
    """The MD5 that a Google bucket tells of a file it sends as stored."""
    if headers.get("x-goog-stored-content-encoding", "identity") != "identity":
        return None
    for line in headers.get_all("x-goog-hash") or []:
        for item in line.split(","):
            name, _, value = item.strip().partition("=")
            if name == "md5":
                import base64
                import binascii

                try:
                    digest = base64.b64decode(value, validate=True)
                except binascii.Error:
                    return None
                return digest.hex() if len(digest) == 16 else None
    return None

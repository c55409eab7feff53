"""One file over HTTP: the right bytes under its name, or no file; interrupted transfers are resumed."""

from __future__ import annotations

import base64
import binascii
import logging
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPMessage, HTTPResponse
from pathlib import Path

from lasernet.data.partial import Note, Part
from lasernet.data.web import BUSY, Attempts, Client, busy, number, show, status
from lasernet.data.wire import CHUNK, Limits, Passing
from lasernet.errors import DataError

log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]


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
    job = _Transfer(url, part, client, dict(hashes), size, progress)
    try:
        if size is not None:
            _require_room(target, size, part.length, client.limits)
        attempts, furthest = Attempts(client, url), part.length
        while True:
            try:
                job.attempt()
                job.verify()
                break
            except Passing as fault:
                if part.length >= furthest + client.limits.progress_bytes:
                    furthest = part.length
                    attempts.renew()
                again = "start again to resume" if part.length and job.resumable() else "try again later"
                attempts.failed(fault, f"expected the whole file; {again}")
        part.finish()
    except OSError as error:
        why = f"cannot write {target} ({error.strerror or error}); free some space or choose another --out"
        raise DataError(why) from None
    finally:
        if not part.done and not job.resumable():
            part.restart()
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
            limit = self.client.limits.max_bytes
            if total is None:
                limit = min(limit, self.client.limits.undeclared_bytes)
            part.mixed = part.length > 0
            shown = 0.0
            while total is None or part.length < total:
                block = response.read1(CHUNK if total is None else min(CHUNK, total - part.length))
                watch.allow()
                if not block:
                    break
                if part.length + len(block) > limit:
                    part.restart()
                    raise DataError(f"{show(self.url)} sends more than {limit} bytes; expected at most that; refused")
                part.append(block)
                if self.progress and time.monotonic() - shown > 0.2:
                    shown = time.monotonic()
                    self.progress(part.length, max(total or 0, part.length))
            if total is not None and part.length < total:
                raise Passing(f"it ended after {part.length} of {total} bytes")

    def resumable(self) -> bool:
        """Whether the partial file is a beginning of this file, and a change at the source would be noticed."""
        note = self.part.note()
        return note is not None and note.url == self.url and (bool(self.hashes) or note.etag is not None)

    def _range(self) -> dict[str, str]:
        """The header that asks for the rest, if the partial file is a beginning of this very file."""
        note = self.part.note()
        if not self.resumable() or (self.size is not None and self.part.length > self.size):
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
            if response.status == 416:
                return total
        elif response.status == 200:
            if start:
                log.info("%s: the server starts again from the beginning", part.target.name)
            part.restart()
            total = _declared(headers)
        elif response.status in BUSY:
            raise busy(response)
        else:
            hint = "it may need a login" if response.status in (401, 403) else "check the address"
            raise DataError(f"{show(self.url)}: the server answers {status(response)}; expected a file; {hint}")
        self.kind = _word(headers, "Content-Type")
        encoding = _word(headers, "Content-Encoding") or "identity"
        if not self.hashes:
            self._require_plain(encoding)
            self.announced = _md5_header(headers)
        elif encoding != "identity":
            self.kind = f"{self.kind or 'data'} packed as {encoding}"
        if total is not None and self.size is not None and total != self.size:
            part.restart()
            raise DataError(f"{show(self.url)} has {total} bytes; expected {self.size}; the source was replaced")
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
        if response.status == 416 and total == self.part.length and unit == "bytes" and self.hashes:
            return total  # it is complete already
        same = note is not None and (note.total is None or total is None or note.total == total)
        if note is not None and note.etag and etag and note.etag != etag:
            same = False
        first = span.partition("-")[0]
        if response.status == 416 or unit != "bytes" or first != str(self.part.length) or not same:
            self.part.restart()
            raise Passing("the file has changed at its source, or its rest is not to be had; starting afresh")
        rest_length = _declared(response.headers)
        return self.part.length + rest_length if total is None and rest_length is not None else total

    def _require_plain(self, encoding: str) -> None:
        name = self.part.target.name.lower()
        if encoding != "identity":
            raise DataError(f"{show(self.url)} comes packed as {encoding}; expected the plain file; refused")
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
        mixed = part.mixed
        part.restart()
        if mixed:
            raise Passing(f"the resumed file {problem}; starting afresh")
        raise DataError(f"{show(self.url)} {problem}; nothing is kept; check the address and the hash")


def _require_room(target: Path, total: int, here: int, limits: Limits) -> None:
    if total > limits.max_bytes:
        raise DataError(f"{target.name} has {total} bytes; expected at most {limits.max_bytes}; refused")
    free = shutil.disk_usage(target.parent).free
    if total - here > free - (1 << 20):
        raise DataError(f"{target.name} needs {total - here} bytes, {free} are free; free some or choose another --out")


def _declared(headers: HTTPMessage) -> int | None:
    """The length of a body, if the server tells it."""
    return None if headers.get("Transfer-Encoding") else number(headers, "Content-Length")


def _word(headers: HTTPMessage, name: str) -> str:
    """A header's first word, lower case, fit to be printed."""
    word = headers.get(name, "").split(";")[0].strip().lower()[:40]
    return word if word.isprintable() else "unprintable"


def _md5_header(headers: HTTPMessage) -> str | None:
    """The MD5 that a Google bucket tells of a file it sends as stored."""
    if headers.get("x-goog-stored-content-encoding", "identity") != "identity":
        return None
    for line in headers.get_all("x-goog-hash") or []:
        for item in line.split(","):
            name, _, value = item.strip().partition("=")
            if name == "md5":
                try:
                    digest = base64.b64decode(value, validate=True)
                except binascii.Error:
                    return None
                return digest.hex() if len(digest) == 16 else None
    return None

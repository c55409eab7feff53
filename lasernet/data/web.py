"""Requests over http and https that go nowhere else, however they are redirected."""

from __future__ import annotations

import http.client
import logging
import re
import socket
import ssl
import string
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPResponse
from urllib.error import URLError
from urllib.parse import quote, urljoin, urlsplit
from urllib.request import OpenerDirector, ProxyHandler, Request

from lasernet import __version__
from lasernet.data.wire import CHUNK, Limits, Passing, Plain, Secure, Watch
from lasernet.errors import DataError, LasernetError

log = logging.getLogger(__name__)

REDIRECTS = 5
BUSY = (408, 425, 429, 500, 502, 503, 504)  # answers that may be another one a moment later
MOVED = (301, 302, 303, 307, 308)
LONGEST_PAUSE = 60.0  # s, of what a server may ask for


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
        wanted = {"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": f"lasernet/{__version__}"}
        wanted.update(headers or {})
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
                here = next_address(here, response.headers.get("Location"))
        raise DataError(f"{show(url)}: more than {REDIRECTS} redirects; expected a file; check the address")

    def _get(self, url: str, headers: Mapping[str, str]) -> tuple[HTTPResponse, Watch]:
        check(url, DataError)
        remaining = self.until - time.monotonic()
        if remaining <= 0:
            raise Passing("the time allowed was over")
        watch = Watch(self.limits, self.until)
        opener = OpenerDirector()  # without handlers for file:, ftp: and data:
        opener.addheaders = []
        plain, secure = Plain(), Secure()
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
    if isinstance(reason, ssl.SSLCertVerificationError):
        return DataError(f"{show(url)}: the certificate is not valid ({reason.verify_message}); check the address")
    if isinstance(reason, socket.gaierror) and reason.errno != socket.EAI_AGAIN:
        return DataError(f"{show(url)}: no such host ({reason.strerror}); check the address and the network")
    if isinstance(reason, (http.client.InvalidURL, ValueError)):
        return DataError(f"{show(url)}: not a usable address ({reason}); expected http:// or https://; check it")
    if isinstance(reason, TimeoutError):
        return Passing("the server did not answer in time", cost=2)
    return Passing(f"the connection broke ({str(reason) or type(reason).__name__})")


def check(url: str, kind: type[LasernetError]) -> None:
    """Refuse an address that is not plainly http or https.

    Raises:
        LasernetError: of the given kind.
    """
    try:
        parts = urlsplit(url)
        named = re.fullmatch(r"[\w.:-]+", parts.hostname or "") is not None
        usable = parts.scheme in ("http", "https") and named and parts.port != 0
        plain = url.isascii() and url.isprintable() and " " not in url and "\\" not in url
    except ValueError:
        usable = plain = False
        parts = urlsplit("")
    if not (usable and plain):
        raise kind(f"{show(url)} cannot be downloaded from; expected an address that starts with http:// or https://")
    if parts.username is not None or parts.password is not None:
        raise kind(f"{show(url)} holds a user name; expected an open address; download it by other means")


def next_address(url: str, location: str | None) -> str:
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
        raise DataError(
            f"{show(url)} redirects to {show(target)}; expected http(s), and never from https to http; refused"
        )
    return target


def show(url: str) -> str:
    """An address as messages print it: without query and login, on one line, not too long."""
    text = re.sub(r"^([^/]*//)[^/]*@", r"\1", url.split("?")[0])
    text = text if text.isprintable() else repr(text)
    return text if len(text) <= 120 else text[:117] + "..."


class Attempts:
    """How often and after which pauses a request is tried again."""

    def __init__(self, client: Client, url: str) -> None:
        self.client, self.url = client, url
        self.renew()

    def renew(self) -> None:
        """There was progress: count from the start."""
        self.left, self.pause = self.client.limits.attempts, self.client.limits.backoff

    def failed(self, fault: Passing, advice: str) -> None:
        """Wait for the next attempt.

        Raises:
            DataError: if there is none left, or no time.
        """
        self.left -= fault.cost
        wait = max(self.pause, min(fault.pause, LONGEST_PAUSE))
        late = time.monotonic() + wait >= self.client.until
        if self.left <= 0 or late:
            over = "; the time allowed is over" if late else ""
            raise DataError(f"{show(self.url)}: {fault}{over}; {advice}") from None
        log.info("%s: %s; trying again in %.1f s", show(self.url), fault, wait)
        time.sleep(wait)
        self.pause *= 2


def fetch_text(client: Client, url: str, *, limit: int) -> str:
    """A small text, as a list of files.

    Args:
        limit: bytes that it may have.

    Raises:
        DataError: if it is not to be had, or is too long.
    """
    attempts = Attempts(client, url)
    while True:
        try:
            return _text(client, url, limit)
        except Passing as fault:
            attempts.failed(fault, "expected a list of files; try again later")


def _text(client: Client, url: str, limit: int) -> str:
    content = b""
    with client.open(url) as (response, watch):
        if response.status in BUSY:
            raise busy(response)
        if response.status != 200:
            raise DataError(f"{show(url)}: the server answers {status(response)}; expected a list; try again later")
        declared = number(response.headers, "Content-Length")
        while block := response.read1(CHUNK):
            watch.allow()
            content += block
            if len(content) > limit:
                raise DataError(f"{show(url)} is longer than {limit} bytes; expected a short list; refused")
    if declared is not None and len(content) < declared:
        raise Passing(f"it ended after {len(content)} of {declared} bytes")
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise DataError(f"{show(url)} is no text; expected a list of files; try again later") from None


def busy(response: HTTPResponse) -> Passing:
    """The fault that an overloaded server is, with the pause it asks for."""
    pause = number(response.headers, "Retry-After") or 0
    return Passing(f"the server answers {status(response)}", pause=float(pause))


def status(response: HTTPResponse) -> str:
    """Number and name of a status; what the server calls it is not printed."""
    return f"{response.status} {http.client.responses.get(response.status, '')}".strip()


def number(headers: http.client.HTTPMessage, name: str) -> int | None:
    """A header that holds a number, if it does."""
    text = headers.get(name, "").strip()
    return int(text) if text.isdecimal() and text.isascii() and len(text) < 19 else None

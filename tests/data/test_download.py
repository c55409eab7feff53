"""Downloads against a server that fails in every way it can: the right bytes, or one error and no file."""

from __future__ import annotations

import hashlib
import http.server
import json
import os
import re
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lasernet.data import download as remote
from lasernet.data.download import KNOWN, Limits, PublicSet, download
from lasernet.data.partial import Part
from lasernet.errors import DataError, OptionError

DATA = bytes(range(256)) * 2000  # 512,000 bytes
SHA = hashlib.sha256(DATA).hexdigest()
MD5 = hashlib.md5(DATA).hexdigest()
QUICK = Limits(read_timeout=0.4, slowest=20_000, attempts=3, backoff=0.01, undeclared_bytes=4 << 20)
NAME = "data.bin"


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


# Faults that a second attempt overcomes: the file must be there and right.
PASSING: dict[str, Callable[[Handler], None]] = {
    "nothing": good,
    "chunked": chunked,
    "no length": without_length,
    "content encoding on plain bytes": body(DATA, Content_Encoding="x-gzip"),
    "an error at first": first(status(500)),
    "too many requests at first": first(status(429, Retry_After=0)),
    "truncated at first": first(breaks_after(0.5)),
    "reset at first": first(breaks_after(0.5, reset=True)),
    "reset twice": lambda handler: (breaks_after(0.5, reset=True) if handler.times() < 3 else good)(handler),
    "range ignored": first(breaks_after(0.5), ignores_range),
    "range from elsewhere": first(breaks_after(0.5), first(wrong_start, wrong_start)),
    "another file as the rest": first(breaks_after(0.5, etag='"v0"')),
    "range refused": first(breaks_after(0.5), lambda handler: no_range(handler)),
    "the whole as the rest": first(breaks_after(0.5), first(other_range, other_range)),
    "silent at first": first(silent),
    "garbage at first": first(raw("SSH-2.0-OpenSSH_9.6")),
    "cut within a chunk": first(lambda handler: chunked(handler, DATA, b"ffff\r\nabc")),
    "redirected": first(status(302, Location="/moved/data.bin")),
}
# Faults that last: one error, and no file but a part that can be resumed.
LASTING: dict[str, Callable[[Handler], None]] = {
    "not found": missing,
    "forbidden": status(403),
    "gone": status(410),
    "server error": status(500),
    "unavailable, come back in a year": status(503, Retry_After=31_536_000),
    "no content": status(204),
    "unasked part": status(206, Content_Range="bytes 5-9/10"),
    "a web page": body(b"<html>please log in</html>", Content_Type="text/html; charset=utf-8"),
    "wrong bytes": body(DATA[:-1] + b"!"),
    "too short": body(DATA[:1000]),
    "too long": body(DATA + b"!"),
    "empty": body(b""),
    "garbage as gzip": body(b"\x1f\x8b" + os.urandom(5000), Content_Encoding="gzip"),
    "truncated always": breaks_after(0.2),
    "reset always": breaks_after(0.1, reset=True),
    "lies about its length": body(DATA[:100], Content_Length=10**30),
    "claims a petabyte": body(DATA, Content_Length=10**15),
    "endless": endless,
    "endless headers": endless_headers,
    "endless interim answers": endless_continue,
    "endless trailers": endless_trailers,
    "drips": drips_content,
    "drips headers": drips_headers,
    "silent": silent,
    "no HTTP": raw("220 ftp ready"),
    "redirect loop": loops,
    "redirect to a file": status(302, Location="file:///etc/passwd"),
    "redirect to ftp": status(301, Location="ftp://127.0.0.1/data.bin"),
    "redirect to data": status(307, Location="data:text/plain,hello"),
    "redirect to nowhere": status(302),
    "redirect to a broken address": status(302, Location="http://[::1/data.bin"),
    "redirect with a login": status(302, Location="http://user:secret@127.0.0.1/data.bin"),
    "redirect to a port that is shut": status(302, Location="http://127.0.0.1:1/data.bin"),
}


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.over.set()
    server.shutdown()
    thread.join()
    socketserver.TCPServer.server_close(server)


def get(server: Server, out: Path, path: str = f"/{NAME}", **options: Any) -> Path:
    options = {"sha256": SHA, "limits": QUICK, "deadline": 20.0, "proxies": {}, **options}
    return download(server.base + path, out, **options)


@pytest.mark.parametrize("fault", PASSING, ids=str)
def test_passing_faults_end_with_the_right_bytes(server: Server, tmp_path: Path, fault: str) -> None:
    server.answers = {f"/{NAME}": PASSING[fault], "/moved/data.bin": good}
    path = get(server, tmp_path)
    assert path == tmp_path / NAME
    assert path.read_bytes() == DATA
    assert os.listdir(tmp_path) == [NAME]


@pytest.mark.parametrize("fault", LASTING, ids=str)
def test_lasting_faults_end_with_one_error_and_no_file(server: Server, tmp_path: Path, fault: str) -> None:
    server.answers = {f"/{NAME}": LASTING[fault]}
    started = time.monotonic()
    with pytest.raises(DataError) as error:
        get(server, tmp_path)
    assert time.monotonic() - started < 8
    assert "\n" not in str(error.value)
    assert "secret" not in str(error.value)
    left = set(os.listdir(tmp_path))
    assert left <= {f"{NAME}.part", f"{NAME}.part.json"}
    if left:
        server.answers = {f"/{NAME}": good}
        assert get(server, tmp_path).read_bytes() == DATA
        assert os.listdir(tmp_path) == [NAME]


def test_a_later_start_asks_only_for_the_rest(server: Server, tmp_path: Path) -> None:
    server.answers = {f"/{NAME}": breaks_after(0.5)}
    with pytest.raises(DataError, match="start again to resume"):
        get(server, tmp_path, limits=replace(QUICK, attempts=1))
    assert (tmp_path / f"{NAME}.part").read_bytes() == DATA[: len(DATA) // 2]
    server.answers = {f"/{NAME}": good}
    assert get(server, tmp_path).read_bytes() == DATA
    asked = server.asked[-1][1]
    assert asked["Range"] == f"bytes={len(DATA) // 2}-"
    assert asked["If-Range"] == '"v1"'


def test_a_part_of_another_address_is_not_continued(server: Server, tmp_path: Path) -> None:
    server.answers = {f"/a/{NAME}": breaks_after(0.5), f"/b/{NAME}": good}
    with pytest.raises(DataError):
        get(server, tmp_path, f"/a/{NAME}", limits=replace(QUICK, attempts=1))
    assert get(server, tmp_path, f"/b/{NAME}").read_bytes() == DATA
    assert "Range" not in server.asked[-1][1]


@pytest.mark.parametrize("note", [b"", b"[]", b"{\xff", b'{"url": 1}', b"[" * 100_000])
@pytest.mark.parametrize("content", [b"", b"wrong" * 300, DATA, DATA + b"more"])
def test_a_damaged_part_is_no_obstacle(server: Server, tmp_path: Path, note: bytes, content: bytes) -> None:
    server.answers = {f"/{NAME}": good}
    (tmp_path / f"{NAME}.part").write_bytes(content)
    if not note:
        note = json.dumps({"url": f"{server.base}/{NAME}", "etag": '"v1"', "total": len(DATA)}).encode()
    (tmp_path / f"{NAME}.part.json").write_bytes(note)
    assert get(server, tmp_path).read_bytes() == DATA
    assert os.listdir(tmp_path) == [NAME]


def test_a_file_that_is_there_is_returned_at_once(server: Server, tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(DATA)
    assert get(server, tmp_path) == tmp_path / NAME
    assert not server.asked


def test_another_file_of_that_name_is_left_alone(server: Server, tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"mine")
    with pytest.raises(DataError, match="left alone"):
        get(server, tmp_path)
    assert (tmp_path / NAME).read_bytes() == b"mine"
    assert not server.asked


@pytest.mark.parametrize("kind", ["link", "dangling link", "directory", "pipe"])
def test_a_part_that_is_no_file_is_refused(server: Server, tmp_path: Path, kind: str) -> None:
    out, canary = tmp_path / "out", tmp_path / "canary"
    out.mkdir()
    server.answers = {f"/{NAME}": good}
    part = out / f"{NAME}.part"
    if kind == "directory":
        part.mkdir()
    elif kind == "pipe":
        os.mkfifo(part)
    else:
        if kind == "link":
            canary.write_bytes(b"alive")
        part.symlink_to(canary)
    with pytest.raises(DataError):
        get(server, out)
    assert not (out / NAME).exists()
    assert canary.exists() == (kind == "link")
    assert kind != "link" or canary.read_bytes() == b"alive"


def test_two_processes_do_not_share_a_part(server: Server, tmp_path: Path) -> None:
    server.answers = {f"/{NAME}": good}
    other = Part(tmp_path / NAME)
    with pytest.raises(DataError, match="another process"):
        get(server, tmp_path)
    other.close()
    assert get(server, tmp_path).read_bytes() == DATA


def test_the_deadline_holds_while_bytes_keep_coming(server: Server, tmp_path: Path) -> None:
    def slow(handler: Handler) -> None:
        handler.head(200, Content_Length=10**9)
        handler.drip(b"x" * 10_000, pause=0.02)

    server.answers = {f"/{NAME}": slow}
    started = time.monotonic()
    with pytest.raises(DataError, match="time allowed"):
        get(server, tmp_path, deadline=0.8)
    assert time.monotonic() - started < 3


def test_received_bytes_are_counted_not_declared_ones(server: Server, tmp_path: Path) -> None:
    server.answers = {f"/{NAME}": chunked}
    with pytest.raises(DataError, match="more than 100000 bytes"):
        get(server, tmp_path, max_bytes=100_000)
    assert not os.listdir(tmp_path)


def test_a_file_larger_than_the_disk_is_not_begun(server: Server, tmp_path: Path) -> None:
    server.answers = {f"/{NAME}": body(DATA, Content_Length=10**17)}
    with pytest.raises(DataError, match="free"):
        get(server, tmp_path, max_bytes=10**18)
    assert not os.listdir(tmp_path)


def test_a_full_disk_is_one_error(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    server.answers = {f"/{NAME}": good}
    monkeypatch.setattr("lasernet.data.partial.os.pwrite", full)
    with pytest.raises(DataError, match="No space left"):
        get(server, tmp_path)
    assert not os.listdir(tmp_path)


def test_progress_ends_at_the_size(server: Server, tmp_path: Path) -> None:
    server.answers = {f"/{NAME}": good}
    seen: list[tuple[int, int]] = []
    get(server, tmp_path, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1][0] == len(DATA)
    assert seen == sorted(seen)


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("/a/data.bin?x=/y.zip", "data.bin"),
        ("/a/data%20set.bin", "data set.bin"),
        ("/..%2F..%2Fetc%2Fpasswd", "_.._etc_passwd"),
        ("/%2e%2e%00data", "_data"),
        ("/-rf", "rf"),
        ("/Gefüge.bin", "Gefüge.bin"),
        ("/" + "a" * 400 + ".zip", "a" * 196 + ".zip"),
    ],
)
def test_names_come_from_the_typed_address_and_stay_in_the_directory(
    server: Server, tmp_path: Path, typed: str, name: str
) -> None:
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    answer = {"Content_Disposition": 'attachment; filename="../evil"'}
    server.answers = {path: body(DATA, **answer) for path in (typed.split("?")[0], "/Gef%C3%BCge.bin")}
    out = tmp_path / "out"
    assert get(server, out, typed) == out / name
    assert os.listdir(out) == [name]
    assert os.listdir(tmp_path) == ["out"]


@pytest.mark.parametrize("typed", ["http://127.0.0.1/", "http://127.0.0.1/..", "http://127.0.0.1/%2e%2e"])
def test_an_address_without_a_name_is_refused(tmp_path: Path, typed: str) -> None:
    with pytest.raises(OptionError, match="no file name"):
        download(typed, tmp_path, sha256=SHA, proxies={})


@pytest.mark.parametrize(
    "typed",
    ["file:///etc/passwd", "ftp://host/f.zip", "data://x/f.zip", "http:///f.zip", "http://a:b@host/f.zip",
     "http://host:99999/f.zip", "http://[::1/f.zip", "https://ho st/f.zip"],
)  # fmt: skip
def test_only_plain_http_addresses_are_taken(tmp_path: Path, typed: str) -> None:
    with pytest.raises(OptionError):
        download(typed, tmp_path / "out", sha256=SHA, proxies={})


@pytest.mark.parametrize("sha256", [None, "", "abc", "g" * 64, "0" * 63, "../" * 20])
def test_an_address_needs_a_hash(tmp_path: Path, sha256: str | None) -> None:
    with pytest.raises(OptionError):
        download("http://127.0.0.1/f.zip", tmp_path, sha256=sha256, allow_unverified=True, proxies={})


def test_a_way_back_from_https_to_http_is_refused() -> None:
    from lasernet.data.web import next_address

    with pytest.raises(DataError, match="never from https to http"):
        next_address("https://host/f", "http://host/f")
    assert next_address("http://host/a/f", "../b c") == "http://host/b%20c"
    assert next_address("https://host/f", "//other/g") == "https://other/g"


def test_an_unknown_set_gets_a_suggestion(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="did you mean 'flow-2d'"):
        download("flow2d", tmp_path)


def test_every_known_set_says_where_it_is_and_what_checks_it() -> None:
    for name, known in KNOWN.items():
        assert known.name == name
        assert known.url.startswith("https://")
        assert (known.record is None) == (known.kind == "list")
        assert known.hashes is not None or "--unverified" in known.description


# -- Zenodo ---------------------------------------------------------------------------------------

RECORD = PublicSet("flow", "for tests", "zenodo", "https://zenodo.org/records/42", record=42)


def entry(key: object = "dataset.zip", data: bytes = DATA, **changes: object) -> dict[str, object]:
    checksum = f"md5:{hashlib.md5(data).hexdigest()}"
    return {"key": key, "size": len(data), "checksum": checksum, **changes}


def serve_record(server: Server, files: object, **content: bytes) -> None:
    record = json.dumps({"id": 42, "files": files, "metadata": {"license": {"id": "cc-by-4.0"}}}).encode()
    server.answers["/api/records/42"] = body(record, Content_Type="application/json")
    for path, data in content.items():
        server.answers[f"/api/records/42/files/{path.replace('_', '.')}/content"] = lambda handler, data=data: good(
            handler, data
        )


def get_record(server: Server, out: Path, wanted: PublicSet = RECORD, **options: Any) -> Path:
    options = {"limits": QUICK, "deadline": 20.0, "proxies": {}, "known": {wanted.name: wanted}, **options}
    return download(wanted.name, out, zenodo=f"{server.base}/api", **options)


def test_a_record_of_one_file_gives_the_file(server: Server, tmp_path: Path) -> None:
    serve_record(server, [entry(), entry("readme.md")], dataset_zip=DATA)
    path = get_record(server, tmp_path, replace(RECORD, files="dataset*"))
    assert path == tmp_path / "flow" / "dataset.zip"
    assert path.read_bytes() == DATA


def test_a_record_of_several_files_gives_the_directory(server: Server, tmp_path: Path) -> None:
    serve_record(server, {"entries": {"a": entry("a.zip"), "b": entry("b.zip", b"bb")}}, a_zip=DATA, b_zip=b"bb")
    assert get_record(server, tmp_path) == tmp_path / "flow"
    assert sorted(os.listdir(tmp_path / "flow")) == ["a.zip", "b.zip"]
    asked = len(server.asked)
    assert get_record(server, tmp_path) == tmp_path / "flow"
    assert len(server.asked) == asked + 1  # the record, and no file again


@pytest.mark.parametrize(
    "files",
    [
        [], {}, [entry("../evil.zip")], [entry("a/b.zip")], [entry("/etc/x")], [entry("")], [entry(None)],
        [entry("..")], [entry(".bashrc")], [entry("a\nb")], [entry("x" * 300)], [entry("SHA256SUMS")],
        [entry(size=-1)], [entry(size="12")], [entry(size=10**30)], [entry(checksum="md5:123")], [entry(checksum=None)],
        [entry(checksum="crc32:" + "0" * 32)], [{"key": "a.zip"}], [entry(), entry()], [entry("A.zip"), entry("a.zip")],
        [entry(size=len(DATA) + 1)], [entry(size=5)], [entry(data=b"other")], "text", 7, [7], {"entries": 5},
    ],
    ids=str,
)  # fmt: skip
def test_a_record_that_lies_gives_one_error_and_no_file(server: Server, tmp_path: Path, files: object) -> None:
    serve_record(server, files, dataset_zip=DATA)
    with pytest.raises(DataError):
        get_record(server, tmp_path / "out")
    found = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not [path for path in found if ".part" not in path.name]


@pytest.mark.parametrize(
    "answer",
    [missing, body(b"<html>"), body(b"[" * 100_000), body(b"\xff\xfe"), body(b'{"id": Infinity, "files": [{}]}'),
     endless, drips_content, status(500)],
)  # fmt: skip
def test_a_record_that_is_not_to_be_had_is_one_error(
    server: Server, tmp_path: Path, answer: Callable[[Handler], None]
) -> None:
    server.answers["/api/records/42"] = answer
    with pytest.raises(DataError):
        get_record(server, tmp_path)
    assert not os.listdir(tmp_path)


def test_a_closed_record_says_where_to_ask(server: Server, tmp_path: Path) -> None:
    serve_record(server, [])
    with pytest.raises(DataError, match=r"ask for access at https://zenodo.org/records/42"):
        get_record(server, tmp_path)


# -- lists without hashes ----------------------------------------------------------------------------


def serve_list(server: Server, *lines: str) -> PublicSet:
    text = "\n".join(line.replace("BASE", f"{server.base}/bucket") for line in lines).encode()
    server.answers["/bucket/list.txt"] = body(text)
    server.answers["/bucket/raw/a.csv"] = good
    server.answers["/bucket/raw/b.csv"] = body(b"x,y\n")
    return PublicSet("tracks", "for tests", "list", f"{server.base}/bucket/list.txt", hashes=None)


def test_a_set_without_hashes_needs_consent(server: Server, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="--unverified"):
        get_record(server, tmp_path, serve_list(server, "BASE/raw/a.csv"))
    assert not server.asked


def test_an_unverified_set_is_fetched_once_and_its_hashes_are_kept(server: Server, tmp_path: Path) -> None:
    wanted = serve_list(server, "BASE/raw/a.csv", "", "BASE/raw/b.csv")
    folder = get_record(server, tmp_path, wanted, allow_unverified=True)
    assert sorted(os.listdir(folder)) == ["SHA256SUMS", "a.csv", "b.csv"]
    assert f"{SHA}  a.csv\n" in (folder / "SHA256SUMS").read_text()
    asked = len(server.asked)
    get_record(server, tmp_path, wanted, allow_unverified=True)
    assert len(server.asked) == asked + 1
    (folder / "b.csv").write_bytes(b"changed")
    with pytest.raises(DataError, match="left alone"):
        get_record(server, tmp_path, wanted, allow_unverified=True)


@pytest.mark.parametrize(
    "line",
    ["file:///etc/passwd", "ftp://host/a.csv", "http://127.0.0.1:1/a.csv", "BASE/../other", "BASE/raw/", "BASE/..%2Fa",
     "BASE/.ssh", "<html>", "../a.csv"],
)  # fmt: skip
def test_a_list_that_leads_elsewhere_is_refused(server: Server, tmp_path: Path, line: str) -> None:
    with pytest.raises(DataError):
        get_record(server, tmp_path, serve_list(server, "BASE/raw/b.csv", line), allow_unverified=True)
    assert not [path for path in tmp_path.rglob("*") if path.name not in ("tracks", "b.csv", "SHA256SUMS")]


@pytest.mark.parametrize(
    "answer",
    [body(b"<html>", Content_Type="text/html"), body(b"\x1f\x8bxx", Content_Encoding="gzip"), body(b""),
     body(DATA, x_goog_hash="crc32c=AAAA, md5=" + "A" * 22 + "=="), body(DATA[:100], Content_Length=200)],
)  # fmt: skip
def test_even_unverified_files_must_be_plausible(
    server: Server, tmp_path: Path, answer: Callable[[Handler], None]
) -> None:
    wanted = serve_list(server, "BASE/raw/b.csv")
    server.answers["/bucket/raw/b.csv"] = answer
    with pytest.raises(DataError):
        get_record(server, tmp_path, wanted, allow_unverified=True)
    assert not os.listdir(tmp_path / "tracks")  # without an ETag, nothing can be resumed


def test_the_module_needs_no_torch() -> None:
    import subprocess
    import sys

    code = "import sys, lasernet.data.download; sys.exit('torch' in sys.modules or 'h5py' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert remote.KNOWN is KNOWN

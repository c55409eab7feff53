"""Parts of files: resumed where they are sound, begun anew where not, bounded in bytes and time, never a file."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from faulty_server import DATA, NAME, QUICK, Handler, Server, body, breaks_after, chunked, get, good

from lasernet.data.partial import Part
from lasernet.errors import DataError


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
    with pytest.raises(DataError, match="time allowed"):
        get(server, tmp_path, deadline=0.8)


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

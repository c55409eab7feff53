"""Public sets by name: what a record or a list says is believed only where it leads to the set's own files."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from faulty_server import (
    DATA,
    RECORD,
    SHA,
    Handler,
    Server,
    body,
    drips_content,
    endless,
    get_record,
    good,
    missing,
    status,
)

from lasernet.data.download import KNOWN, PublicSet, download
from lasernet.errors import DataError, OptionError


def test_an_unknown_set_gets_a_suggestion(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="did you mean 'flow-2d'"):
        download("flow2d", tmp_path)


def test_every_known_set_says_where_it_is_and_what_checks_it() -> None:
    for name, known in KNOWN.items():
        assert known.name == name
        assert known.url.startswith("https://")
        assert (known.record is None) == (known.kind == "list")
        assert known.hashes is not None or "--unverified" in known.description


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

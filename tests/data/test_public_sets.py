"""Every set that the toolkit knows, from a server that misbehaves: right bytes or no file, resumed where it broke."""

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
    QUICK,
    Handler,
    Server,
    body,
    breaks_after,
    drips_content,
    get_record,
    good,
    silent,
    status,
)

from lasernet.data.download import KNOWN, PublicSet
from lasernet.errors import DataError

FILES = {  # as the sources name them; the first is the one that goes wrong
    "flow-2d": ("dataset.zip",),
    "flow-2d-weights": ("velocity_model_base.zip", "pressure_model_base.zip"),
    "flow-3d": ("dataset_3d.zip",),
    "micrographs": ("Benchmark package.zip",),
    "lasernet": ("Alldata_withpoints_3.csv",),
}
BESIDE = ("VAE's.zip", "unet_latent-diffusion_a-3..2-lr-1.00e-03.zip", "readme.md")  # in the record, and not wanted
Answer = Callable[[Handler], None]
# What a file's address may do at first; afterwards the server behaves.
FAULTS: dict[str, Answer] = {
    "truncates": breaks_after(0.5),
    "resets": breaks_after(0.5, reset=True),
    "claims more bytes": body(DATA[:1000], Content_Length=len(DATA) + 1),
    "claims fewer bytes": body(DATA, Content_Length=1000),
    "sends fewer bytes": body(DATA[:1000]),
    "redirects to a file": status(302, Location="file:///etc/passwd"),
    "redirects to ftp": status(302, Location="ftp://127.0.0.1/data"),
    "stalls": drips_content,
    "is silent": silent,
    "sends other bytes": body(bytes(len(DATA))),
    "sends a page": body(b"<html>please wait</html>", Content_Type="text/html"),
    "is busy": status(503),
}
UNSEEN = ("sends fewer bytes", "claims fewer bytes", "sends other bytes")  # of a set whose source publishes no hashes


def serve(server: Server, name: str, answer: Answer) -> PublicSet:
    """Let the server answer for a set; its first file as told."""
    known = KNOWN[name]
    if known.kind == "list":
        files = {file: f"/bucket/{file}" for file in FILES[name]}
        text = "".join(f"{server.base}{path}\n" for path in files.values())
        server.answers["/bucket/filelist.txt"] = body(text.encode())
        known = replace(known, url=f"{server.base}/bucket/filelist.txt")
    else:
        names = FILES[name] + (BESIDE if known.files != "*" else ())
        files = {file: f"/api/records/{known.record}/files/{file.replace(' ', '%20')}/content" for file in names}
        md5 = f"md5:{hashlib.md5(DATA).hexdigest()}"
        entries = [{"key": file, "size": len(DATA), "checksum": md5} for file in names]
        server.answers[f"/api/records/{known.record}"] = body(json.dumps({"files": entries}).encode())
    server.answers |= dict.fromkeys(files.values(), good)
    server.answers[files[FILES[name][0]]] = answer
    return known


def fetched(server: Server, out: Path, wanted: PublicSet, *, attempts: int = 3) -> list[Path]:
    limits = replace(QUICK, attempts=attempts)
    path = get_record(server, out, wanted, allow_unverified=wanted.hashes is None, limits=limits)
    return sorted(path.iterdir()) if path.is_dir() else [path]


def test_every_known_set_is_tried_here() -> None:
    assert set(FILES) == set(KNOWN)


@pytest.mark.parametrize("name", FILES)
def test_a_known_set_comes_whole_and_once(server: Server, tmp_path: Path, name: str) -> None:
    wanted = serve(server, name, good)
    found = {path.name: path.read_bytes() for path in fetched(server, tmp_path, wanted)}
    found.pop("SHA256SUMS", None)
    assert found == dict.fromkeys(FILES[name], DATA)
    asked = len(server.asked)
    fetched(server, tmp_path, wanted)
    assert len(server.asked) == asked + 1  # the record or list alone


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", ["flow-2d", "flow-2d-weights", "flow-3d", "lasernet"])
def test_a_known_set_survives_a_server_that_misbehaves(server: Server, tmp_path: Path, name: str, fault: str) -> None:
    wanted = serve(server, name, FAULTS[fault])
    target = tmp_path / name / FILES[name][0]
    if wanted.hashes is None and fault in UNSEEN:
        assert fetched(server, tmp_path, wanted)  # nothing says that these bytes are wrong: hence --unverified
        assert (tmp_path / name / "SHA256SUMS").exists()
        return
    with pytest.raises(DataError) as caught:
        fetched(server, tmp_path, wanted, attempts=1)
    assert "\n" not in str(caught.value)
    assert not target.exists()
    part = target.with_name(target.name + ".part")
    begun = part.stat().st_size if part.exists() else 0
    serve(server, name, good)
    server.asked.clear()
    fetched(server, tmp_path, wanted)
    assert target.read_bytes() == DATA
    assert not [left for left in os.listdir(target.parent) if ".part" in left]
    if fault in ("truncates", "resets"):
        assert begun == len(DATA) // 2
        assert server.asked[1][1]["Range"] == f"bytes={begun}-"


def test_closed_micrographs_say_where_to_ask(server: Server, tmp_path: Path) -> None:
    server.answers["/api/records/6611926"] = body(json.dumps({"files": []}).encode())
    with pytest.raises(DataError, match=r"ask for access at https://zenodo.org/records/6611926"):
        get_record(server, tmp_path, KNOWN["micrographs"])

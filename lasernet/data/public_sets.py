"""Data sets that others publish: where they are, and which files belong to them."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Literal
from urllib.parse import quote, unquote

from lasernet.data.web import Client, fetch_text
from lasernet.errors import DataError

log = logging.getLogger(__name__)

ZENODO = "https://zenodo.org/api"
SUMS = "SHA256SUMS"  # of the files of an unverified set, as they first came
LONGEST_NAME = 200  # bytes, so that .part and its note fit beside it
LONGEST_LIST = 4 << 20  # bytes of a record or a list of files
MOST_FILES = 10_000
DIGITS = {"md5": 32, "sha256": 64}


@dataclass(frozen=True)
class PublicSet:
    """A data set that others publish.

    Attributes:
        kind: a Zenodo record, whose files come with sizes and MD5 hashes, or a text file that lists addresses.
        url: page of the record, or the list.
        record: number of the Zenodo record.
        files: pattern of the names wanted.
        size: bytes in all, roughly; None where it is not known.
        hashes: what the source publishes for each file; None if nothing.
        license: None where it is not known; that of a Zenodo record is told when it is fetched.
    """

    name: str
    description: str
    kind: Literal["zenodo", "list"]
    url: str
    record: int | None = None
    files: str = "*"
    size: int | None = None
    hashes: Literal["md5"] | None = "md5"
    license: str | None = None


def _zenodo(name: str, record: int, description: str, *, files: str = "*", size: int | None = None) -> PublicSet:
    page = f"https://zenodo.org/records/{record}"
    return PublicSet(name, f"{description} ({page})", "zenodo", page, record=record, files=files, size=size)


KNOWN: dict[str, PublicSet] = {
    known.name: known
    for known in (
        PublicSet(
            "lasernet",
            "LASERNet laser tracks, CSV point clouds; about 50 GB; no hashes are published, so add --unverified",
            "list",
            "https://storage.googleapis.com/lasernet-data/filelist.txt",
            size=50_000_000_000,
            hashes=None,
        ),
        _zenodo("flow-2d", 16940478, "velocity and pressure of resin between fibers in 2D", files="dataset*"),
        _zenodo("flow-2d-weights", 17306446, "U-Nets trained on flow-2d by its authors"),
        _zenodo(
            "flow-3d", 18341260, "velocity and pressure of resin between fibers in 3D", files="dataset*",
            size=2_100_000_000,
        ),
        _zenodo("micrographs", 6611926, "micrographs of fiber tows; access is granted by its authors on request"),
    )
}  # fmt: skip


@dataclass(frozen=True)
class Item:
    """A file to bring: its name here, where it is, and what is published about it."""

    name: str
    url: str
    size: int | None
    hashes: Mapping[str, str]


def record_items(wanted: PublicSet, client: Client, zenodo: str) -> list[Item]:
    """The files of a Zenodo record, with sizes and hashes.

    Raises:
        DataError: if the record is not to be had, or does not say what it should.
    """
    source = f"{zenodo}/records/{wanted.record}"
    text = fetch_text(client, source, limit=LONGEST_LIST)
    try:
        record = json.loads(text)
        listed = record.get("files") or []
        entries = list(listed.get("entries", {}).values()) if isinstance(listed, dict) else list(listed)
        number = str(record.get("id", wanted.record))  # the newest version, where the number stands for all of them
        if not re.fullmatch(r"[0-9]{1,18}", number):
            raise ValueError(number)
        items = [_record_item(entry, f"{zenodo}/records/{number}") for entry in entries]
        terms = (record.get("metadata") or {}).get("license") or {}
        license = terms.get("id") if isinstance(terms, dict) else None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise DataError(f"{source} is no record of files with hashes; expected Zenodo's; try again later") from None
    if not items:
        raise DataError(f"{wanted.name} has no open files; expected some; ask for access at {wanted.url}")
    chosen = [item for item in items if fnmatchcase(item.name, wanted.files)]
    if not chosen:
        names = ", ".join(item.name for item in items[:5])
        raise DataError(f"{wanted.name} has no file '{wanted.files}' (found: {names}); see {wanted.url}")
    log.info("%s: license %s; see %s", wanted.name, wanted.license or str(license or "not stated")[:40], wanted.url)
    return _distinct(chosen, wanted)


def _record_item(entry: Any, source: str) -> Item:
    name, size = entry["key"], entry["size"]
    algorithm, _, digest = str(entry["checksum"]).lower().partition(":")
    if not (isinstance(name, str) and is_plain(name) and isinstance(size, int) and 0 <= size < 2**60):
        raise ValueError(name)
    if not re.fullmatch(r"[0-9a-f]+", digest) or DIGITS.get(algorithm) != len(digest):
        raise ValueError(digest)
    return Item(name, f"{source}/files/{quote(name, safe='')}/content", size, {algorithm: digest})


def list_items(wanted: PublicSet, client: Client) -> list[Item]:
    """The files that a list names, each an address under the list's own.

    Raises:
        DataError: if the list is not to be had, or names anything else.
    """
    text = fetch_text(client, wanted.url, limit=LONGEST_LIST)
    base = wanted.url.rpartition("/")[0] + "/"
    lines = [line.strip() for line in text.splitlines()]
    items = []
    for line in lines:
        if not line or line.startswith("#"):
            continue
        name = unquote(line.rpartition("/")[2])
        if not (line.startswith(base) and line.isascii() and line.isprintable() and is_plain(name)):
            raise DataError(f"{wanted.url} names {line[:100]!r}; expected addresses under {base}; refused")
        items.append(Item(name, line, None, {}))
    if not items:
        raise DataError(f"{wanted.url} names no file; expected one address per line; try again later")
    return _distinct(items, wanted)


def _distinct(items: list[Item], wanted: PublicSet) -> list[Item]:
    names = {item.name.lower() for item in items}
    if len(names) < len(items) or len(items) > MOST_FILES:
        raise DataError(f"{wanted.url} names {len(items)} files, {len(names)} different; expected each once; refused")
    return items


def is_plain(name: str) -> bool:
    """Whether a name that a server tells is just the name of a visible file."""
    return (
        name.isprintable()
        and not set(name) & set('/\\:*?"<>|')
        and not name.startswith((".", "-", " "))
        and not name.endswith((" ", ".part", ".part.json"))
        and name != SUMS
        and 0 < len(name.encode()) <= LONGEST_NAME
    )

"""Public data sets, and files at an address, fetched so that there are right bytes or no file."""

from __future__ import annotations

import logging
import re
import string
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit
from urllib.request import getproxies

from lasernet.atomic import write_bytes
from lasernet.data.partial import hash_file
from lasernet.data.public_sets import KNOWN, LONGEST_NAME, SUMS, ZENODO, Item, PublicSet, list_items, record_items
from lasernet.data.transfer import Progress, fetch
from lasernet.data.web import Client, check
from lasernet.data.wire import Limits
from lasernet.errors import DataError, OptionError
from lasernet.registry import suggestion

log = logging.getLogger(__name__)

__all__ = ["KNOWN", "Limits", "PublicSet", "download"]


def download(
    name_or_url: str,
    out: Path,
    *,
    sha256: str | None = None,
    max_bytes: int = 64 << 30,
    deadline: float = 12 * 3600.0,
    progress: Progress | None = None,
    allow_unverified: bool = False,
    limits: Limits | None = None,
    zenodo: str = ZENODO,
    known: Mapping[str, PublicSet] | None = None,
    proxies: Mapping[str, str] | None = None,
) -> Path:
    """Fetch a known public set, or the file at an address.

    What has been fetched and verified before is not fetched again; what broke off is resumed.

    Args:
        name_or_url: a key of ``KNOWN``, or an http(s) address.
        out: directory; a set goes into a directory of its own in it.
        sha256: expected hash of the file at the address, hex.
        max_bytes: that all files together may have.
        deadline: s that all of it may take.
        progress: called with (bytes done, bytes in all; the same twice where that is not known).
        allow_unverified: accept a set whose source publishes no hashes.
        limits: of one file and one answer.
        zenodo: address of Zenodo's interface.
        known: other sets than ``KNOWN``.
        proxies: scheme → address; left out, as the system is set up.

    Returns:
        The file; or the set's directory, if it has several.

    Raises:
        OptionError: if the name is not known, or the hash is missing or no hash.
        DataError: if the right bytes are not to be had; there is no file then but a ``.part`` that can be resumed.
    """
    if not (max_bytes > 0 and deadline > 0):
        raise OptionError(f"max_bytes {max_bytes}, deadline {deadline:g} s: expected numbers above 0")
    limits = replace(limits or Limits(), max_bytes=max_bytes)
    client = Client(limits, time.monotonic() + deadline, getproxies() if proxies is None else proxies)
    sets = KNOWN if known is None else known
    if "://" in name_or_url:
        return _download_file(name_or_url, Path(out), client, sha256, progress)
    if name_or_url not in sets:
        raise OptionError(f"no set or URL '{name_or_url}'; {suggestion(name_or_url, list(sets))}")
    if sha256 is not None:
        raise OptionError(f"--sha256 is for a URL; the set {name_or_url} is checked by what its source publishes")
    wanted = sets[name_or_url]
    if wanted.hashes is None and not allow_unverified:
        raise OptionError(
            f"the source of {wanted.name} publishes no hashes, so its bytes cannot be verified; "
            "expected your consent; add --unverified to take what the server sends"
        )
    items = record_items(wanted, client, zenodo) if wanted.kind == "zenodo" else list_items(wanted, client)
    folder = _folder(Path(out) / wanted.name)
    _download_items(items, folder, client, progress)
    return folder / items[0].name if len(items) == 1 else folder


def _download_file(url: str, out: Path, client: Client, sha256: str | None, progress: Progress | None) -> Path:
    if sha256 is None:
        raise OptionError(f"no hash for {url}; expected --sha256 HEX; ask the publisher of the file for it")
    digest = sha256.strip().lower().removeprefix("sha256:")
    if not re.fullmatch(r"[0-9a-f]{64}", digest):
        raise OptionError(f"--sha256 {sha256}: expected 64 hexadecimal digits")
    name = name_of(url)
    if url.isprintable():
        url = quote(url, safe=string.punctuation)
    check(url, OptionError)
    item = Item(name, url.split("#")[0], None, {"sha256": digest})
    folder = _folder(out)
    _download_items([item], folder, client, progress)
    return folder / name


def name_of(url: str) -> str:
    """The name under which the file at a typed address is kept: its last part, without anything odd.

    Raises:
        OptionError: if the address ends in no name.
    """
    try:
        last = unquote(urlsplit(url).path.rpartition("/")[2])
    except ValueError:
        last = ""
    plain = "".join(sign if sign.isalnum() or sign in "._-+ " else "_" for sign in last).strip(" ").lstrip(".-")
    while len(plain.encode()) > LONGEST_NAME:
        plain = plain[1:]  # the end tells the kind of file
    if not plain.strip("._ "):
        raise OptionError(f"{url!r} ends in no file name; expected an address such as https://host/path/file.zip")
    return plain


def _folder(path: Path) -> Path:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"cannot make the directory {path} ({error.strerror}); choose another --out") from None
    return path


def _download_items(items: Sequence[Item], folder: Path, client: Client, progress: Progress | None) -> None:
    """Bring the files that are not there yet."""
    sums = _read_sums(folder / SUMS)
    sizes = [item.size for item in items if item.size is not None]
    whole = sum(sizes) if len(sizes) == len(items) else 0
    if whole > client.limits.max_bytes:
        raise DataError(f"{len(items)} files have {whole} bytes; expected at most {client.limits.max_bytes}; refused")
    done = 0
    for item in items:
        target = folder / item.name
        if not _is_there(target, item, sums):
            left = replace(client.limits, max_bytes=client.limits.max_bytes - done)
            report = _shifted(progress, done, whole)
            fetch(item.url, target, replace(client, limits=left), hashes=item.hashes, size=item.size, progress=report)
            if not item.hashes:
                sums[item.name] = hash_file(target, "sha256")
                log.warning("%s is not verified; its SHA-256 is %s", item.name, sums[item.name])
                write_bytes(folder / SUMS, "".join(f"{sums[name]}  {name}\n" for name in sorted(sums)).encode())
        done += target.stat().st_size
        if progress:
            progress(done, whole or done)


def _shifted(progress: Progress | None, before: int, whole: int) -> Progress | None:
    if progress is None:
        return None
    report = progress
    return lambda here, total: report(before + here, whole or before + total)


def _is_there(target: Path, item: Item, sums: Mapping[str, str]) -> bool:
    """Whether the file is there and right.

    Raises:
        DataError: if something else has its name.
    """
    try:
        if not target.exists() and not target.is_symlink():
            return False
        expected = item.hashes or ({"sha256": sums[item.name]} if item.name in sums else {})
        if target.is_file() and (item.size is None or target.stat().st_size == item.size) and expected:
            found = {algorithm: hash_file(target, algorithm) for algorithm in expected}
            if found == dict(expected):
                log.info("%s is there already", target)
                return True
    except OSError as error:
        raise DataError(f"cannot read {target} ({error.strerror}); choose another --out, or remove it") from None
    raise DataError(f"{target} is there and is not the file expected; left alone; move it, or choose another --out")


def _read_sums(path: Path) -> dict[str, str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    except (OSError, ValueError):
        lines = []
    pairs = [line.partition("  ") for line in lines]
    return {name: digest for digest, _, name in pairs if re.fullmatch(r"[0-9a-f]{64}", digest)}

"""Data files that appear under their name only when they are complete, and leave nothing when they are not."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import h5py

from lasernet.data.container import LAYOUT_VERSION, file_hash
from lasernet.data.patient_file import CalmThread, PatientFile
from lasernet.errors import DataError

T = TypeVar("T")

# The first file format whose metadata carry checksums; HDF5 1.10 (2016) and later read it.
LIBRARY = ("v110", "v110")


class Draft:
    """An HDF5 file while it is written: errors of the disk wait, and interrupts do not break into a write."""

    def __init__(self, path: Path) -> None:
        self._closed = False
        self._disk = PatientFile(path)
        self._thread = CalmThread()
        self._opened: list[h5py.File] = []
        try:
            self._thread.do(self._open)
        except BaseException:  # an interrupt stops the waiting only, and a file left open keeps the process from ending
            self.close()
            raise
        self.file = self._opened[0]

    def do(self, work: Callable[[], T]) -> T:
        """The result of ``work``, which may touch the file.

        Raises:
            OSError: if the disk refused something.
        """
        value = self._thread.do(work)
        self._disk.raise_problem()
        return value

    def finish(self) -> None:
        """Close the file.

        Raises:
            OSError: if the disk refused something.
        """
        self.close()
        self._disk.raise_problem()

    def close(self) -> None:
        """Close without asking the disk; may be called again."""
        if not self._closed:
            self._thread.do(self._close)
            self._closed = True  # before the thread ends: an interrupt may come between
            self._thread.end()

    def _open(self) -> None:
        self._opened.append(h5py.File(self._disk, "w", libver=LIBRARY))

    def _close(self) -> None:
        for file in self._opened:
            file.close()
        self._disk.close()


@contextmanager
def new_file(path: Path, *, overwrite: bool) -> Iterator[Draft]:
    """Write a file; it appears when the block ends well, and leaves nothing when it does not.

    Raises:
        DataError: if the place cannot be written, or a file is there already.
    """
    check_target(path, overwrite)
    scrap = scrap_name(path)
    drafts: list[Draft] = []
    try:
        reserve(scrap)
        drafts.append(Draft(scrap))
        yield drafts[0]
        drafts[0].finish()
        publish(scrap, path)
    except OSError as error:
        raise not_writable(path, error) from None
    finally:
        try:
            discard([scrap])
        finally:
            discard([scrap])  # once more, should an interrupt have broken into the first
            for draft in drafts:
                draft.close()


def set_root(file: h5py.File, kind: str, hashes: Mapping[str, str]) -> str:
    """Write the attributes of the file; return its content hash."""
    content_hash = file_hash(kind, hashes)
    root = {"format": "lasernet", "layout_version": LAYOUT_VERSION, "kind": kind, "content_hash": content_hash}
    for key, value in root.items():
        file.attrs[key] = value
    return content_hash


def check_case_name(name: str) -> None:
    """Refuse a name that HDF5 or a person could not use.

    Raises:
        DataError: if it is empty, too long, not printable, or a path.
    """
    if not name or "/" in name or name == "." or not name.isprintable() or len(name) > 200:
        raise DataError(f"case '{name}' has an unusable name; expected up to 200 printable characters without '/'")


def not_writable(path: Path, error: OSError) -> DataError:
    """What to tell of a write that the disk refused."""
    why = error.strerror or str(error)[:160]
    return DataError(f"cannot write '{path}' ({why}); choose another place or free space")


def check_target(path: Path, overwrite: bool) -> None:
    """Refuse a place where no new file can appear.

    Raises:
        DataError: if there is no such directory, or something is there already.
    """
    if not path.parent.is_dir():
        raise DataError(f"there is no directory '{path.parent}' to write {path.name} into; make it first")
    if path.is_symlink() or path.exists():
        if path.is_dir() or not (path.is_file() or path.is_symlink()):
            raise DataError(f"'{path}' is no regular file; expected the name of a new file")
        if not overwrite:
            raise DataError(f"'{path}' exists already; expected a new file; remove it or choose another name")


def scrap_name(path: Path) -> Path:
    """A name beside the target that nobody else uses."""
    return path.parent / f".{path.name[:50]}.{secrets.token_hex(6)}.tmp"


def discard(scraps: Sequence[Path]) -> None:
    """Remove what was not published."""
    for scrap in scraps:
        with contextlib.suppress(OSError):
            scrap.unlink()


def reserve(scrap: Path) -> None:
    """Make a new empty file; never open one that somebody else put there."""
    os.close(os.open(scrap, os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_NOFOLLOW", 0), 0o666))


def publish(scrap: Path, path: Path) -> None:
    """Give a complete file its name, once it is on disk."""
    with scrap.open("rb") as stream:
        os.fsync(stream.fileno())
    os.replace(scrap, path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)

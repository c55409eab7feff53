"""The partial file of a download: locked while in use, and with a note of whose beginning it is."""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from lasernet.atomic import sync, write_bytes
from lasernet.errors import DataError

log = logging.getLogger(__name__)


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
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        try:
            self.descriptor = os.open(self.path, flags, 0o666)
        except OSError as error:
            why = f"cannot write {self.path} ({error.strerror}); choose another --out, or remove it"
            raise DataError(why) from None
        try:
            self._lock()
        except BaseException:
            os.close(self.descriptor)
            raise
        self.length = os.fstat(self.descriptor).st_size
        self.mixed = self.length > 0  # whether the content comes from more than one answer
        self.done = False

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
        self.length, self.mixed = 0, False

    def append(self, data: bytes) -> None:
        """Add content at the end.

        Raises:
            DataError: if the disk does not take it.
        """
        view = memoryview(data)
        try:
            while view:
                written = os.pwrite(self.descriptor, view, self.length)
                self.length += written
                view = view[written:]
        except OSError as error:
            why = f"cannot write {self.path} ({error.strerror}); free some space and start again to resume"
            raise DataError(why) from None

    def digest(self, algorithm: str) -> str:
        """The hash of what is on disk."""
        return _digest(self.descriptor, algorithm)

    def finish(self) -> None:
        """Give the content its name, once it is on disk."""
        os.fsync(self.descriptor)
        os.replace(self.path, self.target)
        self.done = True
        self.note_path.unlink(missing_ok=True)
        sync(self.target.parent)

    def close(self) -> None:
        """Let go; an empty partial file does not stay."""
        if self.length == 0 and not self.done:
            self.path.unlink(missing_ok=True)
            self.note_path.unlink(missing_ok=True)
        os.close(self.descriptor)


def hash_file(path: Path, algorithm: str) -> str:
    """The hash of a file, hex."""
    with path.open("rb") as file:
        return _digest(file.fileno(), algorithm)


def _digest(descriptor: int, algorithm: str) -> str:
    state = hashlib.new(algorithm, usedforsecurity=False)
    position = 0
    while block := os.pread(descriptor, 1 << 20, position):
        state.update(block)
        position += len(block)
    return state.hexdigest()

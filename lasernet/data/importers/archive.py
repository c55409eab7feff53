"""Archives from elsewhere, unpacked so that nothing lands outside one private directory and nothing fills the disk."""

from __future__ import annotations

import bz2
import gzip
import io
import logging
import lzma
import os
import re
import shutil
import stat
import tarfile
import tempfile
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from lasernet.data.quarantine import require_regular_file
from lasernet.errors import DataError

log = logging.getLogger(__name__)

OPENERS: dict[str, Callable[[IO[bytes]], IO[bytes]]] = {
    ".tar": lambda stream: stream,
    ".tar.gz": lambda stream: gzip.GzipFile(fileobj=stream, mode="rb"),  # type: ignore[dict-item, return-value]
    ".tgz": lambda stream: gzip.GzipFile(fileobj=stream, mode="rb"),  # type: ignore[dict-item, return-value]
    ".tar.bz2": bz2.BZ2File,
    ".tar.xz": lzma.LZMAFile,
}
ARCHIVES = (".zip", *OPENERS)
UNREAD = (".7z", ".rar")
BLOCK = 1 << 20
DEEPEST = 32


@dataclass(frozen=True)
class Limits:
    """What an archive may hold; ``ratio`` counts once ``harmless`` bytes are unpacked.

    Attributes:
        total, harmless: bytes, as they come out.
        ratio: bytes out per byte of the archive read so far; text and gray images stay below 50.
    """

    members: int = 1_000_000
    total: int = 64 << 30
    ratio: float = 250.0
    harmless: int = 32 << 20


def is_archive(name: str) -> bool:
    """Whether a file of this name is an archive, readable or not."""
    return name.lower().endswith((*ARCHIVES, *UNREAD))


@contextmanager
def unpacked(archive: Path, beside: Path, limits: Limits | None = None) -> Iterator[Path]:
    """The content of an archive in a private directory that is gone after the block.

    Args:
        beside: the file to be written; the directory lies next to it, so that the disk is the one that the user chose.

    Raises:
        DataError: if the archive is damaged, encrypted or of an unknown kind, holds more than plain files of different
            names inside one directory, or comes out larger than the limits.
    """
    require_regular_file(archive)
    lowered = archive.name.lower()
    if lowered.endswith(UNREAD):
        raise DataError(f"{archive.name} is an archive of an unknown kind; expected {', '.join(ARCHIVES)}; unpack it")
    try:
        place = Path(tempfile.mkdtemp(prefix=f".{beside.name[:50]}.", suffix=".unpacked", dir=beside.parent))
    except OSError as error:
        raise DataError(
            f"cannot unpack {archive.name} into '{beside.parent}' ({error.strerror}); choose another --out"
        ) from None
    try:
        _Unpacker(archive, place, limits or Limits()).run()
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


class _Counted(io.RawIOBase):
    """A stream that counts what is read of it."""

    def __init__(self, below: IO[bytes]) -> None:
        self._below = below
        self.count = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self._below.seekable()

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._below.seek(offset, whence)

    def tell(self) -> int:
        return self._below.tell()

    def read(self, size: int = -1) -> bytes:
        data = self._below.read(size)
        self.count += len(data)
        return data


class _Unwrapped(_Counted):
    """The decompressed stream of a tar archive: limited, and its last blocks are remembered."""

    def __init__(self, below: IO[bytes], limit: Callable[[int], None]) -> None:
        super().__init__(below)
        self._limit = limit
        self._recent = b""

    def read(self, size: int = -1) -> bytes:
        data = super().read(size)
        self._limit(self.count)
        self._recent = (self._recent + data)[-8 * tarfile.RECORDSIZE :]
        return data

    def require_end(self, offset: int) -> None:
        """Refuse an archive that does not end in a block of zeros; tarfile takes a damaged header for the end."""
        start = offset - (self.count - len(self._recent))
        block = self._recent[start : start + tarfile.BLOCKSIZE]
        if len(block) < tarfile.BLOCKSIZE or any(block):
            raise tarfile.ReadError("it ends in the middle")


class _Unpacker:
    """One unpacking: what has come out, and under which names."""

    def __init__(self, archive: Path, place: Path, limits: Limits) -> None:
        self._archive, self._place, self._limits = archive, place, limits
        self._names: dict[str, str | None] = {}  # folded name: the spelling of a folder, or None for a file
        self._written = 0
        self._consumed: Callable[[], int] = lambda: 0

    def run(self) -> None:
        name = self._archive.name
        try:
            with self._archive.open("rb") as stream:
                if name.lower().endswith(".zip"):
                    self._unzip(stream)
                else:
                    ending = max((end for end in OPENERS if name.lower().endswith(end)), key=len, default=".tar")
                    self._untar(stream, OPENERS[ending])
        except OSError as error:
            if error.errno is not None:  # of the disk; damaged archives raise OSError without a number
                raise DataError(
                    f"cannot unpack {name} ({error.strerror}); expected room and permission beside --out; free space"
                ) from None
            raise self._damaged(error) from None
        except (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError) as error:
            raise self._damaged(error) from None
        except (ValueError, KeyError, NotImplementedError, RuntimeError, OverflowError, MemoryError) as error:
            raise self._damaged(error) from None

    def _damaged(self, error: BaseException) -> DataError:
        text = " ".join(str(error).split())[:120] or type(error).__name__
        return DataError(f"{self._archive.name} is damaged ({text}); expected a sound archive; get it again")

    def _unzip(self, stream: IO[bytes]) -> None:
        counted = _Counted(stream)
        with zipfile.ZipFile(counted) as archive:
            members = archive.infolist()
            self._limit_members(len(members))
            counted.count = 0  # the directory of the archive is no content
            self._consumed = lambda: counted.count
            for member in members:
                kind = stat.S_IFMT(member.external_attr >> 16)
                folder = member.is_dir()
                plain = kind in (0, stat.S_IFDIR if folder else stat.S_IFREG) and "\0" not in member.orig_filename
                target = self._target(member.orig_filename, folder=folder, plain=plain)
                if member.flag_bits & 1:
                    raise DataError(
                        f"{self._archive.name} is encrypted; expected an open archive; unpack it and import the folder"
                    )
                if target is not None:
                    with archive.open(member) as source:
                        self._write(source, target, member.file_size)

    def _untar(self, stream: IO[bytes], opener: Callable[[IO[bytes]], IO[bytes]]) -> None:
        below = _Counted(stream)
        self._consumed = lambda: below.count
        content = _Unwrapped(opener(below), self._limit_bytes)  # type: ignore[arg-type]
        # Read as a stream, so that headers count as well
        with tarfile.open(fileobj=content, mode="r|") as archive:
            number = 0
            while (member := archive.next()) is not None:
                number += 1
                self._limit_members(number)
                plain = (member.isreg() and not member.issparse()) or member.isdir()
                target = self._target(member.name, folder=member.isdir(), plain=plain)
                source = archive.extractfile(member) if target is not None else None
                if source is not None and target is not None:
                    self._write(source, target, member.size)
                archive.members.clear()  # type: ignore[attr-defined]  # else it keeps every header
            content.require_end(archive.offset)
        while content.read(BLOCK):  # checksums stand at the end
            pass

    def _target(self, name: str, *, folder: bool, plain: bool) -> Path | None:
        """Where a member goes; None for a folder, which is made."""
        shown = name if name.isprintable() else repr(name)
        parts = [part for part in name.split("/") if part not in ("", ".")]
        inside = not name.startswith("/") and not re.match("[A-Za-z]:", name) and ".." not in parts
        if not (plain and inside and name.isprintable() and "\\" not in name and len(parts) <= DEEPEST):
            fault = "no safe name" if plain else "no plain file"
            raise DataError(
                f"{self._archive.name} holds '{shown[:100]}', which is {fault}; expected files and folders inside the "
                "archive, without links; unpack it and import the folder"
            )
        if not parts:
            return None
        for depth in range(1, len(parts) + 1):
            path = "/".join(parts[:depth])
            key = unicodedata.normalize("NFC", path).casefold()
            spelling = path if folder or depth < len(parts) else None
            if key in self._names and (spelling is None or self._names[key] != spelling):
                raise DataError(
                    f"{self._archive.name} holds the name '{shown[:100]}' twice; expected different names, also for "
                    "disks that do not tell capitals; unpack it and import the folder"
                )
            self._names[key] = spelling
        target = self._place.joinpath(*parts)
        (target if folder else target.parent).mkdir(parents=True, exist_ok=True)
        return None if folder else target

    def _write(self, source: IO[bytes], target: Path, declared: int) -> None:
        before = self._written
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
        with os.fdopen(os.open(target, flags, 0o600), "wb") as file:
            while block := source.read(BLOCK):
                self._written += len(block)
                self._limit_bytes(self._written)
                file.write(block)
        size = self._written - before
        if size != declared:
            raise DataError(
                f"{self._archive.name}: '{target.name}' has {size} bytes, not the {declared} declared; expected a "
                "sound archive; get it again"
            )

    def _limit_members(self, count: int) -> None:
        if count > self._limits.members:
            raise DataError(
                f"{self._archive.name} holds more than {self._limits.members} files; expected fewer; unpack it and "
                "import the folder"
            )

    def _limit_bytes(self, count: int) -> None:
        limits = self._limits
        if count > limits.total:
            raise DataError(
                f"{self._archive.name} comes out larger than {limits.total >> 20} MiB; expected less; unpack it and "
                "import the folder"
            )
        if count > limits.harmless and count > limits.ratio * self._consumed():
            raise DataError(
                f"{self._archive.name} comes out more than {limits.ratio:g} times as large as it is; expected data, "
                "no archive bomb; if it is sound, unpack it and import the folder"
            )

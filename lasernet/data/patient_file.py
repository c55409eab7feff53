"""How the HDF5 library is kept from crashing the process while it writes.

It crashes when it cannot flush a file that it closes, as on a full disk, or when an interrupt breaks into a write. So
it writes into a file whose errors wait, and from a thread in which no interrupt is ever raised.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

T = TypeVar("T")


class CalmThread:
    """Does one thing after another in a thread of its own; Python raises interrupts in the main thread only.

    Built on ``SimpleQueue`` alone, since an interrupt may leave the locks of other tools taken for ever.
    """

    def __init__(self) -> None:
        self._tasks: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        threading.Thread(target=self._work, name="hdf5", daemon=True).start()

    def do(self, work: Callable[[], T]) -> T:
        """The result of ``work``; an interrupt stops the waiting, never the work."""
        answers: SimpleQueue[tuple[T | None, BaseException | None]] = SimpleQueue()

        def task() -> None:
            try:
                answers.put((work(), None))
            except BaseException as problem:
                answers.put((None, problem))

        self._tasks.put(task)
        value, problem = answers.get()
        if problem is not None:
            raise problem
        return value  # type: ignore[return-value]

    def end(self) -> None:
        """Let the thread go when all work is done."""
        self._tasks.put(None)

    def _work(self) -> None:
        while task := self._tasks.get():
            task()


class PatientFile(io.RawIOBase):
    """Takes every write; what the disk refuses is kept in memory until somebody asks.

    Whoever writes calls ``raise_problem`` after each step, and closes the file.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("r+b", buffering=0)
        self._problem: OSError | None = None
        self._kept: list[tuple[int, bytes]] = []
        self._position = 0
        self._size = 0

    def raise_problem(self) -> None:
        """Raise the first error of the disk, if there was one."""
        if self._problem is not None:
            raise self._problem

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._position = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        return self._position

    def tell(self) -> int:
        return self._position

    def truncate(self, size: int | None = None) -> int:
        self._size = self._position if size is None else size
        if self._problem is None:
            try:
                self._file.truncate(self._size)
            except OSError as problem:
                self._problem = problem
        return self._size

    def write(self, data: ReadableBuffer) -> int:
        view = memoryview(data).cast("B")
        start, done = self._position, 0
        try:
            self._file.seek(start)
            while self._problem is None and done < len(view):
                done += self._file.write(view[done:]) or 0
        except OSError as problem:
            self._problem = problem
        if done < len(view):
            self._kept.append((start + done, bytes(view[done:])))
        self._position = start + len(view)
        self._size = max(self._size, self._position)
        return len(view)

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer).cast("B")
        start, done = self._position, 0
        try:
            self._file.seek(start)
            while done < len(view) and (count := self._file.readinto(view[done:])):
                done += count
        except OSError as problem:
            self._problem = self._problem or problem
        view[done:] = bytes(len(view) - done)
        for place, data in self._kept:
            first, last = max(place, start), min(place + len(data), start + len(view))
            if first < last:
                view[first - start : last - start] = data[first - place : last - place]
        self._position = start + len(view)
        return len(view)

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()

"""Opening HDF5 files of the layout, whatever they hold, after a child process has looked at them."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Generic, Self, TypeVar

import h5py
from numpy.typing import NDArray

from lasernet.data import container
from lasernet.data.quarantine import check_in_child, require_regular_file
from lasernet.errors import DataError

T = TypeVar("T")
SIGNATURE = b"\x89HDF\r\n\x1a\n"


def kind_of(path: Path | str) -> str:
    """What kind of data a file says it holds: ``laser``, ``images``; nothing else of it has been checked.

    Raises:
        DataError: if it is no file of this layout.
    """
    path = Path(path)
    _require_hdf5(path)
    with as_data_error(path):
        return str(check_in_child(Path(container.__file__), [str(path.absolute())], name=path.name)["kind"])


def by_kind(path: Path | str, functions: Mapping[str, Callable[[Path], T]]) -> T:
    """What the function for the kind of a file makes of it.

    Args:
        functions: by kind.

    Raises:
        DataError: if it is no file of this layout, or of a kind that none of the functions takes.
    """
    path, kind = Path(path), kind_of(path)
    if kind not in functions:
        raise DataError(f"{path.name} holds '{kind[:40]}' data; expected {' or '.join(functions)}; upgrade lasernet")
    return functions[kind](path)


class OpenFile(Generic[T]):
    """A file that is open for reading; a context manager.

    Args:
        case: wraps a group of ``cases``: (its name, the group, the path of the file).

    Attributes:
        cases: by name. Their attributes and coordinates stay readable after the file is closed.
    """

    def __init__(self, case: Callable[[str, h5py.Group, Path], T], path: Path, file: h5py.File) -> None:
        self.path = path
        self._file = file
        self.content_hash = str(file.attrs["content_hash"])
        self.cases = {name: case(name, file["cases"][name], path) for name in sorted(file["cases"])}

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: types.TracebackType | None,
    ) -> None:
        self.close()


def open_checked(path: Path, rules: Path, kind: str, make: Callable[[Path, h5py.File], T], *, check: bool = True) -> T:
    """Open a file of one kind for reading.

    Args:
        rules: script that checks the structure of this kind in a child process.
        make: wraps the open file.
        check: False only for a file that this program has already opened with the check.

    Raises:
        DataError: if the file is missing, of another kind, damaged, or reaches outside itself.
    """
    _require_hdf5(path)
    with as_data_error(path):
        if check:
            check_in_child(rules, [str(path.absolute()), kind], name=path.name)
        file = h5py.File(path, "r")
    try:
        with as_data_error(path):
            return make(path, file)
    except BaseException:
        file.close()
        raise


def read_stored(dataset: h5py.Dataset, index: Any, what: str) -> NDArray[Any]:
    """A part of a dataset.

    Raises:
        DataError: if its stored bytes are damaged.
    """
    try:
        values: NDArray[Any] = dataset[index]
    except (OSError, RuntimeError) as error:
        raise DataError(
            f"{what} is damaged ({str(error)[:120]}); expected readable values; restore or import the file again"
        ) from None
    return values


@contextmanager
def as_data_error(path: Path) -> Iterator[None]:
    """Say of what the HDF5 library raises that the file cannot be read."""
    try:
        yield
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        raise DataError(
            f"{path.name} cannot be read ({str(error)[:160]}); expected a file written by lasernet"
        ) from None


def _require_hdf5(path: Path) -> None:
    require_regular_file(path)
    with as_data_error(path), path.open("rb") as stream:
        signature = stream.read(len(SIGNATURE))
    if signature != SIGNATURE:
        raise DataError(
            f"{path.name} is no HDF5 file; expected one written by lasernet; "
            'convert other formats with "lasernet data import"'
        )

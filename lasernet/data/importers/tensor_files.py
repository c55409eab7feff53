"""Files of ``torch.save``, taken as plain tensors without ever running what they contain."""

from __future__ import annotations

import math
import zipfile
from pathlib import Path
from typing import Any

from lasernet.data.container import Refused

MEMORY = 2 << 30  # bytes of a checking process beside the mapped files
SECONDS = 120.0  # that it may take
MAX_RECORDS = 1000
FLOATS = ("float16", "float32", "float64")


def load_tensors(path: Path) -> Any:
    """Map a file that holds tensors in plain containers, and nothing else; no values are read.

    Raises:
        Refused: for anything else; nothing in the file is run.
    """
    import torch

    check_records(path)
    try:
        return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except MemoryError:
        raise Refused(f"{path.name} needs more memory than its size allows") from None
    except Exception as error:  # the unpickler raises nearly every type on damaged files
        raise Refused(f"{path.name} holds more or less than plain tensors ({type(error).__name__})") from None


def check_records(path: Path) -> None:
    """Refuse an archive whose records do not lie plainly, once, in the file.

    Raises:
        Refused: what was found, what was expected.
    """
    size = path.stat().st_size
    try:
        with zipfile.ZipFile(path) as archive:
            records = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, EOFError):
        raise Refused(f"{path.name} is no file that torch.save writes since torch 1.6; save it again") from None
    names = {record.filename for record in records}
    plain = all(
        record.compress_type == zipfile.ZIP_STORED and record.file_size == record.compress_size for record in records
    )
    total = sum(record.file_size for record in records)
    if not plain or len(names) != len(records) or len(records) > MAX_RECORDS or total > size:
        raise Refused(f"{path.name} has compressed, doubled or overlapping records; expected a file of torch.save")


def check_sums(path: Path) -> None:
    """Read a file once and refuse it if its records are not what was saved; ``torch.load`` does not look.

    Raises:
        Refused: if a record does not have the CRC-32 that is kept beside it.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, EOFError, RuntimeError):
        damaged = path.name
    if damaged is not None:
        raise Refused(f"{path.name} is damaged: its checksums do not fit; get it again")


def tensor_shape(value: Any, what: str, *ranks: int) -> tuple[int, ...]:
    """Shape of a tensor that has one of these numbers of axes, none of them empty.

    Raises:
        Refused: if it is something else.
    """
    import torch

    if type(value) is not torch.Tensor or value.ndim not in ranks or 0 in value.shape:
        found = f"a tensor of shape {tuple(value.shape)}" if isinstance(value, torch.Tensor) else type(value).__name__
        raise Refused(f"{what} is {found}; expected a tensor with {' or '.join(map(str, ranks))} axes")
    return tuple(value.shape)


def require_tensor(
    value: Any, what: str, kinds: tuple[str, ...], shape: tuple[int, ...], *, repeated: bool = False
) -> None:
    """Refuse a tensor that is not plainly stored: every element in the file, once.

    Args:
        kinds: names of the types that it may have.
        repeated: one stored element may stand for several, as ``expand`` leaves them; only for small shapes.

    Raises:
        Refused: what was found, what was expected.
    """
    import torch

    if tensor_shape(value, what, len(shape)) != shape:
        raise Refused(f"{what} has shape {tuple(value.shape)}; expected {shape}")
    if value.layout is not torch.strided or value.device.type != "cpu" or str(value.dtype)[6:] not in kinds:
        raise Refused(f"{what} is {value.dtype} on {value.device.type}; expected {' or '.join(kinds)} in memory")
    if value.requires_grad or value.is_neg():
        raise Refused(f"{what} is a part of a computation; expected plain values; save it again with .detach()")
    if repeated:
        return
    stored = value.untyped_storage().nbytes()
    spread = any(step == 0 and size > 1 for step, size in zip(value.stride(), value.shape, strict=True))
    if spread or math.prod(shape) * value.element_size() > stored or min(value.stride(), default=1) < 0:
        raise Refused(f"{what} declares {math.prod(shape)} values, and fewer are stored")

"""Tensors to safetensors bytes and back, with a hash that makes every changed byte visible."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from lasernet.errors import RunError

NOTES = "lasernet"  # the entry of the file's metadata that holds ours, as JSON


def pack(tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> bytes:
    """A safetensors file as bytes; its metadata holds the hash of the tensors."""
    plain = {name: tensor.detach().to("cpu").contiguous().clone() for name, tensor in sorted(tensors.items())}
    notes = dict(metadata or {})
    # One entry, because the library writes several in no particular order and equal weights should be equal files.
    described = json.dumps({**notes, "sha256": _digest(plain, notes)}, sort_keys=True)
    return save(plain, metadata={NOTES: described})


def unpack(content: bytes, *, source: str) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors and the metadata of a safetensors file.

    Raises:
        RunError: if the bytes are damaged or were changed.
    """
    try:
        tensors = load(content)
        length = int.from_bytes(content[:8], "little")
        metadata = json.loads(json.loads(content[8 : 8 + length])["__metadata__"][NOTES])
        expected = metadata.pop("sha256")
    except (SafetensorError, ValueError, TypeError, KeyError, AttributeError, RuntimeError, OverflowError) as error:
        raise RunError(f"{source}: not a readable weights file ({error}); restore it or train again") from None
    if expected != _digest(tensors, metadata):
        raise RunError(f"{source}: its content does not match its hash; restore it from a copy or train again")
    return tensors, metadata


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors and the metadata of a weights file on disk.

    Raises:
        RunError: if it is missing or damaged.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RunError(f"{path}: cannot be read ({error.strerror}); expected the weights of a run") from None
    return unpack(content, source=str(path))


def _digest(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> str:
    digest = hashlib.sha256(json.dumps(dict(metadata), sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name}:{tensor.dtype}:{tuple(tensor.shape)};".encode())
        digest.update(tensor.contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()

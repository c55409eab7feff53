import random

import pytest
import torch

from lasernet.errors import RunError
from lasernet.weights import pack, unpack

TENSORS = {"a.weight": torch.arange(6.0).reshape(2, 3), "b": torch.tensor(3), "c": torch.ones(4, dtype=torch.bfloat16)}


def test_tensors_and_notes_come_back() -> None:
    tensors, notes = unpack(pack(TENSORS, {"model": "m", "task": "t"}), source="x")
    assert notes == {"model": "m", "task": "t"}
    assert tensors.keys() == TENSORS.keys()
    assert all(torch.equal(tensors[name], value) for name, value in TENSORS.items())


def test_equal_weights_are_equal_files() -> None:
    notes = {str(index): "x" for index in range(20)}
    assert len({pack(TENSORS, notes) for _ in range(5)}) == 1


def test_no_changed_byte_is_read_silently() -> None:
    content = pack(TENSORS, {"model": "m"})
    rng = random.Random(0)
    for _ in range(300):
        damaged = bytearray(content)
        damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
        with pytest.raises(RunError):
            unpack(bytes(damaged), source="x")


@pytest.mark.parametrize("content", [b"", b"\0" * 8, b"\xff" * 100, pack(TENSORS)[:-1], pack(TENSORS) + b"x"])
def test_what_is_no_weights_file_is_refused_in_one_line(content: bytes) -> None:
    with pytest.raises(RunError) as error:
        unpack(content, source="x")
    assert "\n" not in str(error.value)

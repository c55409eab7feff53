"""What the engine needs of any data: splits of items that make batches, and hashes that name them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

Batch = dict[str, Tensor]


class Split(Protocol):
    """The items of one split.

    Attributes:
        items: structured array, one row per item: where it comes from.
    """

    items: NDArray[np.void]

    def __len__(self) -> int: ...

    def fetch(self, rows: Sequence[int]) -> Batch:
        """The items in ``rows`` as one batch, in physical units."""


class Data(Protocol):
    """Opened files of a task.

    Attributes:
        hash: of the content of all files.
        split_hash: of which item lies in which split.
    """

    hash: str
    split_hash: str

    @property
    def spec(self) -> Mapping[str, Mapping[str, object]]:
        """Channels, unit and shape of each field."""

    def split(self, name: str) -> Split:
        """The items of ``train``, ``val``, ``test``, or ``all``."""

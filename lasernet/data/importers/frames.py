"""The frames of a laser track among files: put in order by their numbers, and given times."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import numpy as np

from lasernet.errors import DataError

log = logging.getLogger(__name__)

PREFERRED = "Alldata_withpoints_"


def frame_number(path: Path) -> int:
    """The last integer in a file's name, before its endings; −1 without one."""
    stem = re.sub(r"(\.csv|\.txt)?(\.gz)?$", "", path.name, flags=re.IGNORECASE)
    numbers = re.findall(r"\d+", stem)
    return int(numbers[-1][-15:]) if numbers else -1


def in_order(paths: Iterable[Path]) -> list[Path]:
    """Frames by number; numbers must be there, differ, and be equally spaced.

    Raises:
        DataError: if a number is missing or doubled.
    """
    files = sorted(paths, key=lambda path: (frame_number(path), path.name))
    if len(files) == 1:
        return files
    numbers = [frame_number(path) for path in files]
    if numbers[0] < 0:
        raise DataError(f"{files[0].name} has no frame number; expected one, as in {PREFERRED}3.csv; rename it")
    steps = [second - first for first, second in pairwise(numbers)]
    if 0 in steps:
        first = steps.index(0)
        raise DataError(
            f"{files[first].name} and {files[first + 1].name} are both frame {numbers[first]}; "
            "expected each frame once; remove one"
        )
    for position, step in enumerate(steps):
        if step != min(steps):
            raise DataError(
                f"frame {numbers[position] + min(steps)} is missing between {files[position].name} and "
                f"{files[position + 1].name}; expected equally spaced numbers; add it or import a part"
            )
    if steps[0] != 1:
        log.info("frame numbers advance by %d; times follow the numbers", steps[0])
    return files


def times(numbers: Iterable[int], time_step: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Time of each frame in s: its number times the time step; a lone frame without a number is at 0."""
    return np.array([max(number, 0) for number in numbers], dtype=np.float64) * time_step

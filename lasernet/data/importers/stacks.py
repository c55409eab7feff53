"""Arrays of any source as stacks of gray images: which axis numbers them, and which values are black and white."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lasernet.errors import DataError

log = logging.getLogger(__name__)

BLOCK = 64 << 20  # bytes of values read at a time
ROUNDED = 1e-6  # how far a float may lie outside its range


@dataclass(frozen=True)
class Array:
    """Numbers of one source, looked at once and read again later.

    Attributes:
        name: for messages.
        low, high: of all values, which are finite.
        read: the part at an index.
    """

    name: str
    file: Path
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    low: float
    high: float
    read: Callable[[tuple[slice, ...]], NDArray[Any]]


@dataclass(frozen=True)
class Stack:
    """An array as ``count`` images of ``height`` × ``width``."""

    array: Array
    axis: int | None  # that numbers the images; None where there is only one
    count: int
    height: int
    width: int

    @property
    def name(self) -> str:
        """For messages."""
        return self.array.name

    def blocks(self) -> Iterator[NDArray[Any]]:
        """The images in order, some at a time, (n, H, W)."""
        step = max(1, BLOCK // (self.height * self.width * 8))
        for first in range(0, self.count, step):
            index = [slice(None)] * len(self.array.shape)
            if self.axis is not None:
                index[self.axis] = slice(first, first + step)
            values = self.array.read(tuple(index))
            if self.axis is not None:
                values = np.moveaxis(values, self.axis, 0)
            yield values.reshape(-1, self.height, self.width)


def as_stacks(arrays: Sequence[Array], *, image_axis: str | None, numpy_order: bool) -> list[Stack]:
    """The images of each array, with one rule for all.

    (H, W) is one image, and (N, H, W, 1) are N. Of (A, B, C) the image is the square pair of neighboring axes: with
    A = B every channel of the last axis is one, with B = C every entry of the first.

    Args:
        image_axis: "first" or "last" says it for all arrays of three axes.
        numpy_order: without a square pair, take the first axis.

    Raises:
        DataError: if an array has another number of axes, or the rule leaves two answers.
    """
    for array in arrays:
        if len(array.shape) not in (2, 3, 4) or (len(array.shape) == 4 and array.shape[3] != 1):
            raise DataError(
                f"{array.name} has shape {array.shape}; expected images as (H, W), (N, H, W), (H, W, N) or "
                "(N, H, W, 1); cut or reorder it"
            )
    cubes = [array for array in arrays if len(array.shape) == 3]
    answers = {array.name: _plausible(array.shape, numpy_order) for array in cubes}
    chosen = image_axis or _agreed(cubes, answers)
    return [_stack(array, chosen) for array in arrays]


def _plausible(shape: tuple[int, ...], numpy_order: bool) -> set[str]:
    """Which axes can number the images."""
    found = {name for name, pair in (("first", shape[1:]), ("last", shape[:2])) if pair[0] == pair[1]}
    if numpy_order:
        found |= {"first"}
    return found


def _agreed(cubes: Sequence[Array], answers: dict[str, set[str]]) -> str:
    sure = {next(iter(answer)) for answer in answers.values() if len(answer) == 1}
    if len(sure) == 2:
        first, second = (next(cube for cube in cubes if answers[cube.name] == {side}) for side in ("first", "last"))
        raise DataError(
            f"{first.name} has shape {first.shape}, {second.name} {second.shape}; expected the images along "
            "the same axis in all; import them apart"
        )
    unclear = [cube for cube in cubes if not answers[cube.name] or not sure]
    if unclear:
        raise DataError(
            f"{unclear[0].name} has shape {unclear[0].shape}, in which two axes can number the images; expected one "
            "answer; say it with --image-axis first or last"
        )
    return sure.pop() if sure else "first"


def _stack(array: Array, chosen: str) -> Stack:
    if len(array.shape) == 2:
        return Stack(array, None, 1, *array.shape)
    axis = 2 if len(array.shape) == 3 and chosen == "last" else 0
    height, width = (size for place, size in enumerate(array.shape[:3]) if place != axis)
    return Stack(array, axis, array.shape[axis], height, width)


def gray_range(arrays: Sequence[Array], given: tuple[float, float] | None = None) -> tuple[float, float]:
    """The values that are black and white, one pair for all arrays together.

    Whole numbers of 0 and 1 alone are black and white. Else 8 bits go from 0 to 255 and 16 bits from 0 to 65535; wider
    whole numbers as their values fit. Floats lie in [0, 1], in [−1, 1] or in [0, 255].

    Raises:
        DataError: if the arrays do not share a type, or a value lies outside.
    """
    lowest, highest = min(arrays, key=lambda array: array.low), max(arrays, key=lambda array: array.high)
    low, high = lowest.low, highest.high
    if given is not None:
        black, white = given
    else:
        black, white = _float_range(low, high) if _kind(arrays) == "floats" else _integer_range(arrays, low, high)
    slack = ROUNDED * (white - black)
    for array, value, outside in ((lowest, low, low < black - slack), (highest, high, high > white + slack)):
        if outside:
            raise DataError(
                f"{array.name} holds the value {value:.6g}; expected gray values from {black:g} to {white:g} in all "
                "files; say otherwise with --value-range LOW,HIGH"
            )
    log.info("values from %g (black) to %g (white); found: %g to %g", black, white, low, high)
    return float(black), float(white)


def _kind(arrays: Sequence[Array]) -> str:
    kinds = {"floats" if array.dtype.kind == "f" else f"{array.dtype.itemsize}-byte" for array in arrays}
    if len(kinds) > 1:
        odd = next(array for array in arrays if array.dtype != arrays[0].dtype)
        raise DataError(
            f"{arrays[0].name} holds {arrays[0].dtype}, {odd.name} {odd.dtype}; expected one type of values in all "
            "files, so that gray means the same; say --value-range LOW,HIGH, or import them apart"
        )
    return kinds.pop()


def _float_range(low: float, high: float) -> tuple[float, float]:
    if high <= 1 + ROUNDED:
        return (0.0, 1.0) if low >= -ROUNDED else (-1.0, 1.0)
    if high < 16:
        raise DataError(
            f"the values run from {low:.6g} to {high:.6g}; expected gray in [0, 1], [-1, 1] or [0, 255]; say which is "
            "black and which white with --value-range LOW,HIGH"
        )
    return 0.0, 255.0


def _integer_range(arrays: Sequence[Array], low: float, high: float) -> tuple[float, float]:
    if low >= 0 and high <= 1:
        return 0.0, 1.0
    size = arrays[0].dtype.itemsize
    if size == 1 or (size > 2 and high <= 255):
        return 0.0, 255.0
    if size == 2 and high <= 255:
        raise DataError(
            f"the values run from {low:g} to {high:g} and are stored with 16 bits; expected up to 65535; say "
            "--value-range 0,255 if they are bytes, or 0,65535"
        )
    if high <= 65535 / 4:
        log.warning("the brightest value is %g of 65535; --value-range LOW,HIGH says another black and white", high)
    return 0.0, 65535.0

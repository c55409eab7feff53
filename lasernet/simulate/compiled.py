"""Compiling a function of numbers and arrays, so that loops over cells run as fast as in C."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

import numba

P = ParamSpec("P")
R = TypeVar("R")


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """The function, compiled at its first call and kept on the disk for later processes.

    Serial and without reordered sums, so the result is the same on any number of cores. Division by zero gives inf or
    nan as in numpy. It runs without the interpreter's lock, so threads may share the work. What is kept is renewed
    when the file of the function changes, but not when another file does whose compiled functions it calls: keep
    those that call each other in one file.

    Importing this module imports numba, which takes about a second: import it late where that matters.
    """
    try:
        fast = numba.njit(cache=True, error_model="numpy", nogil=True)(function)
    except RuntimeError:  # no directory to keep it in: compile in every process
        fast = numba.njit(error_model="numpy", nogil=True)(function)
    return cast("Callable[P, R]", fast)

"""Work on numbered cases, several at once in processes of their own, with the results in order."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TypeVar

T = TypeVar("T")


def in_order(one: Callable[[int], T], count: int) -> Iterator[T]:
    """``one(0)``, ``one(1)``, …: as many at once as there are cores, of which no more wait than that.

    Args:
        one: can be pickled, and depends on its number alone.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    workers = min(count, cores)
    if workers == 1:
        yield from map(one, range(count))
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        running = [pool.submit(one, index) for index in range(min(count, workers))]
        for index in range(count):
            result = running[index].result()
            running[index] = None  # type: ignore[call-overload]  # so that written cases do not stay in memory
            if len(running) < count:
                running.append(pool.submit(one, len(running)))
            yield result

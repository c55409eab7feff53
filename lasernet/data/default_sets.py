"""Sets that are made once, into the user's cache, where a task is given no data."""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from lasernet.data.generate import generate, recipe_of
from lasernet.data.verify import verify_file
from lasernet.errors import DataError

logger = logging.getLogger(__name__)


def default_voronoi(*, preset: str = "default") -> Path:
    """The default set of Voronoi structures: 14,000 images, periodic, 64 x 64, 20 to 40 grains; 10,000 to train on.

    It is made at the first call, in a minute or so, and found again later. A file that does not
    hold what its hash says is made anew.

    Raises:
        DataError: if the cache folder cannot be written.
    """
    return cached("voronoi", preset=preset)


def default_flows() -> Path:
    """The default set of flows through fibers: 600 of 64 x 64 x 11 cells, two of each geometry.

    It is made at the first call, in some minutes, and found again later.

    Raises:
        DataError: if the cache folder cannot be written.
    """
    return cached("flow", preset="small")


def cached(name: str, *, preset: str = "default") -> Path:
    """The set of a generator in the user's cache, made if it is not there or damaged.

    Its name is made of all that determines its content, so sets of other versions lie beside it. Of several
    processes that ask at the same time, one makes it and the others wait.

    Raises:
        DataError: if the cache folder cannot be written.
        OptionError: if there is no such generator or preset.
    """
    recipe = recipe_of(name, preset=preset)
    digest = hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()
    folder = cache_folder()
    path = folder / f"{name}-{digest[:12]}.h5"
    with _locked(folder, path):
        if path.exists():
            problem = _problem_of(path)
            if problem is None:
                return path
            logger.warning("%s is damaged (%s); making it anew", path, problem)
        logger.info("making the default %s set of %d, once, in %s", name, recipe["n"], path)
        started = time.monotonic()
        progress = partial(_log_quarters, reported=[0])
        generate(name, path, preset=preset, overwrite=True, progress=progress)
        logger.info("made in %.0f s", time.monotonic() - started)
    return path


def cache_folder() -> Path:
    """Where sets that can be made again are kept: ``$XDG_CACHE_HOME/lasernet``, by default ``~/.cache/lasernet``.

    The one place below the command line that looks at the environment, because where a user's files belong is
    nothing but that; it decides where a set lies, never what it holds.
    """
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if os.path.isabs(base) else Path.home() / ".cache") / "lasernet"  # a relative one is invalid


@contextmanager
def _locked(folder: Path, path: Path) -> Iterator[None]:
    """Hold the name of a set; wait while another process makes it. The lock dies with its process."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = open(folder / f".{path.stem}.lock", "ab")  # noqa: SIM115  (closed below, which frees the lock)
    except OSError as error:
        raise DataError(
            f"the default set cannot be kept in '{folder}' ({error.strerror}); expected a folder that can be written; "
            "set XDG_CACHE_HOME to one, or name a file with --data"
        ) from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            logger.info("waiting for another process that makes or checks %s", path)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _problem_of(path: Path) -> str | None:
    """Why a file is not what it was when it was written; None if it is."""
    try:
        failed = [str(check["name"]) for check in verify_file(path) if not check["ok"]]
    except DataError as error:
        return str(error)
    return f"its check '{failed[0]}' fails" if failed else None


def _log_quarters(done: int, total: int, *, reported: list[int]) -> None:
    quarter = 4 * done // total
    if quarter not in reported:
        reported.append(quarter)
        logger.info("%d of %d made", done, total)

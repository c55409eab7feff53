"""Files from elsewhere, looked at by a short-lived child process before this one opens them."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from lasernet.errors import DataError

WALL_SECONDS = 30.0


def require_regular_file(path: Path) -> os.stat_result:
    """The status of a plain file; anything that a read could hang on is refused before it is opened.

    Raises:
        DataError: if there is no such file, or it is a directory, pipe, socket or device.
    """
    try:
        status = os.stat(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DataError(f"cannot read '{path}' ({reason}); expected a file; check the path") from None
    if not stat.S_ISREG(status.st_mode):
        kind = "a directory" if stat.S_ISDIR(status.st_mode) else "no regular file"
        raise DataError(f"'{path}' is {kind}; expected a file; check the path")
    return status


def check_in_child(
    script: Path, arguments: Sequence[str], *, name: str, timeout: float = WALL_SECONDS
) -> dict[str, object]:
    """Run a checking script of this package in a process of its own.

    Args:
        script: file that prints one JSON object, an answer or {"refused": why}.
        name: of the file under suspicion, for messages.

    Returns:
        The answer of the script.

    Raises:
        DataError: if the script refuses the file, dies on it or does not finish in time.
    """
    places = [str(Path(__file__).parents[2]), *(place for place in sys.path if place)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(places)}
    environment |= dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    try:
        # -P: the folder of the script must not shadow the standard library
        child = subprocess.run(
            [sys.executable, "-P", str(script), *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout,
            env=environment,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise DataError(
            f"{name}: checking it took more than {timeout:g} s; expected a sound file; it is damaged"
        ) from None
    except OSError as error:
        raise DataError(f"{name}: cannot start the process that checks it ({error.strerror}); free memory") from None
    try:
        answer: dict[str, object] = json.loads(child.stdout)
        refused = answer.get("refused")
    except (ValueError, AttributeError):
        raise DataError(
            f"{name}: reading it crashed the checking process (status {child.returncode}); expected a sound file; "
            "it is damaged, so get it anew"
        ) from None
    if refused:
        raise DataError(f"{name}: {refused}")
    return answer

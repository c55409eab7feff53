"""Several processes on one machine: started, signalled and ended together."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from lasernet.atomic import write_bytes
from lasernet.engine.settings import FREE_ON_RESUME, Training
from lasernet.engine.signals import Stopped, StopRequest
from lasernet.errors import LasernetError, RunError
from lasernet.run import CONFIG, dump_json

PARENT_PIPE = "LASERNET_PARENT_PIPE"  # its other end closes when the process that started us is gone
ERROR_PIPE = "LASERNET_ERROR_PIPE"  # takes the error line of a worker
GRACE_SECONDS = 20.0  # for the others, once one worker has ended with an error
STOP_SECONDS = 2.0  # for the others, once one worker has ended by a signal: then the checkpoint is written


class WorkerFailed(LasernetError):
    """What the first worker that failed had to say, with its exit code."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def available_cores() -> int:
    """Cores that this process may use, or OMP_NUM_THREADS where it is set to less."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return min(cores, int(asked)) if asked.isdigit() and int(asked) > 0 else cores


def write_first_config(path: Path, config: Mapping[str, object]) -> None:
    """Write config.json: the file that makes a directory a run.

    Raises:
        RunError: if the directory cannot be written to.
    """
    try:
        write_bytes(path / CONFIG, (dump_json(config) + "\n").encode())
    except OSError as error:
        raise RunError(f"{path}: cannot be written ({error.strerror}); choose another place with --out") from None


def wait_for(file: Path, *, seconds: float = 120.0) -> None:
    """Wait until another process has made a file.

    Raises:
        RunError: if it does not appear in time.
    """
    end = time.monotonic() + seconds
    while not file.exists():
        if time.monotonic() > end:
            raise RunError(f"{file} did not appear within {seconds:.0f} s; see what the first process says")
        time.sleep(0.1)


def run_workers(path: Path, settings: Training, stop: StopRequest, *, files: Sequence[Mapping[str, str]]) -> None:
    """Run the training of a directory in ``settings.num_processes`` processes and wait for them.

    ``accelerate launch --cpu`` runs a single process however many it is asked for, and torchrun answers a
    signal with a traceback; so the workers are started here, with the environment that both would give them.

    Args:
        files: from which models come.

    Raises:
        Stopped: if a signal came; the workers have written a checkpoint.
        WorkerFailed: if one of them failed.
        RunError: if one of them was killed.
    """
    reading, writing = os.pipe()
    errors, speaking = os.pipe()
    free = {name: getattr(settings, name) for name in FREE_ON_RESUME}
    arguments = [str(path.resolve()), json.dumps(free), *(f"{one['file']}:{one['class']}" for one in files)]
    shared = {
        **os.environ,
        "WORLD_SIZE": str(settings.num_processes),
        "LOCAL_WORLD_SIZE": str(settings.num_processes),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(_free_port()),
        PARENT_PIPE: str(reading),
        ERROR_PIPE: str(speaking),
    }
    if settings.device == "cpu":
        shared["ACCELERATE_USE_CPU"] = "1"
    workers = [
        subprocess.Popen(
            [sys.executable, "-m", "lasernet.cli.worker", *arguments],
            env={**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            pass_fds=(reading, speaking),
            start_new_session=True,  # a terminal's Ctrl-C reaches them once, through us
        )
        for rank in range(settings.num_processes)
    ]
    os.close(reading)
    os.close(speaking)
    stop.deferred = True
    try:
        _wait(workers, stop, errors)
    finally:
        for worker in workers:
            if worker.poll() is None:
                worker.kill()
                worker.wait()
        os.close(writing)
        os.close(errors)
        stop.deferred = False


def _wait(workers: list[subprocess.Popen[bytes]], stop: StopRequest, errors: int) -> None:
    forwarded = False
    deadline: float | None = None
    while any(worker.poll() is None for worker in workers):
        if stop.signum is not None and not forwarded:
            for worker in workers:
                worker.send_signal(stop.signum)
            forwarded = True
        if deadline is None and any(worker.poll() not in (None, 0) for worker in workers):
            deadline = time.monotonic() + (GRACE_SECONDS if stop.signum is None else STOP_SECONDS)
        if deadline is not None and time.monotonic() > deadline:
            break
        time.sleep(0.05)
    codes = [worker.poll() for worker in workers]
    if stop.signum is not None and 128 + stop.signum in codes:
        raise Stopped(stop.signum)
    failed = [code for code in codes if code not in (None, 0)]
    if failed:
        killed = sorted((-code for code in failed if code < 0), key=lambda number: number == signal.SIGABRT)
        if killed:  # torch aborts a process whose partner is gone, so another signal is the cause
            raise RunError(
                f"a worker was killed by {signal.Signals(killed[0]).name}; its partners were ended; "
                "the checkpoints are whole: go on with --resume"
            )
        message, code = _first_error(errors, failed)
        raise WorkerFailed(message, code)


def _first_error(errors: int, codes: list[int]) -> tuple[str, int]:
    """The line that the first failing worker wrote, and its exit code."""
    os.set_blocking(errors, False)
    try:
        line = os.read(errors, 1 << 16).decode(errors="replace").splitlines()[0]
        code, _, message = line.partition(" ")
        return message, int(code)
    except (BlockingIOError, IndexError, ValueError):
        what = f"a worker ended with status {codes[0]} and without a word"
        return f"{what}; the checkpoints are whole; go on with --resume, or use --num-processes 1", codes[0]


def report_error(text: str, code: int) -> None:
    """In a worker: hand an error line to the process that started it, which speaks for all."""
    pipe = os.environ.get(ERROR_PIPE, "")
    with contextlib.suppress(OSError, ValueError):
        os.write(int(pipe), f"{code} {' '.join(text.split())}"[:3000].encode(errors="replace") + b"\n")


def watch_parent(stop_number: int = signal.SIGTERM) -> None:
    """In a worker: end as if by SIGTERM, and soon in any case, when the process that started it is gone."""
    pipe = os.environ.get(PARENT_PIPE, "")
    if not pipe.isdigit():
        return

    def wait() -> None:
        try:
            os.read(int(pipe), 1)
        except OSError:
            return
        signal.alarm(int(GRACE_SECONDS))  # ends a process that waits inside torch, where no handler runs
        os.kill(os.getpid(), stop_number)

    threading.Thread(target=wait, daemon=True).start()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

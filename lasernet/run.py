"""A run: the directory that holds everything about one training, readable without running any code.

``config.json`` (every resolved option), ``weights.safetensors`` (best by validation),
``last.safetensors``, ``metrics.jsonl``, ``test_results.json`` or ``val_results.json``, ``losses.png``,
``figures/`` and ``state/`` (checkpoints to resume from). Each file appears by rename; nothing is a pickle.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import math
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lasernet.atomic import sweep, sync, write_bytes
from lasernet.errors import RunError

CONFIG, METRICS, RESULTS = "config.json", "metrics.jsonl", "test_results.json"
VAL_RESULTS = "val_results.json"  # of a run that was judged on validation items only
BEST, LAST, BASELINES = "weights.safetensors", "last.safetensors", "baselines.safetensors"
LOCK, STATE, MANIFEST = ".lock", "state", "manifest.json"
SCHEMA = 1
RUNS = Path("runs")  # where runs are made and looked for
LAYOUT: dict[str, Any] = {  # what every config.json holds
    "schema": int,
    "model": {"name": str, "options": dict},
    "task": str,
    "data": {"options": dict, "files": list, "hash": str},
    "loss": {"expression": str, "options": dict},
    "training": dict,
    "environment": {"threads": int},
}


@dataclass(frozen=True)
class State:
    """A checkpoint: the number of updates taken, and its files."""

    step: int
    files: dict[str, bytes]


class Run:
    """An existing run directory.

    Raises:
        RunError: if it has no readable ``config.json``.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        file = self.path / CONFIG
        if not file.is_file():
            raise RunError(
                f"{self.path} is no run: it has no {CONFIG}; expected a directory that 'lasernet train' made"
            )
        config = read_json(file)
        if not _fits(config, LAYOUT) or config["schema"] != SCHEMA:
            raise RunError(f"{file}: not a run configuration of schema {SCHEMA}; restore the file from a copy")
        self.config: dict[str, Any] = config

    @property
    def model_name(self) -> str:
        """The registered name of the model."""
        return str(self.config["model"]["name"])

    @property
    def finished(self) -> bool:
        """Whether training has ended and its results are written."""
        return any((self.path / name).is_file() for name in (RESULTS, VAL_RESULTS))

    def metrics(self) -> list[dict[str, Any]]:
        """The rows of ``metrics.jsonl``, one per epoch.

        Raises:
            RunError: if a row is not a JSON object.
        """
        file = self.path / METRICS
        if not file.is_file():
            return []
        try:
            rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
        except (OSError, ValueError, RecursionError) as error:
            raise RunError(f"{file}: damaged ({error}); delete it, or restore it from a copy") from None
        if not all(isinstance(row, dict) for row in rows):
            raise RunError(f"{file}: expected one JSON object per line; delete it, or restore it from a copy")
        return rows

    def write_metrics(self, rows: Sequence[Mapping[str, object]]) -> None:
        """Replace ``metrics.jsonl``."""
        write_bytes(self.path / METRICS, "".join(dump_json(row, indent=None) + "\n" for row in rows).encode())

    def write_json(self, name: str, content: object) -> None:
        """Write a JSON file of the run atomically."""
        write_bytes(self.path / name, (dump_json(content) + "\n").encode())

    def write_weights(self, name: str, content: bytes) -> None:
        """Write a weights file of the run atomically."""
        write_bytes(self.path / name, content)

    @property
    def figures(self) -> Path:
        """The folder of figures."""
        return self.path / "figures"

    # -- checkpoints ------------------------------------------------------------------------

    def save_state(self, step: int, files: Mapping[str, bytes], *, keep: int = 2) -> None:
        """Write a checkpoint: its files first, then the manifest of their hashes, then one rename.

        The ``keep`` newest checkpoints stay.
        """
        folder = self._state_folder()
        folder.mkdir(exist_ok=True)
        target = folder / f"step-{step:09d}"
        partial = folder / f".{target.name}.partial"
        shutil.rmtree(partial, ignore_errors=True)
        try:
            partial.mkdir()
            for name, content in files.items():
                write_bytes(partial / name, content)
            hashes = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
            write_bytes(partial / MANIFEST, dump_json({"step": step, "sha256": hashes}).encode())
            if target.is_symlink() or target.is_file():
                target.unlink()
            elif target.exists():
                shutil.rmtree(target)
            os.replace(partial, target)
            sync(folder)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        for old in self._states()[:-keep]:
            shutil.rmtree(old, ignore_errors=True)

    def load_state(self) -> tuple[State | None, list[str]]:
        """The newest checkpoint that verifies, and the names of newer ones that do not."""
        damaged: list[str] = []
        for folder in reversed(self._states()):
            state = _verified(folder)
            if state is not None:
                return state, damaged
            damaged.append(folder.name)
        return None, damaged

    def _states(self) -> list[Path]:
        folder = self._state_folder()
        if not folder.is_dir():
            return []
        return sorted(path for path in folder.iterdir() if re.fullmatch(r"step-\d{9}", path.name))

    def _state_folder(self) -> Path:
        """The folder of checkpoints; never a link, because old checkpoints are deleted in it.

        Raises:
            RunError: if it is a link, or no folder.
        """
        folder = self.path / STATE
        if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
            raise RunError(f"{folder} is no folder of this run; expected a plain one with checkpoints; remove it")
        return folder

    # -- the lock ---------------------------------------------------------------------------

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the run for writing; the lock dies with its process.

        Raises:
            RunError: if another process holds it.
        """
        with lock_directory(self.path):
            self._sweep()
            yield

    def _sweep(self) -> None:
        for folder in (self.path, self.figures, *self._states()):
            sweep(folder)
        for partial in self._state_folder().glob(".step-*.partial"):
            shutil.rmtree(partial, ignore_errors=True)


def _fits(content: object, layout: Any) -> bool:
    """Whether parsed JSON has at least the keys of a layout, with values of its types."""
    if isinstance(layout, dict):
        return isinstance(content, dict) and all(_fits(content.get(key), part) for key, part in layout.items())
    return isinstance(content, layout) and not isinstance(content, bool)


def _verified(folder: Path) -> State | None:
    try:
        manifest = read_json(folder / MANIFEST)
        hashes = manifest["sha256"]
        files = {name: (folder / name).read_bytes() for name in hashes if _plain_name(name)}
        step = int(manifest["step"])
    except (OSError, RunError, KeyError, TypeError, ValueError, AttributeError):
        return None
    whole = files.keys() == hashes.keys() and all(
        hashlib.sha256(content).hexdigest() == hashes[name] for name, content in files.items()
    )
    return State(step, files) if whole else None


@contextmanager
def lock_directory(path: Path) -> Iterator[None]:
    """Hold an existing directory for writing.

    The lock is the process's own (POSIX), so workers that it forks do not keep it alive.
    """
    try:
        file = open(path / LOCK, "a+b")  # noqa: SIM115  (closed below, and by the system with the process)
    except OSError as error:
        raise RunError(f"{path}: cannot be written ({error.strerror}); choose another place with --out") from None
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise RunError(
            f"{path} is in use by another process; one process writes to a run at a time; wait for it or stop it"
        ) from None
    try:
        yield
    finally:
        file.close()


def new_run_path(model: str, root: Path, *, now: datetime | None = None) -> Path:
    """``<root>/<model>-<UTC stamp>-<hash>``, created empty."""
    stamp = (now or datetime.now(UTC)).strftime("%Y%m%dT%H%M%SZ")
    safe = re.sub(r"[^A-Za-z0-9_.-]+", "-", model).strip("-")
    while True:
        path = root / f"{safe}-{stamp}-{secrets.token_hex(3)}"
        try:
            path.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise RunError(
                f"cannot create a run directory in '{root}' ({error.strerror}); choose a place with --out"
            ) from None
        return path


def claim_path(path: Path) -> Path:
    """Make ``--out DIR`` ready for a new run: it may be absent, or empty but for a lock.

    Raises:
        RunError: if something else is there.
    """
    try:
        str(path).encode()  # JSON files of the run hold its name
        path.mkdir(parents=True, exist_ok=True)
        found = [entry.name for entry in path.iterdir() if entry.name != LOCK and not entry.name.endswith(".partial")]
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "its name is no text"
        raise RunError(f"--out {path}: cannot be used as a directory ({reason}); choose another") from None
    if CONFIG in found:
        raise RunError(f"--out {path} already holds a run; add '--resume auto' to go on with it, or choose another")
    if found:
        raise RunError(f"--out {path} is not empty (found {sorted(found)[0]}); expected an absent or empty directory")
    return path


def find_runs(root: Path) -> list[Path]:
    """The run directories under ``root``, oldest first by the time in their configuration."""
    runs = []
    for file in root.glob(f"*/{CONFIG}"):
        try:
            runs.append((str(Run(file.parent).config.get("created", "")), file.parent))
        except RunError:
            continue  # a damaged neighbor is no reason to fail; naming it would need its name
    return [path for _, path in sorted(runs)]


def latest_run(root: Path, *, finished: bool = False) -> Path:
    """The newest run under ``root``.

    Raises:
        RunError: if there is none.
    """
    runs = [path for path in find_runs(root) if not finished or (path / BEST).is_file()]
    if not runs:
        raise RunError(f"'latest': no run in '{root}'; train one first, or give the path of a run")
    return runs[-1]


def model_files(config: Mapping[str, Any]) -> list[Mapping[str, str]]:
    """The files from which models of a run's configuration come, its parts' too: ``file``, ``class``, ``sha256``.

    Raises:
        RunError: if the configuration is not as a run writes it.
    """
    try:
        section = config["model"]
        own = [dict(section["source"])] if section.get("source") else []
        parts = [part["config"] for part in (section.get("parts") or {}).values()]
    except (TypeError, KeyError, ValueError, AttributeError):
        raise RunError("config.json: its 'model' cannot be read; restore the file from a copy") from None
    return own + [file for part in parts for file in model_files(part)]


def read_json(path: Path) -> Any:
    """Parse a JSON file.

    Raises:
        RunError: if it cannot be read or parsed.
    """
    try:
        if path.stat().st_size > 64_000_000:
            raise RunError(f"{path}: larger than any file of a run should be; restore it from a copy")
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise RunError(f"{path}: cannot be read as JSON ({error}); restore it from a copy") from None


def dump_json(content: object, *, indent: int | None = 2) -> str:
    """JSON text in which a number that cannot be computed is null."""
    return json.dumps(_finite(content), indent=indent, ensure_ascii=False, allow_nan=False)


def _finite(content: object) -> object:
    if isinstance(content, float):
        return content if math.isfinite(content) else None
    if isinstance(content, Mapping):
        return {str(key): _finite(value) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [_finite(value) for value in content]
    return content


def _plain_name(name: object) -> bool:
    return isinstance(name, str) and name not in ("", ".", "..") and "/" not in name and "\\" not in name

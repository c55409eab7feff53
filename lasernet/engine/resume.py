"""Which run to go on with, and whether the options given now are those it was started with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from lasernet.engine.loaded import data_names
from lasernet.engine.plan import differences
from lasernet.engine.settings import FREE_ON_RESUME
from lasernet.errors import OptionError
from lasernet.run import CONFIG, RUNS, Run, latest_run


def find_resumable(resume: str | Path | None, out: str | Path | None, model: str | None) -> Path | None:
    """The run directory to go on with; None if a new run is to be started.

    Raises:
        RunError: if the named one is no run.
    """
    if resume is None:
        return None
    if str(resume) == "auto":
        if out is None:
            raise OptionError("--resume auto needs --out DIR: the directory in which to start or go on")
        return Path(out) if (Path(out) / CONFIG).exists() else None
    path = latest_run(RUNS) if str(resume) == "latest" else Path(resume)
    if out is not None and Path(out).resolve() != path.resolve():
        raise OptionError(f"--resume {resume} goes on in {path}; leave --out {out} out")
    return path


def check_same(
    run: Run,
    model: str | None,
    options: Mapping[str, object],
    *,
    task: str | None,
    loss: str | None,
    files: Sequence[Path],
    preset: str | None,
) -> None:
    """Refuse to go on with other options than a run was started with.

    Raises:
        OptionError: naming each that differs.
    """
    config = run.config
    changed = []
    if model is not None and model != run.model_name:
        changed.append(f"model: {run.model_name} → {model}")
    if task is not None and task != config["task"]:
        changed.append(f"--task: {config['task']} → {task}")
    if files and data_names(files) != config["data"].get("files"):
        changed.append(f"--data: {', '.join(map(str, config['data'].get('files', [])))} → {', '.join(map(str, files))}")
    if preset is not None and preset != config.get("preset"):
        changed.append(f"--preset: {config.get('preset')} → {preset}")
    if model is None or model == run.model_name:
        held = {name: value for name, value in options.items() if name not in FREE_ON_RESUME}
        if held or loss:
            changed += differences(config, held, loss=loss)
    if changed:
        raise OptionError(
            f"{run.path} was started with other options ({'; '.join(changed)}); "
            "a resumed run keeps its own: leave them out, or start a new run with --out"
        )

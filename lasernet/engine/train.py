"""``train``: from a model's name and options to a finished run."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from accelerate.tracking import filter_trackers

from lasernet.data.base import Split
from lasernet.engine import launch
from lasernet.engine.evaluate import evaluate
from lasernet.engine.loaded import (
    build_run_model,
    data_files,
    data_names,
    load_baselines,
    new_baselines,
    open_data,
    save_baselines,
)
from lasernet.engine.loading import Batches
from lasernet.engine.loop import Loop
from lasernet.engine.parallel import Processes, check_machine, launched_processes
from lasernet.engine.parts import check_split, describe_parts, trained_parts
from lasernet.engine.plan import environment, make_config, resolve_files
from lasernet.engine.progress import LogReporter, Reporter
from lasernet.engine.resume import check_same, find_resumable
from lasernet.engine.settings import FREE_ON_RESUME, Training
from lasernet.engine.signals import Stopped, StopRequest
from lasernet.errors import OptionError, RunError
from lasernet.losses.base import build_criterion
from lasernet.models.base import Model, count_parameters
from lasernet.options import resolve
from lasernet.run import (
    BASELINES,
    BEST,
    CONFIG,
    LOCK,
    RESULTS,
    RUNS,
    VAL_RESULTS,
    Run,
    claim_path,
    lock_directory,
    model_files,
    new_run_path,
)
from lasernet.tasks.base import get_task

log = logging.getLogger(__name__)


def train(
    model: str | None = None,
    *,
    data: str | Path | Sequence[str | Path] = (),
    out: str | Path | None = None,
    resume: str | Path | None = None,
    task: str | None = None,
    loss: str | None = None,
    preset: str | None = None,
    source: Mapping[str, str] | None = None,
    stop: StopRequest | None = None,
    reporter: Reporter | None = None,
    **options: object,
) -> Path:
    """Train a model and return its run directory.

    Args:
        model: registered name; may be left out when resuming.
        data: HDF5 files; the task's default data where left out.
        out: the run directory itself, absent or empty; default: a new one under ``runs/``.
        resume: a run directory, ``latest``, or ``auto`` (start in ``out``, or go on there).
        loss: an expression such as ``mse+0.1*charbonnier``.
        preset: a named set of options of the model.
        options: any option of ``lasernet train MODEL --help``, with underscores.

    Raises:
        LasernetError: for what a user can mend. See :mod:`lasernet.errors`.
    """
    files = [Path(data)] if isinstance(data, (str, Path)) else [Path(file) for file in data]
    options = {name: str(value) if isinstance(value, Path) else value for name, value in options.items()}
    stop, reporter = stop or StopRequest(), reporter or LogReporter()
    if launched_processes() > 1 and resume is None:
        raise OptionError(
            "started by a launcher with several processes: give --out DIR --resume auto, so that all of them "
            "find the same run; or let lasernet start them with --num-processes"
        )
    found = find_resumable(resume, out, model)
    if found is None:
        if model is None:
            raise OptionError("no model named; expected one, as in 'lasernet train predrnn'")
        if launched_processes() > 1 and int(os.environ.get("RANK", "0")) > 0:
            found = Path(str(out))
            launch.wait_for(found / CONFIG)
        else:
            config = make_config(model, options, task=task, loss=loss, preset=preset, source=source)
            config["model"]["parts"] = describe_parts(config)
            return _start(config, files, out, stop, reporter)
    run = Run(found)
    check_same(run, model, options, task=task, loss=loss, files=files, preset=preset)
    if run.finished:
        return run.path
    free = {name: options[name] for name in FREE_ON_RESUME if name in options}
    return _run_all(run, _settings(run, free), stop, reporter)


def _start(
    config: dict[str, Any], files: Sequence[Path], out: str | Path | None, stop: StopRequest, reporter: Reporter
) -> Path:
    """Make the directory, open the data, write config.json, then train."""
    settings = Training(**config["training"])
    check_machine(settings)
    path = claim_path(Path(out)) if out is not None else new_run_path(config["model"]["name"], RUNS)
    with lock_directory(path):  # who does not get the lock leaves here and has touched nothing
        try:
            claim_path(path) if out is not None else None
            run = _write_config(path, config, files, settings)
            if settings.num_processes == 1 or launched_processes() > 1:
                return _train_here(run, settings, stop, reporter)
        except BaseException as error:
            if isinstance(error, OptionError) or not (path / CONFIG).exists():  # nothing worth keeping
                _discard(path)
            raise
    return _run_all(run, settings, stop, reporter)


def _discard(path: Path) -> None:
    """Remove a run that could not begin, and its folder and ``runs/`` where that leaves them empty."""
    with contextlib.suppress(OSError):
        for name in (BASELINES, CONFIG, LOCK):
            (path / name).unlink(missing_ok=True)
        path.rmdir()
        if path.parent == RUNS:
            RUNS.rmdir()


def _write_config(path: Path, config: dict[str, Any], files: Sequence[Path], settings: Training) -> Run:
    task = get_task(config["task"])
    files = resolve_files([str(file) for file in files], task)
    data = open_data(task, files, config["data"]["options"], ())
    config["data"] |= {
        "files": data_names(files),
        "hash": data.hash,
        "split_hash": data.split_hash,
        "items": {name: len(data.split(name)) for name in ("train", "val", "test")},
    }
    check_split(config)
    if not len(data.split("train")):
        raise OptionError("no training items: everything is tested; change --split-ratio")
    if settings.judge_on == "val" and not len(data.split("val")):
        raise OptionError("--judge-on val: there are no validation items; change --split-ratio, or leave it out")
    config["spec"] = data.spec
    threads = settings.threads or launch.available_cores()
    config["environment"] = environment(threads=threads, device=settings.device, processes=settings.num_processes)
    launch.write_first_config(path, config)
    return Run(path)


def _run_all(run: Run, settings: Training, stop: StopRequest, reporter: Reporter) -> Path:
    """Train in this process, or in as many as asked for."""
    if settings.num_processes > 1 and launched_processes() == 1:
        try:
            launch.run_workers(run.path, settings, stop, files=model_files(run.config))
        except Stopped as stopped:
            stopped.run = run.path
            raise
        return run.path
    with contextlib.ExitStack() as held:
        if int(os.environ.get("RANK", "0")) == 0:
            held.enter_context(run.locked())
        return _train_here(run, settings, stop, reporter)


def train_worker(path: Path, settings: Mapping[str, object], stop: StopRequest, reporter: Reporter) -> None:
    """One process of several: what ``lasernet.cli.worker`` calls."""
    run = Run(path)
    _run_all(run, _settings(run, settings), stop, reporter)


def _settings(run: Run, changes: Mapping[str, object]) -> Training:
    """The settings of a run with those that may change, each brought to its type again: the file may be anyone's."""
    what = f"'training' of {run.path / CONFIG}"
    return Training(**resolve(Training, {**run.config["training"], **changes}, what=what))


def _train_here(run: Run, settings: Training, stop: StopRequest, reporter: Reporter) -> Path:
    try:
        with _plain_memory_errors(settings):
            _fit(run, settings, stop, reporter)
    except Stopped as stopped:
        stopped.run = run.path
        raise
    return run.path


def _fit(run: Run, settings: Training, stop: StopRequest, reporter: Reporter) -> None:
    config = run.config
    threads = int(config["environment"].get("threads", 1))
    torch.set_num_threads(max(1, threads // max(settings.num_processes, launched_processes())))
    processes = Processes(settings)
    task = get_task(config["task"])
    torch.manual_seed(settings.seed)
    state, damaged = run.load_state()
    model = build_run_model(run, None if state else trained_parts(config))
    baselines = new_baselines(task, config["spec"])
    inputs = sorted({name for part in (model, *baselines.values()) for name in part.inputs})
    data = open_data(task, data_files(run), config["data"]["options"], inputs)
    if data.hash != config["data"]["hash"]:
        raise RunError(f"{run.path}: its data have changed since it was started; restore them, or start a new run")
    model.to(processes.device)
    criterion = None
    if config["loss"]["expression"]:
        criterion = build_criterion(config["loss"]["expression"], config["loss"]["options"]).to(processes.device)
    loop = Loop(run, model, criterion, data, settings, processes=processes, stop=stop, reporter=reporter)
    train_split = data.split("train")
    if damaged:
        then = f"going on from {state.step} updates" if state else "starting again from config.json"
        reporter.note(f"checkpoint {', '.join(damaged)} is damaged; {then}")
    if state is not None:
        loop.restore(state.files)
        del state
    else:
        model.fit(Batches(train_split, batch_size=settings.batch_size, device=processes.device, most=model.fit_items))
        if loop.average is not None:
            loop.average.reset(model)
    if processes.is_main:
        _fit_baselines(run, baselines, train_split)
    if settings.compile:
        model.compile()
    if settings.track != "none":
        _start_tracker(processes, run, settings)
    text = (
        f"{config['model']['name']}: {count_parameters(model):,} parameters, {len(train_split)} training, "
        f"{len(loop.val_split)} validation items; {processes.count} x {processes.device}, {settings.precision}; "
        f"run {run.path}"
    )
    reporter.start(text, loop.steps, loop.progress.step)
    if not len(loop.val_split):
        reporter.note("no validation items: the last weights are kept as the best")
    loop.train()
    if settings.track != "none":
        processes.accelerator.end_training()
    processes.close()
    if processes.is_main:
        _finish(run, loop, settings)


def _fit_baselines(run: Run, models: Mapping[str, Model], split: Split) -> None:
    if not models:
        return
    with contextlib.suppress(RunError):
        load_baselines(run, get_task(run.config["task"]))
        return
    for model in models.values():
        model.fit(Batches(split, batch_size=16, device=torch.device("cpu"), most=model.fit_items))
    save_baselines(run, models)


def _start_tracker(processes: Processes, run: Run, settings: Training) -> None:
    accelerator = processes.accelerator
    accelerator.log_with = filter_trackers([settings.track], str(run.path))
    accelerator.project_configuration.set_directories(str(run.path))
    accelerator.init_trackers("lasernet")


def _finish(run: Run, loop: Loop, settings: Training) -> None:
    """What a finished run holds beside its weights: the curves and the results, which mark its end."""
    if not (run.path / BEST).is_file():
        raise RunError(f"{run.path}: no weights were written; this is a defect of the loop")
    if loop.phases:
        from lasernet.viz.curves import loss_curves  # matplotlib takes a second, which is not needed to start

        loss_curves({run.path.name: run.metrics()}, run.path / "losses.png")
        loop.film.join()
    name = RESULTS if settings.judge_on == "test" else VAL_RESULTS
    device = str(loop.processes.device)
    run.write_json(name, evaluate(run.path, split=settings.judge_on, baselines=settings.baselines, device=device))


@contextlib.contextmanager
def _plain_memory_errors(settings: Training) -> Iterator[None]:
    """Say what helps when memory runs out, on the GPU or on the CPU."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        text = str(error).lower()
        if not (isinstance(error, MemoryError) or "out of memory" in text or "can't allocate memory" in text):
            raise
        half = max(1, settings.batch_size // 2)
        raise RunError(
            f"out of memory with --batch-size {settings.batch_size} in {settings.precision}; expected to fit; "
            f"use --batch-size {half} --accumulate {settings.accumulate * 2} (the same updates in less memory), "
            "--precision bf16, or --no-preload"
        ) from None

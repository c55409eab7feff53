"""``visualize``: which items to draw, and where the files go."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lasernet.data.base import Split
from lasernet.engine.loaded import LoadedRun, data_files, load_run, open_data
from lasernet.errors import OptionError, RunError
from lasernet.registry import suggestion
from lasernet.run import Run
from lasernet.tasks.base import get_task
from lasernet.viz.curves import loss_curves


def visualize(
    runs: Sequence[Path | str],
    *,
    what: Sequence[str] = (),
    data: str | Path | Sequence[str | Path] = (),
    split: str = "test",
    item: int | None = None,
    position: int | None = None,
    timestep: int | None = None,
    n: int = 1,
    form: str = "png",
    checkpoint: str = "best",
    sharp: bool = False,
    **after: object,
) -> list[Path]:
    """Draw figures of runs into their ``figures/`` folders.

    Args:
        runs: run directories; the loss curves of several go into one figure, in the last one's folder.
        what: names of figures, or ``all``; left out: those that the task shows first.
        item: item by its number in the split; else the items are chosen by ``position`` (slice) and
            ``timestep`` (target frame), by default the last frame, slices with most newly solid cells first.
        n: how many items.
        form: ``png``, ``gif`` (a slice through time), ``vti`` or ``csv`` (the predicted volume of a frame).
        sharp: the model's sharp answers.
        after: what is done to answers before they are drawn, as for ``evaluate``; the files go into a folder of
            their own in ``figures/``.

    Returns:
        The paths written.
    """
    opened = [Run(path) for path in runs]
    for run in opened:
        try:
            run.figures.mkdir(exist_ok=True)
        except OSError as error:
            raise RunError(
                f"{run.figures} cannot be made ({error.strerror}); copy the run to a writable place"
            ) from None
    names = list(what or get_task(opened[0].config["task"]).shown)
    written: list[Path] = []
    if form == "png" and ("losses" in names or "all" in names):
        rows = {run.path.name: run.metrics() for run in opened}
        if any(rows.values()):
            written.append(loss_curves(rows, opened[-1].figures / "losses.png"))
        names = [name for name in names if name != "losses"]
    if form == "png" and not names:
        asked = [name for name, value in {"sharp": sharp or None, **after}.items() if value is not None]
        if asked:
            flag = asked[0].replace("_", "-")
            raise OptionError(f"--{flag} has no effect on --what losses; leave it out, or name figures of predictions")
        return written
    loaded_runs = [load_run(run.path, checkpoint=checkpoint).asked_for(sharp=sharp, **after) for run in opened]
    together = [name for name in names if name in loaded_runs[0].task.comparisons]
    if together and form == "png":
        where = {"item": item, "position": position, "timestep": timestep, "n": n}
        written += _compare(loaded_runs, together, data=data, split=split, **where)
        names = [name for name in names if name not in together]
        if not names:
            return written
    for run, loaded in zip(opened, loaded_runs, strict=True):
        folder = run.figures / loaded.mark
        folder.mkdir(exist_ok=True)
        files = [Path(data)] if isinstance(data, (str, Path)) else [Path(file) for file in data]
        options = run.config["data"]["options"]
        source = open_data(loaded.task, files or data_files(run), options, loaded.model.inputs)
        if form == "png":
            chosen = source.split(split)
            rows_chosen = loaded.task.choose(chosen, item=item, position=position, timestep=timestep, n=n)
            for name in _names(loaded, chosen, names):
                written += loaded.task.figures[name](loaded, chosen, rows_chosen, folder)
        else:
            if form not in loaded.task.volumes:
                known = ", ".join(["png", *loaded.task.volumes])
                raise OptionError(f"--format {form}: the {loaded.task.name} task has none; expected one of {known}")
            whole = source.split("all" if form == "gif" else split)
            rows_chosen = loaded.task.choose(source.split(split), item=item, position=position, timestep=timestep, n=1)
            anchor = source.split(split).items[rows_chosen[0]]
            written += loaded.task.volumes[form](loaded, whole, anchor, folder)
    return written


def _compare(
    runs: Sequence[LoadedRun],
    names: Sequence[str],
    *,
    data: Path | str | Sequence[Path | str],
    split: str,
    **where: Any,
) -> list[Path]:
    """Figures of all runs together, of the first run's data, into its folder.

    Raises:
        OptionError: if the runs answer different tasks or see different data.
    """
    first = runs[0]
    for run in runs[1:]:
        same = run.run.config["data"]["options"] == first.run.config["data"]["options"]
        if run.task.name != first.task.name or not same:
            raise OptionError(
                f"--what {names[0]}: {run.run.path} has another task or other data options than {first.run.path}; "
                "expected the same of all runs"
            )
    files = [Path(data)] if isinstance(data, (str, Path)) else [Path(file) for file in data]
    source = open_data(first.task, files or data_files(first.run), first.run.config["data"]["options"], ())
    chosen = source.split(split)
    rows = first.task.choose(chosen, **where)
    folder = first.run.figures / first.mark
    folder.mkdir(exist_ok=True)
    return [path for name in names for path in first.task.comparisons[name](runs, chosen, rows, folder)]


def _names(loaded: LoadedRun, split: Split, names: Sequence[str]) -> list[str]:
    figures = loaded.task.figures
    if "all" in names:
        without = loaded.task.unavailable(loaded, split)
        return [name for name in figures if name not in without]
    for name in names:
        if name not in figures:
            known = ["losses", *figures, *loaded.task.comparisons, "all"]
            raise OptionError(f"--what {name}: no such figure; {suggestion(name, known)}")
    return list(names)

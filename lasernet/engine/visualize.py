"""``visualize``: which items to draw, and where the files go."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lasernet.data.base import Split
from lasernet.engine.loaded import LoadedRun, data_files, load_run, open_data
from lasernet.errors import OptionError, RunError
from lasernet.registry import suggestion
from lasernet.run import Run
from lasernet.viz.curves import loss_curves


def visualize(
    runs: Sequence[Path | str],
    *,
    what: Sequence[str] = ("losses", "predictions", "error", "front"),
    data: str | Path | Sequence[str | Path] = (),
    split: str = "test",
    item: int | None = None,
    position: int | None = None,
    timestep: int | None = None,
    n: int = 1,
    form: str = "png",
    checkpoint: str = "best",
) -> list[Path]:
    """Draw figures of runs into their ``figures/`` folders.

    Args:
        runs: run directories; the loss curves of several go into one figure, in the last one's folder.
        what: names of figures, or ``all``.
        item: item by its number in the split; else the items are chosen by ``position`` (slice) and
            ``timestep`` (target frame), by default the last frame, slices with most newly solid cells first.
        n: how many items.
        form: ``png``, ``gif`` (a slice through time), ``vti`` or ``csv`` (the predicted volume of a frame).

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
    names = list(what)
    written: list[Path] = []
    if form == "png" and ("losses" in names or "all" in names):
        rows = {run.path.name: run.metrics() for run in opened}
        if any(rows.values()):
            written.append(loss_curves(rows, opened[-1].figures / "losses.png"))
        names = [name for name in names if name != "losses"]
    if form == "png" and not names:
        return written
    for run in opened:
        loaded = load_run(run.path, checkpoint=checkpoint)
        files = [Path(data)] if isinstance(data, (str, Path)) else [Path(file) for file in data]
        options = run.config["data"]["options"]
        source = open_data(loaded.task, files or data_files(run), options, loaded.model.inputs)
        if form == "png":
            chosen = source.split(split)
            rows_chosen = choose_items(chosen, item=item, position=position, timestep=timestep, n=n)
            for name in _names(loaded, names):
                written += loaded.task.figures[name](loaded, chosen, rows_chosen, run.figures)
        else:
            whole = source.split("all" if form == "gif" else split)
            rows_chosen = choose_items(source.split(split), item=item, position=position, timestep=timestep, n=1)
            anchor = source.split(split).items[rows_chosen[0]]
            written += loaded.task.volumes[form](loaded, whole, anchor, run.figures)
    return written


def _names(loaded: LoadedRun, names: Sequence[str]) -> list[str]:
    figures = loaded.task.figures
    if "all" in names:
        unavailable = set() if hasattr(loaded.model, "record_activations") else {"activations"}
        if loaded.task.name == "temperature":
            unavailable.add("front")
        return [name for name in figures if name not in unavailable]
    for name in names:
        if name not in figures:
            raise OptionError(f"--what {name}: no such figure; {suggestion(name, ['losses', *figures, 'all'])}")
    return list(names)


def choose_items(split: Split, *, item: int | None, position: int | None, timestep: int | None, n: int) -> list[int]:
    """Rows of a split.

    Raises:
        OptionError: if nothing fits.
    """
    if n < 1:
        raise OptionError(f"--n {n}: expected at least 1")
    if not len(split):
        raise OptionError("the split has no items; choose another with --split")
    if item is not None:
        if not 0 <= item < len(split):
            raise OptionError(f"--item {item}: the split has items 0 to {len(split) - 1}")
        return [item]
    items = split.items
    frames = sorted(set(items["frame"].tolist()))
    wanted = frames[-1] if timestep is None else timestep
    fits = items["frame"] == wanted
    if position is not None:
        fits &= items["slice"] == position
    rows = np.flatnonzero(fits)
    if not len(rows):
        raise OptionError(
            f"no item has --timestep {wanted}{f' --slice {position}' if position is not None else ''}; "
            f"the split holds frames {frames[0]} to {frames[-1]} and slices 0 to {items['slice'].max()}"
        )
    if position is not None:
        return [int(row) for row in rows[:n]]
    batch = split.fetch(rows.tolist())
    fresh = (batch["molten"][:, -1] & ~batch["target_molten"]).flatten(1).sum(1).numpy()
    return [int(rows[place]) for place in np.argsort(-fresh, kind="stable")[:n]]

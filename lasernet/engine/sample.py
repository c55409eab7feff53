"""``sample``: predictions of items in the data layout, so that they can be data again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lasernet.engine.loaded import data_files, load_run, open_data
from lasernet.errors import OptionError, RunError
from lasernet.registry import MODELS, suggestion
from lasernet.run import CONFIG, Run, find_runs, latest_run


def newest_run_of(name: str, root: Path) -> tuple[Path, bool]:
    """The run that a word means: a path, ``latest``, or a model's newest finished run (then True).

    Raises:
        RunError: if there is none.
    """
    if name == "latest":
        return latest_run(root, finished=True), False
    if (Path(name) / CONFIG).is_file() or "/" in name:
        return Run(name).path, False
    if name not in MODELS.names():
        raise OptionError(f"'{name}' is neither a run directory nor a model; {suggestion(name, MODELS.names())}")
    runs = [path for path in find_runs(root) if Run(path).model_name == name and Run(path).finished]
    if not runs:
        raise RunError(f"no finished run of '{name}' in '{root}' and no bundled weights; train one first")
    return runs[-1], True


def sample(
    run: Path | str,
    *,
    n: int = 64,
    data: str | Path | Sequence[str | Path] = (),
    split: str = "test",
    item: int | None = None,
    out: Path | str | None = None,
    seed: int | None = None,
    checkpoint: str = "best",
) -> Path:
    """Predict items of a split with a run.

    Args:
        n: number of items, from the first on.
        item: one item by its number in the split instead.
        out: ``*.h5`` (the data layout), ``*.png`` (a figure) or a directory of figures; default RUN/samples.h5,
            which each call makes anew.
        seed: of the draws of a generative model; refused by a predictive one.

    Returns:
        What was written.
    """
    loaded = load_run(run, checkpoint=checkpoint)
    if seed is not None:
        raise OptionError(f"--seed {seed}: {loaded.run.model_name} predicts, it draws nothing; leave --seed out")
    given = [Path(data)] if isinstance(data, (str, Path)) else [Path(file) for file in data]
    options = loaded.run.config["data"]["options"]
    opened = open_data(loaded.task, given or data_files(loaded.run), options, loaded.model.inputs)
    chosen = opened.split(split)
    rows = _rows(len(chosen), n, item, split)
    target = Path(out) if out is not None else loaded.run.path / "samples.h5"
    if target.suffix in (".h5", ".hdf5"):
        return loaded.task.write_samples(loaded, chosen, rows, target, overwrite=out is None)
    if target.suffix not in (".png", ""):
        raise OptionError(f"--out {target}: expected a name that ends in .h5 or .png, or a directory")
    draw = loaded.task.figures["predictions"]
    if target.suffix == ".png":
        return draw(loaded, chosen, rows[:1], target.parent, name=target.stem)[0]
    target.mkdir(parents=True, exist_ok=True)
    draw(loaded, chosen, rows, target)
    return target


def _rows(count: int, n: int, item: int | None, split: str) -> list[int]:
    if item is not None:
        if not 0 <= item < count:
            raise OptionError(f"--item {item}: the {split} split has items 0 to {count - 1}")
        return [item]
    if n < 1:
        raise OptionError(f"--n {n}: expected at least 1")
    return list(range(min(n, count)))

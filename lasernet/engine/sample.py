"""``sample``: draws of a generative model, or predictions of items, as data again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lasernet.data.base import Data
from lasernet.engine.loaded import bundled_run, data_files, load_run, open_data
from lasernet.errors import OptionError, RunError
from lasernet.options import resolve
from lasernet.registry import MODELS, suggestion
from lasernet.run import CONFIG, Run, find_runs, latest_run
from lasernet.tasks.base import POST_PROCESSING, Request


def newest_run_of(name: str, root: Path) -> tuple[Path, bool]:
    """The run that a word means: a path, ``latest``, or a model's newest finished run, else its
    bundled weights (then True).

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
    bundled = bundled_run(name)
    if not runs and not (bundled / CONFIG).is_file():
        raise RunError(f"no finished run of '{name}' in '{root}' and no bundled weights; train one first")
    return runs[-1] if runs else bundled, True


def sample(
    run: Path | str,
    *,
    n: int = 64,
    data: str | Path | Sequence[str | Path] = (),
    split: str | None = None,
    item: int | None = None,
    out: Path | str | None = None,
    seed: int | None = None,
    checkpoint: str = "best",
    sharp: bool = False,
    **options: object,
) -> Path:
    """Draw from a generative model, or predict items of a split with a predictive one.

    Args:
        n: number of draws, or of items from the first on.
        data: files instead of those that the run was trained on.
        item: of a predictive model: one item by its number in the split instead.
        out: ``*.h5`` (the data layout), ``*.png`` (a figure) or a directory; the task may know more endings.
            Left out: RUN/samples.h5 (samples-sharp.h5 and the like of other than plain answers), which each call
            makes anew, or MODEL-samples.h5 here of weights that ship with the package.
        seed: of the draws of a generative model (0 where left out); refused by a predictive one.
        sharp: the model's sharp answers.
        options: the keyword-only parameters of the model's own ``sample``, and what is done to answers afterwards, as
            for ``evaluate``.

    Returns:
        What was written.
    """
    loaded = load_run(run, checkpoint=checkpoint)
    after = {name: options.pop(name) for name in POST_PROCESSING if name in options}
    loaded = loaded.asked_for(sharp=sharp, **after)
    if n < 1:
        raise OptionError(f"--n {n}: expected at least 1")
    given = [Path(data)] if isinstance(data, (str, Path)) else [Path(file) for file in data]

    def open_own_data() -> Data:
        return open_data(
            loaded.task, given or data_files(loaded.run), loaded.run.config["data"]["options"], loaded.model.inputs
        )

    own = resolve(loaded.model.sample, options, what=loaded.run.model_name) if loaded.model.sample else options
    target = Path(out) if out is not None else None
    if target is None and loaded.run.path == bundled_run(loaded.run.model_name):
        target = Path(f"{loaded.run.model_name}-samples.h5")  # never into the package
    request = Request(n=n, data=bool(given), split=split, item=item, out=target, seed=seed, options=own)
    return loaded.task.sample(loaded, open_own_data, loaded.run.path, request)

"""``lasernet sample RUN|MODEL``: predictions of test items, or draws from a generative model."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from lasernet.cli.app import HELP, PLAIN
from lasernet.cli.arguments import PLUGIN
from lasernet.cli.output import result, say
from lasernet.cli.plugins import import_for_run, import_plugin
from lasernet.run import RUNS, Run

app = typer.Typer(context_settings=HELP, **PLAIN)


@app.command()
def sample(
    run: Annotated[str, typer.Argument(metavar="RUN|MODEL", help="Run directory, 'latest', or a model's name.")],
    n: Annotated[int, typer.Option("--n", help="How many items.", metavar="N")] = 64,
    data: Annotated[
        list[str] | None, typer.Option("--data", metavar="F.h5", help="Other HDF5 files than the run's own.")
    ] = None,
    split: Annotated[Literal["train", "val", "test"], typer.Option("--split", help="Items to predict.")] = "test",
    item: Annotated[
        int | None, typer.Option("--item", metavar="K", help="One item by its number in the split.")
    ] = None,
    out: Annotated[
        str | None, typer.Option("--out", metavar="PATH", help="F.h5, F.png or a directory. [RUN/samples.h5]")
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", metavar="INT", help="Seed of the draws of a generative model.")
    ] = None,
    plugin: PLUGIN = None,
) -> None:
    """Predict test items with a predictive model and write them as HDF5 (the data layout), PNG or a directory.

    A model's name means its newest finished run; stderr says which.
    """
    from lasernet.engine.sample import newest_run_of, sample

    for reference in plugin or []:
        import_plugin(reference)
    path, is_name = newest_run_of(run, RUNS)
    if is_name:
        say(f"using {path}")
    if not plugin:
        import_for_run(Run(path).config)
    written = sample(path, n=n, data=data or (), split=split, item=item, out=out, seed=seed)
    result(str(written))

"""``lasernet visualize RUN…``: figures into the run directory."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from lasernet.cli.app import HELP, PLAIN
from lasernet.cli.arguments import OVERLAP, PLUGIN, PROJECT, SHARP, UNSHARP, UNSHARP_RADIUS, WINDOW, open_runs
from lasernet.cli.output import result

app = typer.Typer(context_settings=HELP, **PLAIN)


@app.command()
def visualize(
    runs: Annotated[list[str], typer.Argument(metavar="RUN", help="Run directories, 'latest', or '-' for stdin.")],
    what: Annotated[
        str,
        typer.Option(
            "--what",
            metavar="NAMES",
            help="Figures, with commas between, or 'all'. Of frames: losses, predictions, error, gradients, front, "
            "histograms, activations, reliability, rollout; of several runs together: losses, comparison. Of drawn "
            "sets: losses, samples, statistics, conditioning, nearest, tracking, training. [the first ones]",
        ),
    ] = "",
    data: Annotated[
        list[str] | None, typer.Option("--data", metavar="F.h5", help="Other HDF5 files than the run's own.")
    ] = None,
    split: Annotated[Literal["train", "val", "test"], typer.Option("--split", help="Items to show.")] = "test",
    item: Annotated[int | None, typer.Option("--item", help="Item by its number in the split.", metavar="K")] = None,
    position: Annotated[
        int | None, typer.Option("--slice", help="Slice of the plane. [the one with most change]", metavar="K")
    ] = None,
    timestep: Annotated[int | None, typer.Option("--timestep", help="Target frame. [last]", metavar="K")] = None,
    n: Annotated[int, typer.Option("--n", help="How many items to show.", metavar="N")] = 1,
    form: Annotated[
        Literal["png", "gif", "vti", "csv"],
        typer.Option("--format", help="gif: a slice through time; vti, csv: the predicted volume of a frame."),
    ] = "png",
    checkpoint: Annotated[Literal["best", "last"], typer.Option("--checkpoint", help="Which weights.")] = "best",
    sharp: SHARP = False,
    unsharp: UNSHARP = None,
    unsharp_radius: UNSHARP_RADIUS = None,
    project: PROJECT = False,
    window: WINDOW = None,
    overlap: OVERLAP = None,
    plugin: PLUGIN = None,
) -> None:
    """Figures into RUN/figures; the loss curves of several runs go into one figure. Prints the paths.

    \b
    lasernet visualize latest
    lasernet visualize RUN --what front --slice 12 --timestep 20
    lasernet visualize RUN --format gif
    """
    from lasernet.engine.visualize import visualize

    paths = open_runs(runs, plugin)
    written = visualize(
        paths,
        what=[part.strip() for part in what.split(",") if part.strip()],
        data=data or (),
        split=split,
        item=item,
        position=position,
        timestep=timestep,
        n=n,
        form=form,
        sharp=sharp,
        unsharp=unsharp,
        unsharp_radius=unsharp_radius,
        project=project or None,
        window=window,
        overlap=overlap,
        checkpoint=checkpoint,
    )
    for path in written:
        result(str(path))

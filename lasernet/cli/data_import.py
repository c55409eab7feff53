"""``lasernet data import SOURCE``: foreign formats into the one layout, published networks into runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from lasernet.cli.output import progress_lines, result
from lasernet.errors import OptionError

PUBLISHED = "camp-lab-unet"
GENERAL = ("source", "out", "form", "overwrite", "value_range")  # parameters that are no options of a format


def import_data(
    ctx: typer.Context,
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="Directory, glob, archive or file of a known foreign format.")
    ],
    out: Annotated[
        str, typer.Option("--out", metavar="F.h5", help="HDF5 file to write; of a network, the run directory.")
    ],
    form: Annotated[
        Literal[
            "auto",
            "lasernet-csv",
            "lasernet-pt",
            "flow-pt",
            "images",
            "h5-stacks",
            "npy",
            "boundaries",
            "micrographs",
            "camp-lab-unet",
        ],
        typer.Option("--format", help="Format of the source; auto finds all but the last three."),
    ] = "auto",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")] = False,
    material: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Tracks: Material, which gives solidus and liquidus: 316L, IN625, steel-1620."
        ),
    ] = None,
    t_solidus: Annotated[float | None, typer.Option(help="Tracks: Solidus, K.", metavar="K")] = None,
    t_liquidus: Annotated[float | None, typer.Option(help="Tracks: Liquidus, K.", metavar="K")] = None,
    time_step: Annotated[float | None, typer.Option(help="Tracks: Time between frames, s.", metavar="S")] = None,
    scan_speed: Annotated[
        float | None, typer.Option(help="Tracks: Speed of the laser along +x, m/s.", metavar="V")
    ] = None,
    downsample: Annotated[
        int | None, typer.Option(help="Tracks: Keep every N-th plane of the grid on each axis [1].", metavar="N")
    ] = None,
    ipf_key: Annotated[
        Literal["tsl", "tsl-sqrt", "exaca", "orix", "unknown"] | None,
        typer.Option(help="Tracks: Color key of the IPF channels [unknown]."),
    ] = None,
    patch: Annotated[
        int | None,
        typer.Option(metavar="N", help="Images: Cut squares of N px; of boundaries, N cells [32] times --magnify."),
    ] = None,
    stride: Annotated[
        int | None, typer.Option(metavar="N", help="Images: Steps between patches [those of --patch].")
    ] = None,
    shrink: Annotated[
        int | None, typer.Option(metavar="F", help="Images: Average squares of F × F px before cutting [1].")
    ] = None,
    invert: Annotated[bool, typer.Option("--invert", help="Images: The source has bright boundaries.")] = False,
    periodic: Annotated[bool, typer.Option("--periodic", help="Images: Opposite edges of an image meet.")] = False,
    pixel_size: Annotated[
        float | None, typer.Option(metavar="M", help="Images: Pixel of the source, m [micrographs: 0.521e-6].")
    ] = None,
    value_range: Annotated[
        str | None, typer.Option(metavar="LOW,HIGH", help="Images: Values of black and white [by type].")
    ] = None,
    group_by: Annotated[
        Literal["image", "file", "source"] | None,
        typer.Option(
            help="Images: What no split parts: patches of an image [image], images of a file, or all [micrographs]."
        ),
    ] = None,
    key: Annotated[str | None, typer.Option(metavar="NAME", help="Images: Data set in each .h5 [the first].")] = None,
    image_axis: Annotated[
        Literal["first", "last"] | None,
        typer.Option(help="Images: Axis that numbers the images of a .h5 or .npy [the odd one]."),
    ] = None,
    plane: Annotated[
        Literal["xy", "xz", "yz"] | None, typer.Option(help="Boundaries: Slices that boundaries are cut from.")
    ] = None,
    magnify: Annotated[int | None, typer.Option(metavar="N", help="Boundaries: Pixels per cell [2].")] = None,
    boundary_width: Annotated[
        float | None, typer.Option(metavar="PX", help="Boundaries: Width of a boundary [1.5].")
    ] = None,
    smooth: Annotated[
        float | None, typer.Option(metavar="CELLS", help="Boundaries: Round the steps of the grid [0: keep them].")
    ] = None,
    solidified: Annotated[
        float | None,
        typer.Option(metavar="SHARE", help="Boundaries: Part of a patch that was molten and solid again [0.9]."),
    ] = None,
    viscosity: Annotated[float | None, typer.Option(metavar="PA_S", help="Flows: Of the fluid, Pa s [0.5].")] = None,
    density: Annotated[
        float | None,
        typer.Option(metavar="KG_M3", help="flow-pt: Of the fluid; published pressures are over it [1250]."),
    ] = None,
    gradient: Annotated[
        float | None,
        typer.Option(
            metavar="PA_M", help="Flows: By which the pressure falls [flow-pt: p.pt tells; micrographs: 1e5]."
        ),
    ] = None,
    slice_distance: Annotated[
        float | None, typer.Option(metavar="M", help="flow-pt: Of slices along z, m [height of the block over them].")
    ] = None,
    threshold: Annotated[
        float | None, typer.Option(metavar="GRAY", help="Micrographs: Above it, pixels are bright [two values only].")
    ] = None,
    fibers: Annotated[
        Literal["bright", "dark"] | None, typer.Option(help="Micrographs: What the fibers are [bright].")
    ] = None,
    height: Annotated[
        int | None, typer.Option(metavar="PX", help="Micrographs: Rows to bring them to, by nearest pixels.")
    ] = None,
) -> None:
    """Convert laser tracks, images or flows into the toolkit's HDF5 layout, or a published network into a run.

    \b
    lasernet data import run7/ --out run7.h5 --material 316L --time-step 22.5e-6 --scan-speed 0.8
    lasernet data import micrographs/ --out steel.h5 --patch 64 --shrink 4 --invert
    lasernet data import stacks.zip --out voronoi.h5
    lasernet data import run7.h5 --out grains.h5 --format boundaries --plane xy
    lasernet data import flow-3d/dataset_3d.zip --out flows.h5
    lasernet data import sections/ --out tow.h5 --format micrographs --height 256
    lasernet data import velocity_model_base/ --out runs/published --format camp-lab-unet
    """
    options = {name: value for name, value in ctx.params.items() if name not in GENERAL and value not in (None, False)}
    if value_range is not None:
        options["value_range"] = _pair(value_range)
    if form == PUBLISHED:
        result(str(_import_network(source, out, options)))
        return
    from lasernet.data.importers import import_source

    progress = progress_lines(ctx.obj, "step")
    result(str(import_source(source, Path(out), format=form, overwrite=overwrite, progress=progress, **options)))


def _import_network(source: str, out: str, options: dict[str, object]) -> Path:
    """A published network as a run directory.

    Raises:
        OptionError: for options that are of data.
    """
    from lasernet.engine.published_unet import import_unet

    other = [name for name in options if name != "density"]
    if other:
        raise OptionError(f"--{other[0].replace('_', '-')} says nothing about the format {PUBLISHED}; leave it out")
    return import_unet(Path(source), Path(out), **options)  # type: ignore[arg-type]


def _pair(text: str) -> tuple[float, float]:
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError:
        raise OptionError(f"--value-range is '{text}'; expected two numbers, as 0,4095; correct it") from None
    return low, high

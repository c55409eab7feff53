"""``lasernet data``: import, download, describe and check data files."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from lasernet.cli.app import HELP, PLAIN
from lasernet.cli.generate import app as generate
from lasernet.cli.output import progress_lines, result
from lasernet.errors import CheckFailed, OptionError

app = typer.Typer(context_settings=HELP, help="Import, download, describe and check data files.", **PLAIN)
Form = Annotated[
    Literal["table", "json"] | None, typer.Option("--format", help="Default: table on a terminal, JSON elsewhere.")
]
app.add_typer(generate, name="generate")


@app.command(name="import")
def import_data(
    ctx: typer.Context,
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="Directory, glob, archive or file of a known foreign format.")
    ],
    out: Annotated[str, typer.Option("--out", metavar="F.h5", help="HDF5 file to write.")],
    form: Annotated[
        Literal[
            "auto", "lasernet-csv", "lasernet-pt", "flow-pt", "images", "h5-stacks", "npy", "boundaries", "micrographs"
        ],
        typer.Option("--format", help="Format of the source; auto finds all but boundaries and micrographs."),
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
    """Convert laser tracks, images or flows into the toolkit's HDF5 layout.

    \b
    lasernet data import run7/ --out run7.h5 --material 316L --time-step 22.5e-6 --scan-speed 0.8
    lasernet data import micrographs/ --out steel.h5 --patch 64 --shrink 4 --invert
    lasernet data import stacks.zip --out voronoi.h5
    lasernet data import run7.h5 --out grains.h5 --format boundaries --plane xy
    lasernet data import flow-3d/dataset_3d.zip --out flows.h5
    lasernet data import sections/ --out tow.h5 --format micrographs --height 256
    """
    from lasernet.data.importers import import_source

    path = import_source(
        source,
        Path(out),
        format=form,
        overwrite=overwrite,
        progress=progress_lines(ctx.obj, "step"),
        material=material,
        t_solidus=t_solidus,
        t_liquidus=t_liquidus,
        time_step=time_step,
        scan_speed=scan_speed,
        downsample=downsample,
        ipf_key=ipf_key,
        patch=patch,
        stride=stride,
        shrink=shrink,
        invert=invert or None,
        periodic=periodic or None,
        pixel_size=pixel_size,
        value_range=None if value_range is None else _pair(value_range),
        group_by=group_by,
        key=key,
        image_axis=image_axis,
        plane=plane,
        magnify=magnify,
        boundary_width=boundary_width,
        smooth=smooth,
        solidified=solidified,
        viscosity=viscosity,
        density=density,
        gradient=gradient,
        slice_distance=slice_distance,
        threshold=threshold,
        fibers=fibers,
        height=height,
    )
    result(str(path))


def _pair(text: str) -> tuple[float, float]:
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError:
        raise OptionError(f"--value-range is '{text}'; expected two numbers, as 0,4095; correct it") from None
    return low, high


@app.command()
def download(
    ctx: typer.Context,
    name: Annotated[str | None, typer.Argument(metavar="NAME|URL", help="Known public set, or an http(s) URL.")] = None,
    out: Annotated[str, typer.Option("--out", metavar="DIR", help="Directory to write into.")] = ".",
    sha256: Annotated[
        str | None, typer.Option(metavar="HEX", help="Expected hash of the file; needed for a URL.")
    ] = None,
    unverified: Annotated[
        bool, typer.Option("--unverified", help="Accept a set whose source publishes no hash.")
    ] = False,
    show: Annotated[bool, typer.Option("--list", help="Show the known sets.")] = False,
) -> None:
    """Fetch a public data set: hash-checked, resumable, right bytes or no file."""
    from lasernet.data import download as remote

    if show:
        for key, known in sorted(remote.KNOWN.items()):
            result(f"{key}  {known.description}")
        return
    if name is None:
        raise OptionError("no set named; expected a name from 'lasernet data download --list', or a URL with --sha256")
    path = remote.download(
        name, Path(out), sha256=sha256, allow_unverified=unverified, progress=progress_lines(ctx.obj, "MiB", 2**20)
    )
    result(str(path))


@app.command()
def info(
    file: Annotated[str, typer.Argument(metavar="F.h5", help="Data file in the toolkit's layout.")],
    form: Form = None,
) -> None:
    """Cases, fields, shapes, units, ranges, material, provenance."""
    from lasernet.data.inspect import describe

    content = describe(Path(file))
    if (form or ("table" if sys.stdout.isatty() else "json")) == "json":
        result(json.dumps(content))
    else:
        _describe(content)


@app.command()
def verify(
    file: Annotated[str | None, typer.Argument(metavar="F.h5", help="Data file in the toolkit's layout.")] = None,
    form: Form = None,
) -> None:
    """Check a file: schema, hashes, ranges, physics. Without a file: the generators, against exact references.

    Exit code 4 if a check fails. Generators with references: voronoi.
    """
    if file is None:
        from lasernet.data.generate import verify_generators

        checks = verify_generators()
    else:
        from lasernet.data.verify import verify_file

        checks = verify_file(Path(file))
    if (form or ("table" if sys.stdout.isatty() else "json")) == "json":
        for check in checks:
            result(json.dumps(check))
    else:
        _table(["check", "value", "reference", "tolerance", "ok"], [[*check.values()] for check in checks])
    failed = [str(check["name"]) for check in checks if not check["ok"]]
    if failed:
        raise CheckFailed(
            f"{file or 'generators'}: {len(failed)} of {len(checks)} checks failed ({', '.join(failed[:5])})"
        )


def _table(columns: list[str], rows: list[list[Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table()
    for column in columns:
        table.add_column(column)
    for row in rows:
        table.add_row(*(f"{value:.6g}" if isinstance(value, float) else str(value) for value in row))
    console = Console()
    with console.capture() as text:
        console.print(table)
    result(text.get().rstrip("\n"))


def _describe(content: dict[str, Any]) -> None:
    """What a person wants to see of a file, with units."""
    rows_of = {"laser": _track_rows, "images": _image_rows, "flow": _flow_rows}[content["kind"]]
    _table(["file", str(content["file"])], [["hash", content["hash"]]])
    for case in content["cases"]:
        provenance = ", ".join(f"{key}: {value}" for key, value in case["provenance"].items())
        _table(["case", case["name"]], [*rows_of(case), ["provenance", provenance], ["hash", case["hash"]]])
        columns = ["field", "type", "shape", "unit", "lowest", "highest"]
        _table(
            columns,
            [
                [name, field["dtype"], " × ".join(map(str, field["shape"])), field["unit"], *(field["range"] or "––")]
                for name, field in case["fields"].items()
            ],
        )


def _track_rows(case: dict[str, Any]) -> list[list[str]]:
    shape, newly, step = case["shape"], case["newly_solid"], case["time_step"]
    extent = "; ".join(f"{axis} {low:.6g} to {high:.6g}" for axis, (low, high) in case["extent"].items())
    spacing = " × ".join("–" if size is None else f"{size:.6g}" for size in case["spacing"].values())
    rows = [
        ["frames × x × y × z", " × ".join(str(count) for count in shape.values())],
        ["extent", f"{extent} m"],
        ["spacing", f"{spacing} m"],
        ["time step", "–" if step is None else f"{step:.6g} s"],
        ["material", f"{case['material']}: solidus {case['solidus']:.6g} K, liquidus {case['liquidus']:.6g} K"],
        ["front band", f"{case['front'][0]:.6g} to {case['front'][1]:.6g} K"],
        ["scan velocity", f"{', '.join(f'{part:.6g}' for part in case['scan_velocity'])} m/s"],
        ["color key, group", f"{case['ipf_key']}, {case['group']}"],
    ]
    if newly is None:  # neither colors nor grain ids say what is solid
        return [*rows, ["valid cells", str(case["valid_cells"])]]
    share = "" if newly["share_in_front"] is None else f" ({100 * newly['share_in_front']:.0f} %)"
    in_front = "" if newly["in_front"] is None else f"; in the front band at t+1: {newly['in_front']}{share}"
    return [
        *rows,
        ["valid, solid cells", f"{case['valid_cells']}, {case['solid_cells']}"],
        ["newly solid cells", f"{newly['cells']}{in_front}"],
    ]


def _image_rows(case: dict[str, Any]) -> list[list[str]]:
    shape, gray, grains, groups = case["shape"], case["gray"], case["grains"], case["groups"]
    pixel = "unknown" if case["pixel_size"] is None else f"{case['pixel_size']:.6g} m"
    sizes = sorted({groups["smallest"], groups["largest"]})
    known = "unknown"
    if grains is not None:
        known = f"{grains['lowest']} to {grains['highest']}, mean {grains['mean']:.4g} ± {grains['std']:.3g}"
    return [
        ["images × height × width", " × ".join(str(count) for count in shape.values())],
        ["pixel size", pixel],
        ["edges", "periodic" if case["periodic"] else "not periodic"],
        [
            "mean gray",
            f"{gray['mean']:.4g}; black {100 * gray['share_black']:.3g} %, "
            f"white {100 * gray['share_white']:.3g} % of the pixels",
        ],
        ["grains per image", known],
        ["groups", f"{groups['count']} of {' to '.join(map(str, sizes))} images ({case['group_prefix']})"],
    ]


def _flow_rows(case: dict[str, Any]) -> list[list[str]]:
    known, error = case["permeability"], case["permeability_error"]
    permeability = "unknown" if known is None else f"{', '.join(f'{value:.4g}' for value in known.values())} m²"
    return [
        ["z × y × x", " × ".join(str(count) for count in case["shape"].values())],
        ["spacing x, y, z", f"{', '.join(f'{size:.6g}' for size in case['spacing'].values())} m"],
        ["solid", f"{100 * case['solid_fraction']:.4g} %"],
        ["driven along", f"{case['driven_along']}, viscosity {case['viscosity']:.4g} Pa s"],
        ["gradient x, y, z", f"{', '.join(f'{value:.4g}' for value in case['gradient'].values())} Pa/m"],
        ["velocities at", case["velocities_at"]],
        ["permeability x, y, z", permeability + ("" if error is None else f", error of the grid {100 * error:.2g} %")],
        ["group", case["group"]],
    ]

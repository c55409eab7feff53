"""``lasernet data``: import, download, describe and check data files."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from lasernet.cli.app import HELP, PLAIN
from lasernet.cli.output import Settings, result, say
from lasernet.errors import CheckFailed, OptionError

app = typer.Typer(context_settings=HELP, help="Import, download, describe and check data files.", **PLAIN)
Form = Annotated[
    Literal["table", "json"] | None, typer.Option("--format", help="Default: table on a terminal, JSON elsewhere.")
]


@app.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
def generate() -> None:
    """Run a physics generator (not built yet)."""
    raise OptionError("data generate is not built yet; use the bundled track, or 'lasernet data import' your own")


@app.command(name="import")
def import_data(
    ctx: typer.Context,
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="Directory, glob or file of a known foreign format.")],
    out: Annotated[str, typer.Option("--out", metavar="F.h5", help="HDF5 file to write.")],
    form: Annotated[
        Literal["auto", "lasernet-csv", "lasernet-pt"], typer.Option("--format", help="Format of the source.")
    ] = "auto",
    material: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Material, which gives solidus and liquidus: 316L, IN625, steel-1620."),
    ] = None,
    t_solidus: Annotated[float | None, typer.Option(help="Solidus, K.", metavar="K")] = None,
    t_liquidus: Annotated[float | None, typer.Option(help="Liquidus, K.", metavar="K")] = None,
    time_step: Annotated[float | None, typer.Option(help="Time between frames, s.", metavar="S")] = None,
    scan_speed: Annotated[float | None, typer.Option(help="Speed of the laser along +x, m/s.", metavar="V")] = None,
    downsample: Annotated[int, typer.Option(help="Keep every N-th plane of the grid on each axis.", metavar="N")] = 1,
    ipf_key: Annotated[
        Literal["tsl", "tsl-sqrt", "exaca", "orix", "unknown"], typer.Option(help="Color key of the IPF channels.")
    ] = "unknown",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")] = False,
) -> None:
    """Convert LASERNet point clouds (CSV, .csv.gz) or .pt stores into the toolkit's HDF5 layout.

    \b
    lasernet data import run7/ --out run7.h5 --material 316L --time-step 22.5e-6 --scan-speed 0.8
    """
    from lasernet.data.importers import import_source

    path = import_source(
        source,
        Path(out),
        format=form,
        material=material,
        t_solidus=t_solidus,
        t_liquidus=t_liquidus,
        time_step=time_step,
        scan_speed=scan_speed,
        downsample=downsample,
        ipf_key=ipf_key,
        overwrite=overwrite,
        progress=_progress(ctx.obj, "frame"),
    )
    result(str(path))


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
        name, Path(out), sha256=sha256, allow_unverified=unverified, progress=_progress(ctx.obj, "MiB", 2**20)
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
    """Check a file: schema, hashes, ranges, physics. Exit code 4 if a check fails."""
    if file is None:
        raise OptionError("data verify without a file checks the generators, which are not built yet; name a file")
    from lasernet.data.verify import verify_file

    checks = verify_file(Path(file))
    if (form or ("table" if sys.stdout.isatty() else "json")) == "json":
        for check in checks:
            result(json.dumps(check))
    else:
        _table(["check", "value", "reference", "tolerance", "ok"], [[*check.values()] for check in checks])
    failed = [str(check["name"]) for check in checks if not check["ok"]]
    if failed:
        raise CheckFailed(f"{file}: {len(failed)} of {len(checks)} checks failed ({', '.join(failed[:5])})")


def _progress(settings: Settings | None, unit: str, scale: int = 1) -> Callable[[int, int], None] | None:
    if settings is not None and settings.quiet:
        return None
    shown: dict[str, int] = {"at": -1}

    def show(done: int, total: int) -> None:
        tenth = 10 * done // max(1, total)
        if tenth != shown["at"]:
            shown["at"] = tenth
            say(f"{done // scale}/{total // scale} {unit}{'s' if unit == 'frame' else ''}")

    return show


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
    _table(["file", str(content["file"])], [["hash", content["hash"]]])
    for case in content["cases"]:
        shape, newly = case["shape"], case["newly_solid"]
        extent = "; ".join(f"{axis} {low:.6g} to {high:.6g}" for axis, (low, high) in case["extent"].items())
        spacing = " × ".join("–" if step is None else f"{step:.6g}" for step in case["spacing"].values())
        step = case["time_step"]
        covered = newly["share_in_front"]
        rows = [
            ["frames × x × y × z", " × ".join(str(count) for count in shape.values())],
            ["extent", f"{extent} m"],
            ["spacing", f"{spacing} m"],
            ["time step", "–" if step is None else f"{step:.6g} s"],
            ["material", f"{case['material']}: solidus {case['solidus']:.6g} K, liquidus {case['liquidus']:.6g} K"],
            ["front band", f"{case['front'][0]:.6g} to {case['front'][1]:.6g} K"],
            ["scan velocity", f"{', '.join(f'{part:.6g}' for part in case['scan_velocity'])} m/s"],
            ["color key, group", f"{case['ipf_key']}, {case['group']}"],
            ["valid, solid cells", f"{case['valid_cells']}, {case['solid_cells']}"],
            [
                "newly solid cells",
                f"{newly['cells']}; in the front band at t+1: {newly['in_front']}"
                + ("" if covered is None else f" ({100 * covered:.0f} %)"),
            ],
            ["provenance", ", ".join(f"{key}: {value}" for key, value in case["provenance"].items())],
            ["hash", case["hash"]],
        ]
        _table(["case", case["name"]], rows)
        columns = ["field", "type", "shape", "unit", "lowest", "highest"]
        _table(
            columns,
            [
                [name, field["dtype"], " × ".join(map(str, field["shape"])), field["unit"], *(field["range"] or "––")]
                for name, field in case["fields"].items()
            ],
        )

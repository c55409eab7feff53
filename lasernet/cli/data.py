"""``lasernet data``: import, download, describe and check data files."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from lasernet.cli.app import HELP, PLAIN
from lasernet.cli.data_import import import_data
from lasernet.cli.generate import app as generate
from lasernet.cli.output import progress_lines, result
from lasernet.errors import CheckFailed, OptionError

app = typer.Typer(context_settings=HELP, help="Import, download, describe and check data files.", **PLAIN)
Form = Annotated[
    Literal["table", "json"] | None, typer.Option("--format", help="Default: table on a terminal, JSON elsewhere.")
]
app.add_typer(generate, name="generate")
app.command(name="import")(import_data)


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

"""The laser track that ships with the package; ``python -m lasernet.data.bundled SOURCE`` makes it anew."""

from __future__ import annotations

import sys
from pathlib import Path

from lasernet.data.importers import import_source
from lasernet.errors import LasernetError

NAME = "316l-track.h5"
NOTES: dict[str, object] = {
    "origin": "ExaCA 2.1.0 (LLNL/ORNL), run unmodified; every second cell of a 2.5 µm grid",
    "temperature": "analytic, transient Eagar-Tsai",
    "license": "MIT",
    "measured": False,
}


def bundled_track() -> Path:
    """The bundled 316L track: 24 frames of 96 x 24 x 24 cells, simulated."""
    return Path(__file__).with_name("bundled") / NAME


def remake(source: str, out: Path) -> Path:
    """Import the point clouds of the bundled track with its settings, as small as it gets without loss."""
    return import_source(
        source,
        out,
        material="316L",
        time_step=22.5e-6,
        scan_speed=0.8,
        ipf_key="exaca",
        name="exaca-316l",
        overwrite=True,
        compact=True,
        notes=NOTES,
    )


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m lasernet.data.bundled SOURCE")
    try:
        print(remake(sys.argv[1], bundled_track()))
    except LasernetError as problem:
        print(f"error: {problem}", file=sys.stderr)
        sys.exit(problem.exit_code)

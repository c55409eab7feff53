"""Foreign formats turned into the one layout."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from functools import partial
from pathlib import Path

from lasernet.data.importers.boundaries import BoundaryOptions, import_boundaries
from lasernet.data.importers.flow_pt import FlowPtOptions, import_flow_pt
from lasernet.data.importers.frames import frame_number, in_order, times
from lasernet.data.importers.images import ImageOptions, import_images
from lasernet.data.importers.micrographs import MicrographOptions, import_micrographs
from lasernet.data.importers.sources import FORMATS, find_files, opened_source
from lasernet.data.importers.tracks import TrackOptions, import_track
from lasernet.data.new_file import check_target
from lasernet.errors import OptionError
from lasernet.registry import suggestion

__all__ = ["FORMATS", "find_files", "frame_number", "import_source", "in_order", "times"]

Options = TrackOptions | ImageOptions | BoundaryOptions | FlowPtOptions | MicrographOptions

_OPTIONS: dict[str, type[Options]] = {
    "lasernet-csv": TrackOptions,
    "lasernet-pt": TrackOptions,
    "images": ImageOptions,
    "h5-stacks": ImageOptions,
    "npy": ImageOptions,
    "boundaries": BoundaryOptions,
    "flow-pt": FlowPtOptions,
    "micrographs": MicrographOptions,
}
_ONLY_OF = {"image_axis": ("h5-stacks", "npy"), "key": ("h5-stacks",)}


def import_source(
    source: str,
    out: Path,
    *,
    format: str = "auto",
    name: str | None = None,
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
    notes: dict[str, object] | None = None,
    **options: object,
) -> Path:
    """Convert a directory, a glob pattern, an archive or one file of a known format into a file of the one layout.

    Args:
        name: of the case, or how those of several begin; left out, it says what is in it, so that the result does not
            depend on where the source lies.
        overwrite: replace ``out`` if it is there.
        progress: called with (parts done, parts in all).
        notes: added to the provenance.
        options: of the format: the fields of ``tracks.TrackOptions``, ``images.ImageOptions``,
            ``boundaries.BoundaryOptions``, ``flow_pt.FlowPtOptions`` or ``micrographs.MicrographOptions``. Those that
            are None count as left out.

    Returns:
        ``out``.

    Raises:
        OptionError: if an option is impossible, or the format does not take it.
        DataError: if the source is missing, damaged or of no known format; nothing is left behind.
    """
    if format not in FORMATS:
        raise OptionError(f"no format '{format}'; {suggestion(format, list(FORMATS))}")
    given = {key: value for key, value in options.items() if value is not None}
    out = Path(out)
    check_target(out, overwrite)
    if format != "auto":
        _parse(format, given)  # an impossible option is told before anything is unpacked
    with opened_source(source, format, out) as (kind, files):
        work = _importer(kind, files, out, _parse(kind, given))
        named = {} if name is None else {"name": name}
        work(overwrite=overwrite, progress=progress, notes=notes, **named)
    return out


def _parse(kind: str, given: dict[str, object]) -> Options:
    """The options of a format.

    Raises:
        OptionError: if the format does not take one of them, or needs one that is left out.
    """
    taken = _names(kind)
    for key in given:
        flag = f"--{key.replace('_', '-')}"
        takers = [other for other in FORMATS[1:] if key in _names(other)]
        if not takers:
            known = [f"--{other.replace('_', '-')}" for other in taken]
            raise OptionError(f"no option {flag}; {suggestion(flag, known)}")
        if key not in taken:
            raise OptionError(
                f"{flag} says nothing about the format {kind}; expected one of {', '.join(takers)}; leave it out"
            )
    if kind == "boundaries" and "plane" not in given:
        raise OptionError("boundary maps are cut from slices of one plane; expected it; add --plane xy, xz or yz")
    make: Callable[..., Options] = _OPTIONS[kind]
    return make(**given)


def _names(kind: str) -> list[str]:
    known = [field.name for field in fields(_OPTIONS[kind])]
    return [name for name in known if kind in _ONLY_OF.get(name, (kind,))]


def _importer(kind: str, files: Sequence[Path], out: Path, options: Options) -> Callable[..., None]:
    if isinstance(options, TrackOptions):
        return partial(import_track, kind, files, out, options)
    if isinstance(options, ImageOptions):
        return partial(import_images, kind, files, out, options)
    if isinstance(options, FlowPtOptions):
        return partial(import_flow_pt, files[0], out, options)
    if isinstance(options, MicrographOptions):
        return partial(import_micrographs, files, out, options)
    return partial(import_boundaries, files, out, options)

"""Published sets of flows as ``.pt`` files, turned into files of flows: one case a sample and direction."""

from __future__ import annotations

import json
import logging
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lasernet.data.container import Refused
from lasernet.data.flow_file import FlowWriter, create_flow_file
from lasernet.data.importers.tensor_files import MEMORY, SECONDS, check_records, check_sums
from lasernet.data.quarantine import check_in_child, require_regular_file
from lasernet.errors import DataError, OptionError

if TYPE_CHECKING:
    from lasernet.data.importers.flow_pt_case import Case
    from lasernet.data.importers.flow_pt_store import Flows

log = logging.getLogger(__name__)

SPOKEN = ("statistics.json", "splits.json")
LONGEST = 256 << 10  # bytes of each that the provenance takes
MOST_PARTS = 200  # objects and lists in each, so that none is nested beyond what parsers bear
AGREE = 1.1  # largest factor between the permeability published and that of the fields, in the median


@dataclass(frozen=True)
class FlowPtOptions:
    """What the user says about a published set of flows.

    Attributes:
        density: kg/m³; the published pressure is over it.
        viscosity: Pa s.
        gradient: Pa/m, by which the mean pressure falls, where the set has no pressures.
        slice_distance: m, along z; left out, the height of the block over its slices.
    """

    density: float = 1250.0
    viscosity: float = 0.5
    gradient: float | None = None
    slice_distance: float | None = None

    def __post_init__(self) -> None:
        for name in ("density", "viscosity", "gradient", "slice_distance"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise OptionError(
                    f"the {name.replace('_', ' ')} is {value:g}; expected a number above 0 in SI units; correct it"
                )


def import_flow_pt(
    directory: Path,
    out: Path,
    options: FlowPtOptions,
    *,
    name: str = "flow",
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
    notes: dict[str, object] | None = None,
) -> None:
    """Convert a published set into one file of flows, one sample after the other.

    What statistics.json and splits.json say goes into the provenance of the first case, and nowhere else.

    Args:
        directory: holds the ``.pt`` files, or folders x and y with them.
        name: begins the names of the cases.

    Raises:
        OptionError: if a gradient is given for a set that tells it.
        DataError: if a file is missing, damaged or holds more than tensors, or values are impossible.
    """
    try:
        parts = _opened(Path(os.path.abspath(directory)))
        if options.gradient is not None and all(part.pressure is not None for part in parts):
            raise OptionError("p.pt tells the gradient of each flow; expected no other; leave out --gradient")
        published = {key: said for key in SPOKEN if (said := _said(directory / key)) is not None}
        first = {**(notes or {}), **({"published": published} if published else {})}
        with create_flow_file(out, overwrite=overwrite) as writer:
            _convert(parts, writer, options, name, first, notes or {}, progress)
    except Refused as problem:
        raise DataError(f".pt set: {problem}") from None


def _opened(directory: Path) -> list[Flows]:
    """The tensors of a set, after a child process has looked at them."""
    from lasernet.data.importers import flow_pt_store as store  # imports torch

    files = [path for folder in store.folders(directory).values() for path in store.files_of(folder).values()]
    size = sum(require_regular_file(path).st_size for path in files)
    for path in files:
        check_records(path)
    arguments = [str(directory), str(MEMORY + 2 * size)]
    check_in_child(Path(store.__file__), arguments, name=".pt set", timeout=SECONDS)
    for path in files:
        check_sums(path)
    return store.load_flows(directory)


def _convert(
    parts: Sequence[Flows],
    writer: FlowWriter,
    options: FlowPtOptions,
    name: str,
    first: dict[str, object],
    others: dict[str, object],
    progress: Callable[[int, int], None] | None,
) -> None:
    """Write all samples; ``first`` and ``others`` go into the provenance of the first case and of the others."""
    from lasernet.data.importers.flow_pt_case import as_case

    count, done, different = sum(map(len, parts)), 0, 0
    ratios, in_solid = [], 0.0
    for index in range(max(map(len, parts))):
        masks = []
        for part in parts:
            if index < len(part):
                sample = part.read(index)
                case = as_case(sample, part.drive, f"sample {index} of {part.drive}", options)
                _write(writer, f"{name}-{index:05d}-{part.drive}", case, index, options, others if done else first)
                masks.append(sample.fluid)
                in_solid = max(in_solid, case.in_solid)
                ratios += [case.ratio] if case.ratio is not None else []
                done += 1
                if progress:
                    progress(done, count)
        different += len(masks) == 2 and not np.array_equal(masks[0], masks[1])
    ratio = float(np.median(ratios)) if ratios else 1.0
    if not 1 / AGREE < ratio < AGREE:
        log.warning(
            "the permeabilities published are %.3g times those of the fields; check --density, --viscosity", ratio
        )
    if different:
        log.warning("of %d samples, x and y show different solids; they share a group all the same", different)
    if in_solid:
        log.info("velocities in solid cells, at most %.2g of all squared velocity, are set to 0", in_solid)


def _write(
    writer: FlowWriter, name: str, case: Case, index: int, options: FlowPtOptions, notes: dict[str, object]
) -> None:
    writer.add_case(
        name,
        case.fields,
        spacing=case.spacing,
        viscosity=options.viscosity,
        gradient=case.gradient,
        location="centers",
        permeability=case.permeability,
        group=f"sample-{index}",
        provenance={"importer": "flow-pt", "sample": index, **case.provenance, **notes},
    )


def _said(path: Path) -> dict[str, object] | None:
    """What a JSON file beside the tensors says."""
    if not os.path.lexists(path):
        return None
    content: object = None
    if require_regular_file(path).st_size <= LONGEST:
        try:
            content = json.loads(path.read_bytes())
            text = json.dumps(content, allow_nan=False)
        except (OSError, ValueError, RecursionError):
            content = None
    if not isinstance(content, dict) or len(text) > LONGEST or text.count("{") + text.count("[") > MOST_PARTS:
        log.warning("%s is no plain JSON object of at most %d bytes; what it says is not kept", path.name, LONGEST)
        return None
    return content

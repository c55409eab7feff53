"""Files of generated laser tracks: cases simulated side by side, written in their order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lasernet.data.side_by_side import in_order
from lasernet.data.track_writer import FileWriter, create_file
from lasernet.simulate.laser import Frame, LaserTracks, Track


@dataclass(frozen=True)
class SimulatedTrack:
    """All frames of a case, and the orientations of its grains."""

    frames: list[Frame]
    orientations: NDArray[np.float64]


def write_laser(
    path: Path,
    options: Mapping[str, Any],
    *,
    count: int,
    seed: int,
    overwrite: bool,
    provenance: Mapping[str, object],
    progress: Callable[[int, int], None],
) -> None:
    """Write a file of laser tracks; several cases are simulated at once, one on each core."""
    tracks = LaserTracks(**options)
    drawn = [tracks.draw(index, seed=seed) for index in range(count)]
    simulated = in_order(partial(simulate_one, dict(options), seed), count)
    with create_file(path, overwrite=overwrite) as out:
        for index, (track, result) in enumerate(zip(drawn, simulated, strict=True)):
            _write_case(out, f"case-{index:04d}", tracks, track, result, {**provenance, "case": index})
            progress(index + 1, count)


def simulate_one(options: dict[str, Any], seed: int, index: int) -> SimulatedTrack:
    """Simulate one case."""
    tracks = LaserTracks(**options)
    frames, growth = tracks.simulate(tracks.draw(index, seed=seed))
    done = list(frames)
    return SimulatedTrack(done, growth.orientations)


def _write_case(
    out: FileWriter, name: str, tracks: LaserTracks, track: Track, result: SimulatedTrack, provenance: Mapping[str, Any]
) -> None:
    material = tracks.material
    case = {key: getattr(track, key) for key in tracks.ranges}
    writer = out.add_case(
        name,
        x=track.x,
        y=track.y,
        z=track.z,
        t=track.t,
        material=material.name,
        solidus=material.solidus,
        liquidus=material.growth.liquidus,
        scan_velocity=(track.speed, 0.0, 0.0),
        ipf_key=tracks.ipf_key,
        group=f"substrate-{track.seed:016x}",
        provenance={**provenance, "drawn": {**case, "substrate_seed": track.seed}},
    )
    colors = tracks.colors(result.orientations)
    for index, frame in enumerate(result.frames):
        ipf = np.ascontiguousarray(np.moveaxis(colors[frame.grain_id], -1, 0))
        writer.write_frame(index, temperature=frame.temperature, ipf=ipf, grain_id=frame.grain_id)
    writer.write_orientations(result.orientations)

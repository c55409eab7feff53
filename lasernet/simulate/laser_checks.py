"""The laser generator against what is known exactly: temperature, grains, orientations, and a track as a whole."""

from __future__ import annotations

import numpy as np

from lasernet.simulate.grain_growth_checks import check_grain_growth
from lasernet.simulate.laser import LaserTracks
from lasernet.simulate.melt_pool_checks import check_melt_pool
from lasernet.simulate.orientation_checks import check_orientation

Check = dict[str, object]


def check_laser() -> list[Check]:
    """Every check, each as {"name", "value", "reference", "tolerance", "ok"}."""
    return [*check_melt_pool(), *check_grain_growth(), *check_orientation(), *check_track()]


def check_track() -> list[Check]:
    """One small track from the beam to the colors: what holds in every cell."""
    tracks = LaserTracks(cells=(48, 20, 12), spacing=5e-6, frames=8)
    frames, growth = tracks.simulate(tracks.draw(0, seed=0))
    wrong = dict.fromkeys(("hot", "black", "colored"), 0)
    liquidus = tracks.material.liquidus
    for frame in frames:
        molten = frame.grain_id == 0
        black = ~tracks.colors(growth.orientations)[frame.grain_id].any(axis=-1)
        wrong["hot"] += int((~molten & (frame.temperature >= liquidus)).sum())
        wrong["black"] += int((black & ~molten).sum())
        wrong["colored"] += int((molten & ~black).sum())
    words = {
        "hot": "solid cells above liquidus",
        "black": "solid cells without a color",
        "colored": "molten cells with a color",
    }
    # Counts of cells that break a rule of the automaton or the layout: none may.
    found: list[Check] = [_none(f"laser/track/{words[key]}", wrong[key]) for key in words]
    same = [track_ids(tracks) for _ in range(2)]
    return [*found, _none("laser/track/cells that differ when run again", int((same[0] != same[1]).sum()))]


def track_ids(tracks: LaserTracks) -> np.ndarray[tuple[int, ...], np.dtype[np.int32]]:
    """Grain ids of the last frame of the first case."""
    return list(tracks.simulate(tracks.draw(0, seed=0))[0])[-1].grain_id


def _none(name: str, count: int) -> Check:
    return {"name": name, "value": count, "reference": 0, "tolerance": 0, "ok": count == 0}

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from lasernet.errors import OptionError
from lasernet.viz.front import front_figure
from lasernet.viz.panels import Plane, window_around


def draw(melt: SimpleNamespace, path: Path, **changes: object) -> Path:
    given = {
        "plane": melt.plane, "temperature": melt.temperature, "solidus": 1663.0, "liquidus": 1723.0,
        "active": melt.active, "newly_solid": melt.newly_solid,
        "scores": {"all": 0.01, "active": 0.1, "newly solid": 0.2},
    }  # fmt: skip
    return front_figure(melt.truth, melt.prediction, path, **{**given, **changes})


def colors(path: Path) -> set[tuple[int, ...]]:
    image = np.asarray(Image.open(path).convert("RGB")).reshape(-1, 3).astype(np.int32)
    found, counts = np.unique(image @ (1 << 16, 1 << 8, 1), return_counts=True)
    return {(int(color) >> 16, int(color) >> 8 & 255, int(color) & 255) for color in found[counts > 30]}


def test_only_colors_of_the_active_region_are_shown(melt: SimpleNamespace, tmp_path: Path) -> None:
    shown = colors(draw(melt, tmp_path / "front.png"))
    outside = tuple(int(c) for c in np.rint(255 * melt.truth[6:9, 0, 0]))
    assert (233, 233, 233) in shown
    assert outside not in shown


def test_direction_chooses_the_channels(melt: SimpleNamespace, tmp_path: Path) -> None:
    files = [draw(melt, tmp_path / f"{d}.png", direction=d).read_bytes() for d in ("x", "Y", "Z")]
    assert len(set(files)) == 3
    with pytest.raises(OptionError, match="IPF direction"):
        draw(melt, tmp_path / "front.png", direction="w")


def test_no_active_cell_and_unknown_scores_are_still_drawn(melt: SimpleNamespace, tmp_path: Path) -> None:
    nothing = np.zeros_like(melt.active)
    path = draw(melt, tmp_path / "front.png", active=nothing, newly_solid=nothing, scores={"active": float("nan")})
    assert path.is_file()


def test_window_holds_the_region_and_stays_in_the_slice() -> None:
    plane = Plane(spacing=(1e-6, 1e-6))
    for row, column in ((0, 0), (46, 464), (23, 200)):
        region = np.zeros((47, 465), dtype=bool)
        region[row, max(0, column - 60) : column + 1] = True
        rows, columns = window_around(region, plane)
        assert region[rows, columns].sum() == region.sum()
        assert rows.start >= 0 <= columns.start
        assert rows.stop <= 47
        assert columns.stop <= 465
        assert (columns.stop - columns.start) <= 6.5 * (rows.stop - rows.start)


def test_the_same_input_gives_the_same_bytes(melt: SimpleNamespace, tmp_path: Path) -> None:
    assert draw(melt, tmp_path / "a.png").read_bytes() == draw(melt, tmp_path / "b.png").read_bytes()

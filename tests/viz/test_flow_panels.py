from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from lasernet.viz import flow_panels
from lasernet.viz.flow_distribution import velocity_distribution
from lasernet.viz.flow_error_time import error_time
from lasernet.viz.flow_panels import fitted, pressure_panels, velocity_panels
from lasernet.viz.flow_permeability import permeability_parity
from lasernet.viz.flow_profiles import profile_figure
from lasernet.viz.flow_sections import cuts, section_panels, strongest_lift
from lasernet.viz.flow_streamlines import streamline_panels
from lasernet.viz.flow_units import percent, prefixed
from lasernet.viz.panels import Plane

PLANE = Plane(spacing=(1e-6, 1e-6), origin=(5e-7, 5e-7), axes=("y", "x"))
SPACING = (1e-6, 1e-6, 4e-6)


@pytest.fixture(scope="module")
def flow() -> SimpleNamespace:
    """A block of 3 slices of 12 rows and 16 columns around a square fiber."""
    z, y, x = np.mgrid[:3, :12, :16]
    fluid = (abs(x - 8) > 2) | (abs(y - 6) > 2)
    truth = 1e-6 * np.stack([2 + np.sin(y), np.sin(x), 0.1 * np.sin(x + y + z)]) * fluid
    return SimpleNamespace(truth=truth, prediction=0.8 * truth, fluid=fluid)


def drawn(monkeypatch: pytest.MonkeyPatch, *modules: object) -> list[Figure]:
    """Figures as they come to be saved."""
    kept: list[Figure] = []

    def keep(figure: Figure, path: Path) -> Path:
        figure.draw_without_rendering()
        kept.append(figure)
        return path

    for module in modules:
        monkeypatch.setattr(module, "save", keep)
    return kept


def overlapping(figure: Figure) -> list[tuple[str, str]]:
    """Texts that cover one another, or reach over the edge of the figure."""
    artists = [text for axes in figure.axes for text in (*axes.texts, axes.title, axes._left_title)]  # type: ignore[attr-defined]
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            ticks = [tick for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]
            labels = [label for tick in ticks for label in (tick.label1, tick.label2)]
            artists += [axis.label, *(label for label in labels if label.get_visible())]
        if (legend := axes.get_legend()) is not None:
            artists += legend.get_texts()
    artists += [*figure.texts, *(text for legend in figure.legends for text in legend.get_texts())]
    page = figure.bbox
    boxes = [(text.get_text(), text.get_window_extent()) for text in artists if text.get_text()]
    boxes = [(text, box) for text, box in boxes if box.width > 0]
    out = [(text, "edge") for text, box in boxes if box.x0 < page.x0 - 1 or box.x1 > page.x1 + 1]
    return out + [
        (a, b)
        for i, (a, first) in enumerate(boxes)
        for b, second in boxes[i + 1 :]
        if first.shrunk(0.9, 0.9).overlaps(second.shrunk(0.9, 0.9))
    ]


@pytest.mark.parametrize(
    ("largest", "unit", "expected"),
    [(2.3e-6, "m/s", (1e6, "µm/s")), (1e-6, "m/s", (1e6, "µm/s")), (9.99e-7, "m/s", (1e9, "nm/s")),
     (12.0, "Pa", (1.0, "Pa")), (4e4, "Pa", (1e-3, "kPa")), (0.0, "m/s", (1.0, "m/s")), (1e-20, "m", (1e12, "pm"))],
)  # fmt: skip
def test_a_prefix_leaves_one_to_three_digits(largest: float, unit: str, expected: tuple[float, str]) -> None:
    factor, name = prefixed(largest, unit)
    assert (pytest.approx(factor), name) == expected


def test_shares_are_told_in_percent_and_unknown_ones_by_a_dash() -> None:
    assert [percent(share) for share in (0.01234, -0.5, 18.16, None, float("nan"))] == [
        "1.23 %", "−50 %", "1816 %", "–", "–",
    ]  # fmt: skip
    assert percent(0.05, sign=True) == "+5 %"


@pytest.mark.parametrize(("rows", "columns"), [(12, 16), (6, 30), (256, 256), (30, 12)])
def test_texts_of_velocity_panels_do_not_overlap(
    rows: int, columns: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = drawn(monkeypatch, flow_panels)
    y, x = np.mgrid[:rows, :columns]
    truth = 1e-6 * np.stack([2 + np.sin(y), np.sin(x), 0.01 * np.sin(x + y)])
    fluid = (y + x) % 7 > 1
    title = "flow-00001, slice 3\nNMAE of it all"
    velocity_panels(truth, 0.9 * truth, tmp_path / "v.png", plane=PLANE, fluid=fluid, lift=(0.05, 0.045), title=title)
    pressure_panels(truth[0], truth[1], tmp_path / "p.png", plane=PLANE, fluid=fluid, title=title)
    assert [overlapping(figure) for figure in kept] == [[], []]


def test_each_component_has_a_scale_of_its_own_also_where_it_is_zero(
    flow: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = drawn(monkeypatch, flow_panels)
    for size in (1.0, 0.0):
        truth = flow.truth[:, 0] * np.array([1.0, 1.0, size])[:, None, None]
        velocity_panels(truth, truth, tmp_path / "v.png", plane=PLANE, fluid=flow.fluid[0], lift=(size, size))
    for figure in kept:
        panels = [axes for axes in figure.axes if axes.images]
        low, high = zip(*(axes.images[0].get_clim() for axes in panels[::3]), strict=True)  # of the truth, row by row
        assert low == (-high[0], -high[1], -high[2], 0.0)  # zero is in the middle of a scale with two signs
        assert high[0] == pytest.approx(3.0)  # µm/s
        assert 0 < high[2] <= 100  # nm/s
        values = panels[6].images[0].get_array()
        assert np.ma.count_masked(values) == int((~flow.fluid[0]).sum())
    assert not np.any(values)


def test_cuts_go_through_the_place_where_the_flow_leaves_its_slice_fastest(flow: SimpleNamespace) -> None:
    truth = flow.truth.copy()
    truth[2, 1, 3, 5] = -1.0
    truth[2, 0, 6, 8] = 2.0  # in the solid
    assert strongest_lift(truth, flow.fluid) == (1, 3, 5)
    along, across = cuts(truth, flow.prediction, fluid=flow.fluid, spacing=SPACING)
    assert np.array_equal(along.fields[0], truth[:, :, 3])
    assert np.array_equal(across.fields[1], flow.prediction[:, :, :, 5])
    assert (along.plane.axes, across.plane.axes) == (("z", "x"), ("z", "y"))
    assert along.plane.spacing == (4e-6, 1e-6)


@pytest.mark.parametrize("thickness", [4e-6, 1e-7])
def test_sections_of_thick_and_thin_blocks_and_of_still_ones_are_drawn(
    flow: SimpleNamespace, tmp_path: Path, thickness: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lasernet.viz import flow_sections

    kept = drawn(monkeypatch, flow_sections)
    shared = {"fluid": flow.fluid, "spacing": (1e-6, 1e-6, thickness), "title": "a flow\nits scores"}
    section_panels(flow.truth, flow.prediction, tmp_path / "s.png", **shared)
    section_panels(0 * flow.truth, 0 * flow.truth, tmp_path / "s.png", **shared)
    labels = {axes.get_xlabel() for axes in kept[0].axes}
    assert any("stretched" in label for label in labels) == (thickness < 1e-6)
    assert [overlapping(figure) for figure in kept] == [[], []]


def test_streamlines_stay_out_of_solids(flow: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from lasernet.viz import flow_streamlines

    kept = drawn(monkeypatch, flow_streamlines)
    fluid = flow.fluid[0]
    streamline_panels(flow.truth[:, 0], 0 * flow.truth[:, 0], tmp_path / "s.png", plane=PLANE, fluid=fluid, title="t")
    first, second, *_ = kept[0].axes
    ends = np.concatenate([path.vertices for path in first.collections[0].get_paths()])
    inside = fluid[ends[:, 1].astype(int), ends[:, 0].astype(int)]
    assert len(ends) > 20
    assert inside.mean() > 0.95  # a line ends within half a cell of a solid
    assert len(second.collections) == 0
    assert overlapping(kept[0]) == []


def test_predicted_permeabilities_of_any_size_are_drawn_and_those_beyond_the_edge_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lasernet.viz import flow_permeability

    kept = drawn(monkeypatch, flow_permeability)
    truth = np.geomspace(1e-13, 1e-12, 5)
    answers = {"model": truth * np.array([1.01, 0.99, -1.0, 1e4, 1.0]), "lift-zero": 0.95 * truth}
    unknown = np.array([0.01, np.nan, 0.02, 0.01, np.nan])
    permeability_parity(truth, answers, tmp_path / "k.png", truth_error=unknown, title="5 flows")
    permeability_parity(truth[:1], {"model": truth[:1]}, tmp_path / "k.png", truth_error=np.array([np.nan]))
    told = [text.get_text() for text in kept[0].legends[0].get_texts()]
    assert told[0].startswith("model: |error| median 1 %")
    assert told[0].endswith("2 on the edge")
    assert told[1] == "lift-zero: |error| median 5 %, mean 5 %"
    assert told[2].endswith("mean 1.33 %")
    assert len(kept[1].legends[0].get_texts()) == 1
    assert [overlapping(figure) for figure in kept] == [[], []]


def test_a_constant_flux_is_a_flat_line_within_five_percent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from lasernet.viz import flow_profiles

    kept = drawn(monkeypatch, flow_profiles)
    shared = {"places": 1e-6 * np.arange(16), "open_share": np.full(16, 0.7), "title": "t"}
    flux = {"truth": np.full(16, 2e-6), "prediction": np.linspace(1.99e-6, 2.01e-6, 16)}
    profile_figure(flux, tmp_path / "q.png", label="flux", unit="m/s", conserved=True, **shared)
    profile_figure({"truth": np.zeros(16)}, tmp_path / "p.png", label="mean", unit="Pa", conserved=False, **shared)
    upper = kept[0].axes[0]
    low, high = upper.get_ylim()
    assert low <= 1.9
    assert high >= 2.1
    assert upper.get_ylabel() == "flux (µm/s)"
    assert [overlapping(figure) for figure in kept] == [[], []]


def test_a_distribution_of_equal_values_is_drawn_too(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    speeds = {"truth": rng.random(500), "prediction": rng.random(500)}
    still = {name: np.zeros(500) for name in speeds}
    for lifts in (speeds, still):
        with Image.open(velocity_distribution(speeds, lifts, tmp_path / "d.png", title="t")) as image:
            assert image.width > image.height


def test_a_solver_is_a_line_and_a_model_a_point_over_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from lasernet.viz import flow_error_time

    kept = drawn(monkeypatch, flow_error_time)
    points = {"solver": [(3.0, 0.0), (1.0, 1e-2), (2.0, 1e-3)], "model": [(0.5, 3e-3)]}
    error_time(points, tmp_path / "e.png", title="t")
    lines = {line.get_label(): line for line in kept[0].axes[0].lines}
    assert lines["solver"].get_xdata().tolist() == [1.0, 2.0, 3.0]
    assert lines["solver"].get_ydata()[-1] == pytest.approx(5e-4)  # an error of 0, on the lower edge
    assert lines["solver"].get_linestyle() == "-"
    assert lines["model"].get_linestyle() == "None"
    assert overlapping(kept[0]) == []


def test_panels_fill_the_room_in_one_direction() -> None:
    assert fitted(2.0, width=1.5, height=2.4) == (1.5, 0.75)
    assert fitted(0.5, width=1.5, height=2.4) == (1.2, 2.4)

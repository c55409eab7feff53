"""The flow solver: closed forms, convergence, conservation, symmetry, and what it refuses."""

from collections.abc import Callable

import numpy as np
import pytest
from conftest import Checks
from numpy.typing import NDArray

from lasernet.errors import DataError, OptionError
from lasernet.physics.flow import divergence_ratio, flux_spread
from lasernet.simulate.stokes import cut_walls, solve_stokes, voxel_walls
from lasernet.simulate.stokes_checks import check_stokes, cylinders


def plates(rows: int, gap: float, middle: float) -> NDArray[np.float64]:
    """Distances at the faces of (rows, 4) cells of a unit square to two plates across the first axis."""
    faces = []
    for axis in range(2):
        at = (np.arange(rows) + (0.0 if axis == 0 else 0.5)) / rows
        faces.append(np.repeat((gap / 2 - np.abs(at - middle))[:, None], 4, axis=1))
    return np.stack(faces)


@pytest.mark.parametrize("middle", [0.5, 0.513, 0.52])
def test_between_plates_the_flow_is_a_parabola_wherever_the_walls_cut_the_cells(middle: float) -> None:
    rows, gap = 40, 0.62
    spacing = (1 / rows, 0.25)
    distance = plates(rows, gap, middle)
    flow = solve_stokes(cut_walls(distance, spacing), spacing, 1, tolerance=1e-8)
    exact = np.clip(distance[1], 0, None) * (gap - np.clip(distance[1], 0, None)) / 2
    line_for_parabola = spacing[0] ** 2 / 8  # what the cell at the wall is off by
    assert flow.velocity[1] == pytest.approx(exact, abs=line_for_parabola)
    assert np.abs(flow.velocity[0]).max() < 1e-12
    assert float(flow.velocity[1].mean()) == pytest.approx(gap**3 / 12, abs=line_for_parabola)


def test_in_a_square_duct_the_flux_is_that_of_the_series() -> None:
    cells, side = 96, 0.71
    offsets = [(0.0, 0.5), (0.5, 0.0), (0.5, 0.5)]  # across, across, along
    faces = []
    for down, right in offsets:
        y, x = (np.abs((np.arange(cells) + part) / cells - 0.5) for part in (down, right))
        faces.append((side / 2 - np.maximum(y[:, None], x[None]))[:, :, None])
    spacing = (1 / cells, 1 / cells, 1.0)
    flow = solve_stokes(cut_walls(np.stack(faces), spacing), spacing, 2, tolerance=1e-7)
    assert float(flow.velocity[2].mean()) / side**2 == pytest.approx(0.0351443 * side**2, rel=1.5e-3)


def test_cut_walls_converge_at_second_order_and_voxel_walls_do_not() -> None:
    exact, errors = 0.0360449, {"cut": [], "voxel": []}
    for cells in (32, 64, 128):
        distance, spacing, radius = cylinders("square", 0.4, cells, shift=(0.31, 0.77))
        y, x = ((np.arange(cells) + 0.5 - part) / cells for part in (0.31, 0.77))
        fluid = np.hypot(*(np.minimum(p % 1, -p % 1) for p in np.meshgrid(y, x, indexing="ij")))[None] > radius
        for name, walls in (("cut", cut_walls(distance, spacing)), ("voxel", voxel_walls(fluid))):
            flow = solve_stokes(walls, spacing, 1, tolerance=1e-5)
            errors[name].append(abs(float(flow.velocity[1].mean()) / radius**2 / exact - 1))
    assert max(errors["cut"]) < 0.01
    assert errors["cut"][2] < 1.2e-3
    assert errors["voxel"][2] > 5 * errors["cut"][2]


@pytest.mark.parametrize(("precision", "within"), [(np.float64, 1e-12), (np.float32, 1e-5)])
def test_a_flow_through_random_voxels_conserves_mass_and_rests_in_solids(
    precision: type[np.floating], within: float
) -> None:
    fluid = np.random.default_rng(0).random((5, 24, 20)) > 0.1
    walls, spacing = voxel_walls(fluid), (3.0, 1.0, 1.5)
    flow = solve_stokes(walls, spacing, 2, precision=precision)
    assert flow.converged
    assert flow.velocity.dtype == precision
    assert divergence_ratio(flow.velocity[::-1], spacing[::-1]) < within
    assert flux_spread(flow.velocity[::-1], 0) < 10 * within
    assert np.abs(flow.velocity[walls.solid]).max() < 2e-2 * flow.velocity[2].mean()
    assert flow.slip < 2e-3


def test_the_permeability_is_a_symmetric_tensor() -> None:
    """Of any geometry: what drives along x and is measured along y is the same the other way round."""
    y, x = np.meshgrid((np.arange(40) + 0.5) / 40, (np.arange(40) + 0.5) / 40, indexing="ij")
    fluid = np.abs((y + x) % 0.5 - 0.25) > 0.06  # walls at 45°
    fluid |= (y > 0.4) & (y < 0.55)
    flows = [solve_stokes(voxel_walls(fluid), (1 / 40, 1 / 40), axis, tolerance=1e-7).velocity for axis in (0, 1)]
    tensor = np.array([[float(flow[part].mean()) for part in (0, 1)] for flow in flows])
    assert tensor[0, 1] == pytest.approx(tensor[1, 0], rel=1e-4)
    assert abs(tensor[0, 1]) > 0.05 * tensor[0, 0]
    assert np.linalg.eigvalsh((tensor + tensor.T) / 2).min() > 0


def test_a_start_from_the_answer_needs_no_iterations_to_speak_of_and_lengths_scale() -> None:
    distance, spacing, _ = cylinders("hexagonal", 0.5, 32)
    walls = cut_walls(distance, spacing)
    flow = solve_stokes(walls, spacing, 1, tolerance=1e-5)
    again = solve_stokes(walls, spacing, 1, tolerance=1e-5, start=flow.forces)
    assert again.iterations <= 3 < flow.iterations
    small = [1e-6 * size for size in spacing]
    scaled = solve_stokes(cut_walls(1e-6 * distance, small), small, 1, tolerance=1e-5)
    assert scaled.velocity == pytest.approx(1e-12 * flow.velocity, rel=1e-6, abs=1e-20)
    assert scaled.pressure == pytest.approx(1e-6 * flow.pressure, rel=1e-6, abs=1e-12)


def test_the_momentum_balance_holds_in_the_fluid() -> None:
    distance, spacing, _ = cylinders("square", 0.4, 48)
    walls = cut_walls(distance, spacing)
    flow = solve_stokes(walls, spacing, 1, tolerance=1e-6)
    velocity, free = flow.velocity[1], ~walls.held[1]
    bending = sum(
        (np.roll(velocity, 1, axis) - 2 * velocity + np.roll(velocity, -1, axis)) / size**2
        for axis, size in enumerate(spacing)
    )
    slope = (flow.pressure - np.roll(flow.pressure, 1, 1)) / spacing[1]
    assert (bending - slope + 1)[free] == pytest.approx(0, abs=1e-9)


def test_it_refuses_cells_without_solids_or_fluid_and_sizes_that_do_not_fit() -> None:
    open_cell = np.ones((4, 4), dtype=np.bool_)
    with pytest.raises(DataError, match="no solid"):
        solve_stokes(voxel_walls(open_cell), (1.0, 1.0), 0)
    with pytest.raises(DataError, match="no fluid"):
        solve_stokes(voxel_walls(~open_cell), (1.0, 1.0), 0)
    with pytest.raises(OptionError, match="driven along axis 2"):
        solve_stokes(voxel_walls(open_cell), (1.0, 1.0), 2)


def test_every_check_against_exact_arrays_holds(checked: Callable[[Callable[[], Checks]], Checks]) -> None:
    found = checked(check_stokes)
    assert sum(str(row["name"]).startswith("permeability/") for row in found) >= 20
    assert [row["name"] for row in found if not row["ok"]] == []

"""Symmetries of creeping flow: mirrors undo themselves, and the solver agrees with them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from lasernet.nn.flow_symmetry import Batch, augmented, mirrored, rolled
from lasernet.simulate.stokes import solve_stokes, voxel_walls

SPACING = {1: (0.8, 1.0), 3: (2.0, 0.8, 1.0)}  # along (z,) y, x


def geometry(depth: int) -> NDArray[np.bool_]:
    """Cells of fluid around two disks that drift along z, without any symmetry of their own, (Z, 24, 24)."""
    y, x = np.mgrid[:24, :24]
    fluid = np.ones((depth, 24, 24), dtype=bool)
    for z in range(depth):
        for row, column, radius in ((6.2 + z, 5.1, 4.3), (15.4, 16.7 - 2 * z, 5.2)):
            away = [np.minimum(abs(at - middle), 24 - abs(at - middle)) for at, middle in ((y, row), (x, column))]
            fluid[z] &= np.hypot(*away) > radius
    return fluid


def solved(fluid: NDArray[np.bool_]) -> Batch:
    """The flow along +x, as a batch of one block; of one slice, the flow in two dimensions."""
    depth = len(fluid)
    cells = fluid if depth > 1 else fluid[0]
    flow = solve_stokes(voxel_walls(cells), SPACING[depth], cells.ndim - 1, tolerance=1e-7, most=4000)
    velocity, pressure = np.zeros((3, *fluid.shape)), flow.pressure.reshape(fluid.shape)
    velocity[: cells.ndim] = flow.velocity[::-1].reshape(cells.ndim, *fluid.shape)
    fields = {
        "mask": fluid[None],
        "velocity": velocity,
        "target": velocity,
        "pressure": np.where(fluid, pressure - pressure.mean(where=fluid), 0)[None],
    }
    batch = {name: torch.from_numpy(value.copy())[None] for name, value in fields.items()}
    return {
        **batch,
        "permeability": batch["velocity"].mean((2, 3, 4)),
        "faces": torch.tensor([True]),
        "spacing": torch.ones(1, 3),
    }


def assert_same(found: Batch, expected: Batch, tolerance: float) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        if not value.is_floating_point():
            assert torch.equal(found[name], value), name
        else:
            torch.testing.assert_close(found[name], value, rtol=0, atol=tolerance * float(value.abs().max()), msg=name)


@pytest.mark.parametrize(("depth", "axis"), [(1, "x"), (1, "y"), (3, "x"), (3, "y"), (3, "z")])
def test_the_solver_finds_the_mirrored_flow_in_the_mirrored_geometry(depth: int, axis: str) -> None:
    fluid = geometry(depth)
    again = solved(np.ascontiguousarray(np.flip(fluid, "zyx".index(axis))))
    assert_same(mirrored(solved(fluid), axis), again, 1e-4)


def test_the_solver_finds_the_shifted_flow_in_the_shifted_geometry() -> None:
    fluid = geometry(3)
    again = solved(np.roll(fluid, (1, 5, 11), (0, 1, 2)))
    assert_same(rolled(solved(fluid), (11, 5, 1)), again, 1e-4)


def random_batch(*, faces: list[bool]) -> Batch:
    draw = torch.Generator().manual_seed(0)
    shape = (4, 6, 8)
    pressure = torch.randn(len(faces), 1, *shape, generator=draw)
    return {
        "mask": torch.rand(len(faces), 1, *shape, generator=draw) > 0.3,
        "velocity": torch.randn(len(faces), 3, *shape, generator=draw),
        "velocity_2d": torch.randn(len(faces), 3, *shape, generator=draw),
        "pressure": pressure,
        "target": pressure,
        "distance": torch.rand(len(faces), 1, *shape, generator=draw),
        "permeability": torch.rand(len(faces), 3, generator=draw),
        "gradient": torch.rand(len(faces), generator=draw),
        "faces": torch.tensor(faces),
    }


@pytest.mark.parametrize("axes", ["x", "y", "z", "xyz"])
def test_a_mirror_undoes_itself(axes: str) -> None:
    batch = random_batch(faces=[True, False])
    once = mirrored(batch, axes)
    assert not torch.equal(once["velocity"], batch["velocity"])
    assert_same(mirrored(once, axes), batch, 0.0)


def test_a_shift_is_undone_by_its_opposite_and_moves_x_along_the_last_axis() -> None:
    batch = random_batch(faces=[True])
    once = rolled(batch, (3, 2, 1))
    assert torch.equal(once["mask"][..., 1, 2, 3], batch["mask"][..., 0, 0, 0])
    assert_same(rolled(once, (-3, -2, -1)), batch, 0.0)


@pytest.mark.parametrize("axis", ["x", "y", "z"])
def test_a_mirror_keeps_closed_faces_closed(axis: str) -> None:
    fluid = geometry(3)
    once = mirrored(solved(fluid), axis)
    mask = once["mask"][0, 0].numpy()
    for component in range(3):
        closed = torch.from_numpy(~(mask & np.roll(mask, 1, 2 - component)))
        assert float(once["velocity"][0, component][closed].abs().max()) < 1e-5


def test_each_flow_is_augmented_by_its_own_seed_alone() -> None:
    batch = random_batch(faces=[True] * 3) | {"seed": torch.tensor([11, 12, 13])}
    found = augmented(batch)
    alone = augmented({name: value[1:2] for name, value in batch.items()})
    assert_same({name: value[1:2] for name, value in found.items()}, alone, 0.0)
    assert_same(augmented(batch), found, 0.0)
    assert not torch.equal(found["mask"], batch["mask"])
    for name in ("mask", "distance", "gradient"):  # the same values, elsewhere
        assert torch.equal(found[name].reshape(3, -1).sort()[0], batch[name].reshape(3, -1).sort()[0])


def test_blocks_with_an_inlet_are_neither_shifted_nor_turned_around() -> None:
    single = random_batch(faces=[False])
    batch = {name: value.expand(40, *value.shape[1:]) for name, value in single.items()} | {"seed": torch.arange(40)}
    allowed = [mirrored(single, axes)["velocity"] for axes in ("", "y", "z", "yz")]
    found = {tuple(torch.equal(one[None], other) for other in allowed) for one in augmented(batch)["velocity"]}
    assert len(found) == 4
    assert all(sum(one) == 1 for one in found)

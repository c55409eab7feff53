"""Flows as items: turned so that all are driven along +x, whole groups in one split, volumes or slices."""

from pathlib import Path

import numpy as np
import pytest
import torch
from small_flows import RECIPE, small_flow

from lasernet.data.flow_file import create_flow_file
from lasernet.data.flows import FlowData
from lasernet.errors import DataError, OptionError
from lasernet.physics.flow import permeability, signed_distance
from lasernet.simulate.stokes import solve_stokes, voxel_walls


def test_a_flow_driven_along_y_is_seen_as_one_along_x(flows: Path) -> None:
    data = FlowData([flows], split_by="order", split_ratio="1,0,0")
    batch = data.split("train").fetch([1])
    flow = small_flow(1)
    assert flow.axis == 1
    assert np.array_equal(batch["mask"][0, 0].numpy(), flow.fluid.swapaxes(1, 2))
    assert np.array_equal(batch["velocity"][0, 0].numpy(), flow.velocity[1].swapaxes(1, 2))
    assert np.array_equal(batch["velocity"][0, 2].numpy(), flow.velocity[2].swapaxes(1, 2))
    own = permeability(batch["velocity"][0].numpy(), RECIPE.viscosity, RECIPE.gradient)
    assert batch["permeability"][0].numpy() == pytest.approx(own, rel=1e-5)
    solved = solve_stokes(voxel_walls(batch["mask"][0, 0].numpy()), RECIPE.spacing[::-1], 2, tolerance=1e-3)
    expected = RECIPE.gradient / RECIPE.viscosity * solved.velocity[::-1]
    difference = np.abs(batch["velocity"][0].numpy() - expected).max()
    assert difference < 5e-3 * np.abs(expected).max()  # the mirror in the diagonal is a symmetry of the equations


def test_a_flow_driven_backward_is_its_negative(tmp_path: Path) -> None:
    flow = small_flow(0)
    for name, sign in (("there", 1.0), ("back", -1.0)):
        with create_flow_file(tmp_path / f"{name}.h5") as out:
            out.add_case(
                "one", {"mask": flow.fluid, "velocity": sign * flow.velocity, "pressure": sign * flow.pressure},
                spacing=flow.spacing, viscosity=0.5, gradient=(sign * 1e5, 0, 0), permeability=flow.permeability,
                group="g", provenance={},
            )  # fmt: skip
    there, back = (
        FlowData([tmp_path / f"{name}.h5"], split_ratio="1,0,0").split("train").fetch([0]) for name in ("there", "back")
    )
    for name in there:
        assert torch.equal(there[name], back[name]) or name == "permeability_error"


def test_groups_stay_whole_and_the_split_follows_the_seed(flows: Path) -> None:
    data = FlowData([flows], split_ratio="1,1,1")
    groups = [set(data.split(name).items["group"].tolist()) for name in ("train", "val", "test")]
    assert [len(group) for group in groups] == [1, 1, 1]
    assert set.union(*groups) == {0, 1, 2}
    assert len(data.split("all")) == 6
    assert FlowData([flows], split_ratio="1,1,1").split_hash == data.split_hash
    others = {FlowData([flows], split_ratio="1,1,1", split_seed=seed).split_hash for seed in range(6)}
    assert len(others) > 1
    assert {FlowData([flows]).hash, FlowData([flows], preload=False).hash} == {data.hash}


@pytest.mark.parametrize("items", ["volumes", "slices"])
def test_batches_are_the_same_from_disk_and_from_memory(flows: Path, items: str) -> None:
    both = [
        FlowData([flows], inputs=("distance",), items=items, preload=preload).split("train")  # type: ignore[arg-type]
        for preload in (True, False)
    ]
    first, second = (split.fetch([0, len(split) - 1]) for split in both)
    assert first.keys() == second.keys()
    for name in first:
        assert first[name].shape == second[name].shape
        assert torch.equal(first[name].nan_to_num(), second[name].nan_to_num())
    with pytest.raises(IndexError):
        both[0].fetch([len(both[0])])


def test_slices_are_answered_by_their_own_flow_and_do_not_show_it(flows: Path) -> None:
    whole, slices = FlowData([flows], split_ratio="1,0,0"), FlowData([flows], items="slices", split_ratio="1,0,0")
    assert len(slices.split("train")) == 3 * len(whole.split("train"))
    batch, volume = slices.split("train").fetch([4]), whole.split("train").fetch([1])
    assert "velocity_2d" not in batch
    assert torch.equal(batch["velocity"], volume["velocity_2d"][:, :, 1:2])
    assert batch["permeability"].isnan().all()
    pressure = FlowData([flows], "flow-pressure", items="slices", split_ratio="1,0,0").split("train").fetch([4])
    assert torch.equal(pressure["target"], volume["pressure_2d"][:, :, 1:2])
    assert slices.spec["velocity"] == {"channels": 3, "unit": "m/s", "shape": (1, 16, 16)}


def test_distances_are_those_to_the_nearest_cell_of_the_other_kind() -> None:
    fluid = np.ones((2, 6, 8), dtype=np.bool_)
    fluid[0, 0, 0] = False
    periodic = signed_distance(fluid, (2.0, 1.0), periodic=True)
    assert periodic[0, 0, 7] == 1
    assert periodic[0, 5, 0] == 2
    assert periodic[0, 0, 0] == -1
    assert periodic[0, 3, 4] == pytest.approx(np.hypot(6, 4))
    assert signed_distance(fluid, (2.0, 1.0), periodic=False)[0, 0, 7] == 7
    assert periodic[1] == pytest.approx(np.full((6, 8), np.hypot(12, 8)))


def test_what_cannot_be_used_is_refused(flows: Path, tmp_path: Path) -> None:
    flow = small_flow(0)

    def write(name: str, fields: dict[str, np.ndarray], gradient: tuple[float, float, float]) -> Path:
        with create_flow_file(tmp_path / name) as out:
            out.add_case(
                "one", fields, spacing=flow.spacing, viscosity=0.5, gradient=gradient, group=name, provenance={}
            )
        return tmp_path / name

    both = {"mask": flow.fluid, "velocity": flow.velocity}
    with pytest.raises(DataError, match="a gradient along x or along y"):
        FlowData([write("oblique.h5", both, (1e5, 1e4, 0.0))])
    with pytest.raises(DataError, match="a gradient along x or along y"):
        FlowData([write("along-z.h5", both, (0.0, 0.0, 1e5))])
    with pytest.raises(DataError, match="no field 'velocity'"):
        FlowData([write("mask.h5", {"mask": flow.fluid}, (1e5, 0.0, 0.0))])
    with pytest.raises(DataError, match="no field 'velocity_2d'"):
        FlowData([write("no-slices.h5", both, (1e5, 0.0, 0.0))], items="slices")
    smaller = {"mask": flow.fluid[:, :8], "velocity": flow.velocity[:, :, :8]}
    with pytest.raises(DataError, match="different sizes"):
        FlowData([flows, write("smaller.h5", smaller, (1e5, 0.0, 0.0))])
    with pytest.raises(OptionError, match="no derived field 'beside_1'"):
        FlowData([flows], inputs=("beside_1",))
    with pytest.raises(OptionError, match="no training flow"):
        FlowData([flows], split_ratio="0,1,1")

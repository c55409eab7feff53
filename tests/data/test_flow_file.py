"""Files of flows: what goes in comes out, hashes follow the content, and what no flow has is refused."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from lasernet.data.flow_file import create_flow_file, open_flow_file
from lasernet.data.inspect import describe
from lasernet.data.verify import verify_file
from lasernet.errors import DataError
from lasernet.physics.flow import permeability
from lasernet.simulate.stokes import solve_stokes, voxel_walls

SPACING = (1e-6, 1.5e-6, 4e-6)  # x, y, z
VISCOSITY, GRADIENT = 0.5, 2e5


@pytest.fixture(scope="module")
def fields() -> dict[str, NDArray[Any]]:
    """A flow along x through random voxels, and the flows of its slices."""
    fluid = np.random.default_rng(0).random((3, 12, 14)) > 0.15
    scale = GRADIENT / VISCOSITY
    flow = solve_stokes(voxel_walls(fluid), SPACING[::-1], 2)
    flat = np.zeros_like(flow.velocity)
    for number, layer in enumerate(fluid):
        flat[1:, number] = solve_stokes(voxel_walls(layer), SPACING[1::-1], 1).velocity
    return {
        "mask": fluid,
        "velocity": scale * flow.velocity[::-1],
        "velocity_2d": scale * flat[::-1],
        "pressure": GRADIENT * flow.pressure,
    }


def write(path: Path, fields: dict[str, NDArray[Any]], **changes: Any) -> Path:
    known = {
        "spacing": SPACING, "viscosity": VISCOSITY, "gradient": (GRADIENT, 0.0, 0.0), "group": "geometry-0",
        "permeability": permeability(fields["velocity"], VISCOSITY, GRADIENT) if "velocity" in fields else None,
        "permeability_error": 0.02, "provenance": {"by": "a test"},
    }  # fmt: skip
    with create_flow_file(path) as out:
        out.add_case("one", fields, **{**known, **changes})
    return path


def test_what_was_written_is_read_described_and_verified(fields: dict[str, NDArray[Any]], tmp_path: Path) -> None:
    path = write(tmp_path / "f.h5", fields)
    with open_flow_file(path) as file:
        (case,) = file.cases.values()
        assert case.fields == ("mask", "velocity", "velocity_2d", "pressure")
        assert (case.shape, case.axis, case.group, case.location) == ((3, 12, 14), 0, "geometry-0", "faces")
        assert case.spacing.tolist() == list(SPACING)
        assert np.array_equal(case.read("mask"), fields["mask"])
        assert np.array_equal(case.read("velocity"), fields["velocity"].astype(np.float32))
        assert np.array_equal(case.read("velocity", (0, 1)), fields["velocity"][0, 1].astype(np.float32))
        with pytest.raises(DataError, match="no field 'pressure_2d'"):
            case.read("pressure_2d")
    described: Any = describe(path)
    (one,) = described["cases"]
    assert (described["kind"], one["driven_along"], one["permeability_error"]) == ("flow", "x", 0.02)
    assert one["solid_fraction"] == pytest.approx(1 - fields["mask"].mean())
    assert [row["name"] for row in verify_file(path) if not row["ok"]] == []


def test_the_hash_follows_the_content_and_not_the_provenance(fields: dict[str, NDArray[Any]], tmp_path: Path) -> None:
    def hash_of(name: str, given: dict[str, NDArray[Any]], **changes: Any) -> str:
        with open_flow_file(write(tmp_path / name, given, **changes)) as file:
            return file.content_hash

    first = hash_of("a.h5", fields)
    assert hash_of("b.h5", fields, provenance={"by": "another"}) == first
    assert hash_of("c.h5", {**fields, "pressure": 2 * fields["pressure"]}) != first
    assert hash_of("d.h5", fields, group="geometry-1") != first
    assert hash_of("e.h5", fields, permeability_error=None) != first


def test_verify_finds_fields_that_break_the_laws(fields: dict[str, NDArray[Any]], tmp_path: Path) -> None:
    leaking = fields["velocity"] + 0.1 * float(fields["velocity"][0].mean())
    across = fields["velocity_2d"].copy()
    across[2, 0, 0, 0] = 1e-9
    source = fields["velocity"].copy()
    source[0, 0, 5, 5] *= 2
    wrong = {
        "leaking.h5": ({**fields, "velocity": leaking}, {"slip", "permeability over that of the field"}),
        "across.h5": ({**fields, "velocity_2d": across}, {"largest z component"}),
        "source.h5": ({**fields, "velocity": source}, {"divergence over gradient", "spread of the flux"}),
    }
    stored = permeability(fields["velocity"], VISCOSITY, GRADIENT)
    for name, (given, words) in wrong.items():
        failed = [
            str(row["name"]) for row in verify_file(write(tmp_path / name, given, permeability=stored)) if not row["ok"]
        ]
        assert all(any(word in one for one in failed) for word in words), (name, failed)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"spacing": (1e-6, 0.0, 1e-6)}, "spacing"),
        ({"viscosity": -1.0}, "viscosity"),
        ({"gradient": (0.0, 0.0, 0.0)}, "no pressure gradient"),
        ({"gradient": (float("nan"), 1.0, 0.0)}, "not finite"),
        ({"location": "corners"}, "faces or centers"),
        ({"group": ""}, "group"),
        ({"permeability_error": -0.1}, "error below 0"),
    ],
)
def test_impossible_attributes_are_refused_and_leave_nothing(
    fields: dict[str, NDArray[Any]], tmp_path: Path, change: dict[str, Any], what: str
) -> None:
    with pytest.raises(DataError, match=what):
        write(tmp_path / "f.h5", fields, **change)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "value", "what"),
    [
        ("velocity", np.zeros((3, 2, 12, 14)), "shape"),
        ("velocity", np.full((3, 3, 12, 14), np.nan), "not finite"),
        ("mask", np.ones((3, 12, 14)), "expected bool"),
        ("speed", np.ones((3, 12, 14)), "expected mask and any of"),
    ],
)
def test_fields_that_no_flow_has_are_refused(
    fields: dict[str, NDArray[Any]], tmp_path: Path, name: str, value: NDArray[Any], what: str
) -> None:
    with pytest.raises(DataError, match=what):
        write(tmp_path / "f.h5", {**fields, name: value}, permeability=None)
    assert list(tmp_path.iterdir()) == []


def test_a_file_without_cases_or_with_one_twice_is_not_written(fields: dict[str, NDArray[Any]], tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no case"), create_flow_file(tmp_path / "f.h5"):
        pass
    known = {"spacing": SPACING, "viscosity": 1.0, "gradient": (1.0, 0.0, 0.0), "group": "g", "provenance": {}}
    with create_flow_file(tmp_path / "f.h5") as out:
        out.add_case("one", {"mask": fields["mask"]}, **known)
        with pytest.raises(DataError, match="written already"):
            out.add_case("one", {"mask": fields["mask"]}, **known)
    (tmp_path / "f.h5").unlink()
    assert list(tmp_path.iterdir()) == []


def test_a_changed_attribute_or_a_strange_member_is_found_on_opening(
    fields: dict[str, NDArray[Any]], tmp_path: Path
) -> None:
    path = write(tmp_path / "f.h5", fields)
    with h5py.File(path, "a") as file:
        file["cases/one"].attrs["viscosity"] = 0.7
    with pytest.raises(DataError, match="content hash"):
        open_flow_file(path)
    path = write(tmp_path / "g.h5", fields)
    with h5py.File(path, "a") as file:
        file["cases/one/more"] = np.zeros(3)
    with pytest.raises(DataError, match="more"):
        open_flow_file(path)

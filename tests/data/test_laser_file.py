"""Files of generated tracks: reproducible, complete, and true to the physics that they promise."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from lasernet.data.generate import generate
from lasernet.data.layout import create_file, open_file
from lasernet.data.verify import verify_file
from lasernet.errors import DataError
from lasernet.simulate.ipf import ipf_colors

SMALL = {"cells": (30, 12, 8), "spacing": 8e-6, "frames": 5, "power": (40.0, 60.0)}


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generate("laser", tmp_path_factory.mktemp("laser") / "two.h5", n=2, seed=3, **SMALL)


def test_more_cases_begin_with_the_same_ones_however_many_processes(two: Path, tmp_path: Path) -> None:
    alone = generate("laser", tmp_path / "one.h5", n=1, seed=3, **SMALL)
    with open_file(two) as many, open_file(alone) as one:
        assert list(many.cases) == ["case-0000", "case-0001"]
        assert many.cases["case-0000"].content_hash == one.cases["case-0000"].content_hash
        assert many.cases["case-0000"].group != many.cases["case-0001"].group


@pytest.mark.usefixtures("one_core")
def test_equal_options_and_seed_give_an_equal_hash_and_others_another(two: Path, tmp_path: Path) -> None:
    with open_file(two) as file:
        for seed in (3, 4):
            with open_file(generate("laser", tmp_path / f"{seed}.h5", n=2, seed=seed, **SMALL)) as again:
                assert (again.content_hash == file.content_hash) == (seed == 3)


def test_every_check_of_the_file_holds(two: Path) -> None:
    checks = {str(check["name"]): check for check in verify_file(two)}
    assert all(check["ok"] for check in checks.values())
    assert checks["case-0000/solid cells above liquidus"]["tolerance"] == 0
    assert "case-0000/molten cells below liquidus - ΔT(V)" in checks


def test_orientations_explain_the_colors(two: Path) -> None:
    with open_file(two) as file:
        case = file.cases["case-0001"]
        assert case.orientations is not None
        table = np.rint(255 * ipf_colors(case.orientations, case.ipf_key))
        table[0] = 0
        ids, colors = case.frame("grain_id", 4), case.frame("ipf", 4)
        assert (ids == 0).any()
        np.testing.assert_array_equal(np.moveaxis(table[ids], -1, 0), colors)


def test_what_was_drawn_is_kept(two: Path) -> None:
    with open_file(two) as file:
        drawn = [case.provenance["drawn"] for case in file.cases.values()]
        assert [case.provenance["case"] for case in file.cases.values()] == [0, 1]
    assert drawn[0] != drawn[1]
    assert all(40 <= one["power"] <= 60 for one in drawn)  # type: ignore[index]


def test_orientations_survive_frames_that_come_in_another_order(tmp_path: Path) -> None:
    with create_file(tmp_path / "turned.h5") as out:
        axes: dict[str, list[float]] = {"x": [0, 1e-6], "y": [0, 1e-6], "z": [-1e-6, 0], "t": [0, 1e-6]}
        case = out.add_case("a", **axes, material="316L", solidus=1696.5, liquidus=1723, fields=["grain_id"])  # type: ignore[arg-type]
        for index in (1, 0):
            case.write_frame(index, grain_id=np.full((2, 2, 2), index + 1))
        case.write_orientations(np.array([[1.0, 0, 0, 0], [0.6, 0.8, 0, 0], [0, 1, 0, 0]]))
    with open_file(tmp_path / "turned.h5") as file:
        assert file.cases["a"].orientations is not None
        np.testing.assert_array_equal(file.cases["a"].orientations[1], [0.6, 0.8, 0, 0])
    assert all(check["ok"] for check in verify_file(tmp_path / "turned.h5"))


def test_orientations_that_are_no_rotations_are_refused(tmp_path: Path) -> None:
    with create_file(tmp_path / "one.h5") as out:
        axes: dict[str, list[float]] = {"x": [0, 1e-6], "y": [0, 1e-6], "z": [-1e-6, 0], "t": [0]}
        case = out.add_case("a", **axes, material="316L", solidus=1696.5, liquidus=1723, fields=["grain_id"])  # type: ignore[arg-type]
        with pytest.raises(DataError, match="unit quaternions"):
            case.write_orientations(np.ones((3, 4)))
        case.write_frame(0, grain_id=np.ones((2, 2, 2), dtype=int))


def test_a_file_whose_orientations_were_changed_is_found_out(two: Path, tmp_path: Path) -> None:
    changed = tmp_path / "changed.h5"
    changed.write_bytes(two.read_bytes())
    with h5py.File(changed, "r+") as file:
        file["cases/case-0000/orientation"][1] = (0, 0, 0, 1)
    assert [check["name"] for check in verify_file(changed) if not check["ok"]] == ["case-0000/hash"]
    with h5py.File(changed, "r+") as file:
        del file["cases/case-0000/orientation"]
        file["cases/case-0000/orientation"] = np.zeros((4, 3))
    with pytest.raises(DataError, match="orientation"):
        open_file(changed)

"""What ``data info`` and ``data verify`` say of one file."""

import json
import shutil

import h5py
import numpy as np
import pytest

from lasernet.data import structure
from lasernet.data.bundled import bundled_track
from lasernet.data.inspect import describe
from lasernet.data.layout import create_file, open_file
from lasernet.data.materials import MATERIALS, find_material
from lasernet.data.verify import verify_file
from lasernet.errors import DataError, OptionError


def solidifying(path):
    """Three cells per frame turn solid: below, inside and above the front band; the rest never melts."""
    shape = (2, 3, 2)
    with create_file(path) as out:
        case = out.add_case(
            "a", x=[0, 1], y=[0, 1, 2], z=[0, 1], t=[0, 1e-5], material="steel-1620", solidus=1560, liquidus=1620
        )
        ids = np.ones(shape, dtype=np.int32)
        ids[0, :, 0] = 0
        temperature = np.full(shape, 400.0)
        ipf = np.where(ids, 100, 0).astype(np.uint8) * np.ones((9, 1, 1, 1), dtype=np.uint8)
        case.write_frame(0, temperature=temperature, ipf=ipf, grain_id=ids)
        temperature[0, :, 0] = 1500, 1600, 1700
        ipf[...], ids[...] = 100, 1
        case.write_frame(1, temperature=temperature, ipf=ipf, grain_id=ids)
    return path


def test_newly_solid_cells_are_counted_by_the_front_band(tmp_path):
    case = describe(solidifying(tmp_path / "a.h5"))["cases"][0]
    assert case["newly_solid"] == {
        "cells": 3,
        "in_front": 1,
        "share_in_front": pytest.approx(1 / 3),
        "below_front": 1,
        "above_front": 1,
    }
    assert (case["valid_cells"], case["solid_cells"]) == (24, 21)


def test_a_description_is_json_and_has_units_and_ranges(tmp_path):
    told = json.loads(json.dumps(describe(solidifying(tmp_path / "a.h5")), allow_nan=False))
    case = told["cases"][0]
    assert case["fields"]["temperature"] == {
        "dtype": "float32",
        "shape": [2, 2, 3, 2],
        "unit": "K",
        "range": [400.0, 1700.0],
    }
    assert case["fields"]["ipf"]["range"] == [0.0, pytest.approx(100 / 255)]
    assert (case["time_step"], case["front"], case["spacing"]["x"]) == (1e-5, [1560.0, 1620.0], 1.0)


def test_the_bundled_track_is_sound_and_small():
    assert bundled_track().stat().st_size <= 3 << 20
    assert all(check["ok"] for check in verify_file(bundled_track()))
    case = describe(bundled_track())["cases"][0]
    assert (case["material"], case["liquidus"], case["front"]) == ("316L", 1723.0, [1663.0, 1723.0])
    assert 0.4 < case["newly_solid"]["share_in_front"] < 0.8


def test_a_changed_cell_fails_the_hash_only(tmp_path):
    path = solidifying(tmp_path / "a.h5")
    with h5py.File(path, "r+") as file:
        file["cases/a/temperature"][1, 1, 1, 1] = 401.0
    failed = [check["name"] for check in verify_file(path) if not check["ok"]]
    assert failed == ["a/hash"]


@pytest.mark.parametrize(
    ("field", "value", "name"),
    [("temperature", -5.0, "a/temperature/impossible cells"), ("ipf", 7, "a/molten cells with a color")],
)
def test_impossible_values_are_counted(tmp_path, field, value, name):
    path = solidifying(tmp_path / "a.h5")
    with h5py.File(path, "r+") as file:
        file[f"cases/a/{field}"][..., 0, :, 0] = value
    found = {check["name"]: check for check in verify_file(path)}
    assert not found[name]["ok"]
    assert found[name]["value"] > 0


def test_damaged_values_are_one_error(tmp_path):
    path = tmp_path / "a.h5"
    shutil.copy(bundled_track(), path)
    with open_file(path) as file, h5py.File(path) as plain:
        chunk = plain["cases/exaca-316l/temperature"].id.get_chunk_info(3)
        assert file.cases["exaca-316l"].frame("temperature", 0).shape == (96, 24, 24)
    data = bytearray(path.read_bytes())
    data[chunk.byte_offset + chunk.size // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(DataError, match="damaged"):
        verify_file(path)


def test_materials_have_their_front_below_the_liquidus():
    assert find_material("316l").front == (1663.0, 1723.0)
    assert find_material("steel-1620").front == (1560.0, 1620.0)
    assert all(material.solidus < material.liquidus and material.source for material in MATERIALS.values())
    with pytest.raises(OptionError, match="IN625"):
        find_material("IN725")


def test_irregularity_is_in_steps():
    assert structure.irregularity(np.array([0.0, 1, 2, 3])) == 0
    assert structure.irregularity(np.array([0.0, 1.1, 2])) == pytest.approx(0.1)
    assert structure.irregularity(np.array([0.0, 0, 1])) == np.inf

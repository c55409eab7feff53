"""Regions of a frame: each by its definition, cell by cell."""

from itertools import product

import pytest
import torch

from lasernet.physics.solidification import REGIONS, may_freeze, regions

LIQUIDUS = 1700.0
CASES = list(product([True, False], [True, False], [1600.0, 1640.0, 1699.0, 1700.0, 1799.0, 1800.0], [True, False]))


def row_of_cells():
    molten, later, temperature, valid = (torch.tensor(column) for column in zip(*CASES, strict=True))
    image = (1, 1, 1, len(CASES))
    return {
        "molten": (molten & valid).reshape(1, *image).expand(1, 2, *image[1:]),
        "target_molten": (later & valid).reshape(image),
        "future_temperature": temperature.reshape(image),
        "mask": valid.reshape(image),
        "liquidus": torch.tensor([LIQUIDUS]),
        "front_low": torch.tensor([1640.0]),
        "front_high": torch.tensor([1700.0]),
    }


def test_every_kind_of_cell_lies_in_the_regions_of_the_definitions():
    found = regions(row_of_cells())
    assert tuple(found) == REGIONS
    for column, (molten, later, temperature, valid) in enumerate(CASES):
        newly_solid = molten and not later and valid
        expected = {
            "all": valid,
            "active": newly_solid or (molten and valid and temperature < LIQUIDUS + 100),
            "front": valid and 1640 <= temperature <= 1700,
            "newly_solid": newly_solid,
        }
        assert {name: bool(mask[0, 0, 0, column]) for name, mask in found.items()} == expected


def test_the_last_context_frame_decides_what_was_molten():
    batch = row_of_cells()
    first, last = torch.ones_like(batch["molten"][:, :1]), torch.zeros_like(batch["molten"][:, :1])
    batch["molten"] = torch.cat([first, last], dim=1)
    assert not regions(batch)["newly_solid"].any()


def test_each_item_has_its_own_liquidus():
    molten = torch.ones(2, 1, 1, 1, dtype=torch.bool)
    temperature = torch.full((2, 1, 1, 1), 1650.0)
    assert may_freeze(molten, temperature, torch.tensor([1700.0, 1500.0])).flatten().tolist() == [True, False]


@pytest.mark.parametrize("region", REGIONS)
def test_no_region_reaches_beyond_the_mask(region):
    batch = row_of_cells()
    batch["mask"] = torch.zeros_like(batch["mask"])
    assert not regions(batch)[region].any()

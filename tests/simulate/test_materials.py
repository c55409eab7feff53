"""Materials: values that a mistaken unit would change, growth laws and their inverse, one table for all."""

import dataclasses

import numpy as np
import pytest

from lasernet.data import materials as data_materials
from lasernet.errors import OptionError
from lasernet.simulate.materials import MATERIALS, find_material

EVERY = pytest.mark.parametrize("name", sorted(MATERIALS))


def test_steel_at_room_temperature_conducts_and_stores_heat_as_steel_does() -> None:
    steel = find_material("316L")
    assert 13 < steel.conductivity(300.0) < 15
    assert 480 < steel.heat_capacity(300.0) < 510


@EVERY
def test_what_melts_first_boils_last(name: str) -> None:
    material = MATERIALS[name]
    assert 300 < material.solidus < material.liquidus < material.boiling
    assert material.front == (material.liquidus - 60, material.liquidus)
    assert all([material.source, material.heat_source, material.growth.source])
    assert 0.04 < material.molar_mass < 0.07


@EVERY
def test_properties_are_continuous_and_those_of_the_phases_outside_of_the_mushy_zone(name: str) -> None:
    material = MATERIALS[name]
    at = np.linspace(300, 3000, 100_001)
    for values in (material.conductivity(at, liquid_factor=2.0), material.heat_capacity(at)):
        slope = np.abs(np.diff(values)).max() / (at[1] - at[0])
        assert slope * (material.liquidus - material.solidus) < 1.5 * np.ptp(values) + 5
        assert values.min() > 0
    hot = material.liquidus + 1
    assert material.conductivity(hot, liquid_factor=2.0) == pytest.approx(2 * material.conductivity(hot))
    np.testing.assert_array_equal(
        material.liquid_fraction([300, material.solidus, material.liquidus, 3000]), [0, 0, 1, 1]
    )


@EVERY
def test_undercooling_is_the_inverse_of_velocity(name: str) -> None:
    law = MATERIALS[name].growth
    cold = np.linspace(0, 200, 41)
    np.testing.assert_allclose(law.undercooling(law.velocity(cold)), cold, atol=1e-9)
    fast = np.array([[0.0, 0.01], [0.1, 0.8]])
    np.testing.assert_allclose(law.velocity(law.undercooling(fast)), fast, rtol=1e-12, atol=1e-15)


@EVERY
def test_growth_never_slows_with_undercooling_and_stops_at_liquidus(name: str) -> None:
    law = MATERIALS[name].growth
    velocity = law.velocity(np.linspace(-100, 1500, 3201))
    assert (np.diff(velocity) >= 0).all()
    assert (velocity[:201] == 0).all()
    assert (velocity[201:] > 0).all()
    assert float(law.velocity(10.0)) == law.velocity(np.array([10.0]))[0]


def test_a_velocity_beyond_the_law_is_refused() -> None:
    law = MATERIALS["IN625"].growth
    with pytest.raises(OptionError, match="as fast as"):
        law.undercooling(100.0)
    with pytest.raises(OptionError, match="expected 0 to"):
        law.undercooling([0.1, -0.1])


def test_the_steel_of_another_band_is_316l_in_all_else() -> None:
    steel, other = MATERIALS["316L"], MATERIALS["steel-1620"]
    assert (other.solidus, other.liquidus) == (1560.0, 1620.0)
    own = {"name", "solidus", "liquidus", "source", "heat_source", "growth"}
    differ = {
        field.name for field in dataclasses.fields(steel) if getattr(steel, field.name) != getattr(other, field.name)
    }
    assert differ == own
    assert (steel.growth.liquidus, other.growth.liquidus) == (1723.0, 1620.0)
    assert other.growth.coefficients == steel.growth.coefficients


def test_files_and_generators_know_the_same_materials() -> None:
    assert list(data_materials.MATERIALS) == list(MATERIALS)
    for name, material in data_materials.MATERIALS.items():
        known = find_material(name.lower())
        assert (material.solidus, material.liquidus, material.front) == (known.solidus, known.liquidus, known.front)


def test_an_unknown_material_is_refused_with_a_suggestion() -> None:
    with pytest.raises(OptionError, match="IN625"):
        find_material("IN718")

"""Laws of flows on faces, from fields made for them."""

import numpy as np
import pytest

from lasernet.physics.flow import at_centers, divergence, divergence_ratio, flux_spread, open_faces, permeability, slip

SPACING = (2.0, 3.0, 5.0)  # x, y, z


def test_the_divergence_of_a_curl_is_zero_and_that_of_a_source_is_its_strength() -> None:
    potential = np.random.default_rng(0).normal(size=(3, 4, 5, 6))  # on the edges along each component

    def step(values: np.ndarray, component: int) -> np.ndarray:
        return (np.roll(values, -1, 2 - component) - values) / SPACING[component]

    turns = [((a + 1) % 3, (a + 2) % 3) for a in range(3)]
    curl = np.stack([step(potential[c], b) - step(potential[b], c) for b, c in turns])
    assert np.abs(divergence(curl, SPACING)).max() < 1e-12
    assert divergence_ratio(curl, SPACING) < 1e-12
    source = np.zeros((3, 4, 5, 6))
    source[0, 1, 2, 3] = 8.0  # flows out of cell x=2 into cell x=3
    found = divergence(source, SPACING)
    assert (found[1, 2, 2], found[1, 2, 3]) == (4.0, -4.0)
    assert np.count_nonzero(found) == 2
    assert divergence_ratio(source, SPACING) > 0.5


def test_a_center_lies_between_the_lower_face_of_its_cell_and_that_of_the_next_one() -> None:
    velocity = np.zeros((3, 2, 3, 4))
    for part, axis in enumerate((2, 1, 0)):
        velocity[part] = np.arange(velocity.shape[1 + axis]).reshape([-1 if a == axis else 1 for a in range(3)])
    found = at_centers(velocity)
    assert found[0, 0, 0].tolist() == [0.5, 1.5, 2.5, 1.5]  # the last one wraps around
    assert found[1, 0, :, 0].tolist() == [0.5, 1.5, 1.0]
    assert found[2, :, 0, 0].tolist() == [0.5, 0.5]
    assert found.mean(axis=(1, 2, 3)) == pytest.approx(velocity.mean(axis=(1, 2, 3)))


def test_a_face_is_open_between_two_fluid_cells_only_and_the_cell_is_periodic() -> None:
    fluid = np.ones((2, 3, 4), dtype=np.bool_)
    fluid[1, 2, 0] = False
    faces = open_faces(fluid)
    closed = [tuple(place) for place in np.argwhere(~faces).tolist()]
    assert closed == [(0, 1, 2, 0), (0, 1, 2, 1), (1, 1, 0, 0), (1, 1, 2, 0), (2, 0, 2, 0), (2, 1, 2, 0)]


def test_slip_flux_and_permeability_by_their_definitions() -> None:
    fluid = np.ones((1, 4, 2), dtype=np.bool_)
    fluid[0, 0] = False
    velocity = np.zeros((3, 1, 4, 2))
    velocity[0, 0] = [[0.0, 0.0], [1.0, 1.0], [2.0, 2.0], [1.0, 1.0]]
    assert slip(velocity, fluid) == 0.0
    assert flux_spread(velocity, 0) == 0.0
    assert permeability(velocity, viscosity=0.5, gradient=10.0) == pytest.approx((0.05, 0.0, 0.0))
    velocity[0, 0, 0, 0] = 3.0
    closed = int((~open_faces(fluid)).sum())
    assert slip(velocity, fluid) == pytest.approx(np.sqrt(9 / closed) / (11 / 8))
    assert flux_spread(velocity, 0) == pytest.approx(1.5 / 5.5)

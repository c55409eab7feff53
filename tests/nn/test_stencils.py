"""Differences on faces are those of the solver's own; differences in centers are exact for polynomials."""

import numpy as np
import torch
from torch import Tensor

from lasernet.nn import stencils
from lasernet.physics import flow

SHAPE = (4, 5, 6)  # z, y, x
SPACING = torch.tensor([[2.0, 3.0, 5.0]], dtype=torch.float64)
FACES, CENTERS = torch.tensor([True]), torch.tensor([False])
SOME = torch.rand(1, 1, *SHAPE, generator=torch.Generator().manual_seed(0)) < 0.7
EVERY = torch.ones(1, 1, *SHAPE, dtype=torch.bool)
INNER = torch.zeros_like(EVERY)
INNER[..., 1:-1, 1:-1, 1:-1] = True


def random(channels: int = 3) -> Tensor:
    return torch.randn(1, channels, *SHAPE, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def coordinates() -> list[Tensor]:
    """Of the centers along x, y, z, (Z, Y, X)."""
    z, y, x = torch.meshgrid(*(torch.arange(count, dtype=torch.float64) for count in SHAPE), indexing="ij")
    return [place * size for place, size in zip((x, y, z), SPACING[0], strict=True)]


def test_on_faces_the_divergence_and_the_open_faces_are_those_of_the_solvers_grid() -> None:
    velocity = random()
    found = stencils.divergence(velocity, SPACING, FACES)[0, 0].numpy()
    np.testing.assert_allclose(found, flow.divergence(velocity[0].numpy(), (2.0, 3.0, 5.0)), atol=1e-13)
    assert np.array_equal(stencils.places(SOME, FACES)[0].numpy(), flow.open_faces(SOME[0, 0].numpy()))


def test_in_centers_flow_is_possible_in_fluid_cells() -> None:
    assert torch.equal(stencils.places(SOME, CENTERS), SOME.expand(1, 3, *SHAPE))


def test_in_centers_slopes_and_laplacians_of_polynomials_are_exact_inside() -> None:
    x, y, z = coordinates()
    velocity = torch.stack([x * x + y * z, 3 * y * y - x, x * y - 2 * z * z])[None]
    inside = INNER[0, 0]
    found = stencils.divergence(velocity, SPACING, CENTERS)[0, 0]
    torch.testing.assert_close(found[inside], (2 * x + 6 * y - 4 * z)[inside])
    found = stencils.laplacian(velocity, SPACING)[0]
    for component, value in enumerate((2.0, 6.0, -4.0)):
        torch.testing.assert_close(found[component][inside], torch.full_like(x, value)[inside])
    found = stencils.pressure_gradient((x * x + 2 * y - z * z)[None, None], SPACING, CENTERS)[0]
    for component, value in enumerate((2 * x, torch.full_like(x, 2.0), -2 * z)):
        torch.testing.assert_close(found[component][inside], value[inside])


def test_on_faces_the_pressure_gradient_is_the_step_across_the_face_and_adjoint_to_the_divergence() -> None:
    pressure, velocity = random(1), random()
    gradient = stencils.pressure_gradient(pressure, SPACING, FACES)
    assert gradient[0, 1, 2, 3, 4] == (pressure[0, 0, 2, 3, 4] - pressure[0, 0, 2, 2, 4]) / 3
    work = (gradient * velocity).sum() + (pressure * stencils.divergence(velocity, SPACING, FACES)).sum()
    assert abs(work) < 1e-12


def test_items_of_both_kinds_go_together() -> None:
    velocity, spacing = torch.cat([random(), 2 * random()]), SPACING.expand(2, 3)
    both = stencils.divergence(velocity, spacing, torch.tensor([True, False]))
    torch.testing.assert_close(both[:1], stencils.divergence(velocity[:1], spacing[:1], FACES))
    torch.testing.assert_close(both[1:], stencils.divergence(velocity[1:], spacing[1:], CENTERS))


def test_pairs_and_surrounded_places_end_at_the_border_unless_the_block_is_periodic() -> None:
    assert stencils.surrounded(EVERY, FACES).all()
    assert torch.equal(stencils.surrounded(EVERY, CENTERS), INNER)
    for component, dimension in enumerate((-1, -2, -3)):
        found = stencils.pairs(EVERY, component, CENTERS)
        assert stencils.pairs(EVERY, component, FACES).all()
        assert not found.select(dimension, 0).any()
        assert found.narrow(dimension, 1, EVERY.shape[dimension] - 1).all()


def test_a_solid_cell_takes_itself_and_its_neighbors() -> None:
    where = EVERY.clone()
    where[0, 0, 0, 2, 3] = False
    lost = [tuple(place) for place in torch.argwhere(~stencils.surrounded(where, FACES)[0, 0]).tolist()]
    assert sorted(lost) == [(0, 1, 3), (0, 2, 2), (0, 2, 3), (0, 2, 4), (0, 3, 3), (1, 2, 3), (3, 2, 3)]
    lost = [tuple(place) for place in torch.argwhere(~stencils.pairs(where, 2, FACES)[0, 0]).tolist()]
    assert lost == [(0, 2, 3), (1, 2, 3)]


def test_a_block_of_one_layer_has_neighbors_in_its_plane_only() -> None:
    layer = EVERY[:, :, :1]
    assert torch.equal(stencils.surrounded(layer, CENTERS)[0, 0, 0], INNER[0, 0, 1])
    assert stencils.surrounded(layer, FACES).all()
    plane = random()[:, :, :1]
    for faces in (FACES, CENTERS):
        assert not stencils.slope(plane, 2, SPACING, faces).any()

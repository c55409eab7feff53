"""The projection on velocities that a fluid can have: its laws, and what it leaves alone."""

import pytest
import torch
from velocity_batches import random_flows, solved_flow

from lasernet.nn.projection import project
from lasernet.nn.stencils import divergence, places


def case(dtype: torch.dtype = torch.float64) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Random velocities, fluid cells and spacings of two blocks."""
    batch = random_flows(dtype=dtype)
    return batch["velocity"], batch["mask"], batch["spacing"]


def faces(fluid: torch.Tensor) -> torch.Tensor:
    return torch.ones(len(fluid), dtype=torch.bool)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-4)])
def test_it_conserves_mass_rests_on_walls_and_carries_one_flux(dtype: torch.dtype, tolerance: float) -> None:
    velocity, fluid, spacing = case(dtype)
    found = project(velocity, fluid, spacing, tolerance=tolerance)
    open_faces = places(fluid, faces(fluid))
    assert found.dtype == dtype
    assert not found[~open_faces].any()
    before = divergence(velocity * open_faces, spacing, faces(fluid)).norm()
    assert divergence(found, spacing, faces(fluid)).norm() <= 3 * tolerance * before
    flux = found[:, 0].sum((1, 2))
    assert flux.std(1).max() <= 30 * tolerance * flux.abs().max()


def test_it_is_an_orthogonal_projection() -> None:
    velocity, fluid, spacing = case()
    once = project(velocity, fluid, spacing, tolerance=1e-13)
    torch.testing.assert_close(project(once, fluid, spacing, tolerance=1e-13), once, rtol=0, atol=1e-11)
    other = torch.randn(velocity.shape, generator=torch.Generator().manual_seed(1), dtype=velocity.dtype)
    image = project(other, fluid, spacing, tolerance=1e-13)
    assert float((image * (velocity - once)).sum()) == pytest.approx(0, abs=1e-9)  # at right angles
    assert float((image * velocity).sum()) == pytest.approx(float((other * once).sum()), abs=1e-9)  # symmetric


def test_it_leaves_a_solution_alone_and_never_leads_away_from_one() -> None:
    flow = solved_flow()
    truth, fluid, spacing = flow["velocity"], flow["mask"], flow["spacing"].double()
    found = project(truth, fluid, spacing)
    assert float((found - truth).norm() / truth.norm()) < 1e-6  # what the solver has left on walls
    noise = torch.randn(truth.shape, generator=torch.Generator().manual_seed(0), dtype=truth.dtype)
    noisy = truth + 0.1 * truth.std() * noise * places(fluid, faces(fluid))
    assert float((project(noisy, fluid, spacing) - truth).norm()) < float((noisy - truth).norm())


def test_it_scales_with_velocities_of_any_size_and_with_lengths() -> None:
    velocity, fluid, spacing = case(torch.float32)
    plain = project(velocity, fluid, spacing, tolerance=1e-5)
    tiny = project(1e-30 * velocity, fluid, 1e-7 * spacing, tolerance=1e-5)
    torch.testing.assert_close(1e30 * tiny, plain, rtol=1e-4, atol=1e-5)


def test_its_gradient_is_the_projection_itself() -> None:
    _, fluid, spacing = case()
    small = torch.randn(1, 3, 3, 4, 6, dtype=torch.float64, requires_grad=True)
    mask = fluid[:1, :, :3, :4, :6]
    assert torch.autograd.gradcheck(lambda x: project(x, mask, spacing[:1], tolerance=1e-14), (small,))


def test_blocks_without_fluid_without_walls_or_without_flow_are_answered() -> None:
    velocity, fluid, spacing = case()
    assert not project(velocity, torch.zeros_like(fluid), spacing).any()
    free = project(velocity, torch.ones_like(fluid), spacing)
    assert free.isfinite().all()
    torch.testing.assert_close(free.mean((2, 3, 4)), velocity.mean((2, 3, 4)))
    assert not project(torch.zeros_like(velocity), fluid, spacing).any()


def test_an_item_is_answered_alike_in_any_batch() -> None:
    velocity, fluid, spacing = case()
    alone = project(velocity[1:], fluid[1:], spacing[1:], tolerance=1e-12)
    torch.testing.assert_close(project(velocity, fluid, spacing, tolerance=1e-12)[1:], alone, rtol=0, atol=1e-10)

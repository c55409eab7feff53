"""Batches of flows for tests: random ones, in which nothing holds, and what a solver found; and what losses say."""

from functools import cache

import numpy as np
import torch
from torch import Tensor

from lasernet.losses.base import Loss
from lasernet.nn.stencils import places
from lasernet.registry import LOSSES
from lasernet.simulate.stokes import solve_stokes, voxel_walls

SPACING, GRADIENT, VISCOSITY = (2e-7, 3e-7, 9e-7), 1e5, 0.5  # m along x, y, z; Pa/m; Pa s


def random_flows(
    items: int = 2, layers: int = 3, rows: int = 12, columns: int = 18, dtype: torch.dtype = torch.float32
) -> dict[str, Tensor]:
    """Velocities of order one through random solids, on faces in items 0, 2, …, in centers in the others."""
    generator = torch.Generator().manual_seed(3)

    def random(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator, dtype=torch.float64).to(dtype)

    mask = random(items, 1, layers, rows, columns) < 0.9
    faces = torch.arange(items) % 2 == 0
    velocity = random(items, 3, layers, rows, columns) + torch.tensor([1.0, 0.0, 0.0], dtype=dtype).reshape(3, 1, 1, 1)
    velocity = torch.where(places(mask, faces), velocity, 0)
    return {
        "mask": mask,
        "velocity": velocity,
        "target": velocity,
        "pressure": torch.where(mask, random(items, 1, layers, rows, columns), 0),
        "spacing": torch.tensor([1.0, 1.5, 4.0], dtype=dtype).expand(items, 3),
        "gradient": torch.full((items,), 2.0, dtype=dtype),
        "viscosity": torch.full((items,), 0.5, dtype=dtype),
        "faces": faces,
        "item": torch.arange(items),
    }


@cache
def _solved() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fluid, velocity and pressure for a unit gradient and viscosity, around two blocks."""
    fluid = np.ones((6, 12, 16), dtype=np.bool_)
    fluid[1:4, 3:8, 4:9] = False
    fluid[4:, 9:, 12:] = False
    flow = solve_stokes(voxel_walls(fluid), SPACING[::-1], 2, tolerance=1e-9, most=2000)
    assert flow.converged
    return fluid, flow.velocity[::-1].copy(), flow.pressure


def solved_flow(dtype: torch.dtype = torch.float64) -> dict[str, Tensor]:
    """One flow on faces at the size of fibers: micrometers, and micrometers a second."""
    fluid, velocity, pressure = _solved()
    mask = torch.from_numpy(fluid)[None, None]
    speed = torch.from_numpy(GRADIENT / VISCOSITY * velocity)[None].to(dtype)
    return {
        "mask": mask,
        "velocity": speed,
        "target": speed,
        "pressure": torch.where(mask, torch.from_numpy(GRADIENT * pressure)[None, None].to(dtype), 0),
        "spacing": torch.tensor([SPACING], dtype=dtype),
        "gradient": torch.tensor([GRADIENT], dtype=dtype),
        "viscosity": torch.tensor([VISCOSITY], dtype=dtype),
        "faces": torch.tensor([True]),
        "item": torch.arange(1),
    }


def judge(name: str, prediction: Tensor, batch: dict[str, Tensor]) -> float:
    """A loss with its default options; its gradient is finite."""
    loss: Loss = LOSSES.get(name)()
    prediction = prediction.detach().clone().requires_grad_()
    found = loss(prediction, batch["target"], batch)
    found.backward()
    assert prediction.grad is not None
    assert prediction.grad.isfinite().all()
    return found.item()


def noisy(batch: dict[str, Tensor], share: float = 0.2) -> Tensor:
    """The target with noise of a share of its mean size in every cell."""
    target = batch["target"]
    noise = torch.randn(target.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return target + share * target.abs().mean() * noise.to(target)

"""The part of a velocity that a fluid can have: free of divergence, at rest on walls, the same flux everywhere.

Helmholtz and Hodge: of all fields on the open faces of a periodic block that conserve mass in every cell, the nearest
(in L2) differs from the given one by a gradient. The potential solves a Poisson equation whose walls are closed faces;
conjugate gradients find it, preconditioned by the same equation without walls, which Fourier transforms solve.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from lasernet.nn.stencils import COMPONENTS, dimension_of, per_item, places, step

MOST = 200  # iterations


def project(velocity: Tensor, fluid: Tensor, spacing: Tensor, *, tolerance: float = 1e-10) -> Tensor:
    """The nearest velocity that is 0 on closed faces and conserves mass; its own gradient is the same projection.

    Args:
        velocity: on lower faces, (B, 3, Z, Y, X), any unit.
        fluid: cells, bool, (B, 1, Z, Y, X).
        spacing: along x, y, z, (B, 3).
        tolerance: of what is left of the divergence, as a share of what was there (root mean squares); the type of
            ``velocity`` decides how small it can become.
    """
    projected: Tensor = _Projection.apply(velocity, fluid, spacing, tolerance)  # type: ignore[no-untyped-call]
    return projected


class _Projection(torch.autograd.Function):
    """A symmetric linear map: backward is forward."""

    @staticmethod
    def forward(ctx: Any, velocity: Tensor, fluid: Tensor, spacing: Tensor, tolerance: float) -> Tensor:
        ctx.save_for_backward(fluid, spacing)
        ctx.tolerance = tolerance
        return _project(velocity, fluid, spacing, tolerance)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        fluid, spacing = ctx.saved_tensors
        return _project(grads[0], fluid, spacing, ctx.tolerance), None, None, None


def _project(velocity: Tensor, fluid: Tensor, spacing: Tensor, tolerance: float) -> Tensor:
    kind = torch.float64 if velocity.dtype == torch.float64 else torch.float32
    everywhere = torch.ones(len(fluid), dtype=torch.bool, device=fluid.device)
    faces = places(fluid, everywhere).to(kind)
    sizes = (spacing / spacing.amin(dim=1, keepdim=True)).to(kind)
    flow = velocity.to(kind) * faces
    unit = _norm(flow).clamp(min=torch.finfo(kind).tiny)  # the squares of 1e-7 m/s would vanish in single precision
    flow = flow / unit
    residual = -_outflow(flow, sizes)
    wanted = (tolerance * _norm(residual)).clamp(min=8 * torch.finfo(kind).eps)  # below, only rounding is left
    inverse = _inverse_laplacian(fluid.shape[2:], sizes)
    potential = torch.zeros_like(residual)
    nearly = _without_walls(residual, inverse, fluid)
    direction, product = nearly, _dot(residual, nearly)
    for _ in range(MOST):
        going = (_norm(residual) > wanted) & (product > 0)
        if not bool(going.any()):
            break
        changed = -_outflow(_gradient(direction, sizes) * faces, sizes)
        curvature = _dot(direction, changed)
        going = going & (curvature > 0)
        length = torch.where(going, product / curvature, 0)
        potential = potential + length * direction
        residual = residual - length * changed
        nearly = _without_walls(residual, inverse, fluid)
        before, product = product, _dot(residual, nearly)
        direction = nearly + torch.where(going, product / before, 0) * direction
    return ((flow - _gradient(potential, sizes) * faces) * unit).to(velocity.dtype)


def _gradient(potential: Tensor, spacing: Tensor) -> Tensor:
    """On lower faces, (B, 3, Z, Y, X), of values in cells."""
    return torch.cat([step(potential, part, spacing) for part in range(COMPONENTS)], dim=1)


def _outflow(velocity: Tensor, spacing: Tensor) -> Tensor:
    """Divergence in cells, (B, 1, Z, Y, X), of velocities on lower faces."""
    rises = [step(velocity[:, c : c + 1], c, spacing).roll(-1, dimension_of(c)) for c in range(COMPONENTS)]
    return rises[0] + rises[1] + rises[2]


def _inverse_laplacian(shape: torch.Size, spacing: Tensor) -> Tensor:
    """Of minus the periodic Laplacian in Fourier space, (B, 1, Z, Y, X//2 + 1), 0 for the mean."""
    depth, height, width = shape
    total = spacing.new_zeros(len(spacing), 1, depth, height, width // 2 + 1)
    for component, count in enumerate((width, height, depth)):
        axis = dimension_of(component)
        angles = 2 * torch.pi * torch.arange(total.shape[axis], device=spacing.device, dtype=spacing.dtype) / count
        form = [-1 if axis == other else 1 for other in range(-5, 0)]
        total = total + (2 - 2 * angles.cos()).reshape(form) / per_item(spacing[:, component]) ** 2
    return torch.where(total > 0, 1 / total.clamp(min=torch.finfo(total.dtype).tiny), 0)


def _without_walls(residual: Tensor, inverse: Tensor, fluid: Tensor) -> Tensor:
    waves = torch.fft.rfftn(residual, dim=(-3, -2, -1)) * inverse
    found: Tensor = torch.fft.irfftn(waves, s=residual.shape[-3:], dim=(-3, -2, -1))
    return found * fluid


def _dot(first: Tensor, second: Tensor) -> Tensor:
    return (first * second).sum(dim=(1, 2, 3, 4), keepdim=True)


def _norm(values: Tensor) -> Tensor:
    """Root mean square of each item, (B, 1, 1, 1, 1)."""
    largest = values.abs().amax(dim=(1, 2, 3, 4), keepdim=True)
    scaled = values / torch.where(largest > 0, largest, 1)
    return largest * scaled.square().mean(dim=(1, 2, 3, 4), keepdim=True).sqrt()

"""Differences of flows between cells with solids in them, with the true spacing, for batches of both kinds of data.

Fields are (B, C, Z, Y, X), vectors have the components x, y, z. ``faces`` (B,) says of each item where its velocities
are: True for the lower faces of the cells, in a block that is periodic along every axis; False for the centers of the
cells, in a block of which nothing is known beyond its borders. Pressures are in the centers. ``spacing`` is (B, 3),
along x, y, z.

The differences themselves run around the block: which of them mean something, ``surrounded`` and ``pairs`` say.
Fields must be finite everywhere, so what lies in solids is set to 0 first. Harlow & Welch (1965), Phys. Fluids 8, 2182.
"""

from __future__ import annotations

import torch
from torch import Tensor

COMPONENTS = 3  # x, y, z


def dimension_of(component: int) -> int:
    """The dimension of (B, C, Z, Y, X) along which a component x, y, z points."""
    return -1 - component


def per_item(values: Tensor) -> Tensor:
    """(B,) → (B, 1, 1, 1, 1)."""
    return values.reshape(-1, 1, 1, 1, 1)


def places(fluid: Tensor, faces: Tensor) -> Tensor:
    """Where fluid can flow: on faces between two fluid cells, or in the fluid cells themselves.

    Args:
        fluid: bool, (B, 1, Z, Y, X).

    Returns:
        bool, (B, 3, Z, Y, X), for each component.
    """
    open_faces = [fluid & fluid.roll(1, dimension_of(part)) for part in range(COMPONENTS)]
    return torch.where(per_item(faces), torch.cat(open_faces, 1), fluid)


def pairs(where: Tensor, component: int, periodic: Tensor) -> Tensor:
    """Which places have a lower neighbor along a component that is one of the places too.

    Args:
        where: bool, (B, C, Z, Y, X).
        periodic: bool, (B,): whether the first place's lower neighbor is the last.
    """
    dimension = dimension_of(component)
    first = torch.zeros(where.shape[dimension], dtype=torch.bool, device=where.device)
    first[0] = True
    outside = first.reshape([-1, *(1 for _ in range(component))]) & ~per_item(periodic)
    return where & where.roll(1, dimension) & ~outside


def surrounded(where: Tensor, periodic: Tensor) -> Tensor:
    """Which places have all their neighbors among the places; a block of one layer has no neighbors across it.

    Args:
        where: bool, (B, C, Z, Y, X).
        periodic: bool, (B,).
    """
    found = where
    for component in range(COMPONENTS):
        dimension = dimension_of(component)
        if where.shape[dimension] > 1:
            lower = pairs(where, component, periodic)
            found = found & lower & lower.roll(-1, dimension)
    return found


def step(field: Tensor, component: int, spacing: Tensor) -> Tensor:
    """Difference to the lower neighbor along a component over their distance: the slope halfway between them."""
    return (field - field.roll(1, dimension_of(component))) / per_item(spacing[:, component])


def slope(velocity: Tensor, component: int, spacing: Tensor, faces: Tensor) -> Tensor:
    """Slope along a component in the cells: between a cell's lower and upper face, or between its two neighbors."""
    below = step(velocity, component, spacing)
    above = below.roll(-1, dimension_of(component))
    return torch.where(per_item(faces), above, (below + above) / 2)


def divergence(velocity: Tensor, spacing: Tensor, faces: Tensor) -> Tensor:
    """Of every cell, (B, 1, Z, Y, X), in the velocity's unit over the spacing's."""
    parts = [slope(velocity[:, part : part + 1], part, spacing, faces) for part in range(COMPONENTS)]
    return parts[0] + parts[1] + parts[2]


def pressure_gradient(pressure: Tensor, spacing: Tensor, faces: Tensor) -> Tensor:
    """Slopes of a field in the centers where the velocities are: (B, 1, Z, Y, X) → (B, 3, Z, Y, X)."""
    parts = []
    for part in range(COMPONENTS):
        below = step(pressure, part, spacing)
        centered = (below + below.roll(-1, dimension_of(part))) / 2
        parts.append(torch.where(per_item(faces), below, centered))
    return torch.cat(parts, 1)


def laplacian(field: Tensor, spacing: Tensor) -> Tensor:
    """Sum of the second differences along all three axes, channel by channel."""
    total = torch.zeros_like(field)
    for component in range(COMPONENTS):
        below = step(field, component, spacing)
        total = total + (below.roll(-1, dimension_of(component)) - below) / per_item(spacing[:, component])
    return total

"""The symmetries of creeping flow that is driven along +x: mirrors and shifts of whole batches of flows.

A flow in a mirrored geometry is the mirrored flow; mirrored along x, it is driven backward, and as creeping flow is
reversible, its negative is driven forward. So a mirror in x leaves the sign of v_x and turns those of v_y, v_z and the
pressure; a mirror in y turns v_y alone, one in z turns v_z alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from lasernet.nn.noise import uniform

Batch = dict[str, Tensor]
AXES = "xyz"
VECTOR = {"x": (1.0, -1.0, -1.0), "y": (1.0, -1.0, 1.0), "z": (1.0, 1.0, -1.0)}  # signs of components x, y, z
PRESSURE = {"x": -1.0, "y": 1.0, "z": 1.0}
STREAM = 7  # of the random numbers that choose symmetries


def mirrored(batch: Batch, axes: Sequence[str]) -> Batch:
    """The flows in geometries that are mirrored along some axes, driven along +x as before.

    Fields are (B, C, Z, Y, X): with three channels, velocities; named pressure, or a target of one channel,
    pressures; others (mask, distance) are moved only. ``permeability`` (B, 3) changes its signs with the velocity;
    what else belongs to an item stays. Velocities of items with ``faces`` (B,) are those on the lower faces of their
    cells: a mirror makes upper faces of these, so the component along the axis is moved on by one cell (these blocks
    are periodic).

    Args:
        axes: some of x, y, z.
    """
    for axis in axes:
        batch = {name: _mirrored(name, value, AXES.index(axis), batch["faces"]) for name, value in batch.items()}
    return batch


def rolled(batch: Batch, shifts: Sequence[int]) -> Batch:
    """The flows shifted around their periodic ends by so many cells along x, y, z."""
    if not any(shifts):
        return batch
    move = tuple(shifts)
    return {name: torch.roll(value, move, (-1, -2, -3)) if value.ndim == 5 else value for name, value in batch.items()}


def augmented(batch: Batch) -> Batch:
    """Each flow under symmetries of its own, chosen by its ``seed`` alone: mirrors in y and z.

    With ``faces``, also a mirror in x and any shift. A block that is not periodic has an inlet and an outlet, which
    need not be alike, so it is not mirrored along x.
    """
    chances = uniform(batch["seed"], 6, stream=STREAM).tolist()
    flows = [
        _transformed({name: value[i : i + 1] for name, value in batch.items()}, chance)
        for i, chance in enumerate(chances)
    ]
    return {name: torch.cat([flow[name] for flow in flows]) for name in batch}


def _transformed(flow: Batch, chance: Sequence[float]) -> Batch:
    """One flow, mirrored where one of the first three numbers is below a half, shifted by the shares that follow."""
    periodic = bool(flow["faces"])
    flow = mirrored(
        flow, [axis for axis, draw in zip(AXES, chance, strict=False) if draw < 0.5 and (periodic or axis != "x")]
    )
    if not periodic:
        return flow
    sides = flow["mask"].shape[:-4:-1]  # X, Y, Z
    return rolled(flow, [int(share * side) for share, side in zip(chance[3:], sides, strict=True)])


def _mirrored(name: str, value: Tensor, axis: int, faces: Tensor) -> Tensor:
    """One entry of a batch, mirrored along axis 0, 1, 2 for x, y, z."""
    if name == "permeability":
        return value * value.new_tensor(VECTOR[AXES[axis]])
    if value.ndim != 5:
        return value
    along = -1 - axis
    flipped = value.flip(along)
    if value.shape[1] == 3:
        on_faces = faces.view(-1, 1, 1, 1)
        moved = flipped[:, axis]
        parts = list(flipped.unbind(1))
        parts[axis] = torch.where(on_faces, moved.roll(1, along), moved)
        return torch.stack([sign * part for sign, part in zip(VECTOR[AXES[axis]], parts, strict=True)], dim=1)
    if name.startswith("pressure") or name == "target":
        return PRESSURE[AXES[axis]] * flipped
    return flipped

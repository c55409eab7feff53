"""Least squares over orientations: the crystal whose nine colors come nearest to given ones, from a start nearby."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lasernet.simulate.ipf import BYTE, ipf_colors
from lasernet.simulate.orientation import multiply

Floats = NDArray[np.float64]
ROUNDS = 12
DIFFERENCE = 1e-6  # rad, of forward differences: colors are straight on this scale, and rounding is 1e-10 of it
SMALLEST_STEP = 1e-7  # rad: a thousandth of what changes a byte
DAMPING = 1e-3  # of Levenberg and Marquardt, to begin with; a factor of 10 up or down with failure or success


def polish(starts: Floats, targets: Floats, key: str) -> tuple[Floats, Floats]:
    """Levenberg–Marquardt steps, all orientations at once.

    Args:
        starts: quaternions, (S, 4).
        targets: colors in [0, 1], (S, 9).
        key: the color key.

    Returns:
        Quaternions (S, 4), and the largest difference of their nine colors to the targets (S,).

    More, The Levenberg–Marquardt algorithm, Lecture Notes in Math. 630 (1978) 105, with the scaling of its section 6.
    """
    found = starts.copy()
    residual = _residual(found, targets, key)
    damping = np.full(len(found), DAMPING)
    active = np.arange(len(found))
    for _ in range(ROUNDS):
        if not len(active):
            break
        now, aim = found[active], targets[active]
        step = _step(now, aim, residual[active], damping[active], key)
        trial = turned(now, step)
        new = _residual(trial, aim, key)
        better = (new**2).sum(axis=1) < (residual[active] ** 2).sum(axis=1)
        found[active[better]], residual[active[better]] = trial[better], new[better]
        damping[active] *= np.where(better, 0.1, 10.0)
        active = active[np.linalg.norm(step, axis=1) > SMALLEST_STEP]
    return found, np.abs(ipf_colors(found, key) - targets).max(axis=1, initial=0.0)


def _step(now: Floats, aim: Floats, residual: Floats, damping: Floats, key: str) -> Floats:
    """A small turn in crystal coordinates for each orientation, (S, 3)."""
    columns = [(_residual(turned(now, turn), aim, key) - residual) / DIFFERENCE for turn in np.eye(3) * DIFFERENCE]
    jacobian = np.stack(columns, axis=-1)  # (S, 9, 3)
    normal = np.swapaxes(jacobian, 1, 2) @ jacobian
    diagonal = np.diagonal(normal, axis1=1, axis2=2)
    ridge = damping[:, None] * diagonal + 1e-12 + 1e-6 * diagonal.max(axis=1, keepdims=True)
    gradient = np.swapaxes(jacobian, 1, 2) @ residual[..., None]
    return np.asarray(-np.linalg.solve(normal + ridge[:, :, None] * np.eye(3), gradient)[..., 0])


def turned(quaternions: Floats, turn: Floats) -> Floats:
    """Orientations after a small turn (rad, in crystal coordinates), (S, 4); exact up to the cube of its angle."""
    small = np.concatenate([np.ones((*turn.shape[:-1], 1)), turn / 2], axis=-1)
    product = multiply(quaternions, small)
    return np.asarray(product / np.linalg.norm(product, axis=-1, keepdims=True))


def _residual(quaternions: Floats, targets: Floats, key: str) -> Floats:
    """Differences to be squared and summed, (S, 9).

    The root in ``tsl-sqrt`` is infinitely steep at 0. There p − t is replaced by (p² − t²)/(t + 1/255): as flat as it
    needs to be, and zero at the same place.
    """
    colors = ipf_colors(quaternions, key)
    if key == "tsl-sqrt":
        return np.asarray((colors**2 - targets**2) / (targets + BYTE))
    return np.asarray(colors - targets)

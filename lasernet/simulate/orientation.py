"""Orientations of cubic crystals: unit quaternions, rotation matrices, Bunge angles, symmetry, disorientation.

A quaternion (w, x, y, z) is the rotation that turns crystal axes into sample axes: the matrix times a vector in crystal
coordinates is that vector in sample coordinates. So an orientation q and q·s, with s one of the 24 rotations that map
the cubic lattice onto itself, are the same crystal; and t·q is the crystal turned by t in the sample. A quaternion and
its negative are the same rotation. Angles are in radians.
"""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation

from lasernet.errors import DataError, OptionError

Floats = NDArray[np.float64]
UNIT_NORM = 1e-4  # how far from 1 a stored norm may be: six digits and 32 bits stay far below
GIMBAL = 1e-9  # below it, sine or cosine of Φ/2 is 0 and only φ1 + φ2 or φ1 − φ2 is determined


def checked(quaternions: ArrayLike) -> Floats:
    """The quaternions as float64 of norm 1, (..., 4).

    Raises:
        DataError: if the last axis is not 4, or one is not finite or not of norm 1.
    """
    q = np.asarray(quaternions, dtype=np.float64)
    if q.ndim == 0 or q.shape[-1] != 4:
        raise DataError(f"orientations have the shape {q.shape}; expected (..., 4): quaternions (w, x, y, z)")
    norm = np.linalg.norm(q, axis=-1, keepdims=True)
    wrong = ~(np.abs(norm - 1) <= UNIT_NORM)
    if wrong.any():
        raise DataError(
            f"{int(wrong.sum())} of {wrong.size} quaternions are not of norm 1 (the first has {norm[wrong][0]:.6g}); "
            "expected unit quaternions (w, x, y, z); divide them by their norm"
        )
    return np.asarray(q / norm)


def random_orientations(count: int, generator: np.random.Generator) -> Floats:
    """Orientations that are uniform over all rotations, (count, 4): normal 4-vectors brought to norm 1, w ≥ 0.

    Raises:
        OptionError: if the count is negative.

    Muller, Comm. ACM 2 (1959) 19: a normal vector has no preferred direction; Shoemake, Graphics Gems III (1992) 124:
    the invariant measure of rotations is that of the unit sphere of quaternions.
    """
    if count < 0:
        raise OptionError(f"{count} orientations asked for; expected a count of at least 0; raise it")
    q = generator.standard_normal((count, 4))
    q /= np.linalg.norm(q, axis=1, keepdims=True)
    return np.where(q[:, :1] < 0, -q, q)


def multiply(first: ArrayLike, second: ArrayLike) -> Floats:
    """The rotation ``second`` followed by ``first``, broadcast over leading axes: (..., 4)."""
    p, q = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    w, x, y, z = np.moveaxis(p, -1, 0)
    a, b, c, d = np.moveaxis(q, -1, 0)
    return np.stack(
        [
            w * a - x * b - y * c - z * d,
            w * b + x * a + y * d - z * c,
            w * c - x * d + y * a + z * b,
            w * d + x * c - y * b + z * a,
        ],
        axis=-1,
    )


def inverse(quaternions: ArrayLike) -> Floats:
    """The opposite rotations, (..., 4)."""
    opposite: Floats = np.asarray(quaternions, dtype=np.float64) * np.array([1.0, -1.0, -1.0, -1.0])
    return opposite


def rotation_matrices(quaternions: ArrayLike) -> Floats:
    """Matrices from crystal to sample coordinates, (..., 3, 3): column k is crystal axis k seen in the sample.

    Raises:
        DataError: if one is no unit quaternion.
    """
    w, x, y, z = np.moveaxis(checked(quaternions), -1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def from_rotation_matrices(matrices: ArrayLike) -> Floats:
    """Quaternions with w ≥ 0 of right-handed orthonormal matrices (..., 3, 3) from crystal to sample: (..., 4).

    A file that lists the crystal axes row by row (ExaCA's does) holds the transposed matrices.

    Raises:
        DataError: if a matrix is no rotation.
    """
    m = np.asarray(matrices, dtype=np.float64)
    if m.shape[-2:] != (3, 3):
        raise DataError(f"rotation matrices have the shape {m.shape}; expected (..., 3, 3)")
    error = np.abs(m @ np.swapaxes(m, -1, -2) - np.eye(3)).max(axis=(-2, -1))
    wrong = ~((error <= UNIT_NORM) & (np.linalg.det(m) > 0))
    if wrong.any():
        raise DataError(
            f"{int(wrong.sum())} of {wrong.size} matrices are no rotations; "
            "expected orthonormal rows and determinant 1; check their order and scale"
        )
    if not m.size:
        return np.empty((*m.shape[:-2], 4))
    q: Floats = np.roll(Rotation.from_matrix(m.reshape(-1, 3, 3)).as_quat(), 1, axis=1)
    return np.where(q[:, :1] < 0, -q, q).reshape(*m.shape[:-2], 4)


def from_bunge_angles(angles: ArrayLike) -> Floats:
    """Quaternions of Bunge's Euler angles (φ1, Φ, φ2) in radians, (..., 3): turns about z, x, z; (..., 4).

    Bunge's passive matrix g, from sample to crystal, is the transposed of ``rotation_matrices``.
    Bunge, Texture Analysis in Materials Science (1982), ch. 2; Rowenhorst et al., Modelling Simul. Mater. Sci. Eng. 23
    (2015) 083501, with the sign for active rotations.

    Raises:
        DataError: if the last axis is not 3 or an angle is not finite.
    """
    a = np.asarray(angles, dtype=np.float64)
    if a.ndim == 0 or a.shape[-1] != 3 or not np.isfinite(a).all():
        raise DataError(f"Euler angles of shape {a.shape}; expected finite (..., 3): φ1, Φ, φ2 in radians")
    total, difference, half = (a[..., 0] + a[..., 2]) / 2, (a[..., 0] - a[..., 2]) / 2, a[..., 1] / 2
    q = np.stack(
        [
            np.cos(half) * np.cos(total),
            np.sin(half) * np.cos(difference),
            np.sin(half) * np.sin(difference),
            np.cos(half) * np.sin(total),
        ],
        axis=-1,
    )
    return np.where(q[..., :1] < 0, -q, q)


def bunge_angles(quaternions: ArrayLike) -> Floats:
    """Bunge's φ1 and φ2 in [0, 2π), Φ in [0, π], of quaternions: (..., 3). Where only one of φ1 ± φ2 exists, φ2 = 0.

    Raises:
        DataError: if one is no unit quaternion.
    """
    w, x, y, z = np.moveaxis(checked(quaternions), -1, 0)
    across, along = np.hypot(x, y), np.hypot(w, z)
    total, difference = np.arctan2(z, w), np.arctan2(y, x)
    difference = np.where(across < GIMBAL, total, difference)
    total = np.where(along < GIMBAL, difference, total)
    turn = 2 * np.pi
    first, second = np.mod(total + difference, turn), np.mod(total - difference, turn)
    first, second = (np.where(angle >= turn, 0.0, angle) for angle in (first, second))  # np.mod(-1e-17, turn) is turn
    return np.stack([first, 2 * np.arctan2(across, along), second], axis=-1)


def cubic_operators() -> Floats:
    """The 24 rotations that map a cube onto itself, the identity first, w ≥ 0: (24, 4)."""
    none = np.eye(4)
    quarter = [(none[i] + sign * none[k]) / np.sqrt(2) for i, k in combinations(range(4), 2) for sign in (1, -1)]
    third = [np.array([1.0, *signs]) / 2 for signs in product((1, -1), repeat=3)]
    return np.stack([*none, *quarter, *third])


def smallest_rotations(quaternions: ArrayLike) -> Floats:
    """The equivalent orientations q·s, s cubic, of the smallest rotation angle, w > 0: (..., 4).

    Equivalent orientations give one result, up to rounding; on the border of the zone several are smallest.

    Raises:
        DataError: if one is no unit quaternion.
    """
    q = checked(quaternions)
    operators = cubic_operators()
    best = np.abs(q @ inverse(operators).T).argmax(axis=-1)  # w of q·s
    turned = multiply(q, operators[best])
    return np.where(turned[..., :1] < 0, -turned, turned)


def disorientation(first: ArrayLike, second: ArrayLike) -> Floats:
    """Smallest angle that turns one crystal into another under the 24 cubic rotations, broadcast: (...) in [0, 1.0961].

    ``disorientation(q[:, None], q)`` are all pairs. With |w|, |x|, |y|, |z| of q1⁻¹q2 sorted as a ≥ b ≥ c ≥ d, the
    largest |w| among the equivalent rotations is that of a, (a + b)/√2 or (a + b + c + d)/2 which is largest.
    Two equal crystals give up to 5e-8, the resolution of an arc cosine at 1.

    Raises:
        DataError: if one is no unit quaternion.

    Grimmer, Acta Cryst. A30 (1974) 685, for the 24 × 24 × 2 equivalent descriptions of a cubic disorientation.
    """
    between = np.abs(multiply(inverse(checked(first)), checked(second)))
    between.sort(axis=-1)
    d, c, b, a = np.moveaxis(between, -1, 0)
    largest = np.maximum(np.maximum(a, (a + b) / np.sqrt(2)), (a + b + c + d) / 2)
    return np.asarray(2 * np.arccos(np.minimum(largest, 1.0)))

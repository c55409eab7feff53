"""From nine colors back to orientations, as far as that goes: up to four inequivalent ones explain the same colors.

A color gives the crystal direction along its sample axis only up to the 48 symmetries of the cube, so also up to its
sign. Reversing two of the three sample axes leaves a right-handed frame: turns of the crystal by 180° about sample X, Y
and Z change no color. Hence an angle between a true and a predicted orientation can be bounded from below
(``lower_bound_disorientation``), not measured, from colors.
"""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from lasernet.errors import DataError, OptionError
from lasernet.simulate.ipf import BYTE, KEYS, POLAR_KEYS, check_key, ipf_colors, numbers, unit_colors
from lasernet.simulate.ipf_polish import polish, turned
from lasernet.simulate.orientation import checked, disorientation, from_rotation_matrices, multiply, smallest_rotations

Floats = NDArray[np.float64]
SAME = np.radians(0.3)  # two answers this close are one: a step of 1/255 in a color turns a crystal by about as much
LARGEST_TOLERANCE = 0.05  # beyond it frames that are not orthogonal at all would be candidates
STUCK = 20.0  # times the tolerance: at most 14.3 was seen where descent ended in a kink beside a solution
COLORS_AT_ONCE = 256  # in the inverse: 48 × 2 frames and 48 third axes for each
REACH = 3.0  # rad per unit of color that a direction can be away: 2.6 was the most in 200,000 directions of each key
ROWS_AT_ONCE = 1 << 16  # in the search of the nearest palette color


def sample_variants(quaternions: ArrayLike) -> Floats:
    """The orientation and what turns by 180° about sample X, Y and Z make of it: (..., 4) → (..., 4 variants, 4).

    All four have the same nine ipf colors in every key.

    Raises:
        DataError: if one is no unit quaternion.
    """
    return multiply(np.eye(4), checked(quaternions)[..., None, :])


def lower_bound_disorientation(first: ArrayLike, second: ArrayLike) -> Floats:
    """Smallest disorientation among the orientations that have the same nine colors as these, in radians: (...).

    The minimum over 24 cubic rotations and four sample variants, which is all that colors can tell apart.

    Raises:
        DataError: if one is no unit quaternion.
    """
    return np.asarray(disorientation(np.asarray(first)[..., None, :], sample_variants(second)).min(axis=-1))


def orientations_of_colors(colors: ArrayLike, key: str = "tsl", *, tolerance: float = BYTE) -> list[Floats]:
    """All inequivalent orientations whose nine colors agree with the given ones within ``tolerance`` in each channel.

    Generically these are the four sample variants of one crystal, each listed by itself (nothing in the colors
    distinguishes them); fewer if a variant is the same crystal, more if another crystal looks alike: exactly so when
    the crystal is turned about <111> along sample [111], else within the tolerance. Each stands for all orientations
    around it that fit too: it is the one of least squares. Colors that no orientation has (predictions often, molten
    cells always) give an empty answer.

    Args:
        colors: (N, 9), bytes or numbers in [0, 1]: ipf-X, ipf-Y and ipf-Z, rgb each.
        key: which formula made the colors.

    Returns:
        N arrays of quaternions (K, 4), the best fit first.

    Raises:
        DataError: if the colors have another shape or range.
        OptionError: if there is no such key, or the tolerance is out of range.
    """
    check_key(key)
    rgb = unit_colors(np.atleast_2d(np.asarray(colors)), 9)
    if rgb.ndim != 2:
        raise DataError(f"colors have the shape {rgb.shape}; expected (N, 9): one row for each grain or cell")
    if not 0 < tolerance <= LARGEST_TOLERANCE:
        raise OptionError(f"a tolerance of {tolerance:g} in colors; expected above 0, at most {LARGEST_TOLERANCE:g}")
    found: list[Floats] = [np.empty((0, 4))] * len(rgb)
    solid = np.flatnonzero(rgb.reshape(-1, 3, 3).max(axis=2).min(axis=1) > 0)
    for start in range(0, len(solid), COLORS_AT_ONCE):
        part = solid[start : start + COLORS_AT_ONCE]
        rows, starts = _starts(directions_of_colors(rgb[part].reshape(-1, 3, 3), key), REACH * tolerance)
        answers, error = _polish_around(starts, rgb[part][rows], key, tolerance)
        for place, number in enumerate(part):
            mine = np.flatnonzero((rows == place) & (error <= tolerance))
            found[number] = _inequivalent(answers[mine[np.argsort(error[mine], kind="stable")]])
    return found


def directions_of_colors(colors: ArrayLike, key: str = "tsl") -> Floats:
    """The crystal directions with z ≥ x ≥ y ≥ 0 that have these colors, unit vectors: (..., 3) → (..., 3).

    Colors that the key does not contain give the direction of a similar one; black gives [001].

    Raises:
        DataError: if the colors have another shape or range.
        OptionError: if there is no such key.
    """
    check_key(key)
    rgb = unit_colors(colors, 3)
    if key in POLAR_KEYS:
        return POLAR_KEYS[key].directions(rgb)
    shares = rgb**2 if key == "tsl-sqrt" else rgb
    shares = np.where(shares.any(axis=-1, keepdims=True), shares, np.array([1.0, 0.0, 0.0]))
    y = shares[..., 2] / np.sqrt(3)
    x = y + shares[..., 1] / np.sqrt(2)
    vectors = np.stack([x, y, x + shares[..., 0]], axis=-1)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))


def detect_key(ipf: ArrayLike, orientations: ArrayLike) -> tuple[str, dict[str, float]]:
    """Which key made these colors of crystals whose orientations are known, and how far each key is from them.

    Args:
        ipf: (N, 9), bytes or numbers in [0, 1]; rows of nine zeros (molten) are left out.
        orientations: quaternions, (N, 4).

    Returns:
        The one key whose colors differ by at most 1/255 (root of the mean square), else "unknown": if no key fits, if
        several do (corners of the triangle have one color in all), or if nothing is solid. And that root of the mean
        square by key; nan if nothing is solid.

    Raises:
        DataError: if the shapes do not agree or are not these, or values are out of range.
    """
    rgb = unit_colors(ipf, 9)
    quaternions = np.asarray(orientations, dtype=np.float64)
    if rgb.ndim != 2 or quaternions.shape != (len(rgb), 4):
        raise DataError(
            f"colors of shape {rgb.shape} and orientations of shape {quaternions.shape}; expected one of each"
        )
    solid = rgb.any(axis=1)
    if not solid.any():
        return "unknown", dict.fromkeys(KEYS, float("nan"))
    known = checked(quaternions[solid])
    residual = {key: float(np.sqrt(np.mean((ipf_colors(known, key) - rgb[solid]) ** 2))) for key in KEYS}
    fitting = [key for key in KEYS if residual[key] <= BYTE]
    return fitting[0] if len(fitting) == 1 else "unknown", residual


def palette_distance(colors: ArrayLike, palette: ArrayLike) -> Floats:
    """Distance of each nine colors to the nearest of a palette, root of the mean square over channels: (...).

    With the colors of a case's solid grains as palette this is how implausible a prediction is, whatever the key: 0 for
    a crystal that is there, large for a mixture. The mean of two grains has half the distance between them.

    Args:
        colors: (..., 9), bytes or numbers; predictions may leave [0, 1].
        palette: (P, 9) likewise; repeated colors cost nothing.

    Raises:
        DataError: if the palette is empty, a shape is another, or a number is not finite.
    """
    known = np.unique(numbers(np.atleast_2d(np.asarray(palette)), 9), axis=0)
    if known.ndim != 2 or not len(known):
        raise DataError(
            "the palette holds no color; expected (P, 9) with at least one solid grain; choose another frame"
        )
    given = np.asarray(colors)
    tree = cKDTree(known)
    distance = np.empty(given.shape[:-1])
    rows, result = given.reshape(-1, given.shape[-1] if given.ndim else 1), distance.reshape(-1)
    for start in range(0, max(len(rows), 1), ROWS_AT_ONCE):
        part = numbers(rows[start : start + ROWS_AT_ONCE], 9)
        result[start : start + len(part)] = tree.query(part)[0] / 3  # nine channels
    return distance


def _cube_symmetries() -> Floats:
    """The 48 signed permutations of the axes, (48, 3, 3)."""
    return np.stack(
        [np.eye(3)[list(order)] * signs for order in permutations(range(3)) for signs in product((1, -1), repeat=3)]
    )


def _starts(directions: Floats, reach: float) -> tuple[NDArray[np.intp], Floats]:
    """Orientations that fit the directions up to ``reach`` rad in each, one of each group of almost equivalent ones.

    Returns:
        For each the row of ``directions`` it belongs to (S,), and the quaternion (S, 4).
    """
    rows, frames = _frames(directions, reach)
    quaternions = smallest_rotations(from_rotation_matrices(frames))
    cells = np.column_stack([rows, np.round(quaternions * 1e6)])
    _, first = np.unique(cells, axis=0, return_index=True)
    return rows[first], quaternions[first]


def _polish_around(starts: Floats, targets: Floats, key: str, tolerance: float) -> tuple[Floats, Floats]:
    """``polish``, and again from a cube of turned starts where it ends with an error somewhat above ``tolerance``.

    Colors have a kink where a direction crosses the side of the triangle, and descent can end in one.
    """
    answers, error = polish(starts, targets, key)
    turns = np.array(list(product((1.0, -1.0), repeat=3))) * REACH * tolerance / 4
    for turn in turns:
        failed = np.flatnonzero((error > tolerance) & (error <= STUCK * tolerance))
        again, closer = polish(turned(starts[failed], turn), targets[failed], key)
        better = closer < error[failed]
        answers[failed[better]], error[failed[better]] = again[better], closer[better]
    return answers, error


def _frames(directions: Floats, reach: float) -> tuple[NDArray[np.intp], Floats]:
    """Right-handed frames of equivalent directions that are orthogonal up to errors of ``reach`` rad in each.

    The first direction stays, up to its sign: that fixes one of 24 cubic rotations. The second is any of its 48 images
    at a right angle, the third must be an image near their cross product.

    Args:
        directions: of sample X, Y, Z in crystal coordinates, (N, 3, 3).

    Returns:
        For each frame the row of ``directions`` it belongs to (S,), and the matrix from crystal to sample (S, 3, 3).
    """
    symmetries = _cube_symmetries()
    first = directions[:, None, 0] * np.array([1.0, -1.0])[:, None]  # (N, 2, 3)
    second = np.einsum("sij,nj->nsi", symmetries, directions[:, 1])  # (N, 48, 3)
    third = np.einsum("sij,nj->nsi", symmetries, directions[:, 2])
    rows, sign, image = np.nonzero(np.abs(first @ np.swapaxes(second, 1, 2)) <= 2 * reach)
    a, b = first[rows, sign], second[rows, image]
    normal = np.cross(a, b)
    nearest = np.einsum("ci,csi->cs", normal, third[rows]).argmax(axis=1)
    c = third[rows, nearest]
    fits = np.linalg.norm(normal - c, axis=1) <= 4 * reach
    left, _, right = np.linalg.svd(np.stack([a, b, c], axis=1)[fits])
    return rows[fits], left @ right


def _inequivalent(quaternions: Floats) -> Floats:
    """The first of each group that is one crystal up to ``SAME``: (K, 4)."""
    kept: list[int] = []
    apart = disorientation(quaternions[:, None], quaternions) if len(quaternions) else np.empty((0, 0))
    for number in range(len(quaternions)):
        if not kept or apart[number, kept].min() > SAME:
            kept.append(number)
    return quaternions[kept]

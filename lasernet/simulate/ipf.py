"""Colors of inverse pole figures for cubic crystals (m-3m): which crystal direction lies along sample X, Y, Z.

A key maps a crystal direction, up to the 48 symmetries of the cube, to red, green and blue: the directions fill the
triangle [001], [101], [111], which is red, green and blue in its corners. Keys differ between the corners:

* ``tsl``: a ≥ b ≥ c, the sorted |h|, give (a − b, (b − c)·√2, c·√3) over the largest of the three, so each channel is
  the share of its corner when h is a sum of the three corners. The corners are exact.
* ``tsl-sqrt``: its square root, channel by channel, which is brighter inside.
* ``orix``: the TSL key of orix 0.15: white in the center; agreement 5e-5, the rounding of the values compared.
* ``exaca``: the colors that come with ExaCA's 10,000 orientations (github.com/LLNL/ExaCA, MIT license): light gray in
  the center, less room for the pure colors. These are the colors of MTEX's default key; agreement 5e-5.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lasernet.errors import DataError, OptionError
from lasernet.registry import suggestion
from lasernet.simulate.ipf_polar import PolarKey
from lasernet.simulate.orientation import rotation_matrices

Floats = NDArray[np.float64]
POLAR_KEYS = {
    "exaca": PolarKey(corners=(338, 610), stretched=True, gray=0.2, cosine=0.5),
    "orix": PolarKey(corners=(338, 611), stretched=False, gray=0.0, cosine=0.0),
}
KEYS = ("tsl", "tsl-sqrt", *POLAR_KEYS)
BYTE = 1 / 255


def ipf_colors(quaternions: ArrayLike, key: str = "tsl") -> Floats:
    """Colors of the crystal directions along sample X, Y and Z, in this order, rgb each: (..., 4) → (..., 9) in [0, 1].

    Turning the crystal by 180° about sample X, Y or Z changes none of the nine (``ipf_inverse.sample_variants``).

    Raises:
        DataError: if one is no unit quaternion.
        OptionError: if there is no such key.
    """
    matrices = rotation_matrices(quaternions)  # row i: sample axis i in crystal coordinates
    return direction_colors(matrices, key).reshape(*matrices.shape[:-2], 9)


def direction_colors(directions: ArrayLike, key: str = "tsl") -> Floats:
    """Colors of crystal directions of any length and sign: (..., 3) → (..., 3) in [0, 1].

    Raises:
        DataError: if a direction is zero or not finite.
        OptionError: if there is no such key.
    """
    check_key(key)
    triangle = to_triangle(directions)
    if key in POLAR_KEYS:
        return np.clip(POLAR_KEYS[key].colors(triangle), 0, 1)
    shares = corner_shares(triangle)
    rgb: Floats = shares / shares.max(axis=-1, keepdims=True)
    return np.sqrt(rgb) if key == "tsl-sqrt" else rgb


def check_key(key: str) -> None:
    """Refuse a key that has no formula.

    Raises:
        OptionError: naming the known ones.
    """
    if key not in KEYS:
        raise OptionError(f"no formula for the ipf key '{key}'; {suggestion(key, list(KEYS))}")


def to_triangle(directions: ArrayLike) -> Floats:
    """The equivalent unit vectors with z ≥ x ≥ y ≥ 0, the triangle [001], [101], [111]: (..., 3) → (..., 3).

    Raises:
        DataError: if a direction is zero or not finite.
    """
    h = np.asarray(directions, dtype=np.float64)
    if h.ndim == 0 or h.shape[-1] != 3:
        raise DataError(f"directions have the shape {h.shape}; expected (..., 3)")
    length = np.linalg.norm(h, axis=-1, keepdims=True)
    if not (np.isfinite(length) & (length > 0)).all():
        raise DataError("a crystal direction is zero or not finite; expected finite vectors of any positive length")
    return np.asarray(np.sort(np.abs(h / length), axis=-1)[..., [1, 0, 2]])


def corner_shares(triangle: Floats) -> Floats:
    """A unit vector of the triangle as a sum of [001], [101]/√2 and [111]/√3: the factors, (..., 3) → (..., 3)."""
    x, y, z = np.moveaxis(triangle, -1, 0)
    return np.stack([z - x, (x - y) * np.sqrt(2), y * np.sqrt(3)], axis=-1)


def unit_colors(colors: ArrayLike, channels: int) -> Floats:
    """Colors as float64 in [0, 1], bytes divided by 255: (..., channels).

    Raises:
        DataError: if the last axis has another length, or a number lies outside [0, 1].
    """
    rgb = numbers(colors, channels)
    if rgb.size and not (rgb.min() >= 0 and rgb.max() <= 1):
        raise DataError(
            f"colors run from {rgb.min():.6g} to {rgb.max():.6g}; expected bytes (uint8) or numbers in [0, 1]; "
            "scale or clip them"
        )
    return rgb


def numbers(colors: ArrayLike, channels: int) -> Floats:
    """Colors as float64 of any range, bytes divided by 255: (..., channels).

    Raises:
        DataError: if the last axis has another length, or a number is not finite.
    """
    given = np.asarray(colors)
    if given.ndim == 0 or given.shape[-1] != channels:
        raise DataError(f"colors have the shape {given.shape}; expected (..., {channels})")
    rgb = given.astype(np.float64) * (BYTE if given.dtype == np.uint8 else 1.0)
    if not np.isfinite(rgb).all():
        raise DataError(f"{int((~np.isfinite(rgb)).sum())} color values are not finite; expected numbers; repair them")
    return rgb

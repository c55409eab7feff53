"""Color keys with a bright center: hue from the azimuth around the center of the triangle, contrast from the distance.

The triangle [001], [101], [111] is described by polar coordinates around its center c, the normed sum of its corners:
the azimuth ρ is the direction in which c is left, from [001] by way of [101] and [111]; the radius r is the angle from
c over the angle D(ρ) from c to the side, so 1 on the sides. The hue advances with D(ρ), by a third between two corners.
Nolze & Hielscher, J. Appl. Cryst. 49 (2016) 1786, section 2.4.

Programs integrate D on ``SAMPLES`` azimuths, and a corner is a sample next to it. This moves pure green and blue a
little away from the corners (up to 0.009 in another channel), and is kept here so that colors agree with theirs.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
SAMPLES = 1000  # azimuths from 0 to 2π, both ends counted
PRIMARIES = (0.0, 0.3333, 0.6666)  # hues of red, green and blue that a stretched key passes faster
NARROWING = 200.0  # of the Gaussians around them: 1/e at 0.07 of the circle of hues
RADII = 4001  # entries of the table that inverts the contrast: linear interpolation is then exact to 1e-7
FIRST_AZIMUTH = 1e-9  # below it a direction lies toward [001], which is the end of the circle: pure red


@dataclass(frozen=True)
class PolarKey:
    """What such keys differ in.

    Attributes:
        corners: samples of the azimuth that stand for [101] and [111], which lie at 337.3 and 610.2.
        stretched: hues near red, green and blue are passed faster, those of yellow, cyan and magenta slower.
        gray: the brightest channel falls to 1 − gray/2 in the center.
        cosine: share of cos(πr/2) in the whiteness w(r), 1 in the center and 0 on the sides; the rest is 1 − r.
    """

    corners: tuple[int, int]
    stretched: bool
    gray: float
    cosine: float

    def colors(self, directions: Floats) -> Floats:
        """Colors of unit vectors in the triangle x ≥ y ≥ 0, z ≥ x: (..., 3) → (..., 3).

        The brightest channel is (1 + f)/2 with f = 1 − gray·w, and exceeds the darkest by the contrast f·(1 − w).
        """
        azimuth, radius = polar(directions)
        hue = np.interp(azimuth, _azimuths(), _hues(self.corners))
        if self.stretched:
            hue = np.interp(hue, *_stretch())
        wheel = np.stack([np.abs(6 * hue - 3) - 1, 2 - np.abs(6 * hue - 2), 2 - np.abs(6 * hue - 4)], axis=-1)
        brightest, contrast = self._lightness(radius)
        rgb: Floats = brightest[..., None] - contrast[..., None] * (1 - np.clip(wheel, 0, 1))
        return rgb

    def directions(self, colors: Floats) -> Floats:
        """The unit vectors in the triangle that have these colors: (..., 3) → (..., 3); gray is the center.

        Only hue and contrast are looked at: a color that the key does not contain gives the direction of a similar one.
        """
        contrast = colors.max(axis=-1) - colors.min(axis=-1)
        hue = _hue(colors, contrast)
        if self.stretched:
            grid, stretched = _stretch()
            hue = np.interp(hue, stretched, grid)
        azimuth = np.interp(hue, _hues(self.corners), _azimuths())
        grid = np.linspace(0, 1, RADII)
        radius = np.interp(contrast, self._lightness(grid)[1], grid)
        angle = (radius * distance_to_side(azimuth))[..., None]
        center, _, _ = _frame()
        vectors: Floats = np.cos(angle) * center + np.sin(angle) * _tangent(azimuth)
        return vectors

    def _lightness(self, radius: Floats) -> tuple[Floats, Floats]:
        """The brightest channel and the contrast."""
        white = (1 - self.cosine) * (1 - radius) + self.cosine * np.cos(np.pi / 2 * radius)
        fade = 1 - self.gray * white
        return (1 + fade) / 2, fade * (1 - white)


def polar(directions: Floats) -> tuple[Floats, Floats]:
    """Azimuth in (0, 2π] and radius in [0, 1] of unit vectors in the triangle: (..., 3) → twice (...)."""
    center, first, second = _frame()
    along, across = directions @ first, directions @ second
    azimuth = np.mod(np.arctan2(across, along), 2 * np.pi)
    azimuth = np.where(azimuth <= FIRST_AZIMUTH, 2 * np.pi, azimuth)
    angle = np.arctan2(np.hypot(along, across), directions @ center)
    return azimuth, np.minimum(angle / distance_to_side(azimuth), 1.0)


def distance_to_side(azimuth: Floats) -> Floats:
    """Angle from the center to the side of the triangle, in radians: (...).

    A great circle through c along the tangent t meets the plane of a side with inward normal n at tan D = −c·n/t·n.
    """
    center, _, _ = _frame()
    corners = _corners()
    normals = np.cross(corners, np.roll(corners, -1, axis=0))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True) * np.sign(normals @ center)[:, None]
    away = np.arctan2(normals @ center, -(_tangent(azimuth) @ normals.T))
    return np.asarray(away.min(axis=-1))


def _corners() -> Floats:
    corners = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 1.0], [1.0, 1.0, 1.0]])
    return np.asarray(corners / np.linalg.norm(corners, axis=1, keepdims=True))


def _frame() -> tuple[Floats, Floats, Floats]:
    """The center, the unit tangent there toward [001], and the one a quarter turn further."""
    corners = _corners()
    center = corners.sum(axis=0) / np.linalg.norm(corners.sum(axis=0))
    first = corners[0] - (corners[0] @ center) * center
    first /= np.linalg.norm(first)
    return center, first, np.cross(center, first)


def _tangent(azimuth: Floats) -> Floats:
    _, first, second = _frame()
    tangent: Floats = np.cos(azimuth)[..., None] * first + np.sin(azimuth)[..., None] * second
    return tangent


def _azimuths() -> Floats:
    return np.linspace(0, 2 * np.pi, SAMPLES)


@cache
def _hues(corners: tuple[int, int]) -> Floats:
    """Hue in [0, 1] at each sampled azimuth: the running sum of D, with the same total between all corners."""
    steps = distance_to_side(_azimuths()[:-1])
    for part in np.split(steps, corners):
        part /= 3 * part.sum()
    hues = np.append(0.0, np.cumsum(steps))
    hues.flags.writeable = False
    return hues


@cache
def _stretch() -> tuple[Floats, Floats]:
    """Hues on a grid and what they become: the running sum of a density with peaks at the primaries, (SAMPLES,) twice.

    The sum starts with its first term instead of 0, so hues jump by 0.0017 where the circle closes at red.
    """
    grid = np.linspace(0, 1, SAMPLES)
    away = np.mod(grid - np.array(PRIMARIES)[:, None] + 0.5, 1) - 0.5
    density = 0.5 + np.exp(-NARROWING * away**2).sum(axis=0)
    stretched = np.cumsum(density / density.sum())
    grid.flags.writeable = stretched.flags.writeable = False
    return grid, stretched


def _hue(colors: Floats, contrast: Floats) -> Floats:
    """Place on the circle red 0, green 1/3, blue 2/3, in [0, 1]; 0 for a gray."""
    red, green, blue = np.moveaxis(colors, -1, 0)
    width = np.where(contrast > 0, contrast, 1.0)
    places = [np.mod((green - blue) / width, 6), 2 + (blue - red) / width, 4 + (red - green) / width]
    sixths = np.choose(colors.argmax(axis=-1), places)
    return np.asarray(sixths / 6)

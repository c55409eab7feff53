"""The Voronoi generator against what is known exactly of it: laws of the tessellation, and brute force on images.

Mean values of the planar Poisson–Voronoi tessellation: Okabe, Boots, Sugihara & Chiu, Spatial Tessellations, 2nd ed.,
ch. 5. Variances of sides and areas: Brakke, Statistics of random plane Voronoi tessellations (1987).
Frequencies of sides, rounded: exact integrals exist (Calka, Adv. Appl. Prob. 35 (2003) 863); 320,000 cells made here
agree within 0.001.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial import Voronoi

from lasernet.simulate.tessellation import Cells, Floats, boundary_distance, voronoi_cells
from lasernet.simulate.voronoi import VoronoiStructures

CELLS = 40_000
SIDE_FREQUENCIES = {3: 0.0112, 4: 0.1068, 5: 0.2595, 6: 0.2947, 7: 0.1988, 8: 0.0901, 9: 0.0297}
ROUNDING = 1e-9  # px: far above the rounding of a distance in 64 bits, far below anything visible
Check = dict[str, object]


def check_voronoi() -> list[Check]:
    """Every check, each as {"name", "value", "reference", "tolerance", "ok"}."""
    return _check_cells() + _check_images()


def _check_cells() -> list[Check]:
    """Statistics of many cells, scaled to one seed per unit area.

    The tolerances of frequencies and variances are at least three standard errors of 40,000 cells.
    """
    period = np.sqrt(CELLS)
    cells = voronoi_cells(np.random.default_rng(0).uniform(0, period, (CELLS, 2)), period=period)
    sides = cells.sides
    found = [
        _check("area/sum", cells.area.sum() / CELLS, 1.0, 1e-9),
        _check("sides/mean", sides.mean(), 6.0, 1e-9),
        _check("sides/variance", sides.var(), 1.7808, 0.05),
        _check("area/variance", cells.area.var(), 0.280176, 0.02),
        _check("boundary length per area", cells.perimeter.sum() / 2 / CELLS, 2.0, 0.01),
        _check("side/mean length", cells.perimeter.sum() / sides.sum(), 2 / 3, 0.005),
    ]
    found += [_check(f"linear intercept/{name}", *row) for name, row in _intercepts(cells).items()]
    return found + [
        _check(f"sides/frequency of {count}", (sides == count).mean(), frequency, 0.01)
        for count, frequency in SIDE_FREQUENCIES.items()
    ]


def _intercepts(cells: Cells) -> dict[str, tuple[float, float, float]]:
    """Mean distance between crossings on lines along each axis: the area over the boundaries' extent across them.

    That is the mean over all parallel lines, so no line needs to be drawn. Each boundary is an edge of two cells.
    """
    extent = np.abs(cells.edges[:, 1] - cells.edges[:, 0]).sum(axis=0) / 2
    area = cells.area.sum()
    return {
        name: (float(area / across), np.pi / 4, 0.01)
        for name, across in (("along axis 0", extent[1]), ("along axis 1", extent[0]))
    }


def _check_images() -> list[Check]:
    """Pixels against all bisectors of all seeds, and against the polygons that the cells are."""
    checks = []
    for grains in (1, 2, 3, 30):
        for periodic in (True, False):
            structures = VoronoiStructures(size=24, grains=(grains,), periodic=periodic)
            seeds, period = structures.draw_seeds(np.random.default_rng(grains))
            points = np.random.default_rng(1).uniform(0, period, (500, 2))
            difference = np.abs(
                boundary_distance(points, seeds, period=period)[0] - all_bisectors(points, seeds, period)
            )
            name = f"distance/all bisectors/{'periodic' if periodic else 'free'}/{grains}"
            checks.append(_check(name, difference.max(), 0.0, ROUNDING))
    return [*checks, *_check_corners(), *_check_picture()]


def all_bisectors(points: Floats, seeds: Floats, period: float) -> Floats:
    """Distance to the boundary of a point's cell by looking at all seeds within 3.5 periods: (M,)."""
    shifts = np.stack(np.meshgrid(*[np.arange(-3, 4) * period] * 2), axis=-1).reshape(-1, 1, 2)
    copies = (seeds + shifts).reshape(-1, 2)
    result = np.empty(len(points))
    for row, point in enumerate(points):
        away = np.hypot(*(copies - point).T)
        own = int(away.argmin())
        others = np.arange(len(copies)) != own
        gap = np.hypot(*(copies[others] - copies[own]).T)
        result[row] = ((away[others] ** 2 - away[own] ** 2) / (2 * gap)).min()
    return result


def _check_corners() -> list[Check]:
    """Around triple points the distance is that to the nearest side of any cell, and 0 in the points themselves."""
    rng = np.random.default_rng(2)
    period, seeds = 64.0, rng.uniform(0, 64, (30, 2))
    shifts = np.stack(np.meshgrid(*[np.arange(-2, 3) * period] * 2), axis=-1).reshape(-1, 1, 2)
    diagram = Voronoi((seeds + shifts).reshape(-1, 2))
    ends = np.array([pair for pair in diagram.ridge_vertices if min(pair) >= 0])
    first, second = diagram.vertices[ends[:, 0]], diagram.vertices[ends[:, 1]]
    corners = diagram.vertices[((diagram.vertices > 2) & (diagram.vertices < period - 2)).all(axis=1)]
    near = corners + rng.normal(0, 0.5, corners.shape)
    along = second - first
    part = ((near[:, None] - first) * along).sum(-1) / (along**2).sum(-1)
    closest = first + np.clip(part, 0, 1)[..., None] * along
    exact = np.linalg.norm(near[:, None] - closest, axis=-1).min(axis=1)
    found = boundary_distance(near, seeds, period=period)[0]
    return [
        _check("distance/triple points", boundary_distance(corners, seeds, period=period)[0].max(), 0.0, ROUNDING),
        _check("distance/around triple points", np.abs(found - exact).max(), 0.0, ROUNDING),
    ]


def _check_picture() -> list[Check]:
    """Gray, labels and the wrapping of one default image."""
    structures = VoronoiStructures()
    seeds, period = structures.draw_seeds(np.random.default_rng(3))
    drawn = structures.render(seeds, period=period)
    axis = np.arange(structures.size) + 0.5
    pixels = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    gray = 1 - np.exp(-((all_bisectors(pixels, seeds, period) / structures.boundary_width) ** 2))
    error = np.abs(drawn.image.ravel() / 255 - gray).max()
    moved = structures.render((seeds + np.array([17, 45])) % period, period=period)
    rolled = np.roll(drawn.image, (17, 45), axis=(0, 1)).astype(int)
    return [
        _check("image/gray", error, 0.0, 0.5 / 255 + ROUNDING),
        _check("image/moved seeds move the image", np.abs(moved.image - rolled).max(), 0.0, 1.0),
        _check("image/grains", drawn.grains, len(seeds), 0.0),
        _check("image/labels", len(np.unique(drawn.labels)), len(seeds), 0.0),
    ]


def _check(name: str, value: float, reference: float, tolerance: float) -> Check:
    value = float(value)
    ok = bool(abs(value - reference) <= tolerance)
    return {"name": f"voronoi/{name}", "value": value, "reference": reference, "tolerance": tolerance, "ok": ok}

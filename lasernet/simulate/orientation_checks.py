"""Orientations and their colors against what is known exactly: Mackenzie's distribution, symmetries, round trips.

Mackenzie, Biometrika 45 (1958) 229. All draws have fixed seeds, so a check gives the same value each time.
"""

from __future__ import annotations

import numpy as np

from lasernet.simulate.ipf import BYTE, KEYS, direction_colors, ipf_colors
from lasernet.simulate.ipf_inverse import lower_bound_disorientation, orientations_of_colors, sample_variants
from lasernet.simulate.mackenzie import mackenzie, mackenzie_cumulative
from lasernet.simulate.orientation import (
    bunge_angles,
    cubic_operators,
    disorientation,
    from_bunge_angles,
    from_rotation_matrices,
    multiply,
    random_orientations,
    rotation_matrices,
)

PAIRS = 100_000
CRYSTALS = 1000  # for symmetries, each in 24 equivalent descriptions and four variants
INVERTED = 40  # for round trips through bytes, with each key
ROUNDING = 1e-12  # of a few operations on numbers of size 1, each with 1e-16
ARC_COSINE = 2e-7  # rad: an arc cosine at 1 resolves 5e-8 from numbers with 1e-16
STEEP = 1e-6  # of colors: the root in tsl-sqrt makes 1e-8 of a rounding of 1e-16
CORNERS = np.array([[0, 0, 1], [1, 0, 1], [1, 1, 1]])
Check = dict[str, object]


def check_orientation() -> list[Check]:
    """Every check, each as {"name", "value", "reference", "tolerance", "ok"}."""
    return [*_check_mackenzie(), *_check_rotations(), *_check_colors(), *_check_inverse()]


def _check_mackenzie() -> list[Check]:
    """Disorientations of random pairs, in degrees and shares, against the numbers of the exact density.

    Standard errors of 100,000 pairs: 0.036° of the mean, 0.025° of the deviation, 0.05 % of a share of 2.3 %; the
    tolerances are four of them. The largest of a sample misses the bound by more than 0.6° in one sample of a hundred,
    by the exact density. Kolmogorov's distance exceeds 1.63/√n in one sample of a hundred.
    """
    generator = np.random.default_rng(0)
    angle = np.sort(disorientation(random_orientations(PAIRS, generator), random_orientations(PAIRS, generator)))
    exact, degrees = mackenzie(), np.degrees(angle)
    ranks = np.arange(PAIRS) / PAIRS
    farthest = np.abs(mackenzie_cumulative(angle) - ranks).max()
    corner = np.append(np.sqrt(2) + 1, [1.0, 1.0, np.sqrt(2) - 1])  # Rodrigues vector (1, 1, √2 − 1)·tan 22.5°
    return [
        _check("mackenzie/mean", degrees.mean(), np.degrees(exact.mean), 0.15),
        _check("mackenzie/deviation", degrees.std(), np.degrees(exact.deviation), 0.1),
        _check("mackenzie/median", np.median(degrees), np.degrees(exact.median), 0.2),
        _check("mackenzie/below 15 degrees", (degrees < 15).mean(), exact.below_15, 0.002),
        _check("mackenzie/maximum", degrees.max(), np.degrees(exact.largest), 0.6),
        _check(
            "mackenzie/maximum/corner of the zone",
            np.degrees(float(disorientation(corner / np.linalg.norm(corner), np.eye(4)[0]))),
            np.degrees(exact.largest),
            1e-9,
        ),
        _check("mackenzie/distribution", farthest, 0.0, 1.63 / np.sqrt(PAIRS)),
    ]


def _check_rotations() -> list[Check]:
    """Matrices, Euler angles and the group of the cube."""
    q = random_orientations(CRYSTALS, np.random.default_rng(1))
    m, operators = rotation_matrices(q), cubic_operators()
    equivalent = multiply(q[:, None], operators)
    products = np.abs(multiply(operators[:, None], operators).reshape(-1, 1, 4) @ operators.T).max(axis=-1)
    there_and_back = from_bunge_angles(bunge_angles(q))
    return [
        _check("orthogonality", np.abs(m @ np.swapaxes(m, 1, 2) - np.eye(3)).max(), 0.0, ROUNDING),
        _check("determinant", np.abs(np.linalg.det(m) - 1).max(), 0.0, ROUNDING),
        _check("matrix/round trip", np.abs(from_rotation_matrices(m) - q).max(), 0.0, ROUNDING),
        _check("bunge/round trip", np.abs(there_and_back - q).max(), 0.0, ROUNDING),
        _check("symmetry/products stay in the group", 1 - products.min(), 0.0, ROUNDING),
        _check("symmetry/disorientation", disorientation(q[:, None], equivalent).max(), 0.0, ARC_COSINE),
    ]


def _check_colors() -> list[Check]:
    """Corners of the triangle, m-3m symmetry and the four-fold ambiguity of nine channels."""
    q = random_orientations(CRYSTALS, np.random.default_rng(2))
    equivalent, variants = multiply(q[:, None], cubic_operators()), sample_variants(q)
    checks = [
        _check(f"ipf/corners/{key}", np.abs(direction_colors(CORNERS, key) - np.eye(3)).max(), 0.0, tolerance)
        # Programs sample the hue: they leave pure green and blue by up to 0.009, as measured in orix.
        for key, tolerance in {"tsl": ROUNDING, "tsl-sqrt": STEEP, "exaca": 0.01, "orix": 0.01}.items()
    ]
    for key in KEYS:
        colors = ipf_colors(q, key)[:, None]
        symmetry = np.abs(ipf_colors(equivalent, key) - colors).max()
        ambiguity = np.abs(ipf_colors(variants, key) - colors).max()
        checks += [
            _check(f"ipf/m-3m symmetry/{key}", symmetry, 0.0, STEEP),
            _check(f"ipf/four-fold ambiguity/{key}", ambiguity, 0.0, STEEP),
        ]
    bound = lower_bound_disorientation(q[:, None], variants)
    return [*checks, _check("ipf/variants/lower bound", bound.max(), 0.0, ARC_COSINE)]


def _check_inverse() -> list[Check]:
    """From bytes to orientations: those found have the colors, and all four variants are among them.

    A byte is wrong by half a step, which turns a crystal by less than half a degree.
    """
    q = random_orientations(INVERTED, np.random.default_rng(3))
    checks = []
    for key in KEYS:
        stored = np.round(ipf_colors(q, key) / BYTE).astype(np.uint8)
        answers = orientations_of_colors(stored, key)
        residual = [
            np.abs(ipf_colors(a, key) - row * BYTE).max(initial=0.0) for a, row in zip(answers, stored, strict=True)
        ]
        missed = [
            disorientation(v[:, None], a).min(axis=1, initial=np.pi).max()
            for v, a in zip(sample_variants(q), answers, strict=True)
        ]
        checks += [
            _check(f"ipf/inverse/residual/{key}", max(residual), 0.0, BYTE),
            _check(f"ipf/inverse/four variants/{key}", np.degrees(max(missed)), 0.0, 0.5),
        ]
    return checks


def _check(name: str, value: float, reference: float, tolerance: float) -> Check:
    value, reference = float(value), float(reference)
    ok = bool(abs(value - reference) <= tolerance)
    return {
        "name": f"orientation/{name}",
        "value": value,
        "reference": reference,
        "tolerance": float(tolerance),
        "ok": ok,
    }

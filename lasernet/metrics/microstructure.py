"""Sets of microstructures, judged by their statistics: how far generated ones are from real ones."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lasernet.errors import DataError
from lasernet.metrics import correlations, distributions
from lasernet.metrics.distributions import Distribution, Numbers, mean_of, quotient
from lasernet.metrics.image_descriptors import per_image
from lasernet.metrics.set_descriptors import Descriptors, Images
from lasernet.physics.grains import equivalent_diameters

__all__ = ["FAMILIES", "Descriptors", "Family", "compare", "conditioning", "describe_sets", "per_image"]

Family = dict[str, float | None]


def describe_sets(
    generated: Images, real: Images, *, periodic: bool, requested: Numbers | None = None
) -> dict[str, Family]:
    """How far the statistics of generated images are from those of real ones, family by family.

    Args:
        generated, real: uint8, (N, H, W) of the same H and W.
        periodic: whether the images of both sets continue across opposite edges.
        requested: grain number that each generated image was asked to have, (N,).

    Returns:
        Plain numbers, None where nothing can be said, as docs/metrics.md lists them.

    Raises:
        DataError: if the sets cannot be compared.
    """
    return compare(
        Descriptors.of(generated, periodic=periodic), Descriptors.of(real, periodic=periodic), requested=requested
    )


def compare(generated: Descriptors, real: Descriptors, *, requested: Numbers | None = None) -> dict[str, Family]:
    """What ``describe_sets`` answers, from descriptors that were measured before.

    Raises:
        DataError: if sizes or periodicity differ, or if there is not one requested number per generated image.
    """
    if generated.shape[1:] != real.shape[1:] or generated.periodic != real.periodic:
        raise DataError(
            f"{_kind(generated)} cannot be compared with {_kind(real)}; "
            "expected two sets of one size and periodicity: sample or cut both alike"
        )
    answer = {name: family(generated, real) for name, family in FAMILIES.items()}
    if requested is not None:
        answer["conditioning"] = conditioning(generated, requested)
    return answer


def _kind(item: Descriptors) -> str:
    return f"{'periodic' if item.periodic else 'free'} images of {item.shape[1]} × {item.shape[2]} pixels"


def boundary_fraction(generated: Descriptors, real: Descriptors) -> Family:
    """Share of pixels with gray at or below 0.5, image by image."""
    one, other = generated.boundary_fraction, real.boundary_fraction
    return {"relative_error": distributions.relative_error(one, other), **_by_image(one, other)}


def _by_image(one: Numbers, other: Numbers) -> Family:
    return {
        "spread_ratio": distributions.spread_ratio(one, other),
        "ks": distributions.ks_distance(one, other),
        "mean": mean_of(one),
        "mean_real": mean_of(other),
    }


def gray(generated: Descriptors, real: Descriptors) -> Family:
    """Gray of all pixels, and the share of it that is neither dark nor bright."""
    return {
        "wasserstein": distributions.wasserstein(generated.gray, real.gray),
        "mid_ratio": quotient(generated.mid_gray, real.mid_gray),
        "mid": generated.mid_gray,
        "mid_real": real.mid_gray,
    }


def two_point(generated: Descriptors, real: Descriptors) -> Family:
    """S2 of the bright phase."""
    error, autocovariance = correlations.two_point_distances(generated.two_point, real.two_point)
    return {"rms_error": error, "autocovariance_rms": autocovariance}


def lineal_path(generated: Descriptors, real: Descriptors) -> Family:
    """L(z) of both phases along both axes."""
    answer: Family = {}
    for phase in real.lineal_path:
        difference = generated.lineal_path[phase] - real.lineal_path[phase]
        known = bool(np.isfinite(difference).all())
        answer[f"{phase}_rms"] = correlations.root_mean_square(difference) if known else None
        answer[f"{phase}_max"] = float(np.abs(difference).max()) if known else None
    return answer


def chord_length(generated: Descriptors, real: Descriptors) -> Family:
    """Chords through grains, and, with a prefix, through boundaries."""
    answer: Family = {}
    for phase, prefix in (("grain", ""), ("boundary", "boundary_")):
        one, other = generated.chords[phase], real.chords[phase]
        answer[f"{prefix}wasserstein"] = quotient(distributions.wasserstein(one, other), other.mean)
        answer[f"{prefix}ks"] = distributions.ks_distance(one, other)
        answer[f"{prefix}mean"], answer[f"{prefix}mean_real"] = one.mean, other.mean
        answer[f"{prefix}mean_ratio"] = quotient(one.mean, other.mean)
    return answer


def grains_strict(generated: Descriptors, real: Descriptors) -> Family:
    """Grains per image at gray 0.5."""
    one, other = generated.grains.strict, real.grains.strict
    return {"mean_error": distributions.relative_error(one, other), **_by_image(one, other)}


def grains_tolerant(generated: Descriptors, real: Descriptors) -> Family:
    """Grains per image at gray 0.7."""
    one, other = generated.grains.tolerant, real.grains.tolerant
    return {"mean_error": distributions.relative_error(one, other), **_by_image(one, other)}


def grain_size(generated: Descriptors, real: Descriptors) -> Family:
    """Equivalent diameters over their mean."""
    one, other = (Distribution.of(equivalent_diameters(item.grains.area)) for item in (generated, real))
    return {
        "wasserstein": distributions.wasserstein(one.over_mean(), other.over_mean()),
        "ks": distributions.ks_distance(one.over_mean(), other.over_mean()),
        "mean": one.mean,
        "mean_real": other.mean,
    }


def grain_area(generated: Descriptors, real: Descriptors) -> Family:
    """Areas over their mean."""
    one, other = (Distribution.of(item.grains.area).over_mean() for item in (generated, real))
    return {
        "ks": distributions.ks_distance(one, other),
        "variance": one.variance,
        "variance_real": other.variance,
    }


def neighbors(generated: Descriptors, real: Descriptors) -> Family:
    """Neighbors per grain."""
    one, other = generated.grains.neighbors, real.grains.neighbors
    return {
        "wasserstein": distributions.wasserstein(one, other),
        "mean": mean_of(one),
        "mean_real": mean_of(other),
    }


def solidity(generated: Descriptors, real: Descriptors) -> Family:
    """How convex the grains are."""
    one, other = generated.grains.solidity, real.grains.solidity
    return {"ks": distributions.ks_distance(one, other), "mean": mean_of(one), "mean_real": mean_of(other)}


FAMILIES: dict[str, Callable[[Descriptors, Descriptors], Family]] = {
    family.__name__: family
    for family in (
        boundary_fraction,
        gray,
        two_point,
        lineal_path,
        chord_length,
        grains_strict,
        grains_tolerant,
        grain_size,
        grain_area,
        neighbors,
        solidity,
    )
}


def conditioning(generated: Descriptors, requested: Numbers) -> Family:
    """How well images have the grain numbers that were asked of them, in both segmentations.

    Raises:
        DataError: if there is not one requested number per image.
    """
    wanted = np.asarray(requested, dtype=np.float64)
    if wanted.shape != generated.shape[:1]:
        raise DataError(f"{wanted.size} requested grain numbers for {generated.shape[0]} images; expected one for each")
    answer: Family = {}
    for suffix, measured in (("", generated.grains.strict), ("_tolerant", generated.grains.tolerant)):
        error = measured - wanted
        unexplained = quotient(float(np.sum(error**2)), float(wanted.var() * len(wanted))) if len(wanted) else None
        answer[f"r2{suffix}"] = None if unexplained is None else 1 - unexplained
        answer[f"mean_abs_error{suffix}"] = mean_of(np.abs(error))
        answer[f"bias{suffix}"] = mean_of(error)
    return answer

"""The few distances between sets of microstructures that are cheap enough to watch a training by."""

from __future__ import annotations

from lasernet.metrics import correlations, distributions
from lasernet.metrics.distributions import quotient
from lasernet.metrics.grain_shapes import STRICT
from lasernet.metrics.set_descriptors import Images, check_images, chord_lengths
from lasernet.physics.grains import brighter, count_grains

NOTHING = 1.0  # the distance where one of the sets has nothing to measure


def distances(generated: Images, real: Images, *, periodic: bool) -> dict[str, float]:
    """How far generated images are from real ones, each number 0 for equal statistics and about 1 for none in common.

    Args:
        generated, real: uint8, (N, H, W) of one size.

    Returns:
        ``boundary_fraction`` (relative error), ``two_point`` (RMS error over variance), ``chord_length``
        (Wasserstein-1 over the mean) and ``grains`` (KS of the grains per image at gray 0.5), as in docs/metrics.md.
    """
    check_images(generated)
    check_images(real)
    one, other = brighter(generated, STRICT), brighter(real, STRICT)
    fractions = [1 - phase.mean(axis=(1, 2)) for phase in (one, other)]
    maps = [correlations.two_point(phase, periodic=periodic) for phase in (one, other)]
    chords = [chord_lengths(phase, periodic) for phase in (one, other)]
    counts = [count_grains(images, threshold=STRICT, periodic=periodic) for images in (generated, real)]
    error = distributions.relative_error(*fractions)
    found = {
        "boundary_fraction": None if error is None else abs(error),
        "two_point": correlations.two_point_distances(maps[0], maps[1])[0],
        "chord_length": quotient(distributions.wasserstein(*chords), chords[1].mean),
        "grains": distributions.ks_distance(*counts),
    }
    return {name: NOTHING if value is None else value for name, value in found.items()}

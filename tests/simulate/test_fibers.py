"""Bundles of fibers: the share asked for, no two that touch, periodic, and as random as they can be."""

import numpy as np
import pytest

from lasernet.errors import OptionError
from lasernet.simulate.fibers import Bundle, pack_bundle

SIZE, HEIGHT, RADIUS, GAP = 50e-6, 50e-6, 3.5e-6, 0.8e-6


def pack(seed: int = 0, **options: float | bool) -> Bundle:
    known = {"size": SIZE, "height": HEIGHT, "radius": RADIUS, "fraction": 0.3, "gap": GAP, **options}
    return pack_bundle(np.random.default_rng(seed), **known)  # type: ignore[arg-type]


def closest(bundle: Bundle, z: float) -> float:
    """Least distance between two surfaces at a height."""
    places = bundle.places(z)
    apart = (places[:, None] - places[None] + SIZE / 2) % SIZE - SIZE / 2
    length = np.hypot(apart[..., 0], apart[..., 1]) + np.where(np.eye(len(places)), np.inf, 0)
    return float(length.min() - 2 * bundle.radius)


@pytest.mark.parametrize(
    ("fraction", "sway", "zigzag"), [(0.16, 3e-6, False), (0.3, 2e-6, True), (0.45, 1e-6, False), (0.6, 2e-6, False)]
)
def test_fibers_keep_their_distance_at_every_height(fraction: float, sway: float, zigzag: bool) -> None:
    bundle = pack(fraction=fraction, sway=sway, zigzag=zigzag)
    assert bundle.fraction == pytest.approx(fraction, rel=1e-12)
    assert bundle.radius == pytest.approx(RADIUS, rel=0.05)
    heights = np.linspace(0, HEIGHT, 49)
    assert min(closest(bundle, float(z)) for z in heights) > 0.8 * GAP  # kept apart at 24 of them
    moved = np.stack([bundle.places(float(z)) - bundle.centers for z in heights])
    assert np.hypot(moved[..., 0], moved[..., 1]).max() == pytest.approx(sway, rel=1e-2)
    assert bundle.places(HEIGHT) == pytest.approx(bundle.places(0.0), abs=1e-15)


def test_dense_wavy_bundles_sway_together_and_loose_ones_do_not() -> None:
    assert pack(fraction=0.2, sway=1e-6).own == 1.0
    assert 0 <= pack(fraction=0.6, sway=2e-6).own < 0.5
    assert pack(fraction=0.6).own == 0.0


def test_a_zigzag_is_made_of_straight_parts() -> None:
    bundle = pack(sway=2e-6, zigzag=True)
    z = np.linspace(0, HEIGHT, 401)
    along = np.stack([bundle.places(float(height))[0] for height in z])
    bends = np.abs(np.diff(along, 2, axis=0)).max(axis=1)
    assert (bends > 1e-12).sum() <= 4  # two turns, each within a step or two


def test_the_distance_is_that_to_the_nearest_surface_of_the_periodic_cell() -> None:
    bundle = pack()
    points = np.array([0.0, 1e-6, SIZE - 1e-6])
    found = bundle.distance(points, points, 0.0)
    images = np.concatenate([bundle.places(0.0) + SIZE * np.array([i, j]) for i in (-1, 0, 1) for j in (-1, 0, 1)])
    for row, y in enumerate(points):
        for column, x in enumerate(points):
            assert found[row, column] == pytest.approx(np.hypot(*(images - [x, y]).T).min() - bundle.radius)
    dense = np.linspace(0, SIZE, 400, endpoint=False)
    assert (bundle.distance(dense, dense, 0.0) < 0).mean() == pytest.approx(bundle.fraction, rel=5e-3)


def test_the_seed_decides_and_what_does_not_fit_is_refused() -> None:
    assert np.array_equal(pack(3).centers, pack(3).centers)
    assert not np.array_equal(pack(3).centers, pack(4).centers)
    with pytest.raises(OptionError, match="do not fit"):
        pack(fraction=0.7, gap=8e-6)

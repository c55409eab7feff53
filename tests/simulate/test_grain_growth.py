"""Grain growth: exact envelopes, the growth law as the only clock, and what holds to the cell behind a melt pool."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest

from lasernet.errors import DataError, OptionError
from lasernet.simulate.grain_growth import GrainGrowth
from lasernet.simulate.grain_growth_cases import LAW, RADIUS, SPACING, PrescribedHeat, Track, octahedron, single_grain
from lasernet.simulate.grain_growth_checks import check_grain_growth
from lasernet.simulate.orientation import random_orientations, rotation_matrices
from lasernet.simulate.substrate import Substrate, draw_seeds, substrate


@pytest.fixture(scope="module")
def checks(checked: Callable[..., list[dict[str, object]]]) -> list[dict[str, object]]:
    return checked(check_grain_growth)


def test_grain_growth_keeps_its_references(checks: list[dict[str, object]]) -> None:
    assert [check for check in checks if not check["ok"]] == []


def test_the_references_cover_envelopes_fronts_texture_tracks_and_the_substrate(
    checks: list[dict[str, object]],
) -> None:
    names = " ".join(str(check["name"]) for check in checks)
    for part in ("octahedron/jaccard", "front undercooling", "texture/mean angle", "unlike all", "linear intercept"):
        assert part in names
    assert all(str(check["name"]).startswith("laser/grains/") for check in checks)
    assert all(set(check) == {"name", "value", "reference", "tolerance", "ok"} for check in checks)


@pytest.mark.parametrize(("courant", "steps"), [(0.05, 1), (0.5, 1), (0.5, 300)])
def test_an_envelope_is_as_large_however_finely_time_is_cut(courant: float, steps: int) -> None:
    quaternion = random_orientations(1, np.random.default_rng(9))[0]
    grown, exact = single_grain(quaternion, courant=courant, steps=steps), octahedron(quaternion)
    assert (grown & exact).sum() / (grown | exact).sum() > 0.99
    assert grown.sum() == pytest.approx(4 / 3 * RADIUS**3, rel=0.01)


def uniform(shape: tuple[int, int, int], offset: float) -> PrescribedHeat:
    """The same everywhere: liquidus and an offset, K."""
    return PrescribedHeat(shape, lambda x, y, z, time: LAW.liquidus + offset)


def melt(growth: GrainGrowth, shape: tuple[int, int, int]) -> None:
    """Melt all but the lowest cells."""
    heat = PrescribedHeat(shape, lambda x, y, z, time: np.where(z > z.min(), LAW.liquidus + 100.0, 300.0))
    growth.advance(heat, 0.0, 1e-6)


def grown(shape: tuple[int, int, int] = (8, 8, 10), **options: float) -> GrainGrowth:
    return GrainGrowth(substrate=substrate(shape, SPACING, 4 * SPACING, 0), spacing=SPACING, law=LAW, **options)


def test_nothing_grows_at_liquidus_and_all_freezes_below() -> None:
    shape = (8, 8, 10)
    growth = grown(shape)
    melt(growth, shape)
    molten = growth.grain_id == 0
    assert molten[:, :, 1:].all()
    assert not molten[:, :, 0].any()
    heat = PrescribedHeat(shape, lambda x, y, z, time: np.where(z > z.min(), LAW.liquidus, 300.0))
    growth.advance(heat, 1e-6, 1e-4)
    np.testing.assert_array_equal(growth.grain_id == 0, molten)
    growth.advance(uniform(shape, -20.0), 1e-4, 1.1e-3)
    assert growth.grain_id.min() > 0
    assert 0 < growth.largest_courant <= growth.courant * (1 + 1e-12)


def test_a_cold_block_stays_as_it_is() -> None:
    growth = grown()
    before = growth.grain_id
    growth.advance(uniform((8, 8, 10), -1000.0), 0.0, 1e-4)
    np.testing.assert_array_equal(growth.grain_id, before)


def test_cells_beside_solid_freeze_at_liquidus_as_the_grains_they_were() -> None:
    shape = (8, 8, 10)
    growth = grown(shape)
    before = growth.grain_id
    melt(growth, shape)
    growth.advance(uniform(shape, -1e-2), 1e-6, 1.1e-6)
    below = np.stack([np.pad(before[:, :, 0], 1)[i : i + 8, j : j + 8] for i in range(3) for j in range(3)])
    beside = (below == before[:, :, 1]).any(axis=0)
    np.testing.assert_array_equal(growth.grain_id[:, :, 1][beside], before[:, :, 1][beside])
    assert (below == growth.grain_id[:, :, 1]).any(axis=0).all()
    assert (growth.grain_id[:, :, 2:] == 0).all()
    assert 0.5 < beside.mean() < 1


def test_molten_means_grain_0_and_no_solid_is_above_liquidus() -> None:
    track = Track(intervals=12)
    growth = GrainGrowth(substrate=track.substrate(), spacing=track.spacing, law=LAW, interval=track.interval)
    everywhere = (slice(None),) * 3
    for number in range(track.intervals):
        growth.advance(track.heat, number * track.interval, (number + 1) * track.interval)
        hot = track.heat.field((number + 1) * track.interval, everywhere) >= LAW.liquidus
        assert (growth.grain_id[hot] == 0).all()
        assert growth.grain_id.min() >= 0
    assert hot.any()


def test_advancing_in_pieces_is_advancing_at_once() -> None:
    track = Track(intervals=24)
    growths = [
        GrainGrowth(substrate=track.substrate(), spacing=track.spacing, law=LAW, interval=track.interval)
        for _ in range(2)
    ]
    end = track.intervals * track.interval
    growths[0].advance(track.heat, 0.0, end)
    for number in range(3):
        growths[1].advance(track.heat, number * end / 3, (number + 1) * end / 3)
    np.testing.assert_array_equal(growths[0].grain_id, growths[1].grain_id)


def test_finer_steps_lead_to_the_same_place() -> None:
    """Where a front is in a gradient does not depend on the steps, beyond the cell that they cannot resolve."""
    shape = (6, 6, 30)
    heat = PrescribedHeat(shape, lambda x, y, z, time: LAW.liquidus + 1e6 * (z + 28 * SPACING - 0.2 * time))
    tops = []
    for courant, interval in ((0.4, 4e-6), (0.1, 4e-6), (0.1, 1e-6)):
        start = Substrate(np.ones(shape, dtype=np.int32), np.tile([1.0, 0, 0, 0], (2, 1)))
        growth = GrainGrowth(substrate=start, spacing=SPACING, law=LAW, courant=courant, interval=interval)
        growth.advance(heat, 0.0, 3.5e-4)
        tops.append((growth.grain_id > 0).sum(axis=2).mean())
        assert growth.largest_courant <= courant * (1 + 1e-12)
    assert np.ptp(tops) <= 1.0
    assert 5 < tops[0] < 30


def test_sites_nucleate_at_their_undercooling_and_nowhere_else() -> None:
    shape = (16, 16, 16)
    options = {"nucleation_density": 0.01 / SPACING**3, "nucleation_undercooling": 30.0, "nucleation_spread": 0.0}
    growth = grown(shape, **options)
    first = len(growth.orientations)
    melt(growth, shape)
    growth.advance(uniform(shape, -29.0), 1e-6, 1.1e-6)
    assert len(growth.orientations) == first
    growth.advance(uniform(shape, -31.0), 1.1e-6, 1.2e-6)
    nuclei = len(growth.orientations) - first
    assert nuclei == pytest.approx(0.01 * 16**2 * 14, abs=4.5 * np.sqrt(36))
    found = np.unique(growth.grain_id[growth.grain_id >= first])
    np.testing.assert_array_equal(found, first + np.arange(nuclei))
    np.testing.assert_allclose(np.linalg.norm(growth.orientations, axis=1), 1.0, rtol=1e-12)


def test_the_seed_decides_the_nuclei() -> None:
    shape = (12, 12, 12)
    drawn = []
    for seed in (1, 1, 2):
        growth = grown(shape, nucleation_density=0.02 / SPACING**3, seed=seed)
        melt(growth, shape)
        growth.advance(uniform(shape, -40.0), 1e-6, 2e-6)
        drawn.append((growth.grain_id, growth.orientations))
    np.testing.assert_array_equal(drawn[0][0], drawn[1][0])
    np.testing.assert_array_equal(drawn[0][1], drawn[1][1])
    assert len(drawn[0][1]) != len(drawn[2][1]) or (drawn[0][1] != drawn[2][1]).any()


def test_nuclei_do_not_repeat_the_crystals_of_a_substrate_of_the_same_seed() -> None:
    shape = (12, 12, 12)
    growth = grown(shape, nucleation_density=0.02 / SPACING**3, seed=0)
    first = len(growth.orientations)
    melt(growth, shape)
    growth.advance(uniform(shape, -40.0), 1e-6, 2e-6)
    assert len(growth.orientations) > first
    assert len(np.unique(growth.orientations, axis=0)) == len(growth.orientations)


def test_the_number_of_threads_changes_nothing() -> None:
    def run() -> bytes:
        track = Track(intervals=20)
        return track.grow(track.substrate(), nucleation_density=1e16).grain_id.tobytes()

    code = (
        "import hashlib; from lasernet.simulate.grain_growth_cases import Track; track = Track(intervals=20); "
        "grain = track.grow(track.substrate(), nucleation_density=1e16).grain_id; "
        "print(hashlib.sha256(grain.tobytes()).hexdigest())"
    )
    own = int(os.environ.get("NUMBA_NUM_THREADS", os.cpu_count() or 1))
    names = ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    environment = {**os.environ, **dict.fromkeys(names, "1" if own > 1 else "2")}
    found = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True)
    assert found.stdout.decode().strip() == hashlib.sha256(run()).hexdigest()


def test_the_command_line_does_not_wait_for_numba() -> None:
    code = "import sys; import lasernet.simulate.grain_growth; raise SystemExit('numba' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_substrate_gives_each_cell_to_its_nearest_seed() -> None:
    shape, diameter = (9, 7, 5), 3.0
    seeds = draw_seeds(shape, diameter, np.random.default_rng(np.random.SeedSequence(4).spawn(2)[0]))
    centers = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1).reshape(-1, 1, 3) + 0.5
    nearest = ((centers - seeds) ** 2).sum(axis=-1).argmin(axis=1)
    grain = substrate(shape, 1.0, diameter, 4).grain_id.ravel()
    pairs = np.unique(np.stack([nearest, grain]), axis=1)
    assert pairs.shape[1] == len(np.unique(nearest)) == len(np.unique(grain)) == grain.max()


def test_a_substrate_has_the_density_asked_for_and_random_crystals() -> None:
    counts = [len(draw_seeds((10, 10, 10), 4.0, np.random.default_rng(seed))) for seed in range(200)]
    density = 6 / (np.pi * 4.0**3)
    volume = (10 + 4 * density ** (-1 / 3)) ** 3
    assert np.mean(counts) == pytest.approx(density * volume, abs=4.5 * np.sqrt(density * volume / 200))
    axes = rotation_matrices(substrate((20, 20, 20), 1.0, 2.0, 1).orientations[1:])[:, :, 0]
    assert np.abs(axes.mean(axis=0)).max() < 4.5 / np.sqrt(3 * len(axes))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"spacing": 0.0}, "spacing 0"),
        ({"interval": float("nan")}, "interval"),
        ({"courant": 0.6}, "courant"),
        ({"courant": 0.0}, "courant"),
        ({"nucleation_density": -1.0}, "nucleation_density"),
        ({"nucleation_spread": -1.0}, "nucleation_spread"),
        ({"seed": -1}, "seed"),
    ],
)
def test_impossible_options_are_refused(options: dict, says: str) -> None:
    start = substrate((3, 3, 3), SPACING, SPACING, 0)
    with pytest.raises(OptionError, match=says):
        GrainGrowth(**{"substrate": start, "spacing": SPACING, "law": LAW, **options})


@pytest.mark.parametrize("arguments", [((0, 3, 3), 1.0, 2.0), ((3, 3, 3), 0.0, 2.0), ((3, 3, 3), 1.0, 0.5)])
def test_an_impossible_substrate_is_refused(arguments: tuple) -> None:
    with pytest.raises(OptionError, match="expected"):
        substrate(*arguments, 0)


def test_grains_without_orientation_and_heat_on_another_grid_are_refused() -> None:
    with pytest.raises(DataError, match="orientations"):
        GrainGrowth(substrate=Substrate(np.ones((2, 2, 2), np.int32), np.eye(4)[:1]), spacing=SPACING, law=LAW)
    with pytest.raises(DataError, match="one grid"):
        grown((4, 4, 4)).advance(uniform((4, 4, 5), 0.0), 0.0, 1.0)
    with pytest.raises(OptionError, match="end"):
        grown((4, 4, 4)).advance(uniform((4, 4, 4), 0.0), 1.0, 0.0)

"""Sharpness against closed forms."""

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from lasernet.data.base import Batch
from lasernet.metrics.sharpness import LOWEST, SharpnessScores
from lasernet.physics.solidification import regions

ITEMS, H, W = 4, 48, 40
CELLS = torch.stack(torch.meshgrid(torch.arange(H), torch.arange(W), indexing="ij")).double()


def filled(target: torch.Tensor, active: torch.Tensor | None = None) -> Batch:
    """A batch without gaps, of which the given cells are active."""
    cells = torch.ones(len(target), 1, *target.shape[-2:], dtype=torch.bool)
    molten = cells if active is None else active.expand_as(cells)
    return {
        "molten": molten[:, None],
        "target_molten": ~molten,
        "future_temperature": torch.full(cells.shape, 2000.0),
        "target": target,
        "mask": cells,
        "liquidus": torch.full((len(target),), 1700.0),
        "front_low": torch.full((len(target),), 1640.0),
        "front_high": torch.full((len(target),), 1700.0),
    }


@pytest.fixture
def batch() -> Batch:
    """White noise of variance 1/12, with a block of active cells and some that are missing."""
    draw = torch.Generator().manual_seed(0)
    active = torch.zeros(1, 1, H, W, dtype=torch.bool)
    active[..., 10:30, 8:36] = True
    found = filled(torch.rand(ITEMS, 9, H, W, generator=draw), active)
    found["mask"] = torch.rand(ITEMS, 1, H, W, generator=draw) < 0.95
    return found


def noise(batch: Batch, deviation: float) -> torch.Tensor:
    return deviation * torch.randn(batch["target"].shape, generator=torch.Generator().manual_seed(1))


def scored(answer: torch.Tensor, batch: Batch) -> dict[str, dict[str, float | int | None]]:
    scores = SharpnessScores()
    scores.update(answer, batch)
    return scores.compute()


@pytest.mark.parametrize("factor", [1.0, 0.5, 2.0])
def test_a_factor_enters_the_ratios_squared_and_not_the_coherence(batch: Batch, factor: float) -> None:
    for values in scored(factor * batch["target"], batch).values():
        assert values["gradient_ratio"] == pytest.approx(factor**2, rel=1e-5)
        assert values["band_ratio"] == pytest.approx(factor**2, rel=1e-5)
        assert values["coherence"] == pytest.approx(1, abs=1e-5)


def test_an_offset_changes_nothing(batch: Batch) -> None:
    for values in scored(batch["target"] + 0.3, batch).values():
        assert [values[key] for key in ("gradient_ratio", "band_ratio", "coherence")] == pytest.approx(
            [1] * 3, abs=1e-4
        )


@pytest.mark.parametrize("deviation", [0.1, 0.5])
def test_white_noise_raises_the_ratios_and_lowers_the_coherence_by_its_variance(batch: Batch, deviation: float) -> None:
    ratio = 1 + 12 * deviation**2  # both are white, so every pair of cells and every wave has the same
    for values in scored(batch["target"] + noise(batch, deviation), batch).values():
        assert values["gradient_ratio"] == pytest.approx(ratio, rel=0.03)
        assert values["band_ratio"] == pytest.approx(ratio, rel=0.03)
        assert values["coherence"] == pytest.approx(1 / ratio, rel=0.03)


def test_unrelated_noise_has_the_ratios_of_its_variance_and_no_coherence(batch: Batch) -> None:
    for values in scored(noise(batch, 12**-0.5), batch).values():
        assert values["gradient_ratio"] == pytest.approx(1, rel=0.03)
        assert values["band_ratio"] == pytest.approx(1, rel=0.03)
        assert values["coherence"] == pytest.approx(0, abs=0.002)


def test_a_blur_lowers_the_ratios_by_its_transfer_function() -> None:
    generator, width = np.random.default_rng(0), 0.8
    target = generator.random((ITEMS, 9, H, W))
    blurred = gaussian_filter(target, (0, 0, width, width), mode="wrap", truncate=8)
    found = scored(torch.from_numpy(blurred), filled(torch.from_numpy(target)))["all"]
    wave = [np.fft.fftfreq(size) for size in (H, W)]
    kept = [np.abs(np.fft.fft(gaussian_filter(np.eye(1, size)[0], width, mode="wrap", truncate=8))) for size in (H, W)]
    transfer = np.outer(*kept)
    high = np.add.outer(wave[0] ** 2, wave[1] ** 2) >= LOWEST**2
    slopes = np.add.outer(np.sin(np.pi * wave[0]) ** 2, np.sin(np.pi * wave[1]) ** 2)
    assert found["gradient_ratio"] == pytest.approx((slopes * transfer**2).sum() / slopes.sum(), rel=0.05)
    assert found["band_ratio"] == pytest.approx((transfer[high] ** 2).mean(), rel=0.05)
    coherence = transfer[high].mean() ** 2 / (transfer[high] ** 2).mean()
    assert found["coherence"] == pytest.approx(coherence, rel=0.05)
    assert found["gradient_ratio"] < 0.5


@pytest.mark.parametrize(
    ("rows", "columns", "counts"),
    [(11, 0, False), (12, 0, True), (0, 9, False), (0, 10, True), (9, 6, False), (9, 7, True), (24, 20, True)],
)
def test_the_band_begins_at_half_the_wave_number_of_nyquist(rows: int, columns: int, counts: bool) -> None:
    plane = torch.cos(2 * math.pi * (rows * CELLS[0] / H + columns * CELLS[1] / W))[None, None]
    found = scored(plane, filled(plane))["all"]
    assert found["gradient_ratio"] == 1
    assert (found["coherence"] is not None) is counts


def test_waves_count_by_their_energy_along_both_axes() -> None:
    """A wave that the half spectrum of a real image holds once counts as much as one that it holds twice."""
    waves = [torch.cos(2 * math.pi * k * CELLS[1] / W) for k in (15, 20)]  # mean squares 1/2 and 1
    waves.append(torch.cos(2 * math.pi * 16 * CELLS[0] / H))  # 1/2
    target = sum(waves)[None, None]
    for wave, share in zip(waves, (0.25, 0.5, 0.25), strict=True):
        found = scored(wave[None, None], filled(target))["all"]
        assert found["band_ratio"] == pytest.approx(share, rel=1e-5)
        assert found["coherence"] == pytest.approx(share, rel=1e-5)


def test_gradients_are_counted_over_pairs_that_are_there_and_touch_the_region(batch: Batch) -> None:
    answer, mask, active = batch["target"] + noise(batch, 0.2), batch["mask"], regions(batch)["active"]
    expected = {"all": [0, 0.0, 0.0], "active": [0, 0.0, 0.0]}
    for axis in (2, 3):
        here, there = (slice(None),) * axis + (slice(0, -1),), (slice(None),) * axis + (slice(1, None),)
        both = mask[here] & mask[there]
        for name, chosen in (("all", both), ("active", both & (active[here] | active[there]))):
            steps = [
                ((image[there] - image[here]).double().square() * chosen).sum().item()
                for image in (answer, batch["target"])
            ]
            expected[name] = [a + b for a, b in zip(expected[name], [int(chosen.sum()), *steps], strict=True)]
    for name, values in scored(answer, batch).items():
        pairs, ours, theirs = expected[name]
        assert values["pairs"] == pairs
        assert values["gradient_ratio"] == pytest.approx(ours / theirs, rel=1e-5)


def test_cells_that_are_missing_or_far_from_the_region_never_count(batch: Batch) -> None:
    answer = batch["target"] + noise(batch, 0.2)
    spoiled = torch.where(batch["mask"], answer, math.nan)
    whole = scored(answer, batch)
    assert scored(spoiled, batch | {"target": torch.where(batch["mask"], batch["target"], math.nan)}) == whole
    spoiled = answer.clone()
    spoiled[..., 32:, :] = 7.0  # the active cells end at row 29, and an image has faded two rows further on
    found = scored(spoiled, batch)
    assert found["active"] == whole["active"]
    assert found["all"] != whole["all"]
    spoiled[..., 31, :] = 7.0
    assert scored(spoiled, batch)["active"] != whole["active"]


def test_unrelated_colors_in_the_region_have_no_coherence_by_its_rim() -> None:
    """Flat patches on a background that is another: only the rim of the region could make them alike."""
    active = torch.zeros(1, 1, H, W, dtype=torch.bool)
    active[..., 6:42, 6:34] = True
    draws = [torch.rand(ITEMS, 9, H // 4, W // 4, generator=torch.Generator().manual_seed(n)) for n in (0, 1)]
    answer, target = (draw.repeat_interleave(4, 2).repeat_interleave(4, 3) for draw in draws)
    assert scored(answer, filled(target, active))["active"]["coherence"] == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize("parts", [[[0, 1, 2, 3]], [[3], [1, 0], [2]]])
def test_batches_add_up(batch: Batch, parts: list[list[int]]) -> None:
    batch["molten"] = batch["molten"].clone()
    batch["molten"][3] = False  # an item without active cells
    batch["target_molten"] = ~batch["molten"][:, -1]
    answer, scores = batch["target"] + noise(batch, 0.2), SharpnessScores()
    for rows in parts:
        scores.update(answer[rows], {name: value[rows] for name, value in batch.items()})
    found, expected = scores.compute(), scored(answer, batch)
    for region, values in found.items():
        assert values == pytest.approx(expected[region], rel=1e-9)


@pytest.mark.parametrize("level", [0.0, 0.3, 1.0])
def test_a_flat_truth_has_no_sharpness(batch: Batch, level: float) -> None:
    batch["target"], batch["mask"] = torch.full_like(batch["target"], level), torch.ones_like(batch["mask"])
    found = scored(noise(batch, 0.2), batch)["all"]
    assert [found[key] for key in ("gradient_ratio", "coherence", "band_ratio")] == [None] * 3


def test_a_flat_answer_has_no_energy_and_no_coherence(batch: Batch) -> None:
    batch["mask"] = torch.ones_like(batch["mask"])
    for values in scored(torch.full_like(batch["target"], 0.3), batch).values():
        assert (values["gradient_ratio"], values["coherence"], values["band_ratio"]) == (0, None, 0)


def test_without_cells_or_numbers_nothing_is_defined(batch: Batch) -> None:
    nothing = {"gradient_ratio": None, "coherence": None, "band_ratio": None, "pairs": 0}
    assert SharpnessScores().compute() == {"all": nothing, "active": nothing}
    masked = batch | {"mask": torch.zeros_like(batch["mask"])}
    assert scored(batch["target"], masked) == {"all": nothing, "active": nothing}
    for values in scored(torch.full_like(batch["target"], math.nan), batch).values():
        assert [values[key] for key in ("gradient_ratio", "coherence", "band_ratio")] == [None] * 3


def test_an_answer_of_another_shape_is_refused(batch: Batch) -> None:
    with pytest.raises(ValueError, match="shape"):
        scored(batch["target"][:, :1], batch)

"""Grain scores of frames: closed forms of simple errors, and what the scores do not depend on."""

import json

import numpy as np
import pytest
import torch

from lasernet.metrics.frame_grains import REGIONS, SAMPLE, FrameGrains
from lasernet.physics.solidification import regions

H, W = 12, 16


def painted(ids, seed=0):
    """Colors (B, 9, H, W) of grain ids (B, H, W): corners of the color cube, all different, never black; 0 is black."""
    corners = 1 + np.random.default_rng(seed).permutation(511)
    table = np.concatenate([[0], corners])[:, None] >> np.arange(9) & 1
    return torch.from_numpy(np.moveaxis(table[ids], -1, 1)).float()


def batch_of(ids, *, molten=None, mask=None, known=False):
    """A batch whose truth are these grains; where ``molten``, the frame before was, and it is cold now."""
    ids = np.asarray(ids)
    count, height, width = ids.shape
    molten = torch.zeros(count, 1, height, width, dtype=torch.bool) if molten is None else molten
    ids_t = torch.from_numpy(ids)[:, None]
    batch = {
        "molten": molten[:, None],
        "valid": torch.ones_like(molten)[:, None],
        "ipf": (painted(ids) * ~molten)[:, None],
        "target": painted(ids),
        "target_molten": ids_t == 0,
        "future_temperature": torch.full(molten.shape, 1700.0),
        "mask": torch.ones_like(molten) if mask is None else mask,
        "liquidus": torch.full((count,), 1723.0),
        "front_low": torch.full((count,), 1663.0),
        "front_high": torch.full((count,), 1723.0),
        "cell_height": torch.full((count,), 2e-6),
        "cell_width": torch.full((count,), 3e-6),
        "item": torch.arange(count),
    }
    return batch | ({"target_grain_id": ids_t} if known else {})


def tiles(size, count=3):
    rows, columns = np.indices((H, W)) // size
    numbers = rows * (-(-W // size)) + columns + 1
    return np.stack([numbers] * count)


def columns(*widths, height=H):
    """One slice of upright grains of these widths."""
    return np.repeat(np.arange(1, len(widths) + 1), widths)[None, None].repeat(height, axis=1)


def scored(answer, batch, **options):
    scores = FrameGrains()
    scores.update(answer, batch, **options)
    return scores.compute()


def rows_of(batch, rows):
    return {name: value[rows] for name, value in batch.items()}


@pytest.fixture
def noisy():
    """A batch with molten and missing cells, and an answer with mistakes."""
    draw = np.random.default_rng(0)
    ids = tiles(4) * (draw.random((3, H, W)) < 0.95)
    molten = torch.zeros(3, 1, H, W, dtype=torch.bool)
    molten[..., 8:, 3:13] = True
    mask = torch.from_numpy(draw.random((3, 1, H, W)) < 0.97)
    batch = batch_of(ids, molten=molten, mask=mask, known=True)
    wrong = np.where(draw.random(ids.shape) < 0.1, draw.integers(0, 12, ids.shape), ids)
    return painted(wrong), batch


def test_the_truth_scores_1_and_0(noisy):
    _, batch = noisy
    found = scored(batch["target"], batch)
    for region in REGIONS:
        scores = found[region]
        ones = [f"{kind}_{reach}" for kind in ("precision", "recall", "f1") for reach in (0, 1, 2)]
        ones += [f"ids_{name}" for name in ones] + ["matched", "matched_in_solid", "adjusted_rand"]
        assert {name: scores[name] for name in ones} == dict.fromkeys(ones, 1.0)
        assert scores["palette"] == scores["palette_truth"]
        assert scores["size_ks"] == 0
        assert scores["grains"] == scores["grains_truth"]
        assert scores["diameter"] == scores["diameter_truth"]


@pytest.mark.parametrize("shift", [1, 2, 3])
def test_a_boundary_that_is_shifted_counts_from_that_reach_on(shift):
    batch = batch_of(columns(8, 8))
    found = scored(painted(columns(8 + shift, 8 - shift)), batch)["all"]
    for reach in (0, 1, 2):
        assert found[f"f1_{reach}"] == found[f"recall_{reach}"] == (1 if reach >= shift else 0)
    assert found["matched"] == pytest.approx(1 - shift / 16)


def test_two_merged_grains_cost_one_boundary_and_the_smaller_grain():
    a, b, c = 7, 4, 5
    batch = batch_of(columns(a, b, c))
    merged = columns(a, b, c)
    merged[merged == 2] = 1
    found = scored(painted(merged), batch)["all"]
    assert (found["precision_0"], found["recall_0"]) == (1, 0.5)
    assert found["f1_0"] == pytest.approx(2 / 3)
    assert found["matched"] == found["matched_in_solid"] == pytest.approx((a + c) / (a + b + c))
    pairs = lambda cells: cells * (cells - 1) / 2  # noqa: E731
    true, together = sum(pairs(H * n) for n in (a, b, c)), pairs(H * (a + b)) + pairs(H * c)
    expected = true * together / pairs(H * W)
    assert found["adjusted_rand"] == pytest.approx((true - expected) / ((true + together) / 2 - expected))
    assert (found["grains"], found["grains_truth"]) == (2, 3)
    diameters = [np.sqrt(4 * H * n * 6e-12 / np.pi) for n in (a, b, c)]
    assert found["diameter_truth"] == pytest.approx(np.mean(diameters))


def test_a_cell_halfway_between_two_grains_is_a_boundary_on_both_sides():
    truth = columns(8, 8)
    batch = batch_of(truth)
    answer = batch["target"].clone()
    answer[..., 8] = (answer[..., 7] + answer[..., 9]) / 2
    found = scored(answer, batch)["all"]
    assert (found["precision_0"], found["recall_0"], found["f1_1"]) == (0.5, 1, 1)
    assert found["f1_0"] == pytest.approx(2 / 3)
    assert found["matched"] == pytest.approx(15 / 16)
    assert found["palette"] > 0.01


def test_a_blur_in_steps_below_the_tolerance_merges_grains():
    batch = batch_of(columns(8, 8))
    share = torch.linspace(0, 1, W)
    ends = torch.ones(9), torch.tensor([1.0] * 6 + [0.0] * 3)
    batch["target"] = torch.where(share < 0.5, ends[0][:, None], ends[1][:, None])[None, :, None].repeat(1, 1, H, 1)
    answer = (ends[0][:, None] * (1 - share) + ends[1][:, None] * share)[None, :, None].repeat(1, 1, H, 1)
    found = scored(answer, batch)["all"]
    assert found["precision_0"] is None
    assert found["recall_2"] == found["f1_2"] == found["adjusted_rand"] == 0
    assert (found["grains"], found["grains_truth"]) == (1, 2)


def test_a_dimmed_answer_has_the_same_grains_and_colors_off_the_palette(noisy):
    answer, batch = noisy
    bright, dim = scored(answer, batch)["all"], scored(0.6 * answer, batch)["all"]
    same = [name for name in bright if name != "palette"]
    assert {name: dim[name] for name in same} == {name: bright[name] for name in same}
    assert dim["palette"] > 0.1


def test_the_colors_of_grains_do_not_matter_to_their_partition(noisy):
    _, batch = noisy
    draw = np.random.default_rng(3)
    ids = np.where(draw.random((3, H, W)) < 0.9, tiles(4), draw.integers(0, 12, (3, H, W)))
    for region in REGIONS:
        one, other = (scored(painted(ids, seed), batch)[region] for seed in (0, 1))
        names = [name for name in one if name != "palette"]
        assert {name: one[name] for name in names} == {name: other[name] for name in names}


def test_mirrors_and_transposition_do_not_matter(noisy):
    answer, batch = noisy
    expected = scored(answer, batch)
    images = [name for name, value in batch.items() if value.ndim > 1]
    for turn in (lambda x: x.flip(-1), lambda x: x.flip(-2), lambda x: x.transpose(-1, -2)):
        found = scored(turn(answer), batch | {name: turn(batch[name]) for name in images})
        for region in REGIONS:  # of equal overlaps, the one met first is matched
            names = [name for name in expected[region] if "matched" not in name]
            assert [found[region][name] for name in names] == pytest.approx(
                [expected[region][name] for name in names], rel=1e-5
            )


def test_a_random_labeling_has_an_adjusted_rand_index_near_0():
    draw = np.random.default_rng(0)
    found = scored(painted(draw.integers(1, 500, (3, H, W))), batch_of(tiles(4)))["all"]
    assert abs(found["adjusted_rand"]) < 0.02
    assert found["matched"] < 0.2


def test_neighbors_of_one_color_are_one_grain_that_ids_divide():
    ids = columns(6, 4, 6)
    batch = batch_of(ids, known=True)
    same = ids.copy()
    same[same == 2] = 1
    batch["target"] = painted(same)
    found = scored(batch["target"], batch)["all"]
    assert (found["recall_0"], found["ids_recall_0"], found["ids_precision_0"]) == (1, 0.5, 1)
    del batch["target_grain_id"]
    assert scored(batch["target"], batch)["all"]["ids_f1_0"] is None


def test_only_edges_beside_active_cells_and_only_active_cells_count_as_active():
    ids = columns(4, 4, 4, 4)
    molten = torch.zeros(1, 1, H, W, dtype=torch.bool)
    molten[..., 10:, 5:] = True
    batch = batch_of(ids, molten=molten)
    assert torch.equal(regions(batch)["active"], molten)
    answer = batch["ipf"][:, -1]  # persistence: all that was molten stays so
    found = scored(answer, batch)
    assert found["active"]["cells"] == 2 * 11
    assert found["active"]["matched"] == found["active"]["recall_0"] == found["active"]["f1_0"] == 0
    assert found["active"]["precision_0"] is None
    assert (found["active"]["grains"], found["active"]["grains_truth"]) == (0, 3)
    assert found["all"]["matched"] == pytest.approx(1 - 22 / (H * W))
    assert found["all"]["matched_in_solid"] == found["all"]["precision_0"] == 1
    assert found["all"]["recall_0"] == pytest.approx(1 - 4 / (3 * H))


def test_joining_the_wrong_neighbor_is_wrong_though_cells_stay_together():
    ids = columns(8, 8)
    molten = torch.zeros(1, 1, H, W, dtype=torch.bool)
    molten[..., 10:, :8] = True
    batch = batch_of(ids, molten=molten)
    wrong = ids.copy()
    wrong[:, 10:, :8] = 2
    found = scored(painted(wrong), batch)
    assert found["active"]["matched"] == 0
    assert found["all"]["matched"] == pytest.approx(1 - 16 / (H * W))


def test_palette_distances_are_those_of_the_shift_and_of_the_truth():
    batch = batch_of(tiles(4))
    answer = 0.9 * batch["target"]
    shift = 0.1 * batch["target"].double().square().mean(1).sqrt().mean()
    assert scored(answer, batch)["all"]["palette"] == pytest.approx(shift.item(), rel=1e-5)
    white = np.full((1, 9), 1.0)
    far = (batch["target"].double() - 1).square().mean(1).sqrt().mean().item()
    found = scored(batch["target"], batch, palettes=[white] * 3)["all"]
    assert found["palette"] == found["palette_truth"] == pytest.approx(far)
    assert scored(answer, batch, palettes=[None] * 3)["all"]["palette"] is None


def test_the_palette_of_a_large_slice_is_compared_at_a_sample_of_its_cells():
    height = 1 + 4 * SAMPLE // W
    ids = columns(W, height=height)
    batch = batch_of(ids)
    answer = batch["target"].clone()
    answer[..., : height // 2, :] *= 0.8
    full = 0.2 * batch["target"][0, :, 0, 0].square().mean().sqrt().item() * (height // 2) / height
    assert scored(answer, batch)["all"]["palette"] == pytest.approx(full, rel=0.02)


def test_cells_outside_the_mask_do_not_count(noisy):
    answer, batch = noisy
    other = torch.where(batch["mask"], answer, torch.nan)
    changed = batch | {"target": torch.where(batch["mask"], batch["target"], torch.nan)}
    assert scored(other, changed) == scored(answer, batch)


@pytest.mark.parametrize("nothing", ["solid", "valid", "items"])
def test_scores_of_nothing_are_none_and_never_nan(nothing):
    ids = np.zeros((2, H, W), dtype=int) if nothing == "solid" else tiles(4, count=2)
    batch = batch_of(ids, mask=torch.zeros(2, 1, H, W, dtype=torch.bool) if nothing == "valid" else None)
    found = FrameGrains().compute() if nothing == "items" else scored(batch["target"], batch)
    for region in REGIONS:
        assert {value for value in found[region].values() if value is not None} <= {0}
        assert found[region]["f1_1"] is None
        assert found[region]["adjusted_rand"] is None
        assert found[region]["cells"] == 0
    json.dumps(found, allow_nan=False)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_an_answer_that_is_not_finite_has_no_scores(noisy, bad):
    answer, batch = noisy
    answer[1, 4, batch["mask"][1, 0]] = bad
    found = scored(answer, batch)
    assert all(value is None for region in REGIONS for value in found[region].values())


def test_batching_order_and_repeats_do_not_matter(noisy):
    answer, batch = noisy
    expected = scored(answer, batch)
    scores = FrameGrains()
    for rows in ([2, 0], [1, 2]):
        scores.update(answer[rows], rows_of(batch, rows))
    found = scores.compute()
    for region in REGIONS:
        assert found[region] == pytest.approx(expected[region], nan_ok=False)


def test_answers_of_another_shape_are_refused(noisy):
    answer, batch = noisy
    with pytest.raises(ValueError, match="expected"):
        scored(answer[:, :3], batch)

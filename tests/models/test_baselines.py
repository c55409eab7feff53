"""Baselines: their definitions, their fits, and that they never look at the answer."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from lasernet.data.derived import derive
from lasernet.errors import RunError
from lasernet.metrics.regions import RegionScores
from lasernet.models.baselines import AdvectedPersistence, MeanColor, NearestSolid, Persistence
from lasernet.models.calibrated_front import CalibratedFront, _ThinnedRows, fit_logistic, quadratic
from lasernet.physics.nearest import nearest_solid

LIQUIDUS, CELL, SHAPE = 1700.0, 2.5e-6, (30, 6, 9)
REFERENCE = Path(__file__).parents[2] / ".." / "shared" / "reference" / "exaca_316l_full.npz"
COPIES = ["persistence", "advected-persistence", "nearest-solid", "nearest-solid-3d"]
FITTED = ["mean-color", "calibrated-front", "calibrated-front-3d"]


def build(name):
    dimensions = "3" if name.endswith("-3d") else "2"
    return {
        "persistence": Persistence,
        "advected-persistence": AdvectedPersistence,
        "mean-color": MeanColor,
        "nearest-solid": lambda: NearestSolid(dimensions=dimensions),
        "calibrated-front": lambda: CalibratedFront(dimensions=dimensions),
    }[name.removesuffix("-3d")]()


def window(now, later, *, spacing=(CELL,) * 3, liquidus=LIQUIDUS, seq_length=2):
    """A batch of all xz slices of two consecutive volumes (temperature, ipf, molten)."""

    def cut(volume):  # (C, X, Y, Z) → (Y, C, Z, X)
        image = torch.from_numpy(np.ascontiguousarray(volume.transpose(2, 0, 3, 1)))
        return image.float() / 255 if image.dtype == torch.uint8 else image

    temperature, ipf, molten = now
    valid = np.ones(molten.shape, dtype=bool)
    count = molten.shape[1]
    batch = {
        "temperature": cut(temperature[None]),
        "ipf": cut(ipf),
        "molten": cut(molten[None]),
        "valid": cut(valid[None]),
    }
    batch = {name: torch.stack([value] * seq_length, dim=1) for name, value in batch.items()}
    batch |= {
        "future_temperature": cut(later[0][None]),
        "target": cut(later[1]),
        "target_molten": cut(later[2][None]),
        "mask": cut(valid[None]),
        "item": torch.arange(count),
    }
    for name in ("nearest_ipf_3d", "solid_distance_3d", "advected_ipf", "advected_temperature"):
        field = derive(
            name, ipf=ipf, temperature=temperature, molten=molten, valid=valid, spacing=spacing,
            velocity=np.array([0.5, 0, 0]), time_step=5e-6,
        )  # fmt: skip
        batch[name] = cut(field if field.ndim == 4 else field[None])
    numbers = {"liquidus": liquidus, "solidus": liquidus - 60, "front_low": liquidus - 60, "front_high": liquidus}
    numbers |= {"cell_height": spacing[2], "cell_width": spacing[0]}
    return batch | {name: torch.full((count,), float(value)) for name, value in numbers.items()}


def track(frames=5, seed=0):
    """A toy laser track: a melt pool that moves over grains, and freezes 40 K below liquidus."""
    draw = np.random.default_rng(seed)
    x, y, z = np.meshgrid(*map(np.arange, SHAPE), indexing="ij")
    grains = draw.integers(1, 256, (9, SHAPE[0] // 3, SHAPE[1] // 3, SHAPE[2] // 3), dtype=np.uint8)
    colors = grains.repeat(3, 1).repeat(3, 2).repeat(3, 3)
    volumes = []
    for frame in range(frames):
        reach = np.sqrt((x - 6 - 4 * frame) ** 2 + (y - 3) ** 2 + (z - SHAPE[2]) ** 2)
        temperature = (LIQUIDUS + 500 - 120 * reach + draw.normal(0, 5, SHAPE)).astype(np.float32)
        molten = temperature > LIQUIDUS - 40 + draw.normal(0, 15, SHAPE)
        volumes.append((temperature, np.where(molten, 0, colors).astype(np.uint8), molten))
    return [window(now, later) for now, later in pairwise(volumes)]


@pytest.fixture(scope="module")
def batches():
    return track()


@pytest.mark.parametrize("task", ["microstructure", "temperature"])
def test_persistence_copies_the_last_frame(batches, task):
    field = {"microstructure": "ipf", "temperature": "temperature"}[task]
    assert torch.equal(Persistence(task=task)(batches[0]), batches[0][field][:, -1])
    moved = AdvectedPersistence(task=task)
    assert moved.inputs == (f"advected_{field}",)
    torch.testing.assert_close(moved(batches[0])[..., 1:], batches[0][field][:, -1][..., :-1])


@pytest.mark.parametrize("name", COPIES + FITTED)
def test_baselines_do_not_look_at_the_answer(batches, name):
    model = build(name)
    model.fit(batches[:2])
    seen = dict(batches[2])
    expected = model.predict(seen)
    del seen["target"], seen["target_molten"]
    assert torch.equal(model.predict(seen), expected)
    assert expected.shape == batches[2]["target"].shape
    assert model.phases() == []
    assert 0 <= expected.min() <= expected.max() <= 1


@pytest.mark.parametrize("name", COPIES + FITTED)
def test_baselines_treat_items_alone(batches, name):
    model = build(name)
    model.fit(batches[:2])
    whole = model(batches[2])
    for item in (0, 3):
        single = {key: value[item : item + 1] for key, value in batches[2].items()}
        torch.testing.assert_close(model(single)[0], whole[item])


@pytest.mark.parametrize("name", FITTED)
def test_unfitted_baselines_refuse_to_answer(batches, name):
    with pytest.raises(RunError, match="never fitted"):
        build(name)(batches[0])


@pytest.mark.parametrize("name", FITTED)
def test_fits_survive_the_state_dict_and_do_not_depend_on_batching(batches, name):
    model, again = build(name), build(name)
    model.fit(batches[:3])
    again.load_state_dict(model.state_dict())
    assert torch.equal(again(batches[3]), model(batches[3]))
    again = build(name)
    again.fit({key: value[i : i + 2] for key, value in batch.items()} for batch in batches[:3] for i in (0, 2, 4))
    torch.testing.assert_close(again(batches[3]), model(batches[3]), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["nearest-solid", "nearest-solid-3d"])
def test_nearest_solid_follows_its_definition(batches, name):
    batch = batches[1]
    found = build(name)(batch)
    molten, hot = batch["molten"][:, -1], batch["future_temperature"] >= LIQUIDUS
    now = batch["ipf"][:, -1]
    assert not found[hot.expand_as(found)].any()
    kept = (~molten & ~hot).expand_as(found)
    assert torch.equal(found[kept], now[kept])
    for item in range(len(found)):
        (row, column), _ = nearest_solid(~molten[item, 0].numpy(), (CELL, CELL))
        frozen = (molten & ~hot)[item, 0]
        expected = now[item][:, row, column] if name == "nearest-solid" else batch["nearest_ipf_3d"][item]
        assert torch.equal(found[item][:, frozen], expected[:, frozen])


def test_mean_color_has_the_least_training_error(batches):
    model = MeanColor()
    model.fit(batches)

    def error():
        squares = [(model(batch) - batch["target"]).double().square().sum() for batch in batches]
        return float(sum(squares))

    best, threshold, color = error(), model.threshold.clone(), model.color.clone()
    for change in (-200.0, -20.0, -2.0, 2.0, 20.0, 200.0):
        model.threshold.copy_(threshold + change)
        assert error() >= best * (1 - 1e-9)
    model.threshold.copy_(threshold)
    for change in (-0.01, 0.01):
        model.color.copy_(color + change)
        assert error() > best


def test_mean_color_is_the_mean_target_of_cold_molten_cells(batches):
    model = MeanColor()
    model.fit(batches)
    cold = [b["molten"][:, -1, 0] & (b["future_temperature"][:, 0] - LIQUIDUS < model.threshold) for b in batches]
    colors = torch.cat([b["target"].movedim(1, -1)[c] for b, c in zip(batches, cold, strict=True)])
    torch.testing.assert_close(model.color, colors.double().mean(0).float())


@pytest.mark.parametrize("name", ["mean-color", "calibrated-front"])
def test_masked_cells_are_not_learned_from(batches, name):
    spoiled = [dict(batch) for batch in batches]
    for batch in spoiled:
        batch["mask"] = torch.ones_like(batch["mask"])
        batch["mask"][..., :5] = False
    model, other = build(name), build(name)
    model.fit(spoiled)
    for batch in spoiled:
        batch["target"] = torch.where(batch["mask"], batch["target"], 0.5)
        batch["target_molten"] = torch.where(batch["mask"], batch["target_molten"], True)
    other.fit(spoiled)
    assert all(torch.equal(a, b) for a, b in zip(model.buffers(), other.buffers(), strict=True))


@pytest.mark.parametrize("name", ["calibrated-front", "calibrated-front-3d"])
def test_calibrated_front_decides_only_where_cells_may_freeze(batches, name):
    model = build(name)
    model.fit(batches[:3])
    found, batch = model(batches[3]), batches[3]
    molten, excess = batch["molten"][:, -1], batch["future_temperature"] - LIQUIDUS
    assert not found[(molten & (excess >= 100)).expand_as(found)].any()
    copied = (~molten & (excess < model.threshold)).expand_as(found)
    assert torch.equal(found[copied], batch["ipf"][:, -1][copied])
    melted = (~molten & (excess >= model.threshold)).expand_as(found)
    assert not found[melted].any()


def test_calibrated_front_is_calibrated_on_its_training_cells(batches):
    model = CalibratedFront()
    model.fit(batches)
    chances, froze = [], []
    for batch in batches:
        undecided = batch["molten"][:, -1] & (batch["future_temperature"] < LIQUIDUS + 100)
        white = dict(batch, ipf=torch.ones_like(batch["ipf"]))
        chances.append(model(white)[:, :1][undecided])
        froze.append(~batch["target_molten"][undecided])
    assert torch.cat(chances).mean().item() == pytest.approx(torch.cat(froze).float().mean().item(), abs=1e-3)


def test_another_liquidus_changes_nothing_but_the_zero_of_temperature(batches):
    model = CalibratedFront()
    model.fit(batches[:3])
    shifted = dict(batches[3])
    for name in ("temperature", "future_temperature", "liquidus"):
        shifted[name] = shifted[name] - 300
    torch.testing.assert_close(model(shifted), model(batches[3]), rtol=1e-3, atol=1e-3)


def test_calibrated_front_survives_training_data_without_melt(batches, caplog):
    frozen = [dict(batch, molten=torch.zeros_like(batch["molten"])) for batch in batches]
    model = CalibratedFront()
    model.fit(frozen)
    assert "undecided training cells" in caplog.text
    assert model(batches[0]).isfinite().all()


@pytest.mark.parametrize("name", ["nearest-solid", "calibrated-front"])
def test_slices_without_solid_are_answered(batches, name):
    model = build(name)
    model.fit(batches)
    molten = torch.ones_like(batches[0]["molten"])
    batch = dict(batches[0], molten=molten, ipf=torch.zeros_like(batches[0]["ipf"]))
    assert not model(batch).any()


def test_logistic_fit_recovers_a_known_gate_and_has_no_slope_left():
    draw = torch.Generator().manual_seed(0)
    variables = torch.randn(20000, 3, generator=draw)
    truth = torch.tensor([0.5, -1, 1.5, 0.3, 0.2, 0, -0.4, 0.1, 0, 0.25], dtype=torch.float64)
    chance = torch.sigmoid(quadratic(variables.double()) @ truth)
    outcome = (torch.rand(20000, generator=draw) < chance).float()
    found = fit_logistic(variables, outcome, ridge=0.0)
    assert (found - truth).abs().max() < 0.15
    terms = quadratic(variables.double())
    slope = terms.T @ (torch.sigmoid(terms @ found) - outcome.double()) / 20000
    assert slope.abs().max() < 1e-8


def test_logistic_fit_of_a_constant_is_its_log_odds():
    outcome = (torch.arange(1000) < 200).float()
    found = fit_logistic(torch.zeros(1000, 3), outcome)
    assert found[0].item() == pytest.approx(np.log(0.2 / 0.8), rel=1e-4)
    assert not found[1:].any()


def test_logistic_fit_of_separable_cells_is_finite():
    variables = torch.linspace(-1, 1, 500)[:, None].expand(-1, 3)
    found = fit_logistic(variables, (variables[:, 0] > 0).float())
    assert found.isfinite().all()
    assert ((quadratic(variables.double()) @ found > 0) == (variables[:, 0] > 0)).float().mean() > 0.99


@pytest.mark.parametrize("sizes", [[1000], [1] * 1000, [7, 0, 300, 13, 680]])
def test_thinning_keeps_every_kth_row_however_they_come(sizes):
    sample = _ThinnedRows(100)
    for rows in torch.arange(1000.0)[:, None].split(sizes):
        sample.add(rows)
    assert torch.equal(sample.rows()[:, 0], torch.arange(0, 1000, 16.0))


@pytest.mark.skipif(not REFERENCE.is_file(), reason="the reference track is not part of the project")
def test_baselines_on_the_reference_track_score_as_measured_elsewhere():
    with np.load(REFERENCE) as file:
        axes = [file[axis] for axis in "xyz"]
        table, index, kelvin = file["ipf_table"], file["grain_index"], file["temperature_decikelvin"]
        grain = file["grain_ids"][index]
    spacing = tuple(float(axis[1] - axis[0]) for axis in axes)

    def volume(frame):
        return kelvin[frame].astype(np.float32) / 10, np.moveaxis(table[index[frame]], -1, 0), grain[frame] == 0

    def target(frame):
        return window(volume(frame - 1), volume(frame), spacing=spacing, liquidus=1723.0, seq_length=1)

    train, test = [target(frame) for frame in (4, 7, 10)], target(22)
    front = {}
    for name in ("persistence", "mean-color", "nearest-solid", "nearest-solid-3d", "calibrated-front-3d"):
        model, scores = build(name), RegionScores("ipf")
        model.fit(train)
        scores.update(model.predict(test), test)
        front[name] = scores.compute()["front"]["mse"]
    skill = {name: 1 - value / front["persistence"] for name, value in front.items()}
    assert skill["mean-color"] == pytest.approx(0.80, abs=0.04)
    assert skill["nearest-solid"] == pytest.approx(0.88, abs=0.02)
    assert skill["nearest-solid-3d"] == pytest.approx(0.90, abs=0.02)
    assert skill["calibrated-front-3d"] > 0.90

"""Errors of flows by component against plain sums; permeability, conservation and likeness on fields known exactly."""

import numpy as np
import pytest
import torch
from velocity_batches import random_flows, solved_flow

from lasernet.metrics.flow_errors import FlowErrors, own_size
from lasernet.metrics.flow_physics import FlowPhysics, overlap_of_fastest
from lasernet.nn.projection import project


def with_numbers(batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    count = len(batch["mask"])
    return {
        "item": torch.arange(count), "permeability": torch.full((count, 3), float("nan")),
        "permeability_error": torch.full((count,), 0.02), **batch,
    }  # fmt: skip


def test_errors_are_plain_sums_over_fluid_cells() -> None:
    batch = with_numbers(random_flows(dtype=torch.float64))
    answer = batch["target"] + 0.1 * torch.randn(batch["target"].shape, generator=torch.Generator().manual_seed(0))
    errors = FlowErrors("velocity")
    for row in (1, 0, 1):  # an item that comes twice counts once
        errors.update(answer[row : row + 1], {name: values[row : row + 1] for name, values in batch.items()})
    found = errors.compute()
    size = own_size(batch["target"], batch["mask"])
    sums = np.zeros((2, 3))
    for row in range(2):
        inside = batch["mask"][row, 0]
        error, truth = ((x[row, 2][inside] / size[row]).numpy() for x in (answer - batch["target"], batch["target"]))
        sums[0] += [np.square(error).sum(), np.abs(error).sum(), len(error)]
        sums[1] += [np.square(truth).sum(), np.abs(truth).sum(), len(truth)]
    assert found["z"]["nmse"] == pytest.approx(sums[0, 0] / sums[1, 0])
    assert found["z"]["nmae"] == pytest.approx(sums[0, 1] / sums[1, 1])
    assert found["z"]["mae_over_rms"] == pytest.approx(sums[0, 1] / sums[0, 2] / np.sqrt(sums[1, 0] / sums[1, 2]))
    assert found["z"]["values"] == sums[0, 2]
    assert found["all"]["values"] == 3 * sums[0, 2]
    inside = batch["mask"].expand_as(answer)
    assert found["all"]["rmse"] == pytest.approx(float((answer - batch["target"])[inside].square().mean().sqrt()))


def test_no_item_counts_more_for_being_faster() -> None:
    batch = with_numbers(random_flows(dtype=torch.float64))
    factor = torch.tensor([1.0, 1e-6], dtype=torch.float64).reshape(-1, 1, 1, 1, 1)
    answer = 1.3 * batch["target"]
    plain, scaled = FlowErrors("velocity"), FlowErrors("velocity")
    plain.update(answer, batch)
    scaled.update(factor * answer, {**batch, "target": factor * batch["target"]})
    for name in ("nmse", "nmae", "mae_over_rms"):
        assert scaled.compute()["y"][name] == pytest.approx(plain.compute()["y"][name])
    assert plain.compute()["all"]["nmse"] == pytest.approx(0.09)
    assert plain.compute()["all"]["nmae"] == pytest.approx(0.3)


def test_what_is_no_number_or_of_another_shape() -> None:
    batch = with_numbers(random_flows())
    nothing = FlowErrors("velocity")
    nothing.update(torch.zeros_like(batch["target"]), {**batch, "target": torch.zeros_like(batch["target"])})
    assert nothing.compute()["all"] | {"values": 0} == {
        "nmse": None, "nmae": None, "mae_over_rms": None, "rmse": 0, "mae": 0, "values": 0,
    }  # fmt: skip
    with pytest.raises(ValueError, match="no errors of 'speed'"):
        FlowErrors("speed")
    with pytest.raises(ValueError, match="to a target of shape"):
        nothing.update(batch["mask"].float(), batch)


def measured(answer: torch.Tensor, batch: dict[str, torch.Tensor]) -> dict[str, dict[str, float | None]]:
    physics = FlowPhysics()
    physics.update(answer, with_numbers(batch))
    return physics.compute()


def test_the_truth_itself_is_perfect_and_a_scaled_one_errs_by_its_factor() -> None:
    flow = solved_flow()
    flow["target"] = flow["velocity"]
    found = measured(flow["velocity"], flow)
    assert found["permeability"]["max_abs_error"] == 0
    assert found["permeability"]["truth_error"] == pytest.approx(0.02)
    assert found["likeness"]["cosine"] == pytest.approx(1)
    assert found["likeness"]["iou_top10"] == found["likeness"]["iou_top5"] == 1
    assert found["likeness"]["speed_wasserstein"] == 0
    for value in found["conservation"].values():
        assert value is not None
        assert value < 1e-6
    twice = measured(2 * flow["velocity"], flow)
    assert twice["permeability"]["mean_error"] == pytest.approx(1)
    assert twice["likeness"]["cosine"] == pytest.approx(1)
    assert twice["likeness"]["speed_wasserstein"] == pytest.approx(1)


def test_leaks_and_slip_are_seen_and_a_projection_mends_them() -> None:
    flow = solved_flow()
    flow["target"] = flow["velocity"]
    noise = torch.randn(flow["velocity"].shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    noisy = flow["velocity"] + 0.05 * flow["velocity"].std() * noise
    before = measured(noisy, flow)["conservation"]
    after = measured(project(noisy, flow["mask"], flow["spacing"].double()), flow)["conservation"]
    for name, value in before.items():
        changed = after[name]
        assert value is not None
        assert changed is not None
        assert value > 1e-3
        assert changed < 1e-6, name


def test_velocities_in_centers_are_not_asked_what_holds_on_faces() -> None:
    flow = solved_flow()
    flow |= {"target": flow["velocity"], "faces": torch.tensor([False])}
    assert set(measured(flow["velocity"], flow)["conservation"].values()) == {None}


def test_the_overlap_of_two_random_fields_is_what_chance_gives() -> None:
    generator = np.random.default_rng(0)
    first, second = generator.random((2, 200_000))
    for share in (0.1, 0.05):
        assert overlap_of_fastest(first, second, share) == pytest.approx(share / (2 - share), rel=0.15)
        assert overlap_of_fastest(first, 3 * first, share) == 1
        assert overlap_of_fastest(first, -first, share) == 0

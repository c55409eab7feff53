"""What may be asked of flows beside plain answers: windows, one flux, projections."""

from pathlib import Path

import pytest
import torch
from velocity_batches import random_flows, solved_flow

from lasernet.data.flows import FlowData
from lasernet.engine.loaded import build_model
from lasernet.errors import OptionError
from lasernet.tasks.flow_answers import FlowAnswers, one_flux


def batch_of(flow: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {**flow, "target": flow["velocity"]}


def test_windows_of_the_truth_are_the_truth() -> None:
    batch = batch_of(solved_flow(torch.float32))
    found = FlowAnswers(window=8, overlap=3)(lambda part: part["velocity"], batch)
    largest = float(batch["velocity"].abs().max())
    torch.testing.assert_close(found, batch["velocity"], rtol=1e-4, atol=1e-4 * largest)


def test_windows_in_a_row_carry_one_flux_by_their_resistances() -> None:
    batch = batch_of(random_flows(items=1, layers=1, rows=16, columns=32))
    batch |= {"mask": torch.ones_like(batch["mask"])}
    speed = torch.where(torch.arange(32) < 16, 1.0, 3.0)  # of windows that are driven by the same gradient

    def ask(part: dict[str, torch.Tensor]) -> torch.Tensor:
        along = speed.expand(1, 1, 1, 16, 32)[..., : part["mask"].shape[-2], : part["mask"].shape[-1]]
        return torch.cat([along, torch.zeros_like(along), torch.zeros_like(along)], dim=1)

    found = one_flux(ask(batch))
    assert found[:, 0].sum((1, 2)).std() == pytest.approx(0, abs=1e-5)
    assert found[0, 0].mean().item() == pytest.approx(2 / (1 / 1 + 1 / 3))
    backward = -ask(batch)
    assert torch.equal(one_flux(backward), backward)


def test_pressures_of_windows_are_brought_to_one_level() -> None:
    flow = solved_flow(torch.float32)
    batch = {**flow, "target": flow["pressure"]}

    def ask(part: dict[str, torch.Tensor]) -> torch.Tensor:
        pressure, mask = part["pressure"], part["mask"]
        mean = torch.where(mask, pressure, 0).sum((-1, -2), keepdim=True) / mask.sum((-1, -2), keepdim=True)
        return torch.where(mask, pressure - mean, 0)  # of each window, as of the whole, the level is 0

    found = FlowAnswers(window=8, overlap=4)(ask, batch)
    torch.testing.assert_close(found, ask(batch), rtol=1e-4, atol=1e-4 * float(flow["pressure"].abs().max()))


@pytest.mark.parametrize(("rows", "columns"), [(300, 700), (200, 200)])
def test_slices_of_any_size_are_answered(rows: int, columns: int) -> None:
    generator = torch.Generator().manual_seed(0)
    mask = torch.rand(1, 1, 1, rows, columns, generator=generator) < 0.9
    batch = {
        "mask": mask, "target": torch.zeros(1, 3, 1, rows, columns), "faces": torch.tensor([True]),
        "spacing": torch.full((1, 3), 1e-6), "gradient": torch.tensor([1e5]), "viscosity": torch.tensor([0.5]),
    }  # fmt: skip
    model = build_model("unet", {"features": (4, 6)}, task="flow").eval()
    model.scale.fill_(1.0)
    model.reference.fill_(1e-4)
    with torch.no_grad():
        found = FlowAnswers(window=64, project=True)(model.predict, batch)
    assert found.shape == (1, 3, 1, rows, columns)
    assert found.isfinite().all()


def test_what_cannot_be_asked_is_refused(flows: Path) -> None:
    batch = FlowData([flows]).split("train").fetch([0])
    for options, words in (
        ({}, "nothing is asked"),
        ({"overlap": 4}, "no effect without --window"),
        ({"window": 4}, "--window 4 --overlap 2"),
        ({"window": 16, "overlap": 16}, "--window 16 --overlap 16"),
    ):
        with pytest.raises(OptionError, match=words):
            FlowAnswers(**options)  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="velocities on faces"):
        FlowAnswers(project=True)(lambda part: part["velocity"], {**batch, "faces": ~batch["faces"]})
    with pytest.raises(OptionError, match="predicts pressures"):
        FlowAnswers(project=True)(lambda part: part["pressure"], batch)

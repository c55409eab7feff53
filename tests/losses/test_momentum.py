"""The balance of forces by hand, and of predicted pressures."""

import pytest
import torch
from velocity_batches import judge, noisy, random_flows, solved_flow


def test_momentum_judges_pressures_with_the_true_velocity() -> None:
    batch = solved_flow()
    batch["target"] = batch["pressure"]
    assert judge("momentum", batch["target"], batch) < 1e-17
    assert judge("momentum", noisy(batch), batch) > 1e-3
    shifted = {**batch, "target": 1e-2 * batch["target"] + 3.0}  # a scale and a shift, in which no force is
    assert judge("momentum", shifted["target"], shifted) == pytest.approx(0, abs=1e-17)


def test_momentum_of_an_undisturbed_channel_is_by_hand() -> None:
    """Between two plates u = g·y(H − y)/2μ solves the equation, and twice that misses it by g."""
    batch = random_flows(1, layers=1, rows=8, columns=4, dtype=torch.float64)
    y = (torch.arange(8, dtype=torch.float64) - 0.5) * batch["spacing"][0, 1]
    height, share = 7 * batch["spacing"][0, 1], batch["gradient"][0] / (2 * batch["viscosity"][0])
    target = torch.zeros_like(batch["target"])
    target[:, 0] = (share * y * (height - y))[:, None]
    for faces in (True, False):
        mask = torch.ones_like(batch["mask"])
        mask[..., 0, :] = False
        channel = {**batch, "mask": mask, "target": target, "velocity": target, "faces": torch.tensor([faces])}
        channel["pressure"] = torch.zeros_like(batch["pressure"])
        assert judge("momentum", target, channel) == pytest.approx(0, abs=1e-25)
        assert judge("momentum", 2 * target, channel) == pytest.approx(1)

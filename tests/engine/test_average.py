"""The moving average of weights."""

import math

import torch
from torch import nn

from lasernet.engine.checkpoint import Average


def test_it_follows_quickly_at_first_and_slowly_later() -> None:
    model = nn.Linear(1, 1, bias=False)
    nn.init.ones_(model.weight)
    average = Average(model, 0.9)
    nn.init.zeros_(model.weight)
    left = []
    for step in range(200):
        average.update(model, step)
        left.append(float(average.values["weight"]))
    decays = [min(0.9, (1 + step) / (10 + step)) for step in range(200)]
    assert math.isclose(left[4], math.prod(decays[:5]), rel_tol=1e-5)
    assert math.isclose(left[99] / left[98], 0.9, rel_tol=1e-5)
    assert left[9] < 1e-3, "after ten updates the first weights are forgotten"


def test_buffers_are_copied_as_they_are() -> None:
    model = nn.BatchNorm1d(2)
    average = Average(model, 0.99)
    model.running_mean = torch.tensor([3.0, 4.0])
    average.update(model, 0)
    assert torch.equal(average.values["running_mean"], model.running_mean)

"""A small melt pool in a slice of grains, 12 rows by 40 columns."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from lasernet.viz.panels import Plane


@pytest.fixture(scope="session")
def melt() -> SimpleNamespace:
    rng = np.random.default_rng(5)
    rows, columns = np.mgrid[:12, :40]
    grains = rng.random((60, 9)).astype(np.float32)
    grains /= grains.max(axis=1, keepdims=True)
    truth = np.moveaxis(grains[rows // 3 * 10 + columns // 4], -1, 0).copy()
    temperature = 300 + 2500 * np.exp(-(((columns - 20) / 9) ** 2) - ((11 - rows) / 5) ** 2)
    before = temperature > 1500
    molten = temperature > 1723
    truth[:, molten] = 0
    prediction = truth.copy()
    prediction[:, before & ~molten] = 0.4
    active = before & (~molten | (temperature < 1823))
    plane = Plane(spacing=(5e-6, 5e-6), origin=(-55e-6, 0.0))
    return SimpleNamespace(
        truth=truth,
        prediction=prediction,
        temperature=temperature,
        molten=molten,
        active=active,
        newly_solid=before & ~molten,
        plane=plane,
    )

"""The loss study leaves no loss out, and compares tracks rightly."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from lasernet.losses.base import parse_loss
from lasernet.registry import LOSSES

OF_FLOWS = ("divergence", "flux", "laplacian", "momentum", "nmae", "nmse", "no-slip", "smoothness")


@pytest.fixture(scope="module")
def study() -> ModuleType:
    """The script as a module."""
    place = Path(__file__).parents[1] / "examples" / "loss_study.py"
    spec = importlib.util.spec_from_file_location("loss_study", place)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["loss_study"] = module  # where dataclasses look for it
    spec.loader.exec_module(module)
    return module


def test_every_loss_is_screened_once_as_an_expression_that_holds(study: ModuleType) -> None:
    names = [name for name in LOSSES.names() if not name.startswith(("toy", "test")) and name not in OF_FLOWS]
    assert sorted((*study.PLAIN, *study.ADDED)) == sorted(names)
    for name in names:
        assert name in {term.name for term in parse_loss(study.expression(name, 3.0))}


def test_errors_of_tracks_average_over_seeds_and_add_up_to_the_pooled_error(study: ModuleType) -> None:
    cells = {"a": 30, "b": 10}
    seeds = [
        {"cases": {case: {"cells": {"active": cells[case]}, "mse": {"active": mse}} for case, mse in one.items()}}
        for one in ({"a": 0.1, "b": 0.3}, {"a": 0.2, "b": 0.5})
    ]
    errors = study.track_errors(seeds)
    assert errors == pytest.approx([2 * 30 * 0.15 / 40, 2 * 10 * 0.4 / 40])
    assert sum(errors) / 2 == pytest.approx((30 * 0.15 + 10 * 0.4) / 40)

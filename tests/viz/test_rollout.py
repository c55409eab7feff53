"""Error against horizon, drawn."""

from pathlib import Path

import pytest

from lasernet.viz.rollout import error_against_horizon


@pytest.mark.parametrize("steps", [1, 5])
@pytest.mark.parametrize("others", [0, 8])
def test_any_number_of_steps_and_lines_is_drawn_the_same_way_twice(tmp_path: Path, steps: int, others: int) -> None:
    curves = {
        f"model {line}": {"all": [line + step + 1.0 for step in range(steps)], "active": [None] * (steps - 1) + [2.0]}
        for line in range(1 + others)
    }
    first, second = (error_against_horizon(curves, tmp_path / f"{n}.png", unit="K²", title="t") for n in (1, 2))
    assert first.read_bytes() == second.read_bytes()
    assert first.stat().st_size > 10_000

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.stats import spearmanr

from lasernet.errors import DataError
from lasernet.viz.critic_tracking import critic_tracking, rank_correlation


def rows(count: int, **more: object) -> list[dict[str, object]]:
    return [
        {"step": n, "train_critic_loss": -5.0 / n, "val_chord_length": 0.3 / n, **more} for n in range(1, count + 1)
    ]


def test_rank_correlation_is_spearmans_also_with_ties_and_gaps() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, 9, 50).astype(float), rng.normal(size=50)
    assert rank_correlation(first, second) == pytest.approx(spearmanr(first, second).statistic)
    with_gaps = np.append(first, np.nan), np.append(second, 5.0)
    assert rank_correlation(*with_gaps) == pytest.approx(spearmanr(first, second).statistic)


def test_rank_correlation_sees_order_alone() -> None:
    rising = np.arange(1.0, 9.0)
    assert rank_correlation(rising, np.exp(rising)) == pytest.approx(1.0)
    assert rank_correlation(rising, -(rising**3)) == pytest.approx(-1.0)


def test_rank_correlation_of_too_few_or_equal_values_is_unknown() -> None:
    assert rank_correlation(np.arange(2.0), np.arange(2.0)) is None
    assert rank_correlation(np.ones(5), np.arange(5.0)) is None


def test_the_estimate_has_its_own_panel_where_it_was_recorded(tmp_path: Path) -> None:
    one = Image.open(critic_tracking(rows(9), tmp_path / "a.png")).width
    two = Image.open(critic_tracking(rows(9, train_critic_wasserstein=1.5), tmp_path / "b.png", title="t")).width
    assert two > one


@pytest.mark.parametrize("value", [None, float("nan"), 0.0, -4.0])
def test_odd_rows_are_drawn(value: float | None, tmp_path: Path) -> None:
    odd = [*rows(3), {**rows(1)[0], "val_chord_length": value}, {**rows(1)[0], "train_critic_loss": value}]
    assert critic_tracking(odd, tmp_path / "a.png").is_file()
    assert critic_tracking(rows(1), tmp_path / "b.png").is_file()


def test_rows_without_the_distance_are_refused(tmp_path: Path) -> None:
    for wrong in ([], [{"train_critic_loss": 1.0}], [{"val_chord_length": 1.0}]):
        with pytest.raises(DataError, match="val_chord_length"):
            critic_tracking(wrong, tmp_path / "a.png")
    assert list(tmp_path.iterdir()) == []

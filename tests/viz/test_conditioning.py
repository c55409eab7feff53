from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lasernet.errors import DataError
from lasernet.viz.conditioning import conditioning, score_lines

ASKED = np.repeat(np.arange(20, 41), 3)


def test_numbers_met_exactly_have_no_error_and_the_mean_alone_explains_nothing() -> None:
    assert score_lines(ASKED, ASKED) == ["R² = 1.000", "mean |error| = 0.00", "bias = +0.00", "n = 63"]
    assert score_lines(ASKED, np.full(ASKED.shape, 30.0))[0] == "R² = 0.000"
    assert score_lines(ASKED, ASKED - 2.0)[1:3] == ["mean |error| = 2.00", "bias = −2.00"]


def test_one_request_has_no_r_squared(tmp_path: Path) -> None:
    assert score_lines(np.full(4, 30.0), np.arange(4.0))[0] == "R² = –"
    assert conditioning(np.full(4, 30), {"strict": np.arange(4)}, tmp_path / "a.png").is_file()


def test_each_way_of_measuring_has_a_panel(tmp_path: Path) -> None:
    widths = [
        Image.open(conditioning(ASKED, {str(n): ASKED + n for n in range(count)}, tmp_path / "a.png")).width
        for count in (1, 2, 3)
    ]
    assert widths == sorted(set(widths))


@pytest.mark.parametrize("measured", [{}, {"strict": ASKED[1:]}, {"strict": np.full(ASKED.shape, np.nan)}])
def test_measurements_that_do_not_fit_are_refused(measured: dict[str, np.ndarray], tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected"):
        conditioning(ASKED, measured, tmp_path / "a.png")
    assert list(tmp_path.iterdir()) == []

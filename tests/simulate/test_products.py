"""Products in order: what they are, bit for bit."""

import numpy as np
import pytest

from lasernet.simulate.products import BLOCK, ROWS, TERMS, ordered_product


def factors(rows: int, terms: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of either sign from 1e-9 to 1e9."""
    rng = np.random.default_rng(rows + terms + columns)
    first, second = (
        (rng.choice((-1, 1), shape) * 10 ** rng.uniform(-9, 9, shape)).astype(np.float32)
        for shape in ((rows, terms), (terms, columns))
    )
    return first, second


@pytest.mark.parametrize("rows", [1, ROWS, 5 * ROWS + 1])
@pytest.mark.parametrize("terms", [0, 1, TERMS, 5 * TERMS - 1])
@pytest.mark.parametrize("columns", [1, 7, BLOCK, BLOCK + 13])
def test_every_sum_is_taken_in_order_and_rounded_at_each_step(rows: int, terms: int, columns: int) -> None:
    first, second = factors(rows, terms, columns)
    expected = np.zeros((rows, columns), dtype=np.float32)
    for n in range(terms):
        expected += first[:, n, None] * second[n]
    found = ordered_product(first, second)
    assert found.dtype == np.float32
    assert found.tobytes() == expected.tobytes()


def test_the_product_of_a_part_is_the_part_of_the_product() -> None:
    first, second = factors(40, 33, 2 * BLOCK)
    part = ordered_product(first[7:30], second[:, 5:-9])
    assert part.tobytes() == ordered_product(first, second)[7:30, 5:-9].tobytes()

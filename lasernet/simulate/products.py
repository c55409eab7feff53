"""A product of matrices with the same bits on any number of cores.

BLAS shares a product between threads and rounds according to the shares, so that ``@`` on large matrices depends on
the number of threads. Here every number is the sum of its products one after another, each rounded to 32 bits.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lasernet.simulate.compiled import compiled

Singles = NDArray[np.float32]
ROWS, TERMS = 2, 4  # rows, and products of each, that ``add_products`` works on together
BLOCK = 1024  # columns whose sums and factors stay in the cache


def ordered_product(first: Singles, second: Singles) -> Singles:
    """Σ first[i, n] · second[n, j], added in the order of n: (M, N), (N, C) → (M, C).

    Takes about twice as long as BLAS on one core, and longer where products are denormal numbers, below 1e-38.
    """
    rows, terms = first.shape
    spare = -terms % TERMS
    result = np.zeros((rows + rows % ROWS, second.shape[1]), dtype=np.float32)
    add_products(np.pad(first, ((0, rows % ROWS), (0, spare))), np.pad(second, ((0, spare), (0, 0))), result)
    return result[:rows]


@compiled
def add_products(first: Singles, second: Singles, result: Singles) -> None:
    """Add first · second to a result; the shape of ``first`` is in multiples of ROWS and TERMS."""
    rows, terms = first.shape
    columns = second.shape[1]
    for start in range(0, columns, BLOCK):
        end = min(start + BLOCK, columns)
        for i in range(0, rows, ROWS):
            upper, lower = result[i, start:end], result[i + 1, start:end]
            for n in range(0, terms, TERMS):
                a, b, c, d = first[i, n], first[i, n + 1], first[i, n + 2], first[i, n + 3]
                e, f, g, h = first[i + 1, n], first[i + 1, n + 1], first[i + 1, n + 2], first[i + 1, n + 3]
                p, q = second[n, start:end], second[n + 1, start:end]
                r, s = second[n + 2, start:end], second[n + 3, start:end]
                for j in range(upper.size):
                    upper[j] = (((upper[j] + a * p[j]) + b * q[j]) + c * r[j]) + d * s[j]
                    lower[j] = (((lower[j] + e * p[j]) + f * q[j]) + g * r[j]) + h * s[j]

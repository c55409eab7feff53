"""Cubic enlargement: exact for quadratics, periodic, in register."""

import torch

from lasernet.nn.resample import upsample


def test_constants_stay_and_shifts_carry_over() -> None:
    image = torch.rand(1, 2, 8, 12, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(upsample(torch.ones(1, 1, 5, 7)), torch.ones(1, 1, 10, 14))
    shifted = upsample(torch.roll(image, (3, 2), (2, 3)), 4)
    torch.testing.assert_close(shifted, torch.roll(upsample(image, 4), (12, 8), (2, 3)))


def test_a_quadratic_is_reproduced_away_from_the_seam() -> None:
    coarse = torch.arange(16, dtype=torch.float32)
    field = (0.5 * coarse[:, None] ** 2 + coarse[None, :] ** 2 - coarse[:, None] * coarse[None, :])[None, None]
    fine = (torch.arange(32, dtype=torch.float32) + 0.5) / 2 - 0.5
    expected = 0.5 * fine[:, None] ** 2 + fine[None, :] ** 2 - fine[:, None] * fine[None, :]
    inside = slice(6, -6)
    torch.testing.assert_close(upsample(field)[0, 0, inside, inside], expected[inside, inside], rtol=1e-4, atol=1e-3)


def test_the_mean_is_kept() -> None:
    image = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(upsample(image).mean((2, 3)), image.mean((2, 3)))

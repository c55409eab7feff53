"""Noise that belongs to its item."""

import torch

from lasernet.nn.noise import normal, uniform


def test_a_row_depends_on_its_seed_alone() -> None:
    seeds = torch.tensor([5, 1 << 50, 7])
    rows = normal(seeds, 6)
    assert torch.equal(normal(seeds[1:], 6), rows[1:])
    assert torch.equal(normal(seeds.flip(0), 6), rows.flip(0))
    assert not torch.equal(rows[0], rows[2])


def test_all_bits_of_a_seed_count_and_streams_differ() -> None:
    seeds = torch.tensor([5, 5 + (1 << 32), 5 + (1 << 60)])
    for draw in (normal, uniform):
        rows = draw(seeds, 4)
        assert len({tuple(row.tolist()) for row in rows}) == 3
    assert not torch.equal(uniform(seeds, 4), uniform(seeds, 4, stream=1))


def test_the_global_random_state_is_left_alone() -> None:
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    normal(torch.arange(3), 5)
    uniform(torch.arange(3), 5)
    assert torch.equal(torch.rand(4), expected)


def test_moments() -> None:
    values = normal(torch.arange(200), 500)
    assert abs(float(values.mean())) < 4 / (200 * 500) ** 0.5
    assert abs(float(values.var()) - 1) < 4 * (2 / (200 * 500)) ** 0.5
    evenly = uniform(torch.arange(200), 500)
    assert float(evenly.min()) >= 0
    assert float(evenly.max()) < 1
    assert abs(float(evenly.mean()) - 0.5) < 4 * (1 / 12 / (200 * 500)) ** 0.5

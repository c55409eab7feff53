"""Random symmetries: each of the eight, and shifts, and nothing else."""

import torch

from lasernet.nn.symmetry import transformed

EIGHT = [(up, left, turn) for up in (0.1, 0.9) for left in (0.1, 0.9) for turn in (0.1, 0.9)]


def test_the_eight_symmetries_of_a_square_are_all_there() -> None:
    image = torch.arange(16.0).view(1, 1, 4, 4)
    chance = torch.tensor([[*one, 0.0, 0.0] for one in EIGHT])
    found = transformed(image.expand(8, 1, 4, 4), chance, shift=False)
    assert len({tuple(one.flatten().tolist()) for one in found}) == 8
    for one in found:
        assert sorted(one.flatten().tolist()) == sorted(image.flatten().tolist())


def test_a_periodic_image_is_shifted_by_its_chances_and_a_free_one_is_not() -> None:
    image = torch.rand(1, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    chance = torch.tensor([[0.9, 0.9, 0.9, 0.5, 0.25]])
    assert torch.equal(transformed(image, chance, shift=True), torch.roll(image, (4, 2), (2, 3)))
    assert torch.equal(transformed(image, chance, shift=False), image)


def test_an_oblong_image_is_not_turned() -> None:
    image = torch.rand(1, 1, 4, 6)
    assert transformed(image, torch.full((1, 5), 0.1), shift=False).shape == image.shape

"""The symmetries of a square pattern, applied to images at random."""

from __future__ import annotations

import torch
from torch import Tensor


def transformed(images: Tensor, chance: Tensor, *, shift: bool) -> Tensor:
    """Each image mirrored, turned and, if it is periodic, shifted by its own random numbers.

    Args:
        images: (B, C, H, W); those that are not square are mirrored only, not turned.
        chance: evenly spread over [0, 1), (B, 5): two mirrors, a transposition, two shifts.
        shift: move them around their periodic edges.
    """
    height, width = images.shape[-2:]
    moved = []
    for image, (up, left, turn, down, right) in zip(images, chance.tolist(), strict=True):
        if shift:
            image = torch.roll(image, (int(down * height), int(right * width)), (-2, -1))
        mirrors = [axis for axis, draw in ((-2, up), (-1, left)) if draw < 0.5]
        image = image.flip(mirrors) if mirrors else image
        moved.append(image.mT if turn < 0.5 and height == width else image)
    return torch.stack(moved)

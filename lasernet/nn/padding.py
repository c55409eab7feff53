"""What lies beyond the border of an image: nothing, its mirror image, or its opposite edge; by any number of cells."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lasernet.errors import OptionError
from lasernet.nn.periodic import wrap

Padding = Literal["reflect", "zeros", "circular"]


def padded(images: Tensor, before: tuple[int, int], after: tuple[int, int], padding: Padding) -> Tensor:
    """Images (N, C, H, W) with cells added at their borders.

    A mirror image (without its edge) ends with the image: where more cells are asked for than it has, the edge is
    repeated instead. An image that is continued at its opposite edge is so as often as needed.

    Args:
        before, after: cells to add above and left, below and right.
    """
    if not any((*before, *after)):
        return images
    if padding == "zeros":
        return F.pad(images, (before[1], after[1], before[0], after[0]))
    if padding == "circular":
        if before == after == (1, 1):
            return wrap(images)
        rows, columns = (
            torch.arange(-low, size + high, device=images.device) % size
            for low, high, size in zip(before, after, images.shape[-2:], strict=True)
        )
        return images.index_select(-2, rows).index_select(-1, columns)
    fits = [max(low, high) < size for low, high, size in zip(before, after, images.shape[-2:], strict=True)]
    modes = ["reflect" if fit else "replicate" for fit in fits]
    columns_only, rows_only = (before[1], after[1], 0, 0), (0, 0, before[0], after[0])
    if modes[0] == modes[1]:
        return F.pad(images, (before[1], after[1], before[0], after[0]), mode=modes[0])
    return F.pad(F.pad(images, columns_only, mode=modes[1]), rows_only, mode=modes[0])


class PaddedConv2d(nn.Conv2d):
    """Convolution whose answer has the size of its input; how borders are padded is said with every input.

    Raises:
        OptionError: for an even kernel, which has no middle.
    """

    def __init__(self, inputs: int, outputs: int, kernel_size: int, *, bias: bool = True) -> None:
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise OptionError(f"--kernel-size {kernel_size}: expected an odd number, as 3, 5 or 7")
        super().__init__(inputs, outputs, kernel_size, bias=bias)
        self.reach = kernel_size // 2

    def forward(self, images: Tensor, padding: Padding = "zeros") -> Tensor:
        """(N, inputs, H, W) → (N, outputs, H, W)."""
        reach = (self.reach, self.reach)
        return super().forward(padded(images, reach, reach, padding))

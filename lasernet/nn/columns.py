"""4 × 4 convolutions of stride 2 of images with one channel, as one matrix product over their patches.

The three maps of :mod:`lasernet.nn.winograd` for C = 1, where transforms would cost more than they save.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def convolve(images: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """(N, 1, H, W) → (N, O, H/2, W/2), with the bias (O,)."""
    n, _, height, width = images.shape
    shape = (n, len(weight), height // 2, width // 2)
    outputs = torch.empty(shape, dtype=images.dtype, device=images.device, memory_format=torch.channels_last)
    rows, kernel = _rows(outputs), weight.flatten(1).t()
    if bias is None:
        torch.mm(_patches(images), kernel, out=rows)
    else:
        torch.addmm(bias, _patches(images), kernel, out=rows)
    return outputs


def spread(outputs: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """The adjoint of :func:`convolve`, plus a bias (1,): (N, O, H, W) → (N, 1, 2H, 2W)."""
    n, _, height, width = outputs.shape
    patches = (_rows(outputs) @ weight.flatten(1)).view(n, height * width, 16).transpose(1, 2)
    images = F.fold(patches, (2 * height, 2 * width), 4, padding=1, stride=2)
    return images if bias is None else images.add_(bias)


def correlate(images: Tensor, outputs: Tensor) -> Tensor:
    """The gradient of ⟨outputs, convolve(images, weight)⟩ with respect to the weight, (O, 1, 4, 4)."""
    return (_rows(outputs).t() @ _patches(images)).view(-1, 1, 4, 4)


def _patches(images: Tensor) -> Tensor:
    """(N, 1, H, W) → (N · H/2 · W/2, 16)."""
    return F.unfold(images, 4, padding=1, stride=2).transpose(1, 2).reshape(-1, 16)


def _rows(outputs: Tensor) -> Tensor:
    """(N, O, H, W) → (N · H · W, O), a view where the memory is channels last."""
    return outputs.permute(0, 2, 3, 1).reshape(-1, outputs.shape[1])

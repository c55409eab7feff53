"""4 × 4 convolutions of stride 2 with 9 instead of 16 products per weight and output, exact but for rounding.

In one dimension, with the padded input in pairs p and the kernel in pairs k, neighboring outputs are

    y₀ = k₀·p₀ + k₁·p₁ = k₀·(p₀ − p₁) + (k₀ + k₁)·p₁
    y₁ = k₀·p₁ + k₁·p₂ = (k₀ + k₁)·p₁ + k₁·(p₂ − p₁)

three products where the definition has four; in two dimensions nine, each of which is a matrix product over
all tiles of 2 × 2 outputs (Winograd 1980; Lavin & Gray 2016). The three maps that gradients of any order are made
of, the convolution, its adjoint and the sum over images that gives the weights' gradient, share the transforms.
They work through a batch in parts that stay in the processor's cache. Images are (N, C, H, W) in channels-last
memory, H and W multiples of 4; kernels are (O, C, 4, 4), the padding is one zero on each side.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

CACHED = 1 << 20  # numbers in the transformed part of a batch
ROWS = 256  # of a matrix product, at least: fewer do not pay for reading the kernels


def convolve(images: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """(N, C, H, W) → (N, O, H/2, W/2), with the bias (O,)."""
    n, _, height, width = images.shape
    outputs = _empty(images, n, len(weight), height // 2, width // 2)
    source, result = _last(images), _last(outputs)
    kernels = _transform_kernel(weight).transpose(1, 2)
    for part, inner, outer in _parts(source, result):
        torch.bmm(inner.transform(source[part]), kernels, out=outer.matrices)
        outer.collect(result[part])
        if bias is not None:
            result[part].add_(bias)
    return outputs


def spread(outputs: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """The adjoint of :func:`convolve`, its gradient with respect to the images, plus a bias (C,).

    (N, O, H, W) → (N, C, 2H, 2W).
    """
    n, _, height, width = outputs.shape
    images = _empty(outputs, n, weight.shape[1], 2 * height, 2 * width)
    source, result = _last(outputs), _last(images)
    kernels = _transform_kernel(weight)
    for part, inner, outer in _parts(result, source):
        torch.bmm(outer.transform(source[part]), kernels, out=inner.matrices)
        inner.collect(result[part])
        if bias is not None:
            result[part].add_(bias)
    return images


def correlate(images: Tensor, outputs: Tensor) -> Tensor:
    """The gradient of ⟨outputs, convolve(images, weight)⟩ with respect to the weight, (O, C, 4, 4)."""
    channels, features = images.shape[1], outputs.shape[1]
    images, outputs = _last(images), _last(outputs)
    kernels = images.new_zeros(9, features, 4 * channels)
    for part, inner, outer in _parts(images, outputs):
        kernels.baddbmm_(outer.transform(outputs[part]).transpose(1, 2), inner.transform(images[part]))
    return _collect_kernel(kernels, features, channels)


def _empty(like: Tensor, *shape: int) -> Tensor:
    return torch.empty(shape, dtype=like.dtype, device=like.device, memory_format=torch.channels_last)


def _last(x: Tensor) -> Tensor:
    """(N, C, H, W) → (N, H, W, C) in memory, without a copy where it is channels last already."""
    return x.permute(0, 2, 3, 1).contiguous()


def _transform_kernel(weight: Tensor) -> Tensor:
    """(O, C, 4, 4) → (9, O, 4·C)."""
    features, channels = weight.shape[:2]
    pairs = weight.permute(0, 2, 3, 1).reshape(features, 2, 2, 2, 2, channels)  # O, pair, row, pair, column, C
    kernels = weight.new_empty(3, 3, features, 2, 2, channels)
    for index, rows in enumerate((pairs[:, 0], pairs[:, 0] + pairs[:, 1], pairs[:, 1])):
        kernels[index, 0].copy_(rows[:, :, 0])
        torch.add(rows[:, :, 0], rows[:, :, 1], out=kernels[index, 1])
        kernels[index, 2].copy_(rows[:, :, 1])
    return kernels.view(9, features, 4 * channels)


def _collect_kernel(kernels: Tensor, features: int, channels: int) -> Tensor:
    """The adjoint of :func:`_transform_kernel`."""
    kernels = kernels.view(3, 3, features, 2, 2, channels)
    pairs = kernels.new_empty(features, 2, 2, 2, 2, channels)
    for index in range(2):
        rows = kernels[index] + kernels[index + 1]
        torch.add(rows[0], rows[1], out=pairs[:, index, :, 0])
        torch.add(rows[1], rows[2], out=pairs[:, index, :, 1])
    return pairs.view(features, 4, 4, channels).permute(0, 3, 1, 2)


def _parts(images: Tensor, outputs: Tensor) -> Iterator[tuple[slice, _Inner, _Outer]]:
    """Parts of the batch, of nearly equal length, with their working memory."""
    n, height, width, channels = images.shape
    tiles = height * width // 16
    most = max(CACHED // (36 * tiles * channels), ROWS // tiles, 1)
    length = -(-n // -(-n // most))
    for start in range(0, n, length):
        if start == 0 or start + length > n:
            inner = _Inner(min(length, n - start), height, width, channels, images)
            outer = _Outer(min(length, n - start), height // 4, width // 4, outputs.shape[3], outputs)
        yield slice(start, start + length), inner, outer


class _Inner:
    """Working memory of the input side: differences of neighboring pairs of pixels, along both axes."""

    def __init__(self, n: int, height: int, width: int, channels: int, like: Tensor) -> None:
        self.padded = like.new_zeros(n, height + 2, width + 2, channels)
        down, right = height // 4, width // 4
        self.tiles = like.new_empty(3, 3, n, down, right, 2, 2, channels)
        self.matrices = self.tiles.view(9, n * down * right, 4 * channels)
        self.pairs = self.padded.view(n, 2 * down + 1, 2, 2 * right + 1, 2, channels)
        self.rows = like.new_empty(n, down, 2, 2 * right + 1, 2, channels)

    def transform(self, images: Tensor) -> Tensor:
        """(n, H, W, C) → (9, tiles, 4·C)."""
        self.padded[:, 1:-1, 1:-1].copy_(images)
        middle = self.pairs[:, 1::2]
        for index, other in enumerate((self.pairs[:, 0:-1:2], None, self.pairs[:, 2::2])):
            rows = middle if other is None else torch.sub(other, middle, out=self.rows)
            columns = rows.transpose(2, 3)  # n, tile, pair, row, column, C
            torch.sub(columns[:, :, 0:-1:2], columns[:, :, 1::2], out=self.tiles[index, 0])
            self.tiles[index, 1].copy_(columns[:, :, 1::2])
            torch.sub(columns[:, :, 2::2], columns[:, :, 1::2], out=self.tiles[index, 2])
        return self.matrices

    def collect(self, images: Tensor) -> None:
        """The adjoint of :meth:`transform`, from the matrices; overwrites the padding."""
        middle = self.pairs[:, 1::2]
        self._collect_columns(1, middle)
        self._collect_columns(0, self.rows)
        middle.sub_(self.rows)
        self.pairs[:, 0:-1:2].copy_(self.rows)
        self.pairs[:, -1].zero_()
        self._collect_columns(2, self.rows)
        middle.sub_(self.rows)
        self.pairs[:, 2::2].add_(self.rows)
        images.copy_(self.padded[:, 1:-1, 1:-1])

    def _collect_columns(self, index: int, rows: Tensor) -> None:
        tiles, columns = self.tiles[index], rows.transpose(2, 3)
        middle = columns[:, :, 1::2]
        torch.sub(tiles[1], tiles[0], out=middle)
        middle.sub_(tiles[2])
        columns[:, :, 0].copy_(tiles[0][:, :, 0])
        columns[:, :, -1].copy_(tiles[2][:, :, -1])
        torch.add(tiles[0][:, :, 1:], tiles[2][:, :, :-1], out=columns[:, :, 2:-1:2])


class _Outer:
    """Working memory of the output side: tiles of 2 × 2 outputs as sums of 3 × 3 products."""

    def __init__(self, n: int, down: int, right: int, features: int, like: Tensor) -> None:
        self.shape = (n, down, 2, right, 2, features)
        self.tiles = like.new_empty(3, 3, n, down, right, features)
        self.matrices = self.tiles.view(9, n * down * right, features)
        self.rows = like.new_empty(3, n, down, right, features)

    def collect(self, outputs: Tensor) -> None:
        """(9, tiles, O), the matrices → (n, H, W, O)."""
        outputs = outputs.view(self.shape)
        for row in range(2):
            torch.add(self.tiles[row], self.tiles[row + 1], out=self.rows)
            for column in range(2):
                torch.add(self.rows[column], self.rows[column + 1], out=outputs[:, :, row, :, column])

    def transform(self, outputs: Tensor) -> Tensor:
        """The adjoint of :meth:`collect`."""
        outputs = outputs.view(self.shape)
        for row in range(2):
            first, second = outputs[:, :, row, :, 0], outputs[:, :, row, :, 1]
            self.tiles[2 * row, 0].copy_(first)
            torch.add(first, second, out=self.tiles[2 * row, 1])
            self.tiles[2 * row, 2].copy_(second)
        torch.add(self.tiles[0], self.tiles[2], out=self.tiles[1])
        return self.matrices

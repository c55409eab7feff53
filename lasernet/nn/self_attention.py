"""Self-attention between all cells of an image, and at which levels of a U-Net it takes place."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from lasernet.errors import OptionError


class SelfAttention(nn.Module):
    """Every cell of an image looks at all others; what it learns is added to it.

    As in published U-Nets of resin flow: normalization over all channels, multi-head attention with biases, and a
    further map that starts at zero, so that the module starts as the identity. No encoding of positions.
    """

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.GroupNorm(1, channels)
        self.look = nn.Linear(channels, 3 * channels)  # queries, keys, values; each head by head
        self.tell = nn.Linear(channels, channels)
        self.add = nn.Linear(channels, channels)
        nn.init.zeros_(self.add.weight)
        nn.init.zeros_(self.add.bias)

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) → (N, C, H, W)."""
        tokens = self.norm(images).flatten(2).transpose(1, 2)  # (N, H·W, C)
        parts = self.look(tokens).unflatten(-1, (3, self.heads, -1))  # (N, H·W, 3, heads, C/heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4).unbind()
        seen = F.scaled_dot_product_attention(query, key, value)
        told: Tensor = self.add(self.tell(seen.transpose(1, 2).flatten(2)))
        return images + told.transpose(1, 2).reshape(images.shape)


def attention_heads(expression: str, features: tuple[int, ...]) -> list[int]:
    """Heads of attention at each level, fine to coarse; 0: none there.

    Args:
        expression: ``start.end.heads``, levels counted from 1; without an end, up to the last level (``3..2``).
            Empty: none anywhere.
        features: channels of the levels.

    Raises:
        OptionError: if the expression has another form, or names levels or heads that do not fit the features.
    """
    found = [0] * len(features)
    if not expression.strip():
        return found
    parts = [part.strip() for part in expression.split(".")]
    if len(parts) != 3 or not all(part.isdecimal() for part in (parts[0], parts[1] or "1", parts[2])):
        raise OptionError(f"--attention '{expression}': expected start.end.heads, as 3.4.2 or 3..2, or nothing")
    start, end, heads = int(parts[0]), int(parts[1] or len(features)), int(parts[2])
    if not 1 <= start <= end <= len(features):
        raise OptionError(
            f"--attention '{expression}': levels {start} to {end}; expected levels from 1 to {len(features)}"
        )
    for level in range(start, end + 1):
        channels = features[level - 1]
        if heads < 1 or channels % heads:
            raise OptionError(
                f"--attention '{expression}': {heads} heads at level {level}; expected a divisor of its "
                f"{channels} features"
            )
        found[level - 1] = heads
    return found

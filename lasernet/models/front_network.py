"""One judge of the cells that may freeze: a small U-Net, and two choices among the neighbors."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lasernet.models.front_windows import FrontWindows
from lasernet.nn.convlstm import at_least_float32
from lasernet.nn.neighbor_choice import Candidates, NeighborScore, log_total
from lasernet.nn.small_unet import SmallUNet

NOTHING_NEAR = -8.0  # what the neighbors say of freezing where there is none


class FrontNetwork(nn.Module):
    """From features of windows: the logit of each place's freezing, and the scores of the cells it may copy.

    Args:
        inputs: channels of the features.
        width: channels of the U-Net.
        key: channels of queries and keys.
        slices: how many adjacent ones cells may be copied from.
        offsets: (K, 3), see :func:`lasernet.nn.neighbor_choice.window_offsets`.
        named: how many cells are named for each place.
        votes: let each neighbor vote on freezing.
        bias, distance: see :class:`lasernet.nn.neighbor_choice.NeighborScore`.
    """

    def __init__(
        self,
        inputs: int,
        width: int,
        key: int,
        slices: int,
        offsets: Tensor,
        *,
        named: int,
        votes: bool,
        bias: bool,
        distance: bool,
    ) -> None:
        super().__init__()
        self.key, self.slices = key, slices
        self.unet = SmallUNet(inputs, width, 1 + 2 * key * (1 + slices))
        self.copy = NeighborScore(offsets, key, bias=bias, distance=distance, named=named)
        self.gate = NeighborScore(offsets, key, bias=bias, distance=distance) if votes else None
        self.vote = nn.Parameter(torch.tensor(0.5)) if votes else None

    def forward(
        self, features: Tensor, windows: FrontWindows, voters: Candidates, candidates: Candidates
    ) -> tuple[Tensor, Tensor]:
        """Logits of the N places, (N,), and scores of the P pairs of ``candidates``, (P,).

        Args:
            features: (n, C, h, w).
            voters: the pairs whose cells vote on freezing.
        """
        output = at_least_float32(self.unet(features))
        logit, query, gate_query, keys = torch.split(output, [1, self.key, self.key, 2 * self.key * self.slices], dim=1)
        copy_keys, gate_keys = by_cell(keys, self.slices).chunk(2, dim=1)
        chance = windows.at(logit)[:, 0]
        if self.gate is not None and self.vote is not None:
            votes = self.gate(windows.at(gate_query), gate_keys[voters.cell], voters)
            chance = chance + self.vote * log_total(votes, voters, empty=NOTHING_NEAR)
        return chance, self.copy(windows.at(query), copy_keys[candidates.cell], candidates)


def by_cell(fields: Tensor, slices: int) -> Tensor:
    """(n, S·C, h, w) → (n·S·h·w, C)."""
    count, channels, height, width = fields.shape
    shape = (count, slices, channels // slices, height, width)
    return fields.reshape(shape).movedim(2, -1).flatten(0, 3)

"""grain-front: cells change by melting and by freezing only, and what freezes takes the grain of a neighbor."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lasernet.errors import OptionError
from lasernet.losses.base import Batch, Criterion
from lasernet.models.base import Model, Terms
from lasernet.models.frame_options import check_sizes, check_weight
from lasernet.models.front_network import FrontNetwork, by_cell
from lasernet.models.front_view import LAWS, feature_count, front_features, look
from lasernet.models.front_windows import FrontWindows, find_windows
from lasernet.models.melting import FIT_ITEMS
from lasernet.models.next_colors import fit_melting, melt_mask, stays_solid
from lasernet.nn.neighbor_choice import (
    Candidates,
    best_pair,
    choice_weights,
    find_candidates,
    weighted_sum,
    window_offsets,
    with_named,
)
from lasernet.nn.noise import uniform
from lasernet.options import Only
from lasernet.physics.nearest import nearest_solid
from lasernet.physics.solidification import may_freeze
from lasernet.registry import register_model

IMAGE_RANK = 4  # dimensions of fields in a batch, at least: (B, C, H, W)
SAME_COLOR = 1.5 / 255  # channels of equal colors differ by less
MARGIN = 8  # cells around those that may freeze: nearly what the network sees of each
SEVERAL = Only("slices", ("3", "5"))
LEAST_SHARE = 1e-4  # of the weight on the right color, below which its logarithm counts as this
CAUTION = 10.0  # changing a cell that stays solid counts so much more than missing one that melts
LEAST_WEIGHT = 1e-30  # of a candidate, likewise
LEAST_CHANCE = 1e-6  # of freezing and of not freezing, when members are averaged


@dataclass(frozen=True)
class Decisions:
    """What is said of N cells that may freeze.

    Attributes:
        windows, candidates: where they are, and among which cells they choose.
        logit: of being solid at t+1, (N,).
        scores: of the candidates, (P,); ``offered``: their colors, (P, 9).
        nearest: color of the nearest solid cell of the slice, for cells without candidates, (N, 9).
    """

    windows: FrontWindows
    candidates: Candidates
    logit: Tensor
    scores: Tensor
    offered: Tensor
    nearest: Tensor

    def color(self) -> Tensor:
        """Mean over the candidates' colors, weighted by how likely each is copied, (N, 9)."""
        weights = choice_weights(self.scores, self.candidates)
        mixed = weighted_sum(self.offered, weights, self.candidates)
        return torch.where(self.candidates.any[:, None], mixed, self.nearest)

    def one_color(self) -> Tensor:
        """The color of the likeliest candidate, (N, 9)."""
        best = best_pair(self.scores, self.candidates)
        return torch.cat([self.offered, self.offered.new_zeros(1, self.offered.shape[1])])[best].where(
            self.candidates.any[:, None], self.nearest
        )

    def source(self, slices: int) -> Tensor:
        """Slice counted from the middle one, row and column in the image of the likeliest candidate, (N, 3)."""
        windows, pair = self.windows, best_pair(self.scores, self.candidates)
        cell = torch.cat([self.candidates.cell, self.candidates.cell.new_zeros(1)])[pair]
        column, cell = cell % windows.width, cell // windows.width
        row, cell = cell % windows.height, cell // windows.height
        window = cell // slices
        return torch.stack(
            [cell % slices - slices // 2, windows.top[window] + row, windows.left[window] + column], dim=1
        )


@register_model("grain-front")
class GrainFront(Model):
    """Persistence, the melt mask, and on cells that may freeze: a chance of freezing times a learned copy.

    Chance and copy are both made of scores of the solid cells nearby, from features of a small U-Net on windows
    around the front, two of which are averaged: 116,220 parameters with 3 slices, 95,044 with one.
    """

    default_loss: ClassVar[str | None] = None
    defaults: ClassVar[dict[str, object]] = {"epochs": 12, "lr": 3e-3, "batch_size": 16, "warmup_steps": 20}
    fit_items: ClassVar[int | None] = FIT_ITEMS
    melting: Tensor
    cells_per_item: Tensor
    offsets: Tensor

    def __init__(
        self,
        *,
        slices: Annotated[Literal["1", "3", "5"], "adjacent slices that are looked at"] = "3",
        members: Annotated[int, "networks that are trained side by side, and averaged"] = 2,
        width: Annotated[int, "channels of the U-Net"] = 20,
        key: Annotated[int, "channels of queries and keys"] = 12,
        reach: Annotated[int, "cells to each side among which a color is looked for"] = 4,
        beside_reach: Annotated[int, "the same in the other slices", SEVERAL] = 3,
        interface: Annotated[bool, "show at which temperature the melt freezes nearby"] = True,
        history: Annotated[bool, "show which cells were solid before"] = True,
        arrival: Annotated[bool, "show when and from where a front would arrive by two growth laws"] = True,
        neighbor_gate: Annotated[bool, "let each neighbor vote on freezing"] = True,
        offset_bias: Annotated[bool, "learn which offsets are copied from"] = True,
        distance: Annotated[bool, "learn how much nearer cells are preferred"] = True,
        mirror: Annotated[bool, "train on slices in reverse order too", SEVERAL] = True,
        mirror_scan: Annotated[bool, "train on images mirrored along the scan too: helps where data are few"] = False,
        gate_weight: Annotated[float, "weight of the cross entropy of freezing"] = 0.1,
        color_weight: Annotated[float, "weight of the error of the color where it froze"] = 0.6,
        grain_weight: Annotated[float, "weight of the cross entropy of the copied grain"] = 0.06,
    ) -> None:
        super().__init__()
        check_sizes(members=members, width=width, key=key, reach=reach)
        for name, weight in (("gate", gate_weight), ("color", color_weight), ("grain", grain_weight)):
            check_weight(f"{name}_weight", weight)
        if beside_reach < 0:
            raise OptionError(f"--beside-reach {beside_reach}: expected 0 or more cells")
        self.slices = int(slices)
        self.inputs = (f"beside_{self.slices // 2}",) if self.slices > 1 else ()
        self.shown = {"interface": interface, "history": history}
        self.arrival = arrival
        self.mirror, self.mirror_scan = mirror, mirror_scan
        self.weights = {"gate": gate_weight, "color": color_weight, "grain": grain_weight}
        self.register_buffer("melting", torch.tensor(0.0))  # K about liquidus
        self.register_buffer("cells_per_item", torch.tensor(1.0))
        self.register_buffer("offsets", window_offsets(reach, beside_reach, self.slices), persistent=False)
        self.members = nn.ModuleList(
            FrontNetwork(
                feature_count(self.slices, arrival=arrival, **self.shown),
                width,
                key,
                self.slices,
                self.offsets,
                named=arrival * len(LAWS),
                votes=neighbor_gate,
                bias=offset_bias,
                distance=distance,
            )
            for _ in range(members)
        )

    @torch.no_grad()
    def fit(self, batches: Iterable[Batch]) -> None:
        """The melting threshold, and how many cells may freeze in an item on average."""
        cells, items = 0, 0

        def counted() -> Iterator[Batch]:
            nonlocal cells, items
            for batch in batches:
                cells += int(_may_freeze(batch).sum())
                items += len(batch["liquidus"])
                yield batch

        self.melting.fill_(fit_melting(counted(), caution=CAUTION))
        self.cells_per_item.fill_(max(1.0, cells / max(1, items)))

    def forward(self, batch: Batch) -> Tensor:
        answer = melt_mask(batch, self.melting)
        decided = self.decide(batch)
        if decided is not None:
            item, row, column = decided.windows.cells
            answer[item, :, row, column] = torch.sigmoid(decided.logit)[:, None] * decided.color()
        return answer

    def decide(self, batch: Batch) -> Decisions | None:
        """What is said of all cells of a batch that may freeze, the members' mean; None where there are none."""
        said = self._ask(batch)
        return None if said is None else _mean(said)

    def _ask(self, batch: Batch, turned: Tensor | None = None) -> list[Decisions] | None:
        """What each member says.

        Args:
            turned: items to be seen with slices in reverse order, (B,) bool.
        """
        windows = find_windows(_may_freeze(batch), MARGIN)
        if windows is None:
            return None
        view = look(batch, windows, slices=self.slices, arrival=self.arrival, turned=turned)
        voters = find_candidates(view.edge, windows.places, self.offsets)
        candidates = with_named(voters, windows.at(view.source), len(self.offsets))
        features = front_features(view, **self.shown)
        offered, nearest = by_cell(view.colors, self.slices)[candidates.cell], windows.at(view.nearest)
        answers = (member(features, windows, voters, candidates) for member in self.members)
        return [Decisions(windows, candidates, logit, scores, offered, nearest) for logit, scores in answers]

    def chance(self, batch: Batch) -> Tensor:
        """Chance of being solid at t+1 of the cells that may freeze, (B, 1, H, W); NaN in all others."""
        found = torch.full_like(batch["future_temperature"], float("nan"))
        decided = self.decide(batch)
        if decided is not None:
            item, row, column = decided.windows.cells
            found[item, 0, row, column] = torch.sigmoid(decided.logit)
        return found

    def sharp(self, batch: Batch) -> Tensor:
        """The likelier of both phases, and the color of one cell: only colors that exist, (B, 9, H, W)."""
        answer = melt_mask(batch, self.melting)
        decided = self.decide(batch)
        if decided is not None:
            item, row, column = decided.windows.cells
            answer[item, :, row, column] = (decided.logit > 0)[:, None] * decided.one_color()
        return answer

    def sources(self, batch: Batch) -> Tensor:
        """Which cell of frame t each cell of the sharp answer is like, so that whatever cells carry can be copied.

        Returns:
            int64, (B, 3, H, W): its slice, counted from the item's own, its row and its column; the row of a molten
            cell is −1.
        """
        stays = stays_solid(batch, self.melting)[:, 0]
        height, width = stays.shape[1:]
        rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
        own = torch.stack([torch.zeros_like(rows), rows, columns]).to(stays.device)
        found = own.expand(len(stays), -1, -1, -1).clone()
        found[:, 1].masked_fill_(~stays, -1)
        decided = self.decide(batch)
        if decided is not None:
            item, row, column = decided.windows.cells
            source = decided.source(self.slices)
            lost = ~decided.candidates.any
            source[lost] = nearest_cells(batch, item[lost], row[lost], column[lost])
            source[:, 1].masked_fill_(decided.logit <= 0, -1)
            found[item, :, row, column] = source
        return found

    def loss(self, batch: Batch, criterion: Criterion | None) -> tuple[Tensor, Terms]:
        """Squared error of cells that may freeze, and what makes chance and copy right by themselves.

        Sums over cells, divided by the items and by how many such cells an item has on average: each cell counts
        the same, however many are in the batch.
        """
        batch = self._mirrored(batch)
        said = self._ask(batch, self._turned(batch))
        if said is None:
            nothing = sum((parameter.sum() * 0 for parameter in self.parameters()), torch.zeros(()))
            return nothing, dict.fromkeys(("active_mse", "gate", "color", "grain", "brier"), nothing.detach())
        item, row, column = said[0].windows.cells
        target = batch["target"][item, :, row, column]
        froze = (~batch["target_molten"][item, 0, row, column]).to(target.dtype)
        counts = batch["mask"][item, 0, row, column].to(target.dtype)
        share = len(batch["liquidus"]) * self.cells_per_item * len(said)
        every = [_errors(decided, target, froze) for decided in said]
        terms = {name: sum((one[name] * counts).sum() for one in every) / share for name in every[0]}
        objective = terms["active_mse"] + sum(weight * terms[name] for name, weight in self.weights.items())
        return objective, {name: value.detach() for name, value in terms.items()}

    def _turned(self, batch: Batch) -> Tensor | None:
        """Which items to see with slices in reverse order: half of them, in training only.

        That is a mirror image that the scan does not change.
        """
        if not (self.mirror and self.slices > 1 and self.training and "seed" in batch):
            return None
        return uniform(batch["seed"], 1)[:, 0] < 0.5

    def _mirrored(self, batch: Batch) -> Batch:
        """A batch in which half of the items have all images mirrored, in training only.

        The two sides of a pool differ along the scan: with many tracks to learn from this costs, with one it helps.
        """
        if not (self.mirror_scan and self.training and "seed" in batch):
            return batch
        chosen = uniform(batch["seed"], 2)[:, 1] < 0.5
        return {
            name: torch.where(chosen.reshape(-1, *[1] * (x.ndim - 1)), x.flip(-1), x) if x.ndim >= IMAGE_RANK else x
            for name, x in batch.items()
        }


def _may_freeze(batch: Batch) -> Tensor:
    return may_freeze(batch["molten"][:, -1], batch["future_temperature"], batch["liquidus"])


def nearest_cells(batch: Batch, items: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Slice 0, row and column of the solid cell that is nearest in the slice to each of N cells, (N, 3)."""
    solid = (batch["valid"][:, -1] & ~batch["molten"][:, -1])[:, 0].cpu().numpy()
    found = torch.zeros(len(items), 3, dtype=torch.int64)
    for item in sorted(set(items.tolist())):
        (row, column), _ = nearest_solid(
            solid[item], (float(batch["cell_height"][item]), float(batch["cell_width"][item]))
        )
        own = (items == item).cpu()
        place = (rows.cpu()[own].numpy(), columns.cpu()[own].numpy())
        found[own, 1], found[own, 2] = torch.from_numpy(row[place]), torch.from_numpy(column[place])
    return found.to(items.device)


def _mean(said: Sequence[Decisions]) -> Decisions:
    """The mean of the members' chances, and of their weights."""
    if len(said) == 1:
        return said[0]
    candidates = said[0].candidates
    chance = torch.stack([torch.sigmoid(one.logit) for one in said]).mean(dim=0)
    weights = torch.stack([choice_weights(one.scores, candidates) for one in said]).mean(dim=0)
    return replace(said[0], logit=torch.logit(chance, eps=LEAST_CHANCE), scores=weights.clamp(min=LEAST_WEIGHT).log())


def _errors(decided: Decisions, target: Tensor, froze: Tensor) -> Terms:
    """What is wrong with each of N decisions, (N,) each."""
    chance, color = torch.sigmoid(decided.logit), decided.color()
    return {
        "active_mse": (chance[:, None] * color - target).square().mean(dim=1),
        "gate": F.binary_cross_entropy_with_logits(decided.logit, froze, reduction="none"),
        "color": froze * decided.candidates.any * (color - target).square().mean(dim=1),
        "grain": froze * _grain_cross_entropy(decided, target),
        "brier": (chance - froze).square(),
    }


def _grain_cross_entropy(decided: Decisions, target: Tensor) -> Tensor:
    """−log of the weight on candidates of the target's color, (N,); 0 for a cell that no candidate is right for."""
    candidates = decided.candidates
    right = (decided.offered - target[candidates.place]).abs().amax(dim=1) < SAME_COLOR
    weights = choice_weights(decided.scores, candidates)
    share = weighted_sum(right[:, None].to(weights.dtype), weights, candidates)[:, 0]
    possible = torch.zeros_like(candidates.any)
    possible[candidates.place[right]] = True
    return -share.clamp(min=LEAST_SHARE).log() * possible

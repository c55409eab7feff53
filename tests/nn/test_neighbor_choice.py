"""Choices among listed neighbors, against dense attention over masked windows."""

import torch

from lasernet.nn.neighbor_choice import (
    NeighborScore,
    best_pair,
    choice_weights,
    find_candidates,
    log_total,
    weighted_sum,
    window_offsets,
    with_named,
)

GENERATOR = torch.Generator().manual_seed(0)
OFFERED = torch.rand(2, 3, 6, 7, generator=GENERATOR) < 0.3
PLACES = torch.tensor([[0, 0, 0], [0, 3, 3], [1, 5, 6], [1, 2, 1]])
OFFSETS = window_offsets(2, 1, 3)


def dense_mask() -> torch.Tensor:
    """Which of the offsets of each place is an offered cell, cell by cell."""
    mask = torch.zeros(len(PLACES), len(OFFSETS), dtype=torch.bool)
    for n, (item, row, column) in enumerate(PLACES.tolist()):
        for k, (slice_, down, right) in enumerate(OFFSETS.tolist()):
            if 0 <= row + down < 6 and 0 <= column + right < 7:
                mask[n, k] = OFFERED[item, 1 + slice_, row + down, column + right]
    return mask


def test_a_window_has_every_offset_once_but_not_the_place_itself() -> None:
    assert len(OFFSETS) == 5 * 5 - 1 + 2 * 3 * 3
    assert len({tuple(row) for row in OFFSETS.tolist()}) == len(OFFSETS)
    assert [0, 0, 0] not in OFFSETS.tolist()
    assert len(window_offsets(4, 3, 1)) == 80


def test_candidates_are_the_offered_cells_of_the_window() -> None:
    found = find_candidates(OFFERED, PLACES, OFFSETS)
    mask = torch.zeros(len(PLACES), len(OFFSETS), dtype=torch.bool)
    mask[found.place, found.offset] = True
    assert torch.equal(mask, dense_mask())
    assert OFFERED.flatten()[found.cell].all()
    assert torch.equal(found.any, mask.any(1))


def test_named_cells_are_candidates_wherever_they_are() -> None:
    named = torch.tensor([[5, -1], [-1, -1], [200, 7], [7, 7]])
    plain = find_candidates(OFFERED, PLACES, OFFSETS)
    found = with_named(plain, named, len(OFFSETS))
    extra = found.offset >= len(OFFSETS)
    triples = torch.stack([found.place, found.offset - len(OFFSETS), found.cell], dim=1)[extra]
    assert triples.tolist() == [[0, 0, 5], [2, 0, 200], [2, 1, 7], [3, 0, 7], [3, 1, 7]]
    assert sorted(found.cell[~extra].tolist()) == sorted(plain.cell.tolist())
    assert torch.equal(found.any, plain.any | (named >= 0).any(1))
    score = NeighborScore(OFFSETS, 4, named=2)
    with torch.no_grad():
        score.bias[-1] = 3.0
        score.of_query.zero_()
        score.of_key.zero_()
        score.alpha.fill_(9.0)
    last = score(torch.zeros(4, 4), torch.zeros(len(found.cell), 4), found)[found.offset == len(OFFSETS) + 1]
    assert last.tolist() == [3.0, 3.0]  # at no distance


def test_scores_weights_sums_and_the_best_are_those_of_dense_attention() -> None:
    torch.manual_seed(0)
    found, mask = find_candidates(OFFERED, PLACES, OFFSETS), dense_mask()
    score = NeighborScore(OFFSETS, 4)
    query, keys, values = torch.randn(4, 4), torch.randn(OFFERED.numel(), 4), torch.randn(OFFERED.numel(), 2)
    scores = score(query, keys[found.cell], found)
    dense = torch.full(mask.shape, float("-inf"))
    picked = torch.zeros(*mask.shape, 2)
    for n, k in mask.nonzero().tolist():
        item, row, column = PLACES[n].tolist()
        slice_, down, right = OFFSETS[k].tolist()
        cell = ((item * 3 + 1 + slice_) * 6 + row + down) * 7 + column + right
        distance = (slice_**2 + down**2 + right**2) ** 0.5
        dense[n, k] = (
            (query[n] @ keys[cell] + query[n] @ score.of_query[k] + score.of_key[k] @ keys[cell]) / 2
            + score.bias[k]
            - score.alpha * distance
        )
        picked[n, k] = values[cell]
    torch.testing.assert_close(scores, dense[found.place, found.offset])
    weights = choice_weights(scores, found)
    torch.testing.assert_close(weights, dense.softmax(1)[found.place, found.offset])
    torch.testing.assert_close(
        weighted_sum(values[found.cell], weights, found), (dense.softmax(1)[..., None] * picked).sum(1)
    )
    torch.testing.assert_close(log_total(scores, found, empty=-8.0), dense.logsumexp(1))
    assert torch.equal(found.offset[best_pair(scores, found)], dense.argmax(1))


def test_a_place_without_candidates_has_none_and_gradients_stay_finite() -> None:
    nothing = torch.zeros(1, 1, 4, 4, dtype=torch.bool)
    nothing[0, 0, 0, 0] = True
    offsets = window_offsets(1, 1, 1)
    found = find_candidates(nothing, torch.tensor([[0, 1, 1], [0, 3, 3]]), offsets)
    assert found.any.tolist() == [True, False]
    score = NeighborScore(offsets, 2, bias=False, distance=False)
    scores = score(torch.randn(2, 2), torch.randn(len(found.place), 2), found)
    total = log_total(scores, found, empty=-8.0)
    assert total[1].item() == -8.0
    assert int(best_pair(scores, found)[1]) == len(scores)
    (total.sum() + choice_weights(scores, found).sum()).backward()  # type: ignore[no-untyped-call]
    assert score.of_key.grad is not None
    assert bool(score.of_key.grad.isfinite().all())

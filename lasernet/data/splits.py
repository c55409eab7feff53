"""Which target frames belong to training, validation and test, and proof that they stay apart."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lasernet.errors import DataError, OptionError

log = logging.getLogger(__name__)

SPLITS = ("train", "val", "test")


def shares(ratio: str, count: int) -> tuple[int, int, int]:
    """Divide ``count`` things by a ratio such as ``12,6,6``: floors first, the rest to train, val, test in turn.

    Raises:
        OptionError: if the ratio is not three numbers of at least 0 with a sum above 0.
    """
    parts = _parts(ratio)
    counts = [int(count * part / sum(parts)) for part in parts]
    wanted = [index for index in range(3) if parts[index] > 0]
    for turn in range(count - sum(counts)):
        counts[wanted[turn % len(wanted)]] += 1
    return counts[0], counts[1], counts[2]


def all_tested(ratio: str) -> bool:
    """Whether a ratio such as 0,0,1 leaves everything to the test split: data that nothing is trained on."""
    return _parts(ratio)[:2] == [0, 0]


def time_targets(
    frames: int, seq_length: int, *, ratio: str, windows: str, first_frame: int = 0
) -> dict[str, list[int]]:
    """The target frames of each split when one track is cut in time.

    Args:
        frames: number of frames of the track.
        seq_length: context frames before a target.
        ratio: as in :func:`shares`, over the frames from ``first_frame`` on.
        windows: ``target``: a window belongs to its target's split and its context may reach back before it;
            ``inside``: the whole window lies in the split; ``legacy``: as published with the source system,
            inside and without the first frame of each split.
        first_frame: earlier frames are used for nothing.

    With 24 frames, 12,6,6 and seq_length 3 the three forms give 9/6/6, 9/3/3 and 8/2/2 targets.
    """
    counts = shares(ratio, frames - first_frame)
    targets: dict[str, list[int]] = {}
    start = first_frame
    for name, count in zip(SPLITS, counts, strict=True):
        earliest = {"target": first_frame, "inside": start, "legacy": start + 1}[windows] + seq_length
        targets[name] = list(range(max(start, earliest), start + count))
        start += count
    return targets


def assign_groups(groups: Sequence[str], *, ratio: str, seed: int | None) -> dict[str, str]:
    """Give each group key (all cases of one substrate, say) to one split as a whole.

    Args:
        groups: the group key of each case.
        seed: shuffles the groups; None keeps the order in which they come.
    """
    unique = list(dict.fromkeys(groups))
    if len(unique) < 2 and not all_tested(ratio):
        raise DataError(
            f"--split-by case or random needs cases of several groups; found {len(unique)} "
            f"({', '.join(unique)}); give more files with --data, or split by time"
        )
    order = np.arange(len(unique)) if seed is None else np.random.default_rng(seed).permutation(len(unique))
    names = np.repeat(SPLITS, shares(ratio, len(unique)))
    return {unique[index]: str(name) for index, name in zip(order, names, strict=True)}


def cut_groups(sizes: Sequence[int], *, ratio: str, seed: int | None) -> list[str]:
    """The split of each group, whole, so that the numbers of items come close to a ratio.

    Groups follow each other to train, val and test. Each split with a share gets a group, as long as there are enough.

    Args:
        sizes: number of items of each group, all above 0.
        seed: shuffles the groups; None keeps the order in which they come.

    Raises:
        OptionError: as in :func:`shares`.
    """
    order = np.arange(len(sizes)) if seed is None else np.random.default_rng(seed).permutation(len(sizes))
    weights = np.asarray(sizes)[order]
    middles = np.cumsum(weights) - weights / 2  # a group belongs where its middle lies
    first, second = np.cumsum(shares(ratio, int(weights.sum())))[:2]
    split = np.where(middles < first, 0, np.where(middles < second, 1, 2))
    counts = np.bincount(split, minlength=3)
    for index, part in enumerate(_parts(ratio)):
        if part > 0 and counts[index] == 0 and counts.max() > 1:
            counts[counts.argmax()] -= 1
            counts[index] = 1
    assigned = np.empty(len(sizes), dtype=object)
    assigned[order] = np.repeat(SPLITS, counts)
    return [str(name) for name in assigned]


def divide(items: NDArray[np.void], *, ratio: str, seed: int | None, what: str) -> dict[str, NDArray[np.void]]:
    """Items by split, each ``group`` of them whole.

    Args:
        items: structured array with ``group``, numbered from 0 without gaps.
        ratio, seed: as in :func:`cut_groups`.
        what: an item is called in messages.

    Raises:
        OptionError: if none is left to train on.
    """
    sizes = np.bincount(items["group"]).tolist()
    owner = np.array(cut_groups(sizes, ratio=ratio, seed=seed))[items["group"]]
    found = {name: items[owner == name] for name in SPLITS}
    if not len(found["train"]) and not all_tested(ratio):
        raise OptionError(
            f"no training {what}: {len(items)} {what}s in {len(sizes)} groups, --split-ratio {ratio}; "
            f"give more {what}s or another ratio"
        )
    empty = [name for name in SPLITS if not len(found[name])]
    if empty and not all_tested(ratio):
        log.warning("%d groups, --split-ratio %s: no %s for %s", len(sizes), ratio, what, " and ".join(empty))
    return found


def hash_items(splits: dict[str, np.ndarray]) -> str:
    """A digest of which (case, slice, frame) lies in which split, in order."""
    digest = hashlib.sha256()
    for name in SPLITS:
        digest.update(f"{name}:{len(splits[name])};".encode())
        digest.update(np.ascontiguousarray(splits[name]).tobytes())
    return digest.hexdigest()


def _parts(ratio: str) -> list[float]:
    try:
        parts = [float(part) for part in ratio.replace(":", ",").split(",")]
    except ValueError:
        parts = []
    if len(parts) != 3 or not all(0 <= part < float("inf") for part in parts) or sum(parts) == 0:
        raise OptionError(f"--split-ratio '{ratio}': expected three numbers for train, val and test, as in 12,6,6")
    return parts

"""Classifier two-sample test: can a fixed small network, trained to do so, tell generated images from real ones?"""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.stats import rankdata
from torch import Tensor

from lasernet.nn.two_sample_network import TwoSampleNetwork

EPOCHS, BATCH, LEARNING_RATE, WEIGHT_DECAY = 4, 64, 2e-3, 1e-4
FEWEST = 8  # images per side to train on

Images = NDArray[np.uint8]


def two_sample_auc(
    generated_train: Images,
    real_train: Images,
    generated_test: Images,
    real_test: Images,
    *,
    periodic: bool,
    binarize: bool = False,
    seed: int = 0,
) -> dict[str, float | int | None]:
    """Area under the ROC curve of a classifier that was trained on other images of the same two sources.

    0.5: the classifier cannot tell them apart; 1: it always can. The recipe is fixed: as many images of one side as
    of the other (the first n of each, n being what the smaller side has), the same random flips, quarter turns and,
    if periodic, shifts for both, Adam with a cosine schedule. Nothing is tuned on the images that are judged.
    On one machine, the same seed and number of threads give the same answer; the global random state is untouched.

    Args:
        generated_train, real_train, generated_test, real_test: uint8, (N, H, W); no image in two of them.
        periodic: whether opposite edges meet.
        binarize: look only at gray > 0.5.

    Returns:
        ``auc`` and its ``standard_error`` over the judged images, both None where there are too few images;
        ``train_images`` and ``test_images`` per side; ``epochs``. The error does not hold the spread over seeds.

    Raises:
        ValueError: if the images are not uint8 of one size.

    Lopez-Paz & Oquab (2017), Revisiting classifier two-sample tests, ICLR.
    """
    _check(generated_train, real_train, generated_test, real_test)
    train_images, test_images = min(len(generated_train), len(real_train)), min(len(generated_test), len(real_test))
    answer: dict[str, float | int | None] = {"auc": None, "standard_error": None}
    if train_images >= FEWEST and test_images > 0:
        images = np.concatenate([generated_train[:train_images], real_train[:train_images]])
        labels = torch.arange(2 * train_images) < train_images
        network = _trained(_tensor(images, binarize), labels.float(), periodic=periodic, seed=seed)
        judged = [_judge(network, _tensor(x[:test_images], binarize)) for x in (generated_test, real_test)]
        answer["auc"], answer["standard_error"] = auc(*judged)
    return answer | {"train_images": train_images, "test_images": test_images, "epochs": EPOCHS}


def auc(positive: NDArray[np.floating], negative: NDArray[np.floating]) -> tuple[float, float | None]:
    """Chance that a positive scores above a negative, ties counting half, and its standard error.

    Args:
        positive, negative: scores, (M,) and (N,), at least one each.

    Returns:
        The area under the ROC curve, and its standard error; None with fewer than two scores on a side.

    Mann & Whitney (1947), Ann. Math. Stat. 18, 50; DeLong, DeLong & Clarke-Pearson (1988), Biometrics 44, 837.
    """
    m, n = len(positive), len(negative)
    ranks = rankdata(np.concatenate([positive, negative]))
    # How much of the other side each score beats: ranks among all less ranks among its own.
    beats = (ranks[:m] - rankdata(positive)) / n
    beaten = 1 - (ranks[m:] - rankdata(negative)) / m
    if min(m, n) < 2:
        return float(beats.mean()), None
    return float(beats.mean()), math.sqrt(float(beats.var(ddof=1) / m + beaten.var(ddof=1) / n))


def _check(*sets: Images) -> None:
    sizes = {images.shape[1:] for images in sets}
    if len(sizes) != 1 or any(images.ndim != 3 or images.dtype != np.uint8 for images in sets):
        found = ", ".join(f"{images.dtype} {images.shape}" for images in sets)
        raise ValueError(f"the two-sample test needs uint8 images (N, H, W) of one size, not {found}")


def _tensor(images: Images, binarize: bool) -> Tensor:
    """Images as the network sees them, (N, 1, H, W), from −1 to 1."""
    seen = (images > 127).astype(np.float32) if binarize else images.astype(np.float32) / 255
    return torch.from_numpy(2 * seen - 1)[:, None]


def _trained(images: Tensor, labels: Tensor, *, periodic: bool, seed: int) -> TwoSampleNetwork:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = TwoSampleNetwork(periodic=periodic)
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    batches = max(1, len(images) // BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS * batches)
    network.train()
    with torch.enable_grad():
        for _ in range(EPOCHS):
            for rows in torch.randperm(len(images), generator=generator).tensor_split(batches):
                turned = _turned(images[rows], periodic=periodic, generator=generator)
                loss = F.binary_cross_entropy_with_logits(network(turned), labels[rows])
                optimizer.zero_grad()
                torch.autograd.backward(loss)
                optimizer.step()
                schedule.step()
    return network.eval()


def _turned(images: Tensor, *, periodic: bool, generator: torch.Generator) -> Tensor:
    """Every image flipped, turned (square images: by quarters, else by halves) and, if periodic, shifted at random."""
    count, _, height, width = images.shape
    flips = torch.randint(0, 2, (3, count, 1), generator=generator).bool()
    rows, columns = torch.arange(height).expand(count, -1), torch.arange(width).expand(count, -1)
    if periodic:
        rows = (rows + torch.randint(0, height, (count, 1), generator=generator)) % height
        columns = (columns + torch.randint(0, width, (count, 1), generator=generator)) % width
    rows, columns = torch.where(flips[0], rows.flip(1), rows), torch.where(flips[1], columns.flip(1), columns)
    turned = images[torch.arange(count)[:, None, None], 0, rows[:, :, None], columns[:, None, :]]
    if height == width:
        turned = torch.where(flips[2][:, None], turned.transpose(1, 2), turned)
    return turned[:, None]


@torch.no_grad()
def _judge(network: TwoSampleNetwork, images: Tensor) -> NDArray[np.float32]:
    scores = torch.cat([network(part) for part in torch.split(images, 250)])
    return scores.numpy()

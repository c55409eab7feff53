"""Two-sample test: the area under the curve by its definition, and what the network must and must not tell apart."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from scipy.stats import norm

from lasernet.metrics.two_sample import EPOCHS, auc, two_sample_auc
from lasernet.nn.two_sample_network import TwoSampleNetwork


def textures(count, seed, size=16, width=1.0):
    noise = np.random.default_rng(seed).normal(size=(count, size, size))
    images = gaussian_filter(noise, (0, width, width), mode="wrap")
    return np.clip(128 + 50 * images / images.std(), 0, 255).astype(np.uint8)


def judged(generated, real, *, periodic=True, **options):
    half, other = len(generated) // 2, len(real) // 2
    return two_sample_auc(generated[:half], real[:other], generated[half:], real[other:], periodic=periodic, **options)


def test_the_area_counts_pairs_and_half_of_the_ties():
    draw = np.random.default_rng(0)
    positive, negative = draw.integers(0, 6, 23).astype(float), draw.integers(0, 5, 31).astype(float)
    pairs = [(a > b) + 0.5 * (a == b) for a, b in itertools.product(positive, negative)]
    assert auc(positive, negative)[0] == pytest.approx(np.mean(pairs), abs=1e-12)
    assert auc(negative, positive)[0] == pytest.approx(1 - np.mean(pairs), abs=1e-12)


def test_the_area_between_two_normal_distributions_has_its_closed_form():
    positive, negative = norm.ppf((np.arange(2000) + 0.5) / 2000) + 1, norm.ppf((np.arange(3000) + 0.5) / 3000)
    assert auc(positive, negative)[0] == pytest.approx(norm.cdf(1 / math.sqrt(2)), abs=1e-3)


def test_the_standard_error_is_the_spread_over_draws():
    draw = np.random.default_rng(1)
    runs = np.array([auc(draw.normal(0.7, 1, 80), draw.normal(0, 2, 120)) for _ in range(400)])
    assert runs[:, 1].mean() == pytest.approx(runs[:, 0].std(), rel=0.15)


def test_separated_and_equal_scores():
    assert auc(np.array([2.0, 3.0]), np.array([0.0, 1.0])) == (1, 0)
    assert auc(np.array([1.0, 1.0]), np.array([1.0, 1.0])) == (0.5, 0)
    assert auc(np.array([1.0]), np.array([0.0, 2.0])) == (0.5, None)


def test_one_source_cannot_be_told_from_itself():
    found = judged(textures(400, 0), textures(400, 1))
    assert abs(found["auc"] - 0.5) < 4 * found["standard_error"]
    assert (found["train_images"], found["test_images"], found["epochs"]) == (200, 200, EPOCHS)


@pytest.mark.parametrize("periodic", [True, False])
def test_another_texture_is_told_apart(periodic):
    assert judged(textures(600, 0, width=1.4), textures(600, 1), periodic=periodic)["auc"] > 0.9


def test_another_brightness_is_told_apart():
    assert judged(textures(600, 0) // 2, textures(600, 1))["auc"] > 0.95


def test_binarized_images_hide_what_only_gray_shows():
    generated, real = textures(400, 0), textures(400, 1)
    contrast = np.where(generated > 127, 255, 0).astype(np.uint8)
    assert judged(contrast, real)["auc"] > 0.95
    hidden = judged(contrast, real, binarize=True)
    assert abs(hidden["auc"] - 0.5) < 4 * hidden["standard_error"]


def test_a_seed_gives_one_answer_and_leaves_the_random_state_alone():
    generated, real = textures(60, 0, width=1.1), textures(60, 1)
    torch.manual_seed(5)
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    first = judged(generated, real, seed=3)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads
    torch.manual_seed(6)
    assert judged(generated, real, seed=3) == first
    assert judged(generated, real, seed=4) != first


def test_it_can_be_judged_where_gradients_are_off():
    with torch.no_grad():
        found = judged(textures(60, 0), textures(60, 1))
    assert found == judged(textures(60, 0), textures(60, 1))


def test_both_sides_give_the_same_number_of_images():
    found = judged(textures(100, 0), textures(60, 1))
    assert (found["train_images"], found["test_images"]) == (30, 30)


def test_images_that_are_not_square_or_even_are_judged():
    generated, real = textures(60, 0)[:, :13], textures(60, 1)[:, :13]
    for periodic in (True, False):
        assert 0 <= judged(generated, real, periodic=periodic)["auc"] <= 1


def test_too_few_images_give_no_number():
    found = judged(textures(4, 0), textures(60, 1))
    assert (found["auc"], found["standard_error"], found["train_images"]) == (None, None, 2)


def test_images_that_cannot_be_compared_are_refused():
    with pytest.raises(ValueError, match="uint8 images"):
        judged(textures(20, 0) / 255, textures(20, 1))
    with pytest.raises(ValueError, match="one size"):
        judged(textures(20, 0, size=8), textures(20, 1))


@pytest.mark.parametrize("shift", [(16, 0), (0, 32), (48, 16)])
def test_a_periodic_network_does_not_see_where_the_edges_are(shift):
    network = TwoSampleNetwork(periodic=True).eval()
    images = torch.rand(3, 1, 64, 64)
    torch.testing.assert_close(network(images.roll(shift, (2, 3))), network(images), rtol=1e-4, atol=1e-5)

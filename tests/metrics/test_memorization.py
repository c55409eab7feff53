"""Memorization audit: copies are found however they were moved, and the search agrees with trying everything."""

import numpy as np
import pytest

from lasernet.metrics import memorization as audit
from lasernet.metrics.memorization import aligned, area_average, memorization, nearest_images, symmetries, transformed


def smooth(count, seed, shape=(32, 32)):
    """Images with structures of a few pixels."""
    waves = np.fft.rfft2(np.random.default_rng(seed).normal(size=(count, *shape)))
    rows, columns = np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])
    images = np.fft.irfft2(waves * np.exp(-60 * (rows**2 + columns**2)), s=shape)
    return np.clip(128 + 60 * images / images.std(), 0, 255).astype(np.uint8)


def tried(image, known):
    """Smallest RMS difference over everything that can be done to the known images, one by one."""
    best = np.inf
    for other in known:
        for symmetry in symmetries(*image.shape):
            turned = transformed(other, symmetry)
            for down in range(image.shape[0]):
                for right in range(image.shape[1]):
                    moved = np.roll(turned, (down, right), (0, 1))
                    best = min(best, np.square(image - moved).mean())
    return best**0.5


@pytest.mark.parametrize("shape", [(12, 12), (8, 14)])
def test_the_search_agrees_with_trying_everything(shape):
    images, train = smooth(2, 0, shape), smooth(9, 1, shape)
    found = nearest_images(images, train)
    for image, distance in zip(images, found.distance, strict=True):
        assert distance == pytest.approx(tried(image / 255, train / 255), rel=1e-9)


def test_shifts_by_whole_cells_are_searched_over_all_training_images(monkeypatch):
    monkeypatch.setattr(audit, "SIDE", 8)
    monkeypatch.setattr(audit, "FINALISTS", 1)
    monkeypatch.setattr(audit, "CHUNK", 4)
    images, train = smooth(2, 0, (16, 16)), smooth(11, 1, (16, 16))
    found = nearest_images(images, train)
    for image, distance in zip(area_average(images), found.distance, strict=True):
        assert distance <= tried(image, area_average(train)) + 1e-9


@pytest.mark.parametrize("symmetry", range(8))
@pytest.mark.parametrize("shift", [(0, 0), (2, 60), (5, 31), (63, 1)])
def test_a_copy_is_found_however_it_was_moved(symmetry, shift):
    train = smooth(12, 3, (64, 64))
    copy = np.roll(transformed(train[7], symmetry), shift, (0, 1))
    found = nearest_images(copy[None], train)
    assert found.distance[0] == 0
    assert found.index[0] == 7
    np.testing.assert_array_equal(aligned(train[7], int(found.symmetry[0]), found.shift[0]), copy)


@pytest.mark.parametrize("symmetry", symmetries(64, 96))
def test_a_copy_is_found_in_images_that_are_not_square(symmetry):
    train = smooth(5, 4, (64, 96))
    copy = np.roll(transformed(train[2], symmetry), (7, 40), (0, 1))
    found = nearest_images(copy[None], train)
    assert found.distance[0] == 0
    np.testing.assert_array_equal(aligned(train[2], int(found.symmetry[0]), found.shift[0]), copy)


def test_a_shifted_and_flipped_training_image_counts_as_a_copy():
    train, held_out, fresh = smooth(40, 5), smooth(20, 6), smooth(10, 7)
    fresh[4] = np.roll(train[33][::-1], (3, 11), (0, 1))
    found, nearest = memorization(fresh, train, held_out)
    assert found["copies"] == 1
    assert found["smallest"] == 0
    assert nearest.distance.argmin() == 4
    assert nearest.index[4] == 33


def test_a_copy_with_noise_still_counts():
    train, held_out = smooth(40, 5), smooth(20, 6)
    noise = np.random.default_rng(0).normal(0, 10, size=(32, 32))
    noisy = np.clip(np.roll(train[3], 9, 1) + noise, 0, 255).astype(np.uint8)
    assert memorization(noisy[None], train, held_out)[0]["copies"] == 1


def test_most_of_an_image_without_periodic_edges_counts_as_a_copy():
    scene = smooth(1, 8, (64, 64))[0]
    train = np.concatenate([smooth(30, 9), scene[None, :32, :32]])
    found, nearest = memorization(scene[None, 4:36, :32], train, smooth(20, 10))
    assert found["copies"] == 1
    assert nearest.index[0] == 30


def test_held_out_images_are_as_far_as_other_held_out_images():
    found, _ = memorization(smooth(60, 1), smooth(40, 2), smooth(60, 3))
    assert found["ratio"] == pytest.approx(1, abs=0.1)
    assert found["ratio"] == found["mean_distance"] / found["mean_distance_held_out"]
    assert found["copies"] == 0
    assert found["images"] == 60


def test_moving_all_images_changes_no_distance():
    images, train = smooth(5, 1), smooth(10, 2)
    before = nearest_images(images, train)
    moved = np.roll(np.rot90(images, axes=(1, 2)), (3, 8), (1, 2)).copy()
    after = nearest_images(moved, train[::-1])
    np.testing.assert_allclose(after.distance, before.distance, rtol=1e-9)
    np.testing.assert_array_equal(after.index, 9 - before.index)


def test_areas_are_averaged_whatever_the_size():
    draw = np.random.default_rng(0)
    images = draw.integers(0, 256, size=(3, 64, 128), dtype=np.uint8)
    blocks = images.reshape(3, 32, 2, 32, 4).mean((2, 4)) / 255
    np.testing.assert_allclose(area_average(images), blocks, atol=1e-12)
    odd = draw.integers(0, 256, size=(2, 50, 33), dtype=np.uint8)
    assert area_average(odd).shape == (2, 32, 32)
    np.testing.assert_allclose(area_average(odd).mean((1, 2)), odd.mean((1, 2)) / 255, atol=1e-12)
    small = draw.integers(0, 256, size=(2, 10, 7), dtype=np.uint8)
    np.testing.assert_allclose(area_average(small), small / 255, atol=1e-12)


def test_nothing_to_compare_with_gives_no_number():
    train, none = smooth(10, 0), smooth(10, 0)[:0]
    alone, _ = memorization(smooth(3, 1), train, none)
    assert (alone["ratio"], alone["copies"], alone["smallest_held_out"]) == (None, None, None)
    assert alone["mean_distance"] > 0
    empty, nearest = memorization(none, train, smooth(3, 1))
    assert (empty["mean_distance"], empty["ratio"], empty["images"]) == (None, None, 0)
    assert nearest.shift.shape == (0, 2)
    leaked, _ = memorization(smooth(3, 1), train, train[:2])
    assert (leaked["smallest_held_out"], leaked["ratio"], leaked["copies"]) == (0, None, None)


def test_images_that_cannot_be_compared_are_refused():
    with pytest.raises(ValueError, match="expected uint8"):
        nearest_images(smooth(2, 0), smooth(2, 1, (16, 16)))
    with pytest.raises(ValueError, match="expected uint8"):
        nearest_images(smooth(2, 0) / 255, smooth(2, 1))
    with pytest.raises(ValueError, match="no training image"):
        nearest_images(smooth(2, 0), smooth(2, 1)[:0])

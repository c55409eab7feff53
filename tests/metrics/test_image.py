"""Image measures against closed forms and a published implementation."""

import numpy as np
import pytest
import torch

from lasernet.metrics.image import mean_gradient, ssim_map

METRICS = pytest.importorskip("skimage.metrics")


def images(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("shape", [(9, 48, 70), (1, 11, 11), (3, 12, 33), (1, 100, 32)])
@pytest.mark.parametrize("data_range", [1.0, 3000.0])
def test_ssim_map_equals_scikit_image(shape, data_range):
    target = images(2, *shape) * data_range
    prediction = 0.7 * target + 0.3 * data_range * images(2, *shape, seed=1)
    found = ssim_map(prediction, target, data_range)
    for item in range(2):
        _, expected = METRICS.structural_similarity(
            prediction[item].double().numpy(), target[item].double().numpy(), data_range=data_range, channel_axis=0,
            gaussian_weights=True, sigma=1.5, use_sample_covariance=False, full=True,
        )  # fmt: skip
        np.testing.assert_allclose(found[item].numpy(), expected.mean(0), atol=1e-10)


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (2, 3), (7, 7), (4, 31)])
def test_ssim_of_small_images_is_one_for_equal_and_less_for_different(shape):
    image = images(2, 3, *shape)
    np.testing.assert_allclose(ssim_map(image, image, 1.0).numpy(), 1, atol=1e-12)
    assert ssim_map(image, 1 - image, 1.0).shape == (2, *shape)
    assert ssim_map(image, 1 - image, 1.0).mean() < 0.95


@pytest.mark.parametrize("corner", [(0, 0), (29, 47), (14, 20), (3, 44)])
def test_ssim_is_exactly_one_where_no_window_reaches_a_difference(corner):
    target = images(1, 2, 30, 48)
    prediction = target.clone()
    prediction[0, 0, corner[0], corner[1]] += 0.5
    found = ssim_map(prediction, target, 1.0)[0].numpy()
    _, expected = METRICS.structural_similarity(
        prediction[0].double().numpy(), target[0].double().numpy(), data_range=1.0, channel_axis=0,
        gaussian_weights=True, sigma=1.5, use_sample_covariance=False, full=True,
    )  # fmt: skip
    np.testing.assert_allclose(found, expected.mean(0), atol=1e-12)
    rows, columns = np.indices((30, 48))
    far = (abs(rows - corner[0]) > 5) | (abs(columns - corner[1]) > 5)
    assert (found[far] == 1).all()
    assert (found[~far] < 1).all()


@pytest.mark.parametrize("flip", [(-1,), (-2,), (-1, -2)])
def test_ssim_turns_with_the_image(flip):
    x, y = images(1, 2, 20, 37), images(1, 2, 20, 37, seed=1)
    turned = ssim_map(x.flip(flip), y.flip(flip), 1.0)
    np.testing.assert_allclose(turned.numpy(), ssim_map(x, y, 1.0).flip(flip).numpy(), atol=1e-12)


def test_ssim_of_constant_images_is_the_luminance_term():
    found = ssim_map(torch.full((1, 1, 15, 15), 0.2), torch.full((1, 1, 15, 15), 0.6), 1.0)
    np.testing.assert_allclose(found.numpy(), (2 * 0.2 * 0.6 + 1e-4) / (0.2**2 + 0.6**2 + 1e-4), rtol=1e-6)


def test_mean_gradient_of_a_ramp_is_the_mean_of_its_slopes():
    rows, columns = 4, 6
    ramp = 2.0 * torch.arange(rows)[:, None] + 5.0 * torch.arange(columns)
    down, along = (rows - 1) * columns, rows * (columns - 1)
    mask = torch.ones(1, 1, rows, columns, dtype=torch.bool)
    expected = (2 * down + 5 * along) / (down + along)
    assert mean_gradient(ramp.expand(1, 3, -1, -1), mask).item() == pytest.approx(expected)


def test_mean_gradient_ignores_pairs_with_a_masked_cell():
    image, mask = images(2, 3, 5, 5), torch.ones(2, 1, 5, 5, dtype=torch.bool)
    mask[:, :, 2, 3] = False
    changed = image.clone()
    changed[:, :, 2, 3] = float("nan")
    assert torch.equal(mean_gradient(changed, mask), mean_gradient(image, mask))


def test_mean_gradient_is_a_mean_over_items():
    image, mask = images(3, 2, 6, 7), images(3, 1, 6, 7, seed=1) < 0.7
    single = [mean_gradient(image[i : i + 1], mask[i : i + 1]).item() for i in range(3)]
    assert mean_gradient(image, mask).item() == pytest.approx(np.mean(single), rel=1e-6)
    assert mean_gradient(image, torch.zeros_like(mask)).item() == 0

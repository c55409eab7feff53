"""Features compared by hand; every sample direction counts, masked cells do not."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from lasernet.errors import OptionError
from lasernet.losses.feature_encoder import FeatureEncoder, save_encoder
from lasernet.losses.perceptual import Perceptual


def images(items: int = 2) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    generator = torch.Generator().manual_seed(0)
    prediction, target = torch.rand(2, items, 9, 12, 17, generator=generator)
    return prediction, target, {"mask": torch.ones(items, 1, 12, 17, dtype=torch.bool)}


@pytest.mark.parametrize(("error", "measure"), [("absolute", torch.abs), ("squared", torch.square)])
def test_it_is_the_mean_over_scales_of_the_difference_of_features(error: str, measure: object) -> None:
    prediction, target, batch = images()
    encoder = FeatureEncoder(3)
    stages = []
    for stage in range(3):
        parts = [
            measure(encoder(prediction[:, d : d + 3])[stage] - encoder(target[:, d : d + 3])[stage]).mean()  # type: ignore[operator]
            for d in (0, 3, 6)
        ]
        stages.append(torch.stack(parts).mean())
    expected = torch.stack(stages).mean().detach()
    torch.testing.assert_close(Perceptual(error=error, seed=3)(prediction, target, batch), expected)


def test_every_sample_direction_counts_alike() -> None:
    _, target, batch = images()
    target = target[:, :3].repeat(1, 3, 1, 1)
    values = []
    for direction in range(3):
        prediction = target.clone()
        prediction[:, 3 * direction : 3 * direction + 3] *= 0.5
        values.append(Perceptual()(prediction, target, batch).item())
    assert values[0] > 0
    assert values[1:] == pytest.approx(values[:1] * 2)


def test_features_far_from_any_valid_cell_do_not_dilute_the_mean() -> None:
    prediction, target, batch = images()
    wide = [torch.cat([image, image.new_zeros(2, 9, 12, 400)], dim=-1) for image in (prediction, target)]
    mask = torch.cat([batch["mask"], torch.zeros(2, 1, 12, 400, dtype=torch.bool)], dim=-1)
    value = Perceptual()(*wide, {"mask": mask})
    assert value.item() == pytest.approx(Perceptual()(prediction, target, batch).item(), rel=0.15)


def test_it_does_not_depend_on_the_batch_or_the_mode() -> None:
    prediction, target, batch = images(4)
    loss = Perceptual().train()
    before = {name: value.clone() for name, value in loss.state_dict().items()}
    single = [loss(prediction[i : i + 1], target[i : i + 1], {"mask": batch["mask"][i : i + 1]}) for i in range(4)]
    torch.testing.assert_close(torch.stack(single).mean(), loss(prediction, target, batch))
    torch.testing.assert_close(loss.eval()(prediction, target, batch), loss.train()(prediction, target, batch))
    assert all(torch.equal(value, before[name]) for name, value in loss.state_dict().items())
    assert not any(parameter.requires_grad for parameter in loss.parameters())


def test_a_trained_encoder_takes_the_place_of_the_seed(tmp_path: Path) -> None:
    prediction, target, batch = images()
    path = tmp_path / "encoder.safetensors"
    save_encoder(FeatureEncoder(9), path)
    value = Perceptual(encoder=str(path))(prediction, target, batch)
    assert value == Perceptual(seed=9)(prediction, target, batch)
    assert value != Perceptual()(prediction, target, batch)
    with pytest.raises(OptionError, match="leave one out"):
        Perceptual(encoder=str(path), seed=3)


@pytest.mark.parametrize("seed", [-1, 2**31])
def test_a_seed_that_is_none_is_refused(seed: int) -> None:
    with pytest.raises(OptionError, match="--perceptual-seed"):
        Perceptual(seed=seed)

"""The encoder's weights: from a seed, from a file, or trained on itself."""

from pathlib import Path

import pytest
import torch

from lasernet import weights
from lasernet.errors import OptionError
from lasernet.losses.base import Batch
from lasernet.losses.feature_encoder import (
    WIDTHS,
    FeatureEncoder,
    _convolutions,
    file_hash,
    halve,
    load_encoder,
    reconstruction_error,
    save_encoder,
    train_encoder,
)


def mosaic(items: int = 2, seed: int = 0) -> Batch:
    """Grains of 6 × 6 cells, each of one color."""
    generator = torch.Generator().manual_seed(seed)
    colors = torch.rand(items, 9, 3, 4, generator=generator)
    target = colors.repeat_interleave(6, -1).repeat_interleave(6, -2)
    return {"target": target, "mask": torch.rand(items, 1, 18, 24, generator=generator) < 0.95}


def test_weights_follow_from_the_seed() -> None:
    one, same, other = (FeatureEncoder(seed).state_dict() for seed in (3, 3, 4))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["stages.0.weight"], other["stages.0.weight"])
    layers = [FeatureEncoder(3).stages[index].weight.flatten()[:9] for index in range(3)]
    assert not torch.allclose(layers[0] / layers[0].norm(), layers[1] / layers[1].norm())


def test_random_weights_keep_the_size_of_what_they_see() -> None:
    images = torch.randn(8, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    x = images
    for stage in FeatureEncoder().stages:
        before, x = x.square().mean(), stage(x)
        assert 0.5 < (x.square().mean() / (2 * before)).item() < 1.5  # half of it is lost in the ReLU
        x = x.relu()


@pytest.mark.parametrize("size", [(8, 8), (7, 9), (1, 5), (1, 1)])
def test_features_halve_odd_sides_upward_and_pool_what_is_there(size: tuple[int, int]) -> None:
    images = torch.rand(2, 3, *size)
    shapes = [tuple(features.shape) for features in FeatureEncoder()(images)]
    for stage, shape in enumerate(shapes, start=1):
        assert shape == (2, WIDTHS[stage], *(-(-side // 2**stage) for side in size))
    torch.testing.assert_close(halve(torch.ones(1, 1, *size)), torch.ones(1, 1, -(-size[0] // 2), -(-size[1] // 2)))


def test_an_encoder_trained_on_itself_reconstructs_better() -> None:
    batches = [mosaic(seed=seed) for seed in range(4)]
    state = torch.get_rng_state()
    trained = train_encoder(batches, seed=1, epochs=20, lr=3e-3)
    assert torch.equal(torch.get_rng_state(), state)
    assert not any(parameter.requires_grad for parameter in trained.parameters())

    def error(encoder: FeatureEncoder) -> float:
        """What a decoder that was trained for a while makes of fixed features."""
        decoder = _convolutions(WIDTHS[::-1], 99)
        optimizer = torch.optim.Adam(decoder.parameters(), lr=3e-3)
        for turn in range(60):
            optimizer.zero_grad()
            reconstruction_error(encoder, decoder, batches[turn % 4]).backward()
            optimizer.step()
        return sum(reconstruction_error(encoder, decoder, batch).item() for batch in batches)

    assert error(trained) < 0.95 * error(FeatureEncoder(1).requires_grad_(False))


def test_training_follows_from_the_seed() -> None:
    one, same, other = (train_encoder([mosaic()], seed=seed, epochs=2).stages[2].weight for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_masked_cells_teach_nothing() -> None:
    batch = mosaic()
    spoiled = {**batch, "target": torch.where(batch["mask"], batch["target"], float("nan"))}
    one, other = train_encoder([batch]), train_encoder([spoiled])
    assert torch.equal(one.stages[0].weight, other.stages[0].weight)


def test_a_saved_encoder_comes_back(tmp_path: Path) -> None:
    encoder = FeatureEncoder(7)
    save_encoder(encoder, tmp_path / "encoder.safetensors")
    again = load_encoder(tmp_path / "encoder.safetensors")
    assert all(torch.equal(value, encoder.state_dict()[name]) for name, value in again.state_dict().items())


def test_files_that_hold_no_encoder_are_refused_in_one_line(tmp_path: Path) -> None:
    good = FeatureEncoder().state_dict()
    wrong = {
        "shape": {**good, "stages.1.weight": torch.zeros(32, 16, 5, 5)},
        "missing": {name: value for name, value in good.items() if name != "stages.2.bias"},
        "more": {**good, "head.weight": torch.zeros(2)},
        "whole": {**good, "stages.0.bias": torch.zeros(16, dtype=torch.long)},
        "nan": {**good, "stages.0.bias": torch.full((16,), float("nan"))},
    }
    for name, tensors in wrong.items():
        path = tmp_path / f"{name}.safetensors"
        path.write_bytes(weights.pack(tensors))
        with pytest.raises(OptionError, match=f"--perceptual-encoder.*{file_hash(path)[:16]}.*expected") as caught:
            load_encoder(path)
        assert "\n" not in str(caught.value)


def test_missing_and_damaged_files_are_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "encoder.safetensors"
    with pytest.raises(OptionError, match=r"--perceptual-encoder .*cannot be read"):
        load_encoder(path)
    save_encoder(FeatureEncoder(), path)
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(OptionError, match=r"--perceptual-encoder .*hash") as caught:
        load_encoder(path)
    assert "\n" not in str(caught.value)


def test_only_colors_train_an_encoder() -> None:
    with pytest.raises(OptionError, match="judges colors"):
        train_encoder([{"target": torch.zeros(1, 1, 8, 8), "mask": torch.ones(1, 1, 8, 8, dtype=torch.bool)}])

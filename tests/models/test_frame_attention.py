"""Attention in CNN-LSTM, PredRNN and PredRNN++: over the frames of the context, and over the cells of the state."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from lasernet.losses.base import build_criterion
from lasernet.models.base import count_parameters
from lasernet.models.frame_predictor import FramePredictor

Make = Callable[..., dict[str, Tensor]]
New = Callable[..., FramePredictor]
FAMILIES = ("cnn-lstm", "predrnn", "predrnn++")
BOTH = {"temporal_attention": 2, "transformer": 1}
cases = pytest.mark.parametrize(
    ("name", "task", "design"),
    [(name, task, "deep") for name in FAMILIES for task in ("microstructure", "temperature")]
    + [(name, "microstructure", "micronet") for name in FAMILIES],
)


@cases
def test_every_parameter_learns(name: str, task: str, design: str, predictor: New, frame_batch: Make) -> None:
    network = predictor(name, task, design=design, **BOTH).train()
    network.loss(frame_batch(task=task), build_criterion("mse", {}))[0].backward()
    for label, parameter in network.named_parameters():
        assert parameter.grad is not None, label
        assert parameter.grad.any(), label


@cases
def test_sizes_and_lengths_are_free(name: str, task: str, design: str, predictor: New, frame_batch: Make) -> None:
    network = predictor(name, task, design=design, **BOTH)
    for steps, size in ((1, (9, 13)), (7, (8, 8)), (2, (17, 40))):
        batch = frame_batch(1, *size, steps=steps, task=task)
        with torch.no_grad():
            assert network.predict(batch).shape == batch["target"].shape


@pytest.mark.parametrize("name", FAMILIES)
def test_fresh_attention_over_frames_adds_their_ages_only(name: str, predictor: New, frame_batch: Make) -> None:
    """Its layers start as the identity, so that they can only help."""
    with torch.no_grad():
        answers = [predictor(name, fresh=True, temporal_attention=n)(frame_batch()) for n in (0, 1, 2)]
    torch.testing.assert_close(answers[1], answers[2])
    assert not torch.equal(answers[0], answers[1])


@pytest.mark.parametrize("option", sorted(BOTH))
def test_each_layer_has_its_parameters(option: str, predictor: New) -> None:
    counts = [count_parameters(predictor("cnn-lstm", **{option: n})) for n in (0, 1, 2)]
    channels = 16 if option == "temporal_attention" else 8
    layer = 12 * channels**2 + 13 * channels  # with two norms and biases
    assert counts[2] - counts[1] == layer
    assert counts[1] - counts[0] == layer + (0 if option == "temporal_attention" else 10 * channels)


def test_activations_show_both(predictor: New, frame_batch: Make) -> None:
    found = predictor("cnn-lstm", **BOTH).record_activations(frame_batch())
    assert found["context.attention"].shape == (2, 16, 2, 3)
    assert found["transformer"].shape == (2, 8, 2, 3)

"""Batches of frames and small networks, for the tests of frame predictors."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lasernet.engine.loaded import build_model
from lasernet.models.frame_predictor import FramePredictor

LIQUIDUS = 1720.0
SMALL: dict[str, dict[str, object]] = {
    "cnn-lstm": {"hidden": 8, "channels": (4, 8, 16)},
    "predrnn": {"hidden": 8, "channels": (4, 8, 16), "rnn_layers": 2},
    "predrnn++": {"hidden": 8, "channels": (4, 8, 16), "rnn_layers": 2},
    "convlstm": {"hidden": 8, "features": 8, "rnn_layers": 2},
    "predrnn-flat": {"hidden": 8, "features": 8, "rnn_layers": 2},
    "mlp": {"hidden": (16, 8)},
    "cnn-mlp": {"channels": (4, 8), "hidden": (16,)},
    "simvp": {"hidden": 8, "width": 16, "blocks": 2},
}


@pytest.fixture(scope="session")
def frame_batch() -> Callable[..., dict[str, Tensor]]:
    """Makes batches: a pool that is hot on the right, molten where T exceeds liquidus at t, some of it freezing."""

    def make(
        items: int = 2,
        rows: int = 16,
        columns: int = 24,
        *,
        seed: int = 0,
        steps: int = 3,
        task: str = "microstructure",
    ) -> dict[str, Tensor]:
        generator = torch.Generator().manual_seed(seed)
        ramp = torch.linspace(-500, 700, columns).expand(items, steps + 1, 1, rows, columns)
        drift = 40 * torch.arange(steps + 1).flip(0).reshape(1, -1, 1, 1, 1)
        temperature = LIQUIDUS + ramp + drift + 30 * torch.rand(ramp.shape, generator=generator)
        molten = temperature > LIQUIDUS - 30
        ipf = torch.rand(items, 1, 9, rows, columns, generator=generator).expand(-1, steps + 1, -1, -1, -1) * ~molten
        colors = torch.rand(items, 9, rows, columns, generator=generator) * ~molten[:, -1]
        return {
            "temperature": temperature[:, :-1],
            "ipf": ipf[:, :-1],
            "molten": molten[:, :-1],
            "valid": torch.ones(items, steps, 1, rows, columns, dtype=torch.bool),
            "future_temperature": temperature[:, -1],
            "target": temperature[:, -1] if task == "temperature" else colors,
            "target_molten": molten[:, -1],
            "mask": torch.ones(items, 1, rows, columns, dtype=torch.bool),
            "solidus": torch.full((items,), 1650.0),
            "liquidus": torch.full((items,), LIQUIDUS),
            "front_low": torch.full((items,), 1660.0),
            "front_high": torch.full((items,), LIQUIDUS),
            "cell_height": torch.full((items,), 5e-6),
            "cell_width": torch.full((items,), 5e-6),
            "item": torch.arange(items),
            "advected_temperature": temperature[:, -2] - 20,
            "temperature_drift": 20 * torch.randn(temperature[:, -1].shape, generator=generator) - 20,
        }

    return make


@pytest.fixture(scope="session")
def predictor() -> Callable[..., FramePredictor]:
    """Makes small networks by name, with random weights everywhere, in evaluation mode."""

    def make(
        name: str,
        task: str = "microstructure",
        *,
        size: tuple[int, int] = (16, 24),
        steps: int = 3,
        fresh: bool = False,
        **options: Any,
    ) -> FramePredictor:
        torch.manual_seed(0)
        spec = {"temperature": {"channels": 1, "unit": "K", "shape": size, "frames": steps}}
        network = build_model(name, {**SMALL[name], **options}, task=task, spec=spec)
        assert isinstance(network, FramePredictor)
        for parameter in network.parameters():
            if not fresh and not parameter.any():  # what starts at zero
                nn.init.normal_(parameter, std=0.1)
        return network.eval()

    return make

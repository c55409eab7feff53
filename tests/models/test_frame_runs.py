"""Networks that predict frames, from ``train`` to a run that is loaded again."""

import json
from pathlib import Path

import pytest
import torch

from lasernet import load_run, open_dataset, train, weights
from lasernet.engine.dry import describe_training

DATA = {"split_ratio": "4,2,2", "seq_length": 2}
ONE_STEP = {"epochs": 1, "batch_size": 8, "max_steps": 2, "threads": 1}


@pytest.mark.parametrize(
    ("name", "task", "options"),
    [
        ("cnn-lstm", "microstructure", {"channels": (4, 8, 8), "hidden": 8, "auxiliary": 0.3, "transformer": 1}),
        ("predrnn++", "temperature", {"channels": (4, 8), "hidden": 8, "rnn_layers": 2, "auxiliary": 0.3}),
        ("simvp", "microstructure", {"hidden": 8, "width": 16, "blocks": 1}),
        ("cnn-mlp", "temperature", {"channels": (4, 8), "hidden": (16,)}),
    ],
)
def test_a_run_comes_back_as_it_was_trained(
    name: str, task: str, options: dict[str, object], track: Path, home: Path
) -> None:
    path = train(name, data=track, out=home / "run", task=task, seed=3, **DATA, **ONE_STEP, **options)
    loaded = load_run(path)
    batch = open_dataset(track, task, inputs=loaded.model.inputs, **DATA).split("test").fetch(range(3))
    answer = loaded.predict(batch)
    assert answer.shape == batch["target"].shape
    assert torch.equal(answer, load_run(path).predict(batch))
    assert torch.equal(answer, load_run(path, checkpoint="last").predict(batch))
    stored, _ = weights.read(path / "weights.safetensors")
    assert not any(key.startswith("auxiliary") for key in stored)
    row = json.loads((path / "metrics.jsonl").read_text().splitlines()[-1])
    parts = {f"{split}_auxiliary_{part}" for split in ("train", "val") for part in ("gradient", "phase", "velocity")}
    assert (parts <= set(row)) is ("auxiliary" in options)


@pytest.mark.parametrize(
    ("name", "preset", "task", "parameters"),
    [
        ("cnn-lstm", "l2-deep-cnn-lstm-shallow2l", "temperature", 3_282_625),
        ("predrnn", "l1-predrnn-layers-2", "microstructure", 1_341_545),
        ("convlstm", "l2-base-convlstm-light", "microstructure", 165_129),
        ("predrnn-flat", "l2-base-predrnn-light", "temperature", 313_985),
        ("tempnet", "l1-tempnet", "temperature", 480_257),
    ],
)
def test_presets_can_be_tried(name: str, preset: str, task: str, parameters: int, track: Path) -> None:
    shown = json.loads(describe_training(name, data=track, options=DATA, task=task, preset=preset, loss=None))
    assert shown["parameters"] == parameters


@pytest.mark.parametrize("length", [1, 3])
def test_a_network_without_sliding_weights_has_some_for_every_frame(length: int, track: Path) -> None:
    data = {"split_ratio": "4,2,2", "seq_length": length, "residual": False}
    shown = json.loads(
        describe_training("mlp", data=track, options=data, task="temperature", preset="l2-mlp-light", loss=None)
    )
    cells = 16 * 10
    hidden = (256 * length * cells + 3 * 256) + (128 * 256 + 3 * 128)
    assert shown["parameters"] == hidden + 129 * cells

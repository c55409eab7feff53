"""Published U-Nets become runs that answer what the published networks answer; what is no such network is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.ndimage import distance_transform_edt
from torch import Tensor

from lasernet.engine.loaded import load_run
from lasernet.engine.published_state import our_name
from lasernet.engine.published_unet import import_unet
from lasernet.errors import DataError, LasernetError, OptionError, RunError
from lasernet.run import Run

State = dict[str, Tensor]
SIDE = 16
HEADS = {"": 0, "2..2": 2}


def published_state(
    kind: str = "velocity", features: tuple[int, ...] = (4, 8), kernel: int = 3, attention: bool = False
) -> State:
    """Random weights under the names and in the shapes of a published predictor."""
    draw = torch.Generator().manual_seed(0)
    inputs, outputs = (2, 1) if kind == "pressure" else (1, 2)
    state: State = {}

    def add(name: str, *shape: int) -> None:
        state[name] = 0.4 * torch.randn(*shape, generator=draw)

    def norm(name: str, channels: int) -> None:
        add(f"{name}.norm.weight", channels)
        add(f"{name}.norm.bias", channels)

    def double(name: str, before: int, after: int) -> None:
        for block, width in (("block1", before), ("block2", after)):
            add(f"{name}.{block}.conv.weight", after, width, kernel, kernel)
            norm(f"{name}.{block}", after)

    def look(name: str, channels: int) -> None:
        norm(name, channels)
        add(f"{name}.mha.in_proj_weight", 3 * channels, channels)
        add(f"{name}.mha.in_proj_bias", 3 * channels)
        add(f"{name}.mha.out_proj.weight", channels, channels)
        add(f"{name}.mha.out_proj.bias", channels)
        add(f"{name}.proj_out.weight", channels, channels, 1)
        add(f"{name}.proj_out.bias", channels)

    last = len(features) - 1
    for level, (before, after) in enumerate(zip((inputs, *features), features, strict=False)):
        double(f"model.encoder.{level}.0", before, after)
        if attention and level == last:
            look(f"model.encoder.{level}.1", after)
        norm(f"model.encoder.{level}.2", after)
    double("model.bottleneck", features[-1], 2 * features[-1])
    for step, width in enumerate(reversed(features)):
        add(f"model.decoder.{step}.0.conv.weight", 2 * width, width, 2, 2)
        add(f"model.decoder.{step}.0.conv.bias", width)
        norm(f"model.decoder.{step}.0", width)
        double(f"model.decoder.{step}.1", 2 * width, width)
        if attention and step == 0:
            look(f"model.decoder.{step}.2", width)
    add("model.final_conv.weight", outputs, features[0], kernel, kernel)
    add("model.final_conv.bias", outputs)
    state["distance_transform"] = torch.tensor([0.0 if kind == "pressure" else 1.0])
    state["normalizer.input.scale_factors"] = torch.tensor([1.0, 4e-4] if kind == "pressure" else [1.0])
    state["normalizer.output.scale_factors"] = torch.tensor([30.0] if kind == "pressure" else [0.02, 0.02])
    return state


def published_log(kind: str = "velocity", **network: object) -> dict[str, Any]:
    known = {
        "in_channels": 2 if kind == "pressure" else 1,
        "out_channels": 1 if kind == "pressure" else 2,
        "features": [4, 8],
        "kernel_size": 3,
        "padding_mode": "reflect",
        "activation": "silu",
        "final_activation": None,
        "attention": "",
    }
    predictor = {"model_name": "UNet", "model_kwargs": {**known, **network}, "distance_transform": True}
    training = {"learning_rate": 1e-4, "num_epochs": 2, "predictor_type": kind, "predictor": predictor}
    return {
        "params": {"name": "unet", "dataset": {"batch_size": 10, "augment": False}, "training": training},
        "epoch": [0, 1],
        "train_loss": [0.9, 0.5],
        "val_loss": [0.8, 0.6],
        "time": [10.0, 12.0],
        "learning_rate_history": [1e-4, 1e-4],
    }


def directory(place: Path, states: dict[str, object], log: object) -> Path:
    place.mkdir(exist_ok=True)
    for name, state in states.items():
        torch.save(state, place / name)
    (place / "log.json").write_text(json.dumps(log))
    return place


def reference(state: State, images: Tensor, heads: int = 0) -> Tensor:
    """The published network by its weights alone, in plain operations, for images of a size it can halve."""

    def normed(name: str, x: Tensor) -> Tensor:
        return F.group_norm(x, 1, state[f"{name}.norm.weight"], state[f"{name}.norm.bias"])

    def conv(name: str, x: Tensor) -> Tensor:
        weight = state[f"{name}.weight"]
        reach = weight.shape[-1] // 2
        return F.conv2d(F.pad(x, (reach,) * 4, mode="reflect"), weight, state.get(f"{name}.bias"))

    def double(name: str, x: Tensor) -> Tensor:
        for block in ("block1", "block2"):
            x = F.silu(normed(f"{name}.{block}", conv(f"{name}.{block}.conv", x)))
        return x

    def look(name: str, x: Tensor) -> Tensor:
        if f"{name}.norm.weight" not in state:
            return x
        mha = torch.nn.MultiheadAttention(x.shape[1], heads, batch_first=True)
        parts = ("in_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias")
        mha.load_state_dict({part: state[f"{name}.mha.{part}"] for part in parts})
        tokens = normed(name, x).flatten(2).mT
        told = F.conv1d(
            mha(tokens, tokens, tokens)[0].mT, state[f"{name}.proj_out.weight"], state[f"{name}.proj_out.bias"]
        )
        return x + told.reshape(x.shape)

    levels = sum(name.endswith(".0.block1.conv.weight") for name in state)
    skips, x = [], images
    for level in range(levels):
        x = look(f"model.encoder.{level}.1", double(f"model.encoder.{level}.0", x))
        skips.append(x)
        x = F.silu(normed(f"model.encoder.{level}.2", F.max_pool2d(x, 2)))
    x = double("model.bottleneck", x)
    for step in range(levels):
        up = f"model.decoder.{step}.0"
        x = F.conv_transpose2d(x, state[f"{up}.conv.weight"], state[f"{up}.conv.bias"], stride=2)
        x = torch.cat([skips.pop(), F.silu(normed(up, x))], dim=1)
        x = look(f"model.decoder.{step}.2", double(f"model.decoder.{step}.1", x))
    return conv("model.final_conv", x)


def batch() -> dict[str, Tensor]:
    """Two images, not periodic, of 16 x 16 cells, of different size."""
    mask = torch.rand(2, 1, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(1)) > 0.3
    return {
        "mask": mask,
        "faces": torch.tensor([False, False]),
        "spacing": torch.tensor([[1e-5, 1e-5, 1e-6], [2e-5, 2e-5, 1e-6]]),
        "gradient": torch.tensor([1e5, 3e4]),
        "viscosity": torch.tensor([0.5, 0.5]),
    }


@pytest.mark.parametrize(("attention", "kernel"), [("", 3), ("2..2", 3), ("", 5)])
def test_a_published_velocity_network_answers_as_published(tmp_path: Path, attention: str, kernel: int) -> None:
    state = published_state(kernel=kernel, attention=bool(attention))
    log = published_log(attention=attention, kernel_size=kernel)
    run = load_run(import_unet(directory(tmp_path / "model", {"model.pt": state}, log), tmp_path / "run"))
    found = batch()
    fluid = found["mask"][:, :, 0].numpy()
    distances = torch.from_numpy(np.stack([[distance_transform_edt(image[0])] for image in fluid])).float()
    expected = 0.02 * reference(state, distances, HEADS[attention]) * found["mask"][:, 0]
    answer = run.predict(found)
    torch.testing.assert_close(answer[:, :2, 0], expected, rtol=1e-3, atol=1e-6)
    assert not answer[:, 2].any()


def test_a_published_pressure_network_answers_as_published_less_the_mean_fall(tmp_path: Path) -> None:
    state = published_state("pressure")
    model = directory(tmp_path / "model", {"model.pt": state}, published_log("pressure"))
    run = load_run(import_unet(model, tmp_path / "run", density=1000.0))
    found = batch()
    fluid = found["mask"][:, :, 0].float()
    length = SIDE * found["spacing"][:, 0].reshape(2, 1, 1, 1)
    shown = torch.cat([fluid * (1 - fluid.mean((2, 3), keepdim=True)), (4e-4 / length).expand_as(fluid)], dim=1)
    whole = 1000.0 * 30.0 * reference(state, shown)
    x = found["spacing"][:, 0].reshape(2, 1, 1, 1) * (torch.arange(SIDE) + 0.5)
    periodic = (whole + found["gradient"].reshape(2, 1, 1, 1) * x) * fluid
    expected = (periodic - periodic.sum((2, 3), keepdim=True) / fluid.sum((2, 3), keepdim=True)) * fluid
    torch.testing.assert_close(
        run.predict(found)[:, :, 0], expected, rtol=1e-3, atol=1e-5 * expected.abs().max().item()
    )


def test_a_run_of_published_weights_says_where_they_come_from(tmp_path: Path) -> None:
    best, last = published_state(), published_state()
    last["model.final_conv.bias"] += 1
    model = directory(tmp_path / "model", {"model.pt": last, "best_model.pt": best}, published_log())
    path = import_unet(model, tmp_path / "run")
    run = Run(path)
    assert run.config["task"] == "flow"
    assert run.config["imported"]["files"]["weights.safetensors"]["file"] == "best_model.pt"
    assert run.config["training"]["batch_size"] == 10
    assert [row["val_loss"] for row in run.metrics()] == [0.8, 0.6]
    assert [row["seconds"] for row in run.metrics()] == [10.0, 22.0]
    heads = [load_run(path, checkpoint=name).model.network.head.bias for name in ("best", "last")]
    torch.testing.assert_close(heads[0] + 1, heads[1])


def test_a_factor_of_the_input_is_kept(tmp_path: Path) -> None:
    state = published_state()
    scaled = {**state, "normalizer.input.scale_factors": torch.tensor([8.0])}
    scaled["model.encoder.0.0.block1.conv.weight"] = 8 * state["model.encoder.0.0.block1.conv.weight"]
    answers = []
    for name, one in (("plain", state), ("scaled", scaled)):
        model = directory(tmp_path / name, {"model.pt": one}, published_log())
        answers.append(load_run(import_unet(model, tmp_path / f"{name}-run")).predict(batch()))
    torch.testing.assert_close(answers[0], answers[1])


def test_published_names_are_told_apart() -> None:
    names = [name.removeprefix("model.") for name in published_state(attention=True)]
    assert len({our_name(name) for name in names}) == len(names)
    assert our_name("decoder.3.0.conv.bias") == "up.3.conv.bias"
    assert our_name("encoder.0.2.norm.weight") == "down.0.norm.weight"


class Whole(torch.nn.Module):
    """What a file holds that was saved as an object."""


def changed(**tensors: object) -> dict[str, object]:
    return {**published_state(), **{name.replace("__", "."): value for name, value in tensors.items()}}


HOSTILE: list[tuple[str, object, dict[str, Any], str]] = [
    ("an object", Whole(), published_log(), "more or less than plain tensors"),
    ("a list", [torch.zeros(2)], published_log(), "holds list"),
    ("another size", published_state(features=(4, 16)), published_log(), "has shape"),
    ("fewer levels", published_state(features=(4,)), published_log(), "lacks"),
    ("attention", published_state(attention=True), published_log(), "has 'model.decoder.0.2"),
    ("more", changed(model__extra__weight=torch.zeros(2)), published_log(), "has 'model.extra.weight'"),
    ("no number", changed(model__final_conv__bias=torch.tensor([0.0, torch.nan])), published_log(), "not finite"),
    ("integers", changed(model__final_conv__bias=torch.tensor([0, 1])), published_log(), "int64"),
    ("no scale", changed(normalizer__output__scale_factors=torch.tensor([0.0, 0.0])), published_log(), "above 0"),
    ("two scales", changed(normalizer__output__scale_factors=torch.tensor([1.0, 2.0])), published_log(), "one factor"),
    ("missing scale", changed(normalizer__input__scale_factors=None), published_log(), "NoneType"),
    ("wrong kind", published_state(), published_log("pressure", in_channels=1, out_channels=2), "expected \\[2, 1\\]"),
    ("even kernel", published_state(kernel=4), published_log(kernel_size=4), "kernel-size 4"),
    ("unknown padding", published_state(), published_log(padding_mode="replicate"), "padding replicate"),
    ("unknown activation", published_state(), published_log(activation="gelu"), "no network that can be built"),
    ("huge", published_state(), published_log(features=[10**9]), "features"),
    ("no features", published_state(), published_log(features=[]), "features"),
    ("features of text", published_state(), published_log(features=["4", "8"]), "features"),
    ("attention of numbers", published_state(), published_log(attention=7), "no network that can be built"),
    ("no log", published_state(), {"params": {}}, "does not say what the network is"),
    ("a log of numbers", published_state(), [1, 2], "does not say what the network is"),
    ("unknown kind", published_state(), published_log("density"), "does not say what the network is"),
]


@pytest.mark.parametrize(("state", "log", "match"), [row[1:] for row in HOSTILE], ids=[row[0] for row in HOSTILE])
def test_what_is_no_published_network_is_refused_in_one_line(
    tmp_path: Path, state: object, log: dict[str, Any], match: str
) -> None:
    model = directory(tmp_path / "model", {"model.pt": state}, log)
    with pytest.raises(LasernetError, match=match) as caught:
        import_unet(model, tmp_path / "run")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_damaged_and_missing_files_are_refused(tmp_path: Path) -> None:
    model = directory(tmp_path / "model", {"model.pt": published_state()}, published_log())
    content = bytearray((model / "model.pt").read_bytes())
    place = content.find(published_state()["model.final_conv.weight"].numpy().tobytes())
    content[place] ^= 1
    (model / "model.pt").write_bytes(content)
    with pytest.raises(DataError, match="checksums"):
        import_unet(model, tmp_path / "run")
    (model / "model.pt").unlink()
    with pytest.raises(DataError, match=r"no model\.pt"):
        import_unet(model, tmp_path / "run")
    with pytest.raises(DataError, match="no directory"):
        import_unet(tmp_path / "nothing", tmp_path / "run")
    (model / "log.json").write_text("{")
    with pytest.raises(RunError, match="JSON"):
        import_unet(model, tmp_path / "run")
    (model / "log.json").unlink()
    with pytest.raises(DataError, match=r"log\.json"):
        import_unet(model, tmp_path / "run")


def test_nothing_is_overwritten_and_a_density_is_a_number_above_0(tmp_path: Path) -> None:
    model = directory(tmp_path / "model", {"model.pt": published_state()}, published_log())
    import_unet(model, tmp_path / "run")
    with pytest.raises(RunError, match="already holds a run"):
        import_unet(model, tmp_path / "run")
    with pytest.raises(OptionError, match="density"):
        import_unet(model, tmp_path / "other", density=0.0)

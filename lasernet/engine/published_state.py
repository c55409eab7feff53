"""The state of a published U-Net of resin flow under our names: tensors that fit the network, and nothing else."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lasernet.data.container import Refused
from lasernet.data.importers.tensor_files import FLOATS, check_sums, load_tensors, require_tensor, tensor_shape
from lasernet.data.quarantine import require_regular_file
from lasernet.engine.published_log import CHANNELS, Published
from lasernet.errors import DataError, OptionError
from lasernet.nn.unet import UNet

INPUT, ANSWER, SHOWN = "normalizer.input.scale_factors", "normalizer.output.scale_factors", "distance_transform"
NUMBERS = (INPUT, ANSWER, SHOWN)  # entries that are no weights
NAMES = (  # of the published modules and of ours
    (r"encoder\.(\d+)\.0\.", r"encoder.\1."),
    (r"encoder\.(\d+)\.1\.", r"encoder.\1.attention."),
    (r"encoder\.(\d+)\.2\.", r"down.\1."),
    (r"decoder\.(\d+)\.0\.", r"up.\1."),
    (r"decoder\.(\d+)\.1\.", r"decoder.\1."),
    (r"decoder\.(\d+)\.2\.", r"decoder.\1.attention."),
    (r"bottleneck\.", "bottom."),
    (r"final_conv\.", "head."),
    (r"block1\.", "first."),
    (r"block2\.", "second."),
    (r"mha\.in_proj_", "look."),
    (r"mha\.out_proj\.", "tell."),
    (r"proj_out\.", "add."),
)


def read_state(path: Path, published: Published, density: float) -> tuple[dict[str, Tensor], bool]:
    """The state of our model, and whether the network is shown distances.

    Raises:
        DataError: what was found, what was expected.
    """
    require_regular_file(path)
    try:
        check_sums(path)
        state = load_tensors(path)
        if not isinstance(state, Mapping) or not all(isinstance(name, str) for name in state):
            raise Refused(f"{path.name} holds {type(state).__name__}; expected the state_dict of a published predictor")
        return _converted(dict(state), published, density)
    except Refused as problem:
        raise DataError(f"'{path.parent}': {problem}; get it again, or save its state_dict") from None


def _converted(state: dict[str, Any], published: Published, density: float) -> tuple[dict[str, Tensor], bool]:
    pressure = published.task == "flow-pressure"
    inputs, outputs = CHANNELS[published.task]
    shown = _numbers(state, INPUT, inputs)
    answered = _numbers(state, ANSWER, outputs)
    distance = _numbers(state, SHOWN, 1)[0] != 0
    if min(*shown, *answered) <= 0 or len(set(answered)) > 1:
        raise Refused(f"its inputs are divided by {shown} and its answers by {answered}; expected one factor above 0")
    network = {f"network.{name}": value for name, value in _network(state, published.network, inputs, outputs).items()}
    first = network["network.encoder.0.first.conv.weight"].clone()
    first[:, 0] /= shown[0]  # a factor of the image is one of the weights that see it
    scale = answered[0] * (density if pressure else 1.0)
    extra = {"scale": torch.tensor(scale), "reference": torch.tensor(shown[1] if pressure else 1.0)}
    return {**network, "network.encoder.0.first.conv.weight": first, **extra}, distance


def _network(state: dict[str, Any], options: Mapping[str, Any], inputs: int, outputs: int) -> dict[str, Tensor]:
    """The tensors of the bare network under our names, each of the shape that the log's options ask for."""
    try:
        with torch.device("meta"):
            fresh = UNet(inputs, outputs, **options).state_dict()
    except (OptionError, TypeError, ValueError, KeyError, AttributeError, RuntimeError) as error:
        raise Refused(f"its log.json describes no network that can be built ({str(error)[:100]})") from None
    expected = {name: tuple(value.shape) for name, value in fresh.items()}
    own = {our_name(name.removeprefix("model.")): name for name in state if name not in NUMBERS}
    differing = sorted(expected.keys() ^ own.keys())
    if differing:
        what = "lacks" if differing[0] in expected else "has"
        raise Refused(f"the state {what} '{own.get(differing[0], differing[0])}'; expected the network of its log.json")
    found: dict[str, Tensor] = {}
    for name, shape in expected.items():
        value = state[own[name]]
        if name.endswith("attention.add.weight"):  # published as a convolution of width 1
            tensor_shape(value, f"'{own[name]}'", 3)
            value = value.squeeze(-1)
        require_tensor(value, f"'{own[name]}'", FLOATS, shape)
        if not bool(value.isfinite().all()):
            raise Refused(f"'{own[name]}' is not finite")
        found[name] = value.float()
    return found


def our_name(name: str) -> str:
    """The name of a published network's tensor in ours."""
    for theirs, ours in NAMES:
        name = re.sub(rf"(?<![A-Za-z0-9_]){theirs}", ours, name)
    return name


def _numbers(state: Mapping[str, Any], name: str, count: int) -> list[float]:
    """Finite numbers of a small tensor."""
    require_tensor(state.get(name), f"'{name}'", FLOATS, (count,))
    found = [float(one) for one in state[name].tolist()]
    if not all(map(math.isfinite, found)):
        raise Refused(f"'{name}' is not finite")
    return found

"""Sizes of the source systems' networks, as presets of the models that take their place.

A preset sets the shape of a network, not how it is trained: what a network is shown, the residual answer, the
normalization and the schedule stay as they are here.
"""

from __future__ import annotations

Presets = dict[str, dict[str, object]]

FIVE: dict[str, tuple[int, ...]] = {
    "": (64, 128, 256, 512, 512),
    "-large": (128, 256, 512, 768, 768),
    "-medium": (32, 64, 128, 256, 256),
}
SHALLOW: dict[str, tuple[int, ...]] = {
    "-shallow4l": (64, 128, 256, 512),
    "-shallow3l": (64, 128, 256),
    "-shallow2l": (64, 128),
}
MEMORY: dict[str, tuple[int, int]] = {  # hidden, layers
    "": (256, 3),
    "-large": (512, 4),
    "-medium": (128, 3),
    "-light": (128, 2),
    "-shallow4l": (256, 3),
    "-shallow3l": (256, 3),
    "-shallow2l": (128, 2),
}


def _deep(name: str, widths: dict[str, tuple[int, ...]]) -> Presets:
    return {
        name + size: {
            "design": "deep",
            "channels": channels,
            "hidden": MEMORY[size][0],
            "rnn_layers": MEMORY[size][1],
            "dropout": 0.15 if size == "-large" else 0.1,
        }
        for size, channels in widths.items()
    }


def _micronet(**options: object) -> dict[str, object]:
    return {"design": "micronet", **options}


CNN_LSTM: Presets = {
    "l1-cnn-lstm": _micronet(skips=False),
    "l1-cnn-lstm-skips": _micronet(skips=True),
    "l1-cnn-lstm-layers-2": _micronet(skips=False, rnn_layers=2),
    "l1-cnn-lstm-layers-2-skips": _micronet(skips=True, rnn_layers=2),
    "l1-cnn-lstm-wide": _micronet(skips=False, channels=(32, 64, 128)),
    "l1-cnn-lstm-wider": _micronet(skips=False, channels=(32, 64, 128), hidden=128),
    **_deep("l2-deep-cnn-lstm", FIVE | SHALLOW),
}
PREDRNN: Presets = {
    **{f"l1-predrnn-layers-{n}": _micronet(skips=False, rnn_layers=n) for n in (1, 2, 3, 4)},
    **{f"l1-predrnn-layers-{n}-skips": _micronet(skips=True, rnn_layers=n) for n in (1, 2, 3, 4)},
    **_deep("l2-predrnn", FIVE | {"-light": (32, 64, 128, 256)} | SHALLOW),
}
TEMPNET: Presets = {
    "l1-tempnet": {"rnn_layers": 1},
    "l1-tempnet-layers-2": {"rnn_layers": 2},
}
_FLAT: Presets = {
    "": {"features": 64, "hidden": 128, "rnn_layers": 3, "dropout": 0.1},
    "-large": {"features": 128, "hidden": 128, "rnn_layers": 4, "dropout": 0.1},
    "-light": {"features": 32, "hidden": 32, "rnn_layers": 2, "dropout": 0.05},
}
CONVLSTM: Presets = {f"l2-base-convlstm{size}": options for size, options in _FLAT.items()}
PREDRNN_FLAT: Presets = {f"l2-base-predrnn{size}": options for size, options in _FLAT.items()}
MLP: Presets = {
    "l2-mlp": {"hidden": (512, 256), "dropout": 0.1},
    "l2-mlp-large": {"hidden": (1024, 512, 256), "dropout": 0.1},
    "l2-mlp-light": {"hidden": (256, 128), "dropout": 0.05},
}
CNN_MLP: Presets = {
    "l2-cnn-mlp-medium": {"channels": FIVE["-medium"], "hidden": (512, 256), "dropout": 0.1},
    "l2-cnn-mlp-large": {"channels": FIVE["-large"], "hidden": (1024, 512), "dropout": 0.1},
}

"""Options that frame predictors share: their help texts, and what they refuse."""

from __future__ import annotations

from typing import Annotated, Literal

from lasernet.errors import OptionError

TemperatureScale = Literal["undercooling", "range"]
CopyFrom = Literal["slice", "volume"]
Design = Literal["micronet", "deep"]

Skips = Annotated[bool, "pass features of the encoders to the decoder at equal resolution"]
NormOption = Annotated[Literal["group", "batch"], "normalize each item by itself, or the batch"]
Residual = Annotated[
    bool, "decide only about cells that may freeze, correct only the moved temperature; else regress every cell"
]
CopyFromOption = Annotated[CopyFrom, "of colors: where the nearest solid cell is looked for"]
ScaleOption = Annotated[TemperatureScale, "asinh about liquidus, or linear in the range of training"]
DesignOption = Annotated[
    Design | None,
    "MicroNet's two encoders and decoder, or one encoder and a decoder of residual blocks; "
    "left out: micronet for colors, deep for the temperature",
]
TemporalAttentionOption = Annotated[int, "layers of attention over the frames of the context, before the memory"]
TransformerOption = Annotated[int, "transformer layers over all cells of the coarse state, after the memory"]
AuxiliaryOption = Annotated[
    float, "weight of losses of further outputs (temperature gradient, phase, front velocity), learned beside; 0: none"
]

PAPER: dict[str, object] = {
    "epochs": 200,
    "batch_size": 16,
    "lr": 1e-3,
    "clip": 1.0,
    "early_stopping": 25,
    "schedule": "none",
    "optimizer": "adam",
    "warmup_steps": 0,
}


def sharp(*, gradient: float, perceptual: float) -> dict[str, object]:
    """A published recipe for sharp predictions: four frames, and a loss weighted from 1000 to 2500 K."""
    return {
        **PAPER,
        "seq_length": 4,
        "loss": "sharpness",
        "sharpness_weighting": "band",
        "sharpness_t_solidus": 1000.0,
        "sharpness_t_liquidus": 2500.0,
        "sharpness_gradient_weight": gradient,
        "sharpness_perceptual_weight": perceptual,
    }


SHARP: dict[str, dict[str, object]] = {
    "sharp-max": sharp(gradient=0.2, perceptual=0.0),
    "sharp-balanced": sharp(gradient=0.1, perceptual=0.05),
    "sharp-aggressive": sharp(gradient=0.5, perceptual=0.1),
}


def check_sizes(*, channels: tuple[int, ...] = (1,), **sizes: int) -> None:
    """Refuse sizes of which no network can be built; ``sizes`` are options by name.

    Raises:
        OptionError: if a size is below 1, or no width is given.
    """
    for name, size in sizes.items():
        if size < 1:
            raise OptionError(f"--{name.replace('_', '-')} {size}: expected at least 1")
    if not channels or min(channels) < 1:
        raise OptionError(f"--channels {','.join(map(str, channels))}: expected widths of at least 1, as in 16,32,64")


def check_dropout(dropout: float) -> None:
    """Refuse a share that leaves nothing.

    Raises:
        OptionError: if it is below 0, or 1 or more.
    """
    if not 0 <= dropout < 1:
        raise OptionError(f"--dropout {dropout}: expected a share in [0, 1)")


def check_weight(name: str, weight: float) -> None:
    """Refuse a number that is neither nothing nor something, as the weight of a loss.

    Raises:
        OptionError: if it is negative or not finite.
    """
    if not 0 <= weight < float("inf"):
        raise OptionError(f"--{name.replace('_', '-')} {weight}: expected 0 or more")


def choose_design(design: Design | None, task: str) -> Design:
    """The design of an encoder-decoder for a task.

    Raises:
        OptionError: if MicroNet's, which encodes the coming temperature, shall predict the temperature.
    """
    if design == "micronet" and task == "temperature":
        raise OptionError(
            "--design micronet with --task temperature: its second encoder wants the coming temperature; use deep"
        )
    return design or ("deep" if task == "temperature" else "micronet")

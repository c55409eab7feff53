"""Figures of frame prediction: one function per name of ``visualize --what``, from items of a split to files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lasernet.data.sequences import IMAGE_AXES, FrameSplit, with_inputs
from lasernet.errors import OptionError
from lasernet.physics.solidification import regions
from lasernet.tasks.base import Answering
from lasernet.tasks.frame_volumes import BATCH
from lasernet.viz.panels import Plane


@dataclass(frozen=True)
class Scene:
    """One item and the answer to it, as arrays of one slice (see the batch in docs/data.md)."""

    title: str
    stem: str
    plane: Plane
    batch: dict[str, NDArray[Any]]
    regions: dict[str, NDArray[np.bool_]]
    truth: NDArray[np.float32]
    prediction: NDArray[np.float32]

    @property
    def valid(self) -> NDArray[np.bool_]:
        """Cells that count, (H, W)."""
        mask: NDArray[np.bool_] = self.batch["mask"][0]
        return mask

    @property
    def solidus(self) -> float:
        """K."""
        return float(self.batch["solidus"])

    @property
    def liquidus(self) -> float:
        """K."""
        return float(self.batch["liquidus"])

    def mse(self) -> dict[str, float]:
        """Mean squared error of this item, by region that has cells."""
        squared = np.square(self.prediction - self.truth).mean(0)
        return {name: float(squared[mask].mean()) for name, mask in self.regions.items() if mask.any()}


def scene(run: Answering, split: FrameSplit, row: int) -> Scene:
    """Predict one item and gather what its figures need."""
    batch = split.fetch([row])
    data, item = split.data, split.items[row]
    track = data.tracks[int(item["case"])]
    axes = IMAGE_AXES[data.plane]
    origin = tuple(float(getattr(track.case, axis)[0]) for axis in axes)
    spacing = (track.spacing[axes[0]], track.spacing[axes[1]])
    case = data.case_names[int(item["case"])]
    fixed = next(axis for axis in "xyz" if axis not in axes)
    place = 1e6 * float(getattr(track.case, fixed)[int(item["slice"])])
    time = 1e6 * float(track.case.t[int(item["frame"])])
    title = f"{case}, {data.plane} at {fixed} = {place:.0f} µm, frame {item['frame']} at {time:.0f} µs"
    return Scene(
        title=f"{title}, {run.mark}" if run.mark else title,
        stem=f"{case.replace('/', '-')}-t{item['frame']:03d}-s{item['slice']:03d}",
        plane=Plane(spacing=spacing, origin=(origin[0], origin[1]), axes=axes),
        batch={name: value[0].numpy() for name, value in batch.items()},
        regions={name: mask[0, 0].numpy() for name, mask in regions(batch).items()},
        truth=batch["target"][0].numpy(),
        prediction=run.predict(batch)[0].float().numpy(),
    )


def predictions(
    run: Answering, split: FrameSplit, rows: Sequence[int], folder: Path, *, name: str | None = None
) -> list[Path]:
    """Temperature, truth, prediction and error, per IPF direction (or in K); of a cascade, its temperature too."""
    from lasernet.viz.frames import prediction_panels, temperature_panels

    written = []
    for row in rows:
        one = scene(run, split, row)
        path = folder / f"{name or f'prediction-{one.stem}'}.png"
        shared: dict[str, Any] = {"plane": one.plane, "solidus": one.solidus, "liquidus": one.liquidus}
        shared |= {"valid": one.valid, "title": one.title}
        if split.data.task == "temperature":
            written.append(temperature_panels(one.truth[0], one.prediction[0], path, **shared))
        else:
            molten, future = one.batch["target_molten"][0], one.batch["future_temperature"][0]
            foreseen = foreseen_temperature(run, split, row)
            if foreseen is not None:
                beside = path.with_name(f"{path.stem}-temperature.png")
                written.append(temperature_panels(future, foreseen, beside, **shared))
            written.append(
                prediction_panels(one.truth, one.prediction, path, temperature=future, molten=molten, **shared)
            )
    return written


def foreseen_temperature(run: Answering, split: FrameSplit, row: int) -> NDArray[np.float32] | None:
    """The temperature in K (H, W) that a cascade predicts on its way to the colors; None for other models."""
    forecast = getattr(run.model, "forecast", None)
    if forecast is None:
        return None
    with torch.no_grad():
        return np.asarray(forecast(split.fetch([row]))["temperature"][0, 0], dtype=np.float32)


def error(run: Answering, split: FrameSplit, rows: Sequence[int], folder: Path) -> list[Path]:
    """Where the prediction errs, and where plain persistence does, on one scale."""
    from lasernet.viz.frames import error_map

    written = []
    for row in rows:
        one = scene(run, split, row)
        field = "temperature" if split.data.task == "temperature" else "ipf"
        shown = {"prediction": one.prediction, "persistence": one.batch[field][-1]}
        molten = one.batch["target_molten"][0]
        path = folder / f"error-{one.stem}.png"
        unit = "K" if field == "temperature" else ""
        written.append(
            error_map(
                one.truth, shown, path, plane=one.plane, unit=unit, valid=one.valid, molten=molten, title=one.title
            )
        )
    return written


def gradients(run: Answering, split: FrameSplit, rows: Sequence[int], folder: Path) -> list[Path]:
    """Gradients of truth and prediction and their difference: where it is blurred."""
    from lasernet.viz.frames import gradient_maps

    written = []
    for row in rows:
        one = scene(run, split, row)
        path = folder / f"gradients-{one.stem}.png"
        unit = "K" if split.data.task == "temperature" else ""
        written.append(
            gradient_maps(one.truth, one.prediction, path, plane=one.plane, unit=unit, valid=one.valid, title=one.title)
        )
    return written


def front(run: Answering, split: FrameSplit, rows: Sequence[int], folder: Path) -> list[Path]:
    """The front: solidus and liquidus, the active region, and truth and prediction inside it.

    Raises:
        OptionError: for the temperature task, which has no colors to show there.
    """
    from lasernet.viz.front import front_figure

    if split.data.task == "temperature":
        raise OptionError(
            "--what front shows colors at the front; this run predicts temperature: use predictions, error"
        )
    written = []
    for row in rows:
        one = scene(run, split, row)
        written.append(
            front_figure(
                one.truth,
                one.prediction,
                folder / f"front-{one.stem}.png",
                plane=one.plane,
                temperature=one.batch["future_temperature"][0],
                solidus=one.solidus,
                liquidus=one.liquidus,
                active=one.regions["active"],
                newly_solid=one.regions["newly_solid"],
                scores=one.mse(),
                valid=one.valid,
                name=one.title,
            )
        )
    return written


def histograms(run: Answering, split: FrameSplit, rows: Sequence[int], folder: Path) -> list[Path]:
    """How the values of each channel are distributed, in prediction and truth."""
    from lasernet.viz.activations import channel_histograms

    written = []
    kelvin = split.data.task == "temperature"
    names = (
        ["T"] if kelvin else [f"IPF-{direction} {color}" for direction in "XYZ" for color in ("red", "green", "blue")]
    )
    for row in rows:
        one = scene(run, split, row)
        path = folder / f"histograms-{one.stem}.png"
        written.append(
            channel_histograms(
                one.truth,
                one.prediction,
                path,
                names=names,
                unit="K" if kelvin else "",
                valid=one.valid,
                title=one.title,
            )
        )
    return written


def activations(run: Answering, split: FrameSplit, rows: Sequence[int], folder: Path) -> list[Path]:
    """What the layers of a network answer to an item.

    Raises:
        OptionError: if the model records none.
    """
    from lasernet.viz.activations import activation_figure, activation_histograms

    record = getattr(run.model, "record_activations", None)
    if record is None:
        raise OptionError("--what activations: this model has no method record_activations(batch); leave it out")
    written = []
    for row in rows:
        one = scene(run, split, row)
        layers = {name: value[0].float().numpy() for name, value in record(split.fetch([row])).items()}
        aspect = one.plane.aspect(one.valid.shape)
        written.append(
            activation_figure(layers, folder / f"activations-{one.stem}.png", aspect=aspect, title=one.title)
        )
        written.append(activation_histograms(layers, folder / f"activation-histograms-{one.stem}.png", title=one.title))
    return written


COMPARED = ("persistence", "nearest-solid")  # baselines beside the runs


def comparison(runs: Sequence[Answering], split: FrameSplit, rows: Sequence[int], folder: Path) -> list[Path]:
    """Truth, two baselines and the answers of all runs around the front of the same slice and frame.

    Args:
        split: of the first run's data.
    """
    from lasernet.viz.comparison import comparison_figure

    baselines = {name: model for name, model in runs[0].baselines().items() if name in COMPARED}
    inputs = [name for model in (*baselines.values(), *(run.model for run in runs)) for name in model.inputs]
    split = with_inputs(split, inputs)
    names = distinct([f"{run.run.model_name}{', ' + run.mark if run.mark else ''}" for run in runs])
    written = []
    for row in rows:
        one, batch = scene(runs[0], split, row), split.fetch([row])
        with torch.no_grad():
            panels = {"truth": one.truth}
            panels |= {name: model.predict(batch)[0].numpy() for name, model in baselines.items()}
            panels |= {name: run.predict(batch)[0].float().numpy() for name, run in zip(names, runs, strict=True)}
        path = folder / f"comparison-{one.stem}.png"
        title = one.title.removesuffix(f", {runs[0].mark}") if runs[0].mark else one.title
        active = one.regions["active"]
        written.append(comparison_figure(panels, path, plane=one.plane, active=active, valid=one.valid, title=title))
    return written


def distinct(names: Sequence[str]) -> list[str]:
    """Names with a number behind those that occur more than once."""
    return [name if names.count(name) == 1 else f"{name} {names[: i + 1].count(name)}" for i, name in enumerate(names)]


def reliability(run: Answering, split: FrameSplit, rows: Sequence[int], folder: Path) -> list[Path]:
    """How often cells froze over the chance that was given, of the run and of baselines, over the whole split.

    Raises:
        OptionError: if the model gives no chances.
    """
    from lasernet.metrics.gate import GateScores
    from lasernet.viz.reliability import reliability_diagram

    if run.model.chance is None:
        raise OptionError("--what reliability: this model gives no chance of freezing; leave it out")
    able = {name: model for name, model in run.baselines().items() if model.chance is not None}
    models = {run.run.model_name: run.model} | able
    scores = {name: GateScores() for name in models}
    split = with_inputs(split, [name for model in models.values() for name in model.inputs])
    with torch.no_grad():
        for start in range(0, len(split), BATCH):
            batch = split.fetch(range(start, min(start + BATCH, len(split))))
            for name, model in models.items():
                scores[name].update(model.chance(batch), batch)
    found = {name: one.compute() for name, one in scores.items()}
    tables = {f"{name}, Brier {one['brier']:.4f}": one["reliability"] for name, one in found.items() if one["cells"]}
    if not tables:
        raise OptionError("--what reliability: no cell of this split may freeze; choose another with --split")
    return [reliability_diagram(tables, folder / "reliability.png")]


FIGURES = {
    "predictions": predictions,
    "error": error,
    "gradients": gradients,
    "front": front,
    "histograms": histograms,
    "activations": activations,
    "reliability": reliability,
}
SHOWN = ("losses", "predictions", "error", "front")


def unavailable(run: Answering, split: FrameSplit) -> set[str]:
    """Figures that this run's answers do not have."""
    missing = set() if hasattr(run.model, "record_activations") else {"activations"}
    if run.model.chance is None:
        missing.add("reliability")
    if run.asked:
        missing.add("rollout")
    if split.data.task == "temperature":
        missing.add("front")
    return missing

"""Figures of flows: one function per name of ``visualize --what``, from items of a split to files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lasernet.data.flows import FlowSplit
from lasernet.errors import OptionError
from lasernet.metrics.flow_physics import FlowPhysics
from lasernet.physics.flow import Floats
from lasernet.tasks.base import Answering
from lasernet.tasks.flow_scene import Scene, scene

BATCH = 4
COMPARED = ("lift-zero",)  # baselines beside the run
VELOCITY_ONLY = ("velocity", "sections", "streamlines", "permeability", "distribution")
PRESSURE_ONLY = ("pressure",)
BLOCKS_ONLY = ("sections",)  # flows of more than one slice


def _require(split: FlowSplit, name: str) -> None:
    """Refuse a figure that the task or its items do not have.

    Raises:
        OptionError: naming figures that they do have.
    """
    if split.data.target == "pressure" and name in VELOCITY_ONLY:
        raise OptionError(f"--what {name} shows velocities; this run predicts pressure: use pressure or profile")
    if split.data.target == "velocity" and name in PRESSURE_ONLY:
        raise OptionError(
            f"--what {name}: this run predicts velocity; use velocity, or a run of the task flow-pressure"
        )
    if name in BLOCKS_ONLY and not (split.data.whole and split.data.shape[0] > 1):
        raise OptionError(f"--what {name} cuts blocks along z; these items are single slices: use velocity")


def _each(
    name: str, run: Answering, split: FlowSplit, rows: Sequence[int], folder: Path, draw: Callable[[Scene, Path], Path]
) -> list[Path]:
    """One picture of each item."""
    _require(split, name)
    scenes = (scene(run, split, row) for row in rows)
    return [draw(one, folder / f"{name}-{one.stem}.png") for one in scenes]


def velocity(run: Answering, split: FlowSplit, rows: Sequence[int], folder: Path) -> list[Path]:
    """Components and magnitude in the slice of the strongest v_z: truth, prediction, difference.

    Raises:
        OptionError: for the pressure task.
    """
    from lasernet.viz.flow_panels import velocity_panels

    def draw(one: Scene, path: Path) -> Path:
        lift = (one.lift(one.truth), one.lift(one.prediction))
        return velocity_panels(*one.drawn, path, plane=one.plane, fluid=one.slice, lift=lift, title=one.title)

    return _each("velocity", run, split, rows, folder, draw)


def pressure(run: Answering, split: FlowSplit, rows: Sequence[int], folder: Path) -> list[Path]:
    """The pressure in the slice where it varies most: truth, prediction, difference.

    Raises:
        OptionError: for the velocity task.
    """
    from lasernet.viz.flow_panels import pressure_panels

    def draw(one: Scene, path: Path) -> Path:
        truth, prediction = (field[0] for field in one.drawn)
        return pressure_panels(truth, prediction, path, plane=one.plane, fluid=one.slice, title=one.title)

    return _each("pressure", run, split, rows, folder, draw)


def sections(run: Answering, split: FlowSplit, rows: Sequence[int], folder: Path) -> list[Path]:
    """Planes xz and yz through the place of the largest v_z.

    Raises:
        OptionError: for the pressure task, and for items of one slice.
    """
    from lasernet.viz.flow_sections import section_panels

    def draw(one: Scene, path: Path) -> Path:
        shared: dict[str, Any] = {"fluid": one.fluid, "spacing": one.spacing, "title": one.whole_title}
        return section_panels(one.truth, one.prediction, path, **shared)

    return _each("sections", run, split, rows, folder, draw)


def streamlines(run: Answering, split: FlowSplit, rows: Sequence[int], folder: Path) -> list[Path]:
    """Streamlines over the speed in the slice of the strongest v_z.

    Raises:
        OptionError: for the pressure task.
    """
    from lasernet.viz.flow_streamlines import streamline_panels

    def draw(one: Scene, path: Path) -> Path:
        return streamline_panels(*one.drawn, path, plane=one.plane, fluid=one.slice, title=one.title)

    return _each("streamlines", run, split, rows, folder, draw)


def profile(run: Answering, split: FlowSplit, rows: Sequence[int], folder: Path) -> list[Path]:
    """The flux through each cross-section along the flow; of the pressure, its mean there."""
    from lasernet.viz.flow_profiles import profile_figure

    flux = split.data.target == "velocity"

    def draw(one: Scene, path: Path) -> Path:
        return profile_figure(
            dict(zip(("truth", "prediction"), one.through, strict=True)),
            path,
            places=one.places,
            open_share=one.open_share,
            label="flux over area" if flux else "mean pressure",
            unit="m/s" if flux else "Pa",
            conserved=flux,
            title=one.whole_title,
        )

    return _each("profile", run, split, rows, folder, draw)


def distribution(run: Answering, split: FlowSplit, rows: Sequence[int], folder: Path) -> list[Path]:
    """How speeds and v_z are distributed over the fluid of the items, in truth and prediction.

    Raises:
        OptionError: for the pressure task.
    """
    from lasernet.viz.flow_distribution import velocity_distribution

    _require(split, "distribution")
    speeds: dict[str, list[Floats]] = {"truth": [], "prediction": []}
    lifts: dict[str, list[Floats]] = {"truth": [], "prediction": []}
    for row in rows:
        one = scene(run, split, row)
        mean = float(np.linalg.norm(one.truth, axis=0)[one.fluid].mean()) or 1.0
        for name, field in (("truth", one.truth), ("prediction", one.prediction)):
            speeds[name].append(np.linalg.norm(field, axis=0)[one.fluid] / mean)
            lifts[name].append(field[2][one.fluid] / mean)
    joined = [{name: np.concatenate(parts) for name, parts in one.items()} for one in (speeds, lifts)]
    stem, title = (one.stem, one.whole_title) if len(rows) == 1 else (f"{len(rows)}-items", f"{len(rows)} items")
    return [velocity_distribution(joined[0], joined[1], folder / f"distribution-{stem}.png", title=title)]


def permeability(run: Answering, split: FlowSplit, rows: Sequence[int], folder: Path) -> list[Path]:
    """Predicted against true permeability of every item of the split, whatever ``rows`` are, of run and lift-zero.

    Raises:
        OptionError: for the pressure task.
    """
    from lasernet.viz.flow_permeability import permeability_parity

    _require(split, "permeability")
    others = {name: model for name, model in run.baselines().items() if name in COMPARED}
    measured = {name: FlowPhysics() for name in (run.run.model_name, *others)}
    with torch.no_grad():
        for start in range(0, len(split), BATCH):
            batch = split.fetch(range(start, min(start + BATCH, len(split))))
            measured[run.run.model_name].update(run.predict(batch).float().cpu(), batch)
            for name, model in others.items():
                measured[name].update(model.predict(batch), batch)
    own = measured[run.run.model_name]
    answers = {name: one.of("predicted") for name, one in measured.items()}
    count = f"{len(split)} {'flow' if split.data.whole else 'slice'}{'s' if len(split) > 1 else ''}"
    path, title = (
        folder / "permeability.png",
        f"permeability along the flow, {count}{', ' + run.mark if run.mark else ''}",
    )
    return [permeability_parity(own.of("true"), answers, path, truth_error=own.of("known_error"), title=title)]


def choose(split: FlowSplit, *, item: int | None, position: int | None, timestep: int | None, n: int) -> list[int]:
    """Rows of a split: of blocks the first ones; of slices those in the middle of their flows first.

    Raises:
        OptionError: if nothing fits, or an option has no meaning here.
    """
    if n < 1:
        raise OptionError(f"--n {n}: expected at least 1")
    if timestep is not None:
        raise OptionError(f"--timestep {timestep}: these flows are steady; leave --timestep out")
    if not len(split):
        raise OptionError("the split has no items; choose another with --split")
    if position is not None and split.data.whole:
        raise OptionError(
            f"--slice {position}: the items are whole blocks, of which figures show the slice with the strongest v_z; "
            "leave --slice out, or choose a block with --item"
        )
    if item is not None:
        if position is not None:
            raise OptionError(f"--item {item} --slice {position}: expected one of them")
        if not 0 <= item < len(split):
            raise OptionError(f"--item {item}: the split has items 0 to {len(split) - 1}")
        return [item]
    slices = split.items["slice"].astype(np.int64)
    if position is None:
        return [int(row) for row in np.argsort(np.abs(slices - slices.max() // 2), kind="stable")[:n]]
    fitting = np.flatnonzero(slices == position)
    if not len(fitting):
        raise OptionError(f"--slice {position}: the split holds slices {slices.min()} to {slices.max()}")
    return [int(row) for row in fitting[:n]]


FIGURES: Mapping[str, Callable[..., list[Path]]] = {
    "velocity": velocity,
    "sections": sections,
    "streamlines": streamlines,
    "permeability": permeability,
    "profile": profile,
    "distribution": distribution,
    "pressure": pressure,
}
SHOWN = ("losses", "velocity", "permeability")
SHOWN_PRESSURE = ("losses", "pressure", "profile")


def unavailable(run: Answering, split: FlowSplit) -> set[str]:
    """Figures that these answers do not have."""
    missing = set(PRESSURE_ONLY if split.data.target == "velocity" else VELOCITY_ONLY)
    return missing if split.data.whole and split.data.shape[0] > 1 else missing | set(BLOCKS_ONLY)

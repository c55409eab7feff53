"""One flow and the answer to it, gathered as arrays for figures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from lasernet.data.base import Batch
from lasernet.data.flows import FlowSplit
from lasernet.metrics.flow_errors import FlowErrors
from lasernet.metrics.flow_physics import FlowPhysics
from lasernet.physics.flow import Floats, at_centers, open_faces
from lasernet.tasks.base import Answering
from lasernet.viz.flow_units import percent
from lasernet.viz.panels import Plane


@dataclass(frozen=True)
class Scene:
    """One flow and the answer to it, driven along +x.

    Attributes:
        item: which one it is, in words; ``drawn_slice``: which of its slices is drawn.
        scores: how well all of it was answered, in words.
        fluid: (Z, Y, X) bool.
        truth, prediction: in cell centers, (C, Z, Y, X), m/s or Pa.
        through: mean of v_x over each cross-section, m/s, in truth and prediction, (2, X); of the pressure over its
            fluid, Pa.
        places: of the cross-sections, m, (X,); ``open_share``: how much of them is fluid, (X,).
        spacing: along x, y, z, m.
        position: of the slice that is drawn.
    """

    item: str
    drawn_slice: str
    scores: str
    stem: str
    fluid: NDArray[np.bool_]
    truth: Floats
    prediction: Floats
    through: Floats
    places: Floats
    open_share: Floats
    spacing: tuple[float, float, float]
    position: int

    @property
    def title(self) -> str:
        """Of figures of one slice."""
        return f"{self.item}{', ' + self.drawn_slice if self.drawn_slice else ''}\n{self.scores}"

    @property
    def whole_title(self) -> str:
        """Of figures of the whole item."""
        return f"{self.item}\n{self.scores}"

    @property
    def plane(self) -> Plane:
        """Where slices lie."""
        wide, deep, _ = self.spacing
        return Plane(spacing=(deep, wide), origin=(deep / 2, wide / 2), axes=("y", "x"))

    @property
    def slice(self) -> NDArray[np.bool_]:
        """Fluid of the slice that is drawn, (Y, X)."""
        cells: NDArray[np.bool_] = self.fluid[self.position]
        return cells

    @property
    def drawn(self) -> tuple[Floats, Floats]:
        """Truth and prediction of the slice that is drawn, (C, Y, X)."""
        return self.truth[:, self.position], self.prediction[:, self.position]

    def lift(self, velocity: Floats) -> float:
        """Root mean square of v_z over the mean of the true v_x, in the fluid; NaN where nothing flows."""
        mean = float(self.truth[0][self.fluid].mean())
        return float(np.sqrt((velocity[2][self.fluid] ** 2).mean()) / mean) if mean else float("nan")


def scene(run: Answering, split: FlowSplit, row: int) -> Scene:
    """Predict one item and gather what its figures need.

    Of a block, the slice is drawn that has the largest root mean square of the true v_z, or of the true pressure.
    """
    batch = split.fetch([row])
    answer = run.predict(batch).float().cpu()
    item, data = split.items[row], split.data
    stored = [values[0].double().numpy() for values in (batch["target"], answer)]
    fluid, faces = batch["mask"][0, 0].numpy(), bool(batch["faces"][0])
    velocity = data.target == "velocity"
    truth, prediction = (at_centers(field) if velocity and faces else field for field in stored)
    wide, deep, high = (float(size) for size in batch["spacing"][0].double())
    strength = np.where(fluid, truth[-1], 0.0)
    position = int(np.square(strength).sum(axis=(1, 2)).argmax())
    case = data.case_names[int(item["case"])]
    number = position if data.whole else int(item["slice"])
    where = f"slice {number} at z = {1e6 * number * high:.1f} µm" if data.shape[0] > 1 else ""
    turned = ", driven along y and drawn turned" if data.shelves[int(item["case"])].turned else ""
    mark = f", {run.mark}" if run.mark else ""
    own = f", {where}" if where and not data.whole else ""
    on_faces = velocity and faces
    return Scene(
        item=f"{case}{own}{turned}{mark}",
        drawn_slice=where if data.whole else "",
        scores=_scores(answer, batch, data.target),
        stem=case.replace("/", "-") + ("" if data.whole else f"-s{number:03d}"),
        fluid=fluid,
        truth=truth,
        prediction=prediction,
        through=np.stack([_through(field, fluid, velocity=velocity) for field in stored]),
        places=wide * (np.arange(fluid.shape[2]) + (0.0 if on_faces else 0.5)),
        open_share=(open_faces(fluid)[0] if on_faces else fluid).mean(axis=(0, 1)),
        spacing=(wide, deep, high),
        position=position,
    )


def _through(field: Floats, fluid: NDArray[np.bool_], *, velocity: bool) -> Floats:
    if velocity:
        return np.asarray(field[0].mean(axis=(0, 1)))
    cells = fluid.sum(axis=(0, 1))
    total = np.where(fluid, field[0], 0.0).sum(axis=(0, 1))
    return np.where(cells > 0, total / np.maximum(cells, 1), np.nan)


def _scores(answer: Tensor, batch: Batch, target: str) -> str:
    """How well one item was answered, in words."""
    errors = FlowErrors(target)
    errors.update(answer, batch)
    found = errors.compute()
    if target == "pressure":
        return f"NMAE {percent(found['all']['nmae'])}, NMSE {percent(found['all']['nmse'])}"
    told = ", ".join(f"$v_{axis}$ {percent(found[axis]['nmae'])}" for axis in "xyz")
    physics = FlowPhysics()
    physics.update(answer, batch)
    predicted, true, known = (float(physics.of(name)[0]) for name in ("predicted", "true", "known_error"))
    missed = predicted / true - 1 if true else None
    own = f" (truth by its grid ±{percent(known)})" if np.isfinite(known) else ""
    return f"NMAE {told}; permeability {percent(missed, sign=True)}{own}"

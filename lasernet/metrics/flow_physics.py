"""What predicted velocities are worth as a flow: permeability, conservation, no-slip, directions, where it is fast."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from lasernet.data.base import Batch
from lasernet.metrics.distributions import wasserstein
from lasernet.physics.flow import divergence_ratio, flux_spread, largest_leak, slip

FASTEST = (10, 5)  # % of the fluid cells, the fastest in truth and in the answer
VALUES = ("predicted", "true", "across", "true_across", "known_error", "divergence", "leak", "slip", "flux", "cosine",
          "distribution", *(f"top{share}" for share in FASTEST))  # fmt: skip


class FlowPhysics:
    """Measures each predicted velocity by itself; an item that comes twice counts once."""

    def __init__(self) -> None:
        self._rows: dict[int, dict[str, float]] = {}

    def update(self, answer: Tensor, batch: Batch) -> None:
        """Take in answers (B, 3, Z, Y, X), m/s, to be compared with ``batch["target"]``."""
        for place, item in enumerate(batch["item"].tolist()):
            one = {name: values[place].cpu().numpy() for name, values in batch.items()}
            self._rows[item] = _measure(answer[place].cpu().numpy().astype(np.float64), one)

    def of(self, name: str) -> NDArray[np.float64]:
        """One of VALUES for every item, in the order of items; NaN where it is undefined."""
        return np.array([self._rows[item][name] for item in sorted(self._rows)])

    def compute(self) -> dict[str, dict[str, float | None]]:
        """Errors of the permeability along the flow as shares of it, conservation, and likeness.

        ``permeability``: mean, median and largest |K'/K − 1|, the mean of K'/K − 1, and the mean of what is known of
        the error of K itself. ``conservation``: root mean squares over items of ‖∇·u‖/‖∇u‖, of the velocity on walls
        over the mean velocity, of the spread of the flux along x; and the largest net flux of a cell over the mean flux
        through a cell. Undefined (None) for velocities in cell centers. ``likeness``: means over items.
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            share = self.of("predicted") / self.of("true") - 1
        return {
            "permeability": {
                "mean_abs_error": _or_none(np.mean, np.abs(share)),
                "median_abs_error": _or_none(np.median, np.abs(share)),
                "max_abs_error": _or_none(np.max, np.abs(share)),
                "mean_error": _or_none(np.mean, share),
                "truth_error": _or_none(np.mean, self.of("known_error")),
            },
            "conservation": {
                "divergence": _or_none(_rms, self.of("divergence")),
                "largest_leak": _or_none(np.max, self.of("leak")),
                "slip": _or_none(_rms, self.of("slip")),
                "flux_spread": _or_none(_rms, self.of("flux")),
            },
            "likeness": {
                "cosine": _or_none(np.mean, self.of("cosine")),
                **{f"iou_top{share}": _or_none(np.mean, self.of(f"top{share}")) for share in FASTEST},
                "speed_wasserstein": _or_none(np.mean, self.of("distribution")),
            },
        }


def _measure(velocity: NDArray[np.float64], one: dict[str, NDArray[Any]]) -> dict[str, float]:
    fluid, truth = one["mask"][0], one["target"].astype(np.float64)
    spacing = [float(size) for size in one["spacing"]]
    unit = float(one["viscosity"]) / float(one["gradient"])
    speed, true_speed = (np.linalg.norm(field, axis=0)[fluid] for field in (velocity, truth))
    mean = float(true_speed.mean())
    dots = (velocity * truth).sum(axis=0)[fluid]
    lengths = speed * true_speed
    shift = wasserstein(speed / mean, true_speed / mean) if mean > 0 else None
    found = {
        "predicted": unit * float(velocity[0].mean()),
        "true": unit * float(truth[0].mean()),
        "across": unit * float(velocity[1].mean()),
        "true_across": unit * float(truth[1].mean()),
        "known_error": float(one["permeability_error"]),
        "cosine": float((dots[lengths > 0] / lengths[lengths > 0]).mean()) if (lengths > 0).any() else np.nan,
        "distribution": np.nan if shift is None else shift,
        **{f"top{share}": overlap_of_fastest(speed, true_speed, share / 100) for share in FASTEST},
    }
    if not bool(one["faces"]):
        return found | dict.fromkeys(("divergence", "leak", "slip", "flux"), np.nan)
    return found | {
        "divergence": divergence_ratio(velocity, spacing),
        "leak": largest_leak(velocity, spacing),
        "slip": slip(velocity, fluid),
        "flux": flux_spread(velocity, 0),
    }


def overlap_of_fastest(first: NDArray[np.float64], second: NDArray[np.float64], share: float) -> float:
    """Cells among the fastest of both, over those of either: 1 for equal fields, about share/(2 − share) by chance.

    Args:
        first, second: speeds of the same cells.
        share: of the cells that counts as fast; at least one.
    """
    count = max(1, round(share * len(first)))
    chosen = np.zeros((2, len(first)), dtype=bool)
    for row, speeds in enumerate((first, second)):
        chosen[row, np.argpartition(-speeds, count - 1)[:count]] = True
    return float(chosen.all(axis=0).sum() / chosen.any(axis=0).sum())


def _rms(values: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


def _or_none(take: Any, values: NDArray[np.float64]) -> float | None:
    known = values[np.isfinite(values)]
    return float(take(known)) if len(known) else None

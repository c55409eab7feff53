"""Are samples copies: generated images beside the training images nearest to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lasernet.errors import DataError
from lasernet.viz.montage import Gray, as_gray
from lasernet.viz.panels import headroom, place, write_title
from lasernet.viz.style import CYCLE, DPI, INK, PAGE, QUIET, new_figure, save, styled

ACROSS = 4  # pairs in a row
LEFT, RIGHT, APART, BETWEEN, UNDER, HEAD = 0.12, 0.12, 0.03, 0.2, 0.2, 0.24


@dataclass(frozen=True)
class Pairs:
    """Images, the training images nearest to them after flips, rotations and shifts, and how far they are.

    Attributes:
        images, nearest: (N, H, W), uint8 or floats in [0, 1]; the nearest ones already aligned.
        distances: (N,), root mean square of the difference of grays in [0, 1].
    """

    images: NDArray[np.generic]
    nearest: NDArray[np.generic]
    distances: NDArray[np.floating]


@styled
def nearest_pairs(
    rows: Mapping[str, Pairs],
    path: Path | str,
    *,
    distances: Mapping[str, np.ndarray] | None = None,
    title: str | None = None,
) -> Path:
    """Draw pairs under a heading each, the image to the left and its nearest training image to the right.

    Args:
        rows: pairs by their heading, such as "generated" and "positive control: shifted copies of training images";
            four in a row.
        distances: of whole sets, by name: drawn as distributions below the pairs.

    Raises:
        DataError: if there are none, or shapes differ.
    """
    checked = {heading: _checked(heading, pairs) for heading, pairs in rows.items()}
    if not checked:
        raise DataError("no pair to draw; expected at least one image with its nearest training image")
    height, width = next(iter(checked.values()))[0].shape[1:]
    if any(images.shape[1:] != (height, width) for images, _, _ in checked.values()):
        raise DataError("the pairs have images of different sizes; expected one (H, W)")
    side = _side((PAGE - LEFT - RIGHT - (ACROSS - 1) * BETWEEN) / ACROSS / 2 - APART / 2, width)
    tall = side * height / width
    lines = {heading: -(-len(images) // ACROSS) for heading, (images, _, _) in checked.items()}
    top = headroom(title) - 0.16
    below = 1.55 if distances else 0.0
    wide = LEFT + RIGHT + ACROSS * (2 * side + APART) + (ACROSS - 1) * BETWEEN
    figure = new_figure(wide, top + sum(HEAD + count * (tall + UNDER) for count in lines.values()) + 0.06 + below)
    for heading, (images, nearest, far) in checked.items():
        full = figure.get_size_inches()
        figure.text(LEFT / full[0], 1 - (top + 0.5 * HEAD) / full[1], heading, va="center", fontsize=7.5)
        top += HEAD
        for number in range(len(images)):
            row, column = divmod(number, ACROSS)
            left = LEFT + column * (2 * side + APART + BETWEEN)
            at = top + row * (tall + UNDER)
            for index, image in enumerate((images[number], nearest[number])):
                axes = place(figure, left + index * (side + APART), at, side, tall)
                axes.imshow(image, cmap="gray", vmin=0, vmax=255, origin="upper", aspect="auto")
                axes.set(xticks=[], yticks=[])
                axes.spines[:].set(color=QUIET, linewidth=0.5)
            figure.text(
                (left + side + APART / 2) / full[0], 1 - (at + tall + 0.03) / full[1], f"{far[number]:.3f}",
                ha="center", va="top", fontsize=6.5,
            )  # fmt: skip
        top += lines[heading] * (tall + UNDER)
    if distances:
        _draw_distances(figure, distances, top=top + 0.2)
    write_title(figure, title)
    return save(figure, path)


def _side(room: float, pixels: int) -> float:
    """The widest panel, in inches, on which all pixels of an image are equally wide."""
    return max(1, int(room * DPI / pixels)) * pixels / DPI if room * DPI >= pixels else room


def _checked(heading: str, pairs: Pairs) -> tuple[Gray, Gray, np.ndarray]:
    images, nearest = as_gray(pairs.images), as_gray(pairs.nearest)
    far = np.asarray(pairs.distances, dtype=np.float64)
    if images.shape != nearest.shape or far.shape != images.shape[:1]:
        raise DataError(
            f"{heading}: images {images.shape}, nearest ones {nearest.shape} and distances {far.shape}; "
            "expected (N, H, W) twice, and (N,)"
        )
    return images, nearest, far


def _draw_distances(figure: Figure, distances: Mapping[str, np.ndarray], *, top: float) -> None:
    known = {name: np.asarray(values, dtype=np.float64).ravel() for name, values in distances.items()}
    pooled = np.concatenate(list(known.values()))
    if not pooled.size or not np.isfinite(pooled).all():
        raise DataError("distances to the nearest training image are none or not finite; expected finite numbers")
    axes = place(figure, 0.5, top, float(figure.get_size_inches()[0]) - 0.5 - RIGHT, 0.95)
    high = float(pooled.max())
    edges = np.linspace(0.0, 1.03 * high if high > 0 else 1.0, 101)
    for index, (name, values) in enumerate(known.items()):
        share = np.histogram(values, bins=edges)[0] / max(1, values.size)
        color = (INK, *CYCLE)[index % (len(CYCLE) + 1)]
        label = f"{name} (median {np.median(values):.3f}, least {values.min():.3f})" if values.size else name
        axes.stairs(share, edges, color=color, label=label, linewidth=1.0)
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(0.0, (1.2 + 0.22 * len(known)) * axes.get_ylim()[1])  # room for the legend
    axes.set_xlabel("distance to the nearest training image (RMS of gray)")
    axes.set_ylabel("share")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="upper left", borderaxespad=0.2)

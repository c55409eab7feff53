"""Whether the critic tells quality: its loss against a distance between sets, over the course of training."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.ticker import MaxNLocator
from scipy.stats import rankdata

from lasernet.errors import DataError
from lasernet.viz.panels import colorbar, headroom, place, write_title
from lasernet.viz.series import Rows, choose_scale, column, numeric_columns, places
from lasernet.viz.style import INK, PAGE, new_figure, save, styled

TRACKED = {"train_critic_loss": "critic loss", "train_critic_wasserstein": "Wasserstein estimate"}
ENOUGH = 3  # rows that a rank correlation takes at least


def rank_correlation(first: np.ndarray, second: np.ndarray) -> float | None:
    """Spearman's rank correlation over pairs of finite values; None of fewer than three, or where one is constant."""
    known = np.isfinite(first) & np.isfinite(second)
    if known.sum() < ENOUGH:
        return None
    ranks = [rankdata(values[known]) for values in (first, second)]
    if any(rank.min() == rank.max() for rank in ranks):
        return None
    return float(np.corrcoef(*ranks)[0, 1])


@styled
def critic_tracking(
    rows: Rows,
    path: Path | str,
    *,
    losses: Mapping[str, str] | None = None,
    distance: str = "val_chord_length",
    label: str = "chord-length distance, validation",
    title: str | None = None,
) -> Path:
    """Whether the critic tells the quality of samples: its loss against a distance of sets, one point a validation.

    Spearman's ρ is printed for the whole training and for its later half, because two curves that both merely fall
    with time correlate too.

    Args:
        losses: what is set against the distance, a panel each, as title by column; left out: the critic's loss and its
            Wasserstein estimate, those that were recorded.
        distance: column of the distance; its magnitude is shown.

    Raises:
        DataError: if no row has the distance together with one of the losses.
    """
    far = np.abs(column(rows, distance))
    wanted = TRACKED if losses is None else losses
    shown = {name: words for name, words in wanted.items() if np.isfinite(column(rows, name) + far).any()}
    if not shown:
        raise DataError(
            f"no row has '{distance}' beside {' or '.join(wanted)} (found: {', '.join(numeric_columns(rows))}); "
            "train with validation, or name other columns"
        )
    left, right, gap, high, bottom = 0.62, 0.75, 0.3, 2.3, 0.38
    top = headroom(title) + 0.14
    width = min(2.75, (PAGE - left - right - gap * (len(shown) - 1)) / len(shown))
    figure = new_figure(left + right + len(shown) * width + gap * (len(shown) - 1), top + high + bottom)
    by_step = bool(np.isfinite(column(rows, "step")).all())
    time = places(rows, by_step=by_step)
    panels = []
    for number, (name, words) in enumerate(shown.items()):
        axes = place(figure, left + number * (width + gap), top, width, high)
        loss = column(rows, name)
        points = axes.scatter(loss, far, c=time, s=12, cmap="viridis", linewidths=0.3, edgecolors=INK)
        late = np.arange(len(rows)) >= len(rows) // 2
        whole, half = rank_correlation(loss, far), rank_correlation(loss[late], far[late])
        pairs = int((np.isfinite(loss) & np.isfinite(far)).sum())
        axes.set_title(f"Spearman's ρ = {_number(whole)} (n = {pairs})\nlater half: ρ = {_number(half)}", loc="left")
        axes.set_xlabel(words)
        axes.xaxis.set_major_locator(MaxNLocator(5))
        choose_scale(axes, loss[np.isfinite(far)], along="x")
        choose_scale(axes, far[np.isfinite(loss)])
        axes.tick_params(labelleft=number == 0)
        axes.spines[["top", "right"]].set_visible(False)
        panels.append(axes)
    panels[0].set_ylabel(label)
    bar = colorbar(figure, points, panels, label="step" if by_step else "epoch", gap=0.1)
    bar.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}".replace(",", "\u2009"))
    write_title(figure, title)
    return save(figure, path)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:+.2f}".replace("-", "−")

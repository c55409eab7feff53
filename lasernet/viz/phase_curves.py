"""How training in phases went: what each phase recorded in panels one below the other, of one run or of several."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from lasernet.viz.panels import place
from lasernet.viz.series import Rows, choose_scale, column, draw_line, name_runs, numeric_columns, phases, places
from lasernet.viz.style import CYCLE, INK, PAGE, QUIET, new_figure, save, styled

Panels = dict[str, list[str]]
BEST_BY = "val_loss"


@styled
def phase_curves(runs: Mapping[str, Rows], path: Path | str) -> Path:
    """Draw the rows of one or several metrics.jsonl of models that train in phases, one panel below the other.

    Losses of a phase with the estimates in them, penalties, further terms, validation and learning rate have a panel
    each; of several runs each column has its own. A critic's loss is shown negated beside its Wasserstein estimate.

    Args:
        runs: rows with ``step`` or ``epoch``, ``lr``, ``train_<phase>_<term>`` and ``val_<metric>``, by the name of
            the run.
    """
    panels = _panels(runs, together=len(runs) == 1)
    several = len(runs) > 1
    across = 2 if len(panels) > 6 else 1
    down = max(1, -(-len(panels) // across))
    left, right, gap, high, between, bottom = 0.62, 0.12, 0.6, 0.95, 0.3, 0.38
    names_room = 0.16 * (-(-len(runs) // 3)) + 0.06 if several else 0.0
    top = 0.26
    full = top + down * high + (down - 1) * between + bottom
    figure = new_figure(PAGE, full + names_room)
    width = (PAGE - left - right - gap * (across - 1)) / across
    by_step = all(np.isfinite(column(rows, "step")).all() for rows in runs.values() if rows)
    spans = [places(rows, by_step=by_step) for rows in runs.values() if rows]
    for number, (title, columns) in enumerate(panels.items()):
        at, row = divmod(number, down)
        axes = place(figure, left + at * (width + gap), top + row * (high + between), width, high)
        _draw_panel(axes, runs, title, columns, by_step=by_step)
        _share_span(axes, spans)
        last = row == down - 1 or number == len(panels) - 1
        axes.tick_params(labelbottom=last)
        if last:
            axes.set_xlabel("step" if by_step else "epoch")
    if several:
        name_runs(figure, list(runs), top=full)
    return save(figure, path)


def _panels(runs: Mapping[str, Rows], *, together: bool) -> Panels:
    """Columns by the title of their panel, in the order of training, validation, learning rate."""
    found = list(dict.fromkeys(name for rows in runs.values() for name in numeric_columns(rows)))
    trained = list(dict.fromkeys(phase for rows in runs.values() for phase in phases(rows)))
    groups: Panels = {"loss": [name for name in ("train_loss", BEST_BY) if "train_loss" in found and name in found]}
    for phase in trained:
        own = [name for name in found if name.startswith(f"train_{phase}_")]
        groups[f"{phase} loss"] = [name for name in own if re.search(r"_(loss|wasserstein)$", name)]
        groups[f"{phase}: gradient penalty"] = [name for name in own if "penalty" in name]
        used = groups[f"{phase} loss"] + groups[f"{phase}: gradient penalty"]
        groups[f"{phase}: further terms"] = [name for name in own if name not in used]
    used = [name for names in groups.values() for name in names]
    judged = [name for name in found if name.startswith("val_") and name not in used]
    groups["training: further terms"] = [n for n in found if n.startswith("train_") and n not in used]
    groups["validation"] = _without_copy(runs, judged)
    groups["learning rate"] = [name for name in found if name == "lr"]
    if not together:
        groups = {_words(name): [name] for names in groups.values() for name in names}
    return {title: names for title, names in groups.items() if names} or {"loss": []}


def _without_copy(runs: Mapping[str, Rows], names: Sequence[str]) -> list[str]:
    """Validation columns but the loss, if it repeats another of them in every run."""
    for name in names:
        if name != BEST_BY and all(
            np.array_equal(column(rows, name), column(rows, BEST_BY), equal_nan=True) for rows in runs.values()
        ):
            return [other for other in names if other != BEST_BY]
    return list(names)


def _words(name: str) -> str:
    kind, _, rest = name.partition("_")
    words = {"train": f"training: {rest}", "val": f"validation: {rest}"}.get(kind, "learning rate")
    return words.replace("wasserstein", "Wasserstein estimate").replace("_", " ")


def _share_span(axes: Axes, spans: Sequence[np.ndarray]) -> None:
    whole = np.concatenate(spans) if spans else np.array([0.0, 1.0])
    low, high = float(whole.min()), float(whole.max())
    room = 0.02 * (high - low) or 1.0
    axes.set_xlim(low - room, high + room)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}".replace(",", "\u2009"))


def _draw_panel(axes: Axes, runs: Mapping[str, Rows], title: str, columns: Sequence[str], *, by_step: bool) -> None:
    single, series = len(runs) == 1, []
    estimated = [name.removesuffix("wasserstein") + "loss" for name in columns if name.endswith("_wasserstein")]
    negated = [name for name in estimated if name in columns]  # a critic maximizes its estimate: −loss is comparable
    for number, rows in enumerate(runs.values()):
        for index, name in enumerate(columns):
            values = -column(rows, name) if name in negated else column(rows, name)
            series.append(values)
            color = CYCLE[(index if single else number) % len(CYCLE)]
            label = ("−" if name in negated else "") + _label(name, title) if single and len(columns) > 1 else ""
            draw_line(axes, places(rows, by_step=by_step), values, color=color, width=1.1, label=label)
        if "val" in title and single:
            _mark_best(axes, rows, columns, by_step=by_step)
    whole = np.concatenate(series) if series else np.zeros(0)
    if columns == ["lr"]:  # a schedule that ends at 0 would leave nothing else to see
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:.3g}")
    else:
        choose_scale(axes, whole)
    if np.nanmin(whole, initial=0.0) < 0 < np.nanmax(whole, initial=0.0):
        axes.axhline(0.0, color=QUIET, linewidth=0.6, linestyle=(0, (3, 2)), zorder=0)
    only = f" ({_label(columns[0], title)})" if single and len(columns) == 1 and title == "validation" else ""
    axes.set_title(title + only, loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    if axes.get_legend_handles_labels()[1]:
        axes.legend(loc="lower right", bbox_to_anchor=(1.0, 0.98), ncols=6, borderpad=0, borderaxespad=0)


def _label(name: str, title: str) -> str:
    rest = name.partition("_")[2] if name.startswith(("train_", "val_")) else name
    rest = rest.removeprefix(f"{re.split(r'[ :]', title)[0]}_")
    return {"loss": "loss", "wasserstein": "Wasserstein estimate"}.get(rest, rest.replace("_", " "))


def _mark_best(axes: Axes, rows: Rows, columns: Sequence[str], *, by_step: bool) -> None:
    """A star on each line where the validation loss, by which weights are chosen, was least."""
    judged = column(rows, BEST_BY)
    if not np.isfinite(judged).any():
        return
    best = int(np.nanargmin(judged))
    at = places(rows, by_step=by_step)[best]
    for index, name in enumerate(columns):
        value = column(rows, name)[best]
        label = f"best: {'step' if by_step else 'epoch'} {at:,.0f}".replace(",", "\u2009") if index == 0 else "_"
        axes.plot(
            at, value, "*", markersize=7, color=CYCLE[index % len(CYCLE)], markeredgecolor=INK,
            markeredgewidth=0.5, linestyle="none", label=label, zorder=4,
        )  # fmt: skip

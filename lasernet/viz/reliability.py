"""Chances against what came of them: a reliability diagram, and how often each chance was given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from lasernet.viz.panels import place
from lasernet.viz.style import CYCLE, PAGE, QUIET, new_figure, save, styled

Table = Sequence[Mapping[str, float]]  # rows of chance, frequency and cells


@styled
def reliability_diagram(tables: Mapping[str, Table], path: Path | str, *, title: str = "") -> Path:
    """Draw the frequency of freezing over the chance that was given; on the diagonal a chance means what it says.

    Args:
        tables: rows of ``chance``, ``frequency`` and ``cells`` by name; the first is drawn thick.
    """
    left, gap, top, high, bottom = 0.62, 0.8, 0.42, 2.3, 0.42
    wide = PAGE - left - high - gap - 0.15
    height = top + high + bottom
    figure = new_figure(PAGE, height)
    diagram = place(figure, left, top, high, high)
    counts = place(figure, left + high + gap, top, wide, high)
    diagram.plot([0, 1], [0, 1], color=QUIET, linewidth=0.8)
    for index, (name, rows) in enumerate(tables.items()):
        color, width = CYCLE[index % len(CYCLE)], 1.8 if index == 0 else 0.9
        chances = [row["chance"] for row in rows]
        diagram.plot(chances, [row["frequency"] for row in rows], ".-", color=color, linewidth=width, label=name)
        total = sum(row["cells"] for row in rows)
        counts.plot(chances, [row["cells"] / total for row in rows], ".-", color=color, linewidth=width)
    diagram.set(xlim=(0, 1), ylim=(0, 1))
    counts.set(xlim=(0, 1), ylim=(0, None))
    for axes, name in ((diagram, "share that froze"), (counts, "share of cells")):
        axes.set_title(name, loc="left")
        axes.set_xlabel("chance of freezing")
        axes.spines[["top", "right"]].set_visible(False)
    diagram.legend(loc="lower right", borderaxespad=0.6, fontsize=6)
    if title:
        figure.text(left / PAGE, 1 - 0.14 / height, title, va="center", ha="left", fontsize=8.5)
    return save(figure, path)

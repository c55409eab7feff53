"""Tables and figures made from results files, and the places in a document that they fill."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.patches import Patch

from lasernet.errors import DataError
from lasernet.viz.panels import place, write_title
from lasernet.viz.style import CYCLE, INK, PAGE, new_figure, save, styled

Row = Mapping[str, object]
Formatter = Callable[[object], str] | str
NOTHING = "–"


def markdown_table(rows: Sequence[Row], columns: Mapping[str, Formatter]) -> str:
    """A Markdown table, columns of numbers to the right.

    Args:
        rows: of results.
        columns: how a value is written, by its key in the rows, which is the heading too: a format specification such
            as ``".3f"``, or a function. What is missing, None or not a number is written as a dash.

    Raises:
        DataError: if no row has one of the keys.
    """
    absent = [key for key in columns if rows and not any(key in row for row in rows)]
    found = {key for row in rows for key in row}
    if absent:
        raise DataError(f"no row has a column '{absent[0]}'; found: {', '.join(sorted(found))}")
    cells = [[_write(row.get(key), formatter) for key, formatter in columns.items()] for row in rows]
    marks = ["---:" if _numeric(row.get(key) for row in rows) else "---" for key in columns]
    lines = [[_escape(key) for key in columns], marks, *cells]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _write(value: object, formatter: Formatter) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return NOTHING
    return _escape(format(value, formatter) if isinstance(formatter, str) else formatter(value))


def _escape(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _numeric(values: object) -> bool:
    known = [value for value in values if value is not None]  # type: ignore[attr-defined]
    return bool(known) and all(isinstance(value, int | float) and not isinstance(value, bool) for value in known)


def inject(document: str, name: str, table: str) -> str:
    """Replace what stands between ``<!-- table:NAME -->`` and ``<!-- /table:NAME -->``.

    Raises:
        DataError: unless the document has each mark once, and in this order.
    """
    opening, closing = f"<!-- table:{name} -->", f"<!-- /table:{name} -->"
    for mark in (opening, closing):
        if document.count(mark) != 1:
            raise DataError(f"the document has {document.count(mark)} marks '{mark}'; expected one")
    start, end = document.index(opening) + len(opening), document.index(closing)
    if start > end:
        raise DataError(f"the document has '{closing}' before '{opening}'; exchange them")
    return f"{document[:start]}\n{table.strip()}\n{document[end:]}"


def table_names(document: str) -> list[str]:
    """The names of the tables that a document has opening marks for, in their order."""
    return re.findall(r"<!-- table:([^\s>]+) -->", document)


@styled
def skill_figure(rows: Sequence[Row], path: Path | str, *, title: str | None = None) -> Path:
    """Skill of models against baselines: one panel a region, one group of bars a model, one bar a baseline.

    Skill is 1 − MSE / MSE of the baseline: 1 is perfect, 0 as good as the baseline, below 0 worse.

    Args:
        rows: with ``model``, ``baseline``, ``region``, ``skill`` and, where known, ``low`` and ``high``.

    Raises:
        DataError: if there is no row, or one lacks a key.
    """
    for row in rows:
        missing = [key for key in ("model", "baseline", "region", "skill") if key not in row]
        if missing:
            raise DataError(f"a row of skills has no '{missing[0]}'; expected model, baseline, region and skill")
    if not rows:
        raise DataError("no skill to draw; expected at least one row")
    models, baselines, regions = (
        list(dict.fromkeys(str(row[key]) for row in rows)) for key in ("model", "baseline", "region")
    )
    seen = {(str(row["model"]), str(row["baseline"]), str(row["region"])): row for row in rows}
    left = 0.3 + 0.062 * max(len(model) for model in models)
    bar, gap = 0.11, 0.2
    across = max(1, min(len(baselines), int(8.5 / (1.2 + 0.062 * max(len(name) for name in baselines)) + 0.5)))
    lines = -(-len(baselines) // across)
    top, bottom = (0.42 if title else 0.22), 0.46 + 0.16 * lines
    high = len(models) * (len(baselines) * 0.11 + 0.09) + 0.05
    width = (PAGE - left - 0.15 - gap * (len(regions) - 1)) / len(regions)
    figure = new_figure(PAGE, top + high + bottom)
    worst = [value for row in rows for key in ("low", "skill") if np.isfinite(value := _number(row, key))]
    lowest = min(0.0, *worst) if worst else 0.0
    floor = max(-1.0, math.floor(10 * lowest) / 10 - 0.02 if lowest < 0 else 0.0)
    for column, region in enumerate(regions):
        axes = place(figure, left + column * (width + gap), top, width, high)
        for number, model in enumerate(models):
            for index, baseline in enumerate(baselines):
                found = seen.get((model, baseline, region), {})
                skill, low, upper = (_number(found, key) for key in ("skill", "low", "high"))
                if not np.isfinite(skill):
                    continue
                at = number * (len(baselines) * bar + 0.09) + 0.07 + index * bar + bar / 2
                color = CYCLE[index % len(CYCLE)]
                axes.barh(at, skill, height=0.85 * bar, color=color, alpha=0.75, linewidth=0)
                if np.isfinite(low) and np.isfinite(upper):
                    axes.plot([low, upper], [at, at], color=INK, linewidth=0.9, solid_capstyle="butt")
                if skill < floor:
                    axes.text(floor, at, f" ◂ {skill:.1f}", va="center", ha="left", fontsize=5.5)
        centers = [n * (len(baselines) * bar + 0.09) + 0.07 + len(baselines) * bar / 2 for n in range(len(models))]
        axes.set(xlim=(floor, 1.0), ylim=(high, 0.0), yticks=centers, yticklabels=models if column == 0 else [])
        axes.axvline(0.0, color=INK, linewidth=0.6)
        axes.grid(axis="x", color="#DDDDDD", linewidth=0.5)
        axes.set_axisbelow(True)
        axes.tick_params(axis="y", length=0)
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.set_title(region.replace("_", " "), loc="left")
        axes.set_xlabel("skill")
    full = figure.get_size_inches()[1]
    handles = [Patch(color=CYCLE[n % len(CYCLE)], alpha=0.75, linewidth=0) for n in range(len(baselines))]
    figure.legend(
        handles,
        [f"against {name}" for name in baselines],
        loc="upper left",
        bbox_to_anchor=(0.2 / PAGE, (0.06 + 0.16 * lines) / full),
        ncols=across,
        borderpad=0,
        borderaxespad=0,
    )
    write_title(figure, title)
    return save(figure, path)


def _number(row: Row, key: str) -> float:
    value = row.get(key)
    return float(value) if isinstance(value, int | float) else math.nan

"""Tables of the predictors that were trained on generated tracks."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from statistics import mean
from typing import Any

from lasernet.viz.report import markdown_table

ROOT = Path(__file__).parents[1]
Results = Mapping[str, Any]
REFERENCES = {
    "microstructure": (
        "persistence", "advected-persistence", "mean-color", "nearest-solid", "calibrated-front", "calibrated-front-3d",
    ),
    "temperature": ("persistence", "advected-persistence"),
}  # fmt: skip
JUDGED = {
    "microstructure": ("all", "active", "newly_solid"),
    "temperature": ("all", "active", "front", "pool_boundary"),
}


def load(name: str) -> Results:
    """A results file."""
    content: Results = json.loads((ROOT / "results" / f"{name}.json").read_text())
    return content


def names_of(found: Results, task: str) -> list[str]:
    """Answerers of a task, in the order of the file."""
    return list(dict.fromkeys(row["name"] for row in found["rows"] if row["task"] == task))


def rows_of(found: Results, name: str) -> list[Results]:
    """The rows of one answerer, a seed each."""
    return [row for row in found["rows"] if row["name"] == name]


def error_table(found: Results, task: str, *, digits: str) -> str:
    """MSE by region: means over seeds with the lowest and the highest, and the baselines' below."""
    regions = list(rows_of(found, names_of(found, task)[0])[0]["metrics"])
    rows: list[dict[str, object]] = []
    for name in names_of(found, task):
        row: dict[str, object] = {"answer": f"**{name}**"}
        for region in regions:
            row[_words(region)] = _spread([one["metrics"][region]["mse"] for one in rows_of(found, name)], digits)
        rows.append(row)
    for name, metrics in found["baselines"][task].items():
        rows.append({"answer": name, **{_words(r): format(metrics[r]["mse"], digits) for r in regions}})
    return markdown_table(rows, dict.fromkeys(rows[0], str))


def skill_table(found: Results, task: str) -> str:
    """Skill by region: mean over seeds, and from the lowest to the highest end of the intervals of all seeds."""
    rows: list[dict[str, object]] = []
    for name in names_of(found, task):
        for region in JUDGED[task]:
            row: dict[str, object] = {"answer": name, "region": _words(region)}
            for reference in REFERENCES[task]:
                row[reference] = _interval(one["skill"][reference][region] for one in rows_of(found, name))
            rows.append(row)
    return markdown_table(rows, dict.fromkeys(rows[0], str))


def pool_table(found: Results) -> str:
    """Mean errors of the pool's length, width and depth in µm, and by how much they are too large."""
    pools = {name: [one["melt_pool"]["metrics"] for one in rows_of(found, name)] for name in ("tempnet",)}
    pools |= {name: [pool] for name, pool in found["baselines_melt_pool"].items()}
    rows: list[dict[str, object]] = []
    for name, seeds in pools.items():
        row: dict[str, object] = {"answer": name}
        for size in ("length", "width", "depth"):
            row[f"{size}, µm (mean {seeds[0][size]['truth']:.1f})"] = _spread(
                [one[size]["mae"] for one in seeds], ".2f"
            )
            row[f"{size}, bias"] = _spread([one[size]["bias"] for one in seeds], "+.2f")
        rows.append(row)
    return markdown_table(rows, dict.fromkeys(rows[0], str))


GRAINS: tuple[tuple[str, Callable[[Results], float | None], str], ...] = (
    ("boundary F1, same edge", lambda one: one["active"]["f1_0"], ".3f"),
    ("within 1 cell", lambda one: one["active"]["f1_1"], ".3f"),
    ("within 2 cells", lambda one: one["active"]["f1_2"], ".3f"),
    ("cells in the right grain", lambda one: one["active"]["matched"], ".3f"),
    ("of those solid in both", lambda one: one["active"]["matched_in_solid"], ".3f"),
    ("adjusted Rand", lambda one: one["active"]["adjusted_rand"], ".3f"),
    ("grain size, KS", lambda one: one["active"]["size_ks"], ".3f"),
    ("to the palette", lambda one: one["active"]["palette"], ".3f"),
    ("disorientation, °", lambda one: one["orientations"]["mean"], ".1f"),
)


def grain_table(found: Results) -> str:
    """Grains of the active cells: networks (mean over seeds) and baselines."""
    every = {name: [one["grains"]["metrics"] for one in rows_of(found, name)] for name in names_of(found, TASK)}
    every = {f"**{name}**": values for name, values in every.items()}
    every |= {name: [one] for name, one in found["baselines_grains"].items()}
    rows: list[dict[str, object]] = []
    for name, seeds in every.items():
        row: dict[str, object] = {"answer": name}
        for words, value, form in GRAINS:
            numbers = [number for number in (value(one) for one in seeds) if number is not None]
            row[words] = format(mean(numbers), form) if numbers else "–"
        rows.append(row)
    return markdown_table(rows, dict.fromkeys(rows[0], str))


TASK = "microstructure"


def cascade_table(found: Results) -> str:
    """Active MSE of each cascade beside that of its microstructure run with the true future temperature."""
    rows: list[dict[str, object]] = []
    for name in names_of(found, TASK):
        if not name.startswith("cascade of "):
            continue
        for one in rows_of(found, name):
            part = next(row for row in rows_of(found, name.removeprefix("cascade of ")) if row["seed"] == one["seed"])
            true, own = (row["metrics"]["active"]["mse"] for row in (part, one))
            rows.append(
                {
                    "cascade": name, "seed": one["seed"], "true future temperature": true,
                    "predicted temperature": own, "more": f"{100 * (own / true - 1):+.1f} %",
                }
            )  # fmt: skip
    form: dict[str, Callable[[object], str] | str] = {"cascade": str, "seed": "d"}
    form |= {"true future temperature": ".4f", "predicted temperature": ".4f", "more": str}
    return markdown_table(rows, form)


def origin_of(found: Results) -> str:
    """How the table can be made again."""
    data, note = found["data"], found["intervals"]
    numbers = list(dict.fromkeys(row["seed"] for row in found["rows"]))
    seeds = f"seed{'s' * (len(numbers) > 1)} {', '.join(map(str, numbers))}"
    made = f"; data `{found['generate']}`," if "generate" in found else "; data"
    return (
        f"`{found['command']}`, commit {found['commit'][:10]}{made} {data['file']} ({data['hash'][:12]}), "
        f"split {data['split_hash'][:12]}, {seeds}, {found['rows'][0]['items']:,} items; intervals: "
        f"{note['resamples']} resamples of {note['count']} blocks ({note['unit']}), {note['scope']}; "
        f"{found['threads']} thread, {found['machine']}."
    )


def pareto_table(found: Results) -> str:
    """Active MSE and CPU seconds per frame of every answer."""
    rows: list[dict[str, object]] = []
    for one in found["rows"]:
        low, high = one["quartiles"]
        rows.append(
            {
                "task": one["task"], "answer": f"{one['family']}: {one['name']}",
                "CPU s per frame": f"{one['seconds']:.3f} [{low:.3f}, {high:.3f}]",
                "active MSE": f"{one['mse']['active']:.4g}", "all MSE": f"{one['mse']['all']:.4g}",
            }
        )  # fmt: skip
    return markdown_table(rows, dict.fromkeys(rows[0], str))


def _words(region: str) -> str:
    return region.replace("_", " ")


def _spread(values: list[float], form: str) -> str:
    middle = format(mean(values), form)
    if len(values) == 1:
        return middle
    return f"{middle} ({format(min(values), form)}–{format(max(values), form)})"


def _interval(values: Iterable[Mapping[str, float | None]]) -> str:
    seeds = list(values)
    if any(seed[key] is None for seed in seeds for key in ("mse", "low", "high")):
        return "–"
    low, high = min(float(seed["low"] or 0) for seed in seeds), max(float(seed["high"] or 0) for seed in seeds)
    return f"{mean(float(seed['mse'] or 0) for seed in seeds):.2f} [{low:.2f}, {high:.2f}]"


def case_errors() -> str:
    """Errors of colors on generated tracks held out whole."""
    found = load("laser_cases")
    return f"{error_table(found, TASK, digits='.5f')}\n\n{origin_of(found)}"


def case_skills() -> str:
    """Skill of the same answers."""
    found = load("laser_cases")
    return f"{skill_table(found, TASK)}\n\n{origin_of(found)}"


def case_temperatures() -> str:
    """Errors of temperatures, and the skill."""
    found = load("laser_cases")
    errors, skill = error_table(found, "temperature", digits=".1f"), skill_table(found, "temperature")
    return f"{errors}\n\n{skill}\n\n{origin_of(found)}"


def case_pools() -> str:
    """Sizes of predicted melt pools."""
    found = load("laser_cases")
    return f"{pool_table(found)}\n\n{origin_of(found)}"


def case_grains() -> str:
    """Grains of predicted frames."""
    found = load("laser_cases")
    return f"{grain_table(found)}\n\n{origin_of(found)}"


def cascades() -> str:
    """What it costs a cascade to predict the temperature itself."""
    found = load("laser_cases")
    return f"{cascade_table(found)}\n\n{origin_of(found)}"


def transfer_colors() -> str:
    """The same color runs, untouched, on tracks of another simulation."""
    found = load("laser_transfer")
    errors, skill = error_table(found, TASK, digits=".5f"), skill_table(found, TASK)
    return f"{errors}\n\n{skill}\n\n{origin_of(found)}"


def transfer_temperatures() -> str:
    """The same temperature run on those tracks."""
    found = load("laser_transfer")
    errors, skill = error_table(found, "temperature", digits=".1f"), skill_table(found, "temperature")
    return f"{errors}\n\n{skill}\n\n{origin_of(found)}"


def error_time() -> str:
    """Error and CPU time of surrogates, baselines and the generator itself."""
    found = load("pareto")
    data = found["data"]
    return (
        f"{pareto_table(found)}\n\n`{found['command']}`, commit {found['commit'][:10]}; data {data['file']} "
        f"({data['hash'][:12]}), split {data['split_hash'][:12]}, seed 0, {found['rounds']} interleaved rounds; "
        f"{found['machine']}."
    )


TABLES: dict[str, Callable[[], str]] = {
    function.__name__: function
    for function in (
        case_errors, case_skills, case_temperatures, case_pools, case_grains, cascades, transfer_colors,
        transfer_temperatures, error_time,
    )
}  # fmt: skip

"""``lasernet eval RUN…``: metrics, baselines, skill, intervals."""

from __future__ import annotations

import csv
import io
import sys
from typing import Annotated, Any, Literal

import typer

from lasernet.cli.app import HELP, PLAIN
from lasernet.cli.arguments import OVERLAP, PLUGIN, PROJECT, SHARP, UNSHARP, UNSHARP_RADIUS, WINDOW, open_runs
from lasernet.cli.output import result
from lasernet.options import in_words
from lasernet.run import dump_json

app = typer.Typer(context_settings=HELP, **PLAIN)
Split = Literal["train", "val", "test", "all"]
WIDEST, EDGES = 9, 3  # characters of a number, as -1.234e-05, and of what stands between columns


@app.command(name="eval")
def evaluate_runs(
    runs: Annotated[list[str], typer.Argument(metavar="RUN", help="Run directories, 'latest', or '-' for stdin.")],
    data: Annotated[
        list[str] | None, typer.Option("--data", metavar="F.h5", help="Other HDF5 files than the run's own.")
    ] = None,
    split: Annotated[Split, typer.Option("--split", help="Which items to test.")] = "test",
    checkpoint: Annotated[
        Literal["best", "last"], typer.Option("--checkpoint", help="Best weights by validation, or the last.")
    ] = "best",
    baselines: Annotated[
        bool, typer.Option("--baselines/--no-baselines", help="Judge them too, which takes most of the time.")
    ] = True,
    t_solidus: Annotated[float | None, typer.Option(help="Lower end of the front region, K.", metavar="K")] = None,
    t_liquidus: Annotated[float | None, typer.Option(help="Upper end of the front region, K.", metavar="K")] = None,
    rollout: Annotated[
        int | None,
        typer.Option("--rollout", help="Also apply the run to its own predictions, H frames far.", metavar="H"),
    ] = None,
    form: Annotated[
        Literal["table", "json", "csv"] | None,
        typer.Option("--format", help="Default: table on a terminal, one JSON object per run and line elsewhere."),
    ] = None,
    fail_if: Annotated[
        list[str] | None,
        typer.Option("--fail-if", metavar="CONDITION", help='Exit with 4 if true, as "metrics.all.mse>0.01".'),
    ] = None,
    device: Annotated[str, typer.Option("--device", metavar="NAME", help="Where to compute: cpu, cuda, mps.")] = "cpu",
    sharp: SHARP = False,
    unsharp: UNSHARP = None,
    unsharp_radius: UNSHARP_RADIUS = None,
    project: PROJECT = False,
    window: WINDOW = None,
    overlap: OVERLAP = None,
    plugin: PLUGIN = None,
) -> None:
    """Metrics of runs beside their baselines, with skill, 95 % intervals and cost.

    \b
    lasernet eval latest
    lasernet eval RUN | jq .metrics.active.mse
    lasernet eval RUN_A RUN_B --split all
    lasernet eval RUN --fail-if "metrics.all.mse>0.01"
    lasernet eval RUN --rollout 3
    """
    paths = open_runs(runs, plugin)
    from lasernet.engine.evaluate import check_gate, evaluate_many, parse_gate

    for condition in fail_if or []:
        parse_gate(condition)  # before the work
    results = evaluate_many(
        paths,
        data=data or (),
        split=split,
        checkpoint=checkpoint,
        baselines=baselines,
        t_solidus=t_solidus,
        t_liquidus=t_liquidus,
        rollout=rollout,
        sharp=sharp,
        after={
            "unsharp": unsharp,
            "unsharp_radius": unsharp_radius,
            "project": project or None,
            "window": window,
            "overlap": overlap,
        },
        device=device,
    )
    chosen = form or ("table" if sys.stdout.isatty() else "json")
    if chosen == "json":
        for one in results:
            result(dump_json(one, indent=None))
    elif chosen == "csv":
        result(_csv(results))
    else:
        _table(results)
    for condition in fail_if or []:
        for one in results:
            check_gate(one, condition)


def rows_of(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One flat row per run, split, answer (the model or a baseline) and region; of a rollout, per step too."""
    rows = []
    for one in results:
        parts = one["splits"] if "splits" in one else {one["split"]: one}
        for split, part in parts.items():
            rows += [{**row, **cost} for row, cost in _part_rows(one, part, {"run": one["run"], "split": split})]
        for step, part in one.get("rollout", {}).get("steps", {}).items():
            first = {"run": one["run"], "split": one["split"], "step": int(step)}
            rows += [row for row, _ in _part_rows(one, part, first)]
    return rows


def _after(one: dict[str, Any]) -> str:
    """What was done to the run's answers, in words; empty where nothing was."""
    return ", ".join(in_words(name, value, " ") for name, value in one.get("asked", {}).items())


def _part_rows(
    one: dict[str, Any], part: dict[str, Any], first: dict[str, Any]
) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """The rows of a split or step, which begin with ``first``, and the costs that belong to each."""
    rows = []
    for index, (name, regions) in enumerate({one["model"]: part["metrics"], **part["baselines"]}.items()):
        for region, values in regions.items():
            skill = part["skill"].get(name, {}).get(region, {}) if index else {}
            row = {**first, "answer": name, "region": region, **values}
            if "asked" in one:
                row["asked"] = "" if index else _after(one)
            row |= {f"skill_{key}": skill.get(key) for key in ("mse", "low", "high")}
            rows.append((row, {} if index else one["cost"]))
    return rows


def _csv(results: list[dict[str, Any]]) -> str:
    rows = rows_of(results)
    columns = list(dict.fromkeys(key for row in rows for key in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().rstrip("\n")


def _number(value: object, form: str = ".4g") -> str:
    if value is None:
        return "–"
    return format(value, form) if isinstance(value, float) else str(value)


def _interval(values: dict[str, Any] | None) -> str:
    if not values:
        return "–"
    mean, low, high = (_number(values.get(key), ".3f") for key in ("mse", "low", "high"))
    return f"{mean} [{low}, {high}]"


def _table(results: list[dict[str, Any]]) -> None:
    from rich.console import Console

    console = Console()
    with console.capture() as text:
        _print_all(console, results)
    result(text.get().rstrip("\n"))


def _print_all(console: Any, results: list[dict[str, Any]]) -> None:
    for one in results:
        parts = one["splits"] if "splits" in one else {one["split"]: one}
        for split, part in parts.items():
            _print_part(console, one, split, part)
            _print_pools(console, one, part)
            _print_sharpness(console, one, part)
        _print_rollout(console, one)
        if after := _after(one):
            console.print(f"answers of {one['model']}: {after}; of the baselines: plain", soft_wrap=True)
        better = one.get("improvement")
        if better and "reason" in better:
            console.print(f"not compared with {better['over']}: {better['reason']}")
        elif better and part["skill"]:
            cells = []
            for region in (name for name in better if name != "over"):
                percent, low, high = (_number(better[region][key], ".2f") for key in ("percent", "low", "high"))
                cells.append(f"{region} {percent} % [{low}, {high}]")
            console.print(f"MSE lower than that of {better['over']} by: {'; '.join(cells)}", soft_wrap=True)
        elif better:
            cells = [f"{name} {_number(value, '.1f')} %" for name, value in better.items() if name != "over"]
            console.print(f"distances smaller than those of {better['over']} by: {'; '.join(cells)}", soft_wrap=True)
        cost = one["cost"]
        memory = cost["peak_memory_bytes"]
        console.print(
            f"{cost['parameters']:,} parameters, trained in {_number(cost['train_seconds'], '.0f')} s, "
            f"peak memory {_number(memory and memory / 2**20, '.0f')} MiB\n"
        )


def _print_part(console: Any, one: dict[str, Any], split: str, part: dict[str, Any]) -> None:
    if all("mse" in values for values in part["metrics"].values()):
        _print_errors(console, one, split, part)
    else:
        _print_values(console, one, split, part)


def _print_values(console: Any, one: dict[str, Any], split: str, part: dict[str, Any]) -> None:
    """Every value of every group, the baselines' beside it."""
    from rich.table import Table

    answers = {one["model"]: part["metrics"], **part["baselines"]}
    names = max(len(f"{group}.{name}") for group, values in part["metrics"].items() for name in values)
    for shown in _that_fit([*answers], console.width - names - EDGES):
        table = Table(title=f"{one['run']}: {part['items']} {split} items", title_justify="left")
        table.add_column("", no_wrap=True)
        for label in shown:
            table.add_column(label, justify="right", no_wrap=True)
        for group, values in part["metrics"].items():
            table.add_section()
            for name in values:
                found = (answers[label].get(group, {}).get(name) for label in shown)
                table.add_row(f"{group}.{name}", *map(_number, found))
        console.print(table)


def _that_fit(labels: list[str], width: int) -> list[list[str]]:
    """Columns of one table after the other, so that none is cut off; the first one stands in all of them."""
    first, *others = labels
    tables = [[first]]
    for label in others:
        taken = sum(max(len(one), WIDEST) + EDGES for one in (*tables[-1], label))
        if taken > width and len(tables[-1]) > 1:
            tables.append([first])
        tables[-1].append(label)
    return tables


def _print_errors(console: Any, one: dict[str, Any], split: str, part: dict[str, Any]) -> None:
    regions = list(part["metrics"])
    at_once = len(regions) if len(regions) < 5 or console.width >= 110 else 3
    for start in range(0, len(regions), at_once):
        shown = regions[start : start + at_once]
        errors = _regions_table(f"{one['run']}: MSE on {part['items']} {split} items", shown)
        errors.add_row(one["model"], *(_number(part["metrics"][r].get("mse")) for r in shown), style="bold")
        for label, values in part["baselines"].items():
            errors.add_row(label, *(_number(values[r].get("mse")) for r in shown))
        errors.add_section()
        errors.add_row("cells", *(_number(part["metrics"][r].get("cells")) for r in shown))
        console.print(errors)
    if not part["skill"]:  # without baselines there is none
        return
    together = len(regions) if console.width >= 110 else 2  # an interval must not be cut off
    for start in range(0, len(regions), together):
        shown = regions[start : start + together]
        skills = _regions_table("skill of the run against each baseline [95 % interval]", shown)
        for label, skill in part["skill"].items():
            skills.add_row(label, *(_interval(skill.get(r)) for r in shown))
        console.print(skills)
    note = part.get("intervals")
    if note:
        console.print(
            f"skill = 1 - MSE/MSE(baseline); intervals from {note.get('count')} blocks ({note.get('unit')}), "
            f"{note.get('scope')}",
            soft_wrap=True,
        )


def _print_pools(console: Any, one: dict[str, Any], part: dict[str, Any]) -> None:
    """Errors of the melt pool's size, where the task has one."""
    pools = part.get("melt_pool")
    if not pools:
        return
    sizes = ["length", "width", "depth"]
    table = _regions_table(f"melt pool, mean error of its size in µm, {pools['metrics']['frames']} frames", sizes)
    for label, values in {one["model"]: pools["metrics"], **pools["baselines"]}.items():
        table.add_row(label, *(_number(values[size]["mae"], ".3g") for size in sizes))
    table.add_section()
    table.add_row("true size", *(_number(pools["metrics"][size]["truth"], ".1f") for size in sizes))
    console.print(table)


def _print_sharpness(console: Any, one: dict[str, Any], part: dict[str, Any]) -> None:
    """How blurred the answers are where cells may freeze, where the task says so."""
    sharpness = part.get("sharpness")
    if not sharpness:
        return
    columns = {"gradients": "gradient_ratio", "coherence": "coherence", "fine waves": "band_ratio"}
    table = _regions_table("sharpness in active cells; the truth has 1, 1, 1", list(columns))
    for label, values in {one["model"]: sharpness["metrics"], **sharpness["baselines"]}.items():
        table.add_row(label, *(_number(values["active"][key], ".3f") for key in columns.values()))
    console.print(table)


def _print_rollout(console: Any, one: dict[str, Any]) -> None:
    """Error against horizon, in the regions where cells are many and where they matter."""
    rolled = one.get("rollout")
    if not rolled:
        return
    steps = rolled["steps"]
    for region in ("all", "active"):
        title = f"MSE by frames ahead, {region}, {rolled['starts']} starts"
        table = _regions_table(title, list(steps))
        for label in (one["model"], *one["baselines"]):
            parts = [part["metrics"] if label == one["model"] else part["baselines"][label] for part in steps.values()]
            table.add_row(label, *(_number(part[region]["mse"]) for part in parts))
        console.print(table)
    given = {
        "true": "the true temperature of each frame was given",
        "predicted": "the temperature was predicted too" if one["task"] != "temperature" else "nothing was given",
    }
    note = " (and to the baselines the true temperature)" if one["task"] != "temperature" else ""
    console.print(
        f"rollout: each frame from those predicted before; {given[rolled['temperature']]}{note}", soft_wrap=True
    )


def _regions_table(title: str, regions: list[str]) -> Any:
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    table.add_column("", no_wrap=True)
    for region in regions:
        table.add_column(region, justify="right", no_wrap=True)
    return table

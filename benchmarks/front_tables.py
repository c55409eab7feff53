"""Tables of tracks held out, from results/held_out_tracks.json, and of the full-size track."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import fmean
from typing import Any

import numpy as np
from laser_tables import load
from numpy.typing import NDArray

from lasernet.viz.report import markdown_table

BAR, BRIEF = "calibrated-front-3d", "**brief**"
SHOWN = ("persistence", "nearest-solid-3d", "calibrated-front", "calibrated-front-3d")
REGION = "active"
Row = Mapping[str, Any]


def held_out_errors() -> str:
    """Active MSE of every answer on every track that was held out, and how much less than the bar's."""
    found = load("held_out_tracks")
    answers = _answers(found)
    return _against(found, {name: one for name, one in answers.items() if not name.startswith("**brief")}, BAR)


def held_out_ablation() -> str:
    """The same of a single network trained for one epoch, without one part after the other."""
    found = load("held_out_tracks")
    return _against(found, {name: one for name, one in _answers(found).items() if name.startswith("**brief")}, BRIEF)


def _against(found: Row, answers: Mapping[str, Mapping[str, tuple[float, float]]], bar: str) -> str:
    reference = answers[bar]
    rows: list[dict[str, object]] = []
    for name, tracks in answers.items():
        row: dict[str, object] = {"answer": name}
        row |= {track: f"{mse:.4f}" for track, (mse, _) in tracks.items()}
        low, high = _interval(tracks, reference)
        cuts = [1 - mse / reference[track][0] for track, (mse, _) in tracks.items()]
        if name not in (*SHOWN, bar):
            row[f"less than {bar.strip('*')}, mean of tracks"] = f"{100 * fmean(cuts):.0f} %"
            row["least"] = f"{100 * min(cuts):.0f} %"
            row["pooled"] = f"{100 * _cut(tracks, reference):.0f} % [{100 * low:.0f}, {100 * high:.0f}]"
        rows.append(row)
    columns = dict.fromkeys(max(rows, key=len), "")
    table = markdown_table([{**columns, **row} for row in rows], dict.fromkeys(columns, str))
    return f"{table}\n\n{_origin(found)}"


def held_out_gates() -> str:
    """Calibration of the chances of freezing, pooled over the folds."""
    found = load("held_out_tracks")
    every: dict[str, list[Row]] = {}
    for row in found["rows"]:
        if "gate" not in row or row["name"].startswith("brief"):
            continue
        every.setdefault(f"**{row['name']}**", []).append(row["gate"]["metrics"])
        if row["name"] == "grain-front":
            for label, gate in row["gate"]["baselines"].items():
                every.setdefault(label, []).append(gate)
    rows: list[dict[str, object]] = []
    for name, folds in every.items():
        cells = np.array([fold["cells"] for fold in folds], dtype=float)
        row: dict[str, object] = {"answer": name, "cells": f"{int(cells.sum()):,}"}
        for key, words in (("brier", "Brier"), ("brier_constant", "constant chance"), ("log_loss", "log loss")):
            row[words] = f"{np.average([fold[key] for fold in folds], weights=cells):.4f}"
        rows.append(row)
    return f"{markdown_table(rows, dict.fromkeys(rows[0], str))}\n\n{_origin(found)}"


def full_track() -> str:
    """Errors on the last frames of a track at full resolution: means over seeds, and the range of each."""
    found = load("full_track")
    rows: list[dict[str, object]] = []
    reference = found["rows"][0]["baselines"]
    for name in SHOWN:
        skill = {
            region: 1 - one["mse"] / reference["persistence"][region]["mse"] for region, one in reference[name].items()
        }
        values = {region: one["mse"] for region, one in reference[name].items()}
        rows.append(_full_row(name, [(values, skill)]))
    for name in dict.fromkeys(row["name"] for row in found["rows"]):
        runs = [row for row in found["rows"] if row["name"] == name]
        for label, parts in ((name, runs), (f"{name}, sharp", [row["sharp"] for row in runs])):
            pairs = [
                (
                    {region: one["mse"] for region, one in part["metrics"].items()},
                    {region: one["mse"] for region, one in part["skill"]["persistence"].items()},
                )
                for part in parts
            ]
            row = _full_row(f"**{label}**", pairs)
            if parts is runs:
                row["Brier"] = _range([one["gate"]["metrics"]["brier"] for one in runs], ".4f")
                row["solid cells changed"] = _range([one["changed"]["changed"] for one in runs], ".0f")
                row["CPU min"] = f"{max(one['cost']['train_cpu_seconds'] for one in runs) / 60:.1f}"
                row["parameters"] = f"{runs[0]['cost']['parameters']:,}"
            rows.append(row)
    columns = dict.fromkeys(max(rows, key=len), "")
    table = markdown_table([{**columns, **row} for row in rows], dict.fromkeys(columns, str))
    seeds = ", ".join(str(seed) for seed in dict.fromkeys(row["seed"] for row in found["rows"]))
    return (
        f"{table}\n\n`{found['command']}`, commit {found['commit'][:10]}, data {found['data']['hash'][:12]}, split "
        f"{found['data']['split_hash'][:12]}, seeds {seeds} (mean, lowest–highest); {found['threads']} thread, "
        f"{found['machine']}."
    )


def front_sources() -> str:
    """How often rules without learning name the right grain."""
    found = load("front_sources")
    rows = [{"rule": rule, "right": share} for rule, share in found["right"].items()]
    frames = ", ".join(str(frame + 1) for frame in found["frames"])
    table = markdown_table(rows, {"rule": str, "right": ".1%"})
    return (
        f"{table}\n\n`{found['command']}`, commit {found['commit'][:10]}, data {found['hash'][:12]}; "
        f"{found['cells']:,} cells that froze before frames {frames}."
    )


def _full_row(name: str, runs: Sequence[tuple[Mapping[str, float], Mapping[str, float]]]) -> dict[str, object]:
    mse = {region: [errors[region] for errors, _ in runs] for region in runs[0][0]}
    skill = {region: [one[region] for _, one in runs] for region in runs[0][1]}
    return {
        "answer": name,
        "front": _range(mse["front"], ".4f"),
        "front, skill": _range(skill["front"], ".3f"),
        "all cells, skill": _range(skill["all"], ".3f"),
        "newly solid": _range(mse["newly_solid"], ".4f"),
        "active": _range(mse["active"], ".4f"),
    }


def _range(values: Sequence[float], digits: str) -> str:
    """The mean, and in brackets the lowest and the highest of several."""
    if len(values) == 1:
        return format(values[0], digits)
    return f"{fmean(values):{digits}} ({min(values):{digits}}–{max(values):{digits}})"


def _answers(found: Row) -> dict[str, dict[str, tuple[float, float]]]:
    """MSE and cells by track, by answer: baselines first, then models and their sharp answers."""
    answers: dict[str, dict[str, tuple[float, float]]] = {name: {} for name in SHOWN}
    for row in found["rows"]:
        for case, scores in row["cases"].items():
            track, cells = case.split("/")[0], float(scores["cells"][REGION])
            for name in set(SHOWN) & set(scores["baselines"]):
                answers[name][track] = (scores["baselines"][name][REGION], cells)
            answers.setdefault(f"**{row['name']}**", {})[track] = (scores["mse"][REGION], cells)
        for case, scores in row.get("sharp", {}).get("cases", {}).items():
            track = case.split("/")[0]
            answers.setdefault(f"**{row['name']}, sharp**", {})[track] = (
                scores["mse"][REGION], float(scores["cells"][REGION]),
            )  # fmt: skip
    return {name: dict(sorted(tracks.items())) for name, tracks in answers.items()}


def _errors(tracks: Mapping[str, tuple[float, float]]) -> NDArray[np.float64]:
    return np.array([mse * cells for mse, cells in tracks.values()])


def _cut(tracks: Mapping[str, tuple[float, float]], bar: Mapping[str, tuple[float, float]]) -> float:
    return float(1 - _errors(tracks).sum() / _errors(bar).sum())


def _interval(
    tracks: Mapping[str, tuple[float, float]], bar: Mapping[str, tuple[float, float]], resamples: int = 2000
) -> Sequence[float]:
    """2.5 % and 97.5 % points over tracks drawn with replacement."""
    drawn = np.random.default_rng(0).integers(0, len(tracks), (resamples, len(tracks)))
    own, other = _errors(tracks)[drawn].sum(axis=1), _errors(bar)[drawn].sum(axis=1)
    return [float(value) for value in np.quantile(1 - own / other, (0.025, 0.975))]


def _origin(found: Row) -> str:
    folds = "; ".join(f"{' and '.join(fold['test'])} ({fold['hash'][:12]})" for fold in found["folds"])
    return (
        f"`{found['command']}`, commit {found['commit'][:10]}, seed 0; held out in turn: {folds}; "
        f"intervals: 2000 resamples of 8 tracks; {found['threads']} thread, {found['machine']}."
    )


TABLES: dict[str, Callable[[], str]] = {
    function.__name__: function for function in (held_out_errors, held_out_gates, full_track)
}
